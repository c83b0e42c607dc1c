"""Let troubles happen around a run: to the service, to the functions, by others, from outside."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cache

from emulator.virtual.lambda_runtime import Fails
from emulator.virtual.step_functions import StartedExecution
from tests.workflow.pipeline import Pipeline, handler
from tests.workflow.troubles import HOUR, ORDERS, Trouble
from tests.workflow.witness import HOME, SHELF, SOLUTION, Witness, own_report
from tests.world import IMPORT_ROLE, PERSONALIZE, interactions


def prepare(pipeline: Pipeline, witness: Witness, found: list[Trouble]) -> None:
    """Order the faults of the service, and change the data, before the run starts."""
    kinds = {trouble.kind: trouble for trouble in found}
    if "behind" in kinds and SHELF in _campaigns(pipeline):
        _fall_behind(pipeline)
    if "worse-data" in kinds:
        pipeline.bucket.put("interactions.csv", shuffled())
    for trouble in found:
        if trouble.kind == "no-way-back":
            witness.at_rollback = {"fault": "fail", "job": "campaign-update"}
        if trouble.kind in ORDERS:
            pipeline.personalize.faults.inject(ORDERS[trouble.kind](trouble))


def interfere(
    pipeline: Pipeline, witness: Witness, found: list[Trouble], first: StartedExecution
) -> list[StartedExecution]:
    """Do what others do while the run is under way; give the executions of a second event."""
    started = pipeline.clock.now()
    second = []
    for trouble in sorted(found, key=lambda each: each.seconds):
        if trouble.kind not in (*OTHERS, "second-event", "abort", "time-out"):
            continue
        wait = started + timedelta(seconds=trouble.seconds) - pipeline.clock.now()
        pipeline.clock.sleep(max(0, wait.total_seconds()))
        if trouble.kind in OTHERS:
            OTHERS[trouble.kind](pipeline, witness, trouble)
        elif trouble.kind == "second-event":
            second.append(pipeline.start())
        else:
            end = witness.abort if trouble.kind == "abort" else witness.time_out
            end(first)
            pipeline.clock.sleep(1)
            close(witness, first, trouble)
    return second


def close(witness: Witness, running: StartedExecution, ending: Trouble) -> None:
    """Close a run that has ended without a report as EventBridge does, which may do so twice."""
    execution = running.now()
    if execution.status != "RUNNING" and own_report(execution) is None:
        for _ in range(2 if ending.where == "twice" else 1):
            witness.close(execution)


def _campaigns(pipeline: Pipeline) -> list[str]:
    return [str(each.campaign_arn) for each in pipeline.args.solutions[0].campaigns]


def _campaign(pipeline: Pipeline, trouble: Trouble) -> str:
    """Give the campaign that is meant: home, where there is no shelf."""
    return SHELF if trouble.where == "shelf" and SHELF in _campaigns(pipeline) else HOME


@cache
def shuffled() -> bytes:
    """Give interactions from which nothing is learnt."""
    return interactions(shuffled=True)


def _fall_behind(pipeline: Pipeline) -> None:
    """Let the shelf serve a version that was trained on shuffled histories."""
    good = pipeline.bucket.objects["interactions.csv"]
    pipeline.bucket.objects["interactions.csv"] = shuffled()
    pipeline.client.create_dataset_import_job(
        jobName="shuffled",
        datasetArn=f"{PERSONALIZE}:dataset/movies/INTERACTIONS",
        dataSource={"dataLocation": "s3://exports/interactions.csv"},
        roleArn=IMPORT_ROLE,
    )
    pipeline.sleep(HOUR)
    pipeline.bucket.objects["interactions.csv"] = good
    poor = pipeline.client.create_solution_version(solutionArn=SOLUTION, name="poor")
    pipeline.sleep(HOUR)
    pipeline.client.update_campaign(
        campaignArn=SHELF, solutionVersionArn=poor["solutionVersionArn"]
    )
    pipeline.sleep(HOUR)


def _train(_made: Pipeline, witness: Witness, _trouble: Trouble) -> None:
    with witness.undisturbed() as api:
        api.create_solution_version(solutionArn=SOLUTION, name="theirs")


def _update_again(pipeline: Pipeline, witness: Witness, trouble: Trouble) -> None:
    campaign = _campaign(pipeline, trouble)
    served = witness.served(campaign)
    with witness.undisturbed() as api, suppress(api.exceptions.ResourceInUseException):
        api.update_campaign(campaignArn=campaign, solutionVersionArn=served)


def _overtake(pipeline: Pipeline, witness: Witness, trouble: Trouble) -> None:
    """Train a version in two minutes, and deploy it as fast."""
    quick = {"fault": "take", "seconds": 1}
    pipeline.personalize.faults.inject({**quick, "job": "solution-version", "of": "rival"})
    with witness.undisturbed() as api:
        newer = api.create_solution_version(solutionArn=SOLUTION, name="rival")
    pipeline.clock.sleep(90)
    arn, campaign = newer["solutionVersionArn"], _campaign(pipeline, trouble)
    if witness.version(arn)["status"] == "ACTIVE":
        pipeline.personalize.faults.inject({**quick, "job": "campaign-update", "of": campaign})
        with witness.undisturbed() as api, suppress(api.exceptions.ResourceInUseException):
            api.update_campaign(campaignArn=campaign, solutionVersionArn=arn)
            witness.overtaken[campaign] = pipeline.clock.now()


OTHERS: Mapping[str, Callable[[Pipeline, Witness, Trouble], None]] = {
    "their-training": _train,
    "their-update": _update_again,
    "their-rival": _overtake,
}
"""What somebody else does."""


def handlers(found: list[Trouble], seen: Counter[str]) -> dict[str, Callable]:
    """Give the functions with what happens to them: killed, invoked twice, or out of memory."""
    troubled = {}
    for trouble in found:
        if trouble.kind in ("killed", "killed-before", "twice"):
            inner = troubled.get(trouble.where, handler(trouble.where))
            troubled[trouble.where] = _troubled(trouble, inner, seen)
        if trouble.kind == "no-report":
            troubled["report_outcome"] = _troubled(trouble, handler("report_outcome"), seen)
    return troubled


def _troubled(trouble: Trouble, inner: Callable, seen: Counter[str]) -> Callable:
    left = [trouble.times]

    def run(event, context):
        if left[0] <= 0:
            return inner(event, context)
        left[0] -= 1
        seen[f"happened: {trouble.kind}"] += 1
        if trouble.kind == "no-report":
            raise Fails("Runtime.OutOfMemory")
        if trouble.kind == "killed-before":
            raise Fails("Sandbox.Timedout")
        answer = inner(event, context)
        if trouble.kind == "killed":
            raise Fails("Runtime.ExitError")
        return inner(event, context) if trouble.kind == "twice" else answer

    return run

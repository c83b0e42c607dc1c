"""Make the disturbances of a run happen: in Personalize, in the functions and from outside."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from emulator.virtual.step_functions import Fails, Handler, StartedExecution
from tests.workflow.disturbances import FAULTS, Disturbance
from tests.workflow.pipeline import Pipeline, handler
from tests.workflow.recorder import HOME, SHELF, Recorder, report_of
from tests.world import HOUR, interactions, solution_arn

SHUFFLED = interactions(shuffled=True)
"""Interactions from which a model learns nothing."""


def prepare(pipeline: Pipeline, recorder: Recorder, disturbances: Sequence[Disturbance]) -> None:
    """Inject the faults and change the data, before the run starts."""
    kinds = {disturbance.kind for disturbance in disturbances}
    if "behind" in kinds and SHELF in _campaign_arns(pipeline):
        _deploy_poor_version(pipeline)
    if "worse-data" in kinds:
        pipeline.bucket.put("interactions.csv", SHUFFLED)
    if "no-way-back" in kinds:
        recorder.fault_at_rollback = {"fault": "fail", "job": "campaign-update"}
    for disturbance in disturbances:
        if disturbance.kind in FAULTS:
            pipeline.personalize.faults.inject(FAULTS[disturbance.kind](disturbance))


def interfere(
    pipeline: Pipeline,
    recorder: Recorder,
    disturbances: Sequence[Disturbance],
    first: StartedExecution,
) -> list[StartedExecution]:
    """Do what happens from outside while the run continues. Return the executions it starts."""
    started_at = pipeline.clock.now()
    more_executions = []
    outside = ("second-event", "abort", "time-out", *FOREIGN_ACTIONS)
    for disturbance in sorted(disturbances, key=lambda item: item.seconds):
        if disturbance.kind not in outside:
            continue
        moment = started_at + timedelta(seconds=disturbance.seconds)
        pipeline.sleep(max(0, (moment - pipeline.clock.now()).total_seconds()))
        if disturbance.kind == "second-event":
            more_executions.append(pipeline.start())
        elif disturbance.kind in FOREIGN_ACTIONS:
            FOREIGN_ACTIONS[disturbance.kind](pipeline, recorder, disturbance)
        else:
            end = recorder.abort if disturbance.kind == "abort" else recorder.time_out
            end(first)
            pipeline.sleep(1)
            close(recorder, first, disturbance)
    return more_executions


def close(recorder: Recorder, started: StartedExecution, ending: Disturbance) -> None:
    """Close a run that ended without a report. EventBridge may deliver its event twice."""
    execution = started.now()
    if execution.status != "RUNNING" and report_of(execution) is None:
        for _ in range(2 if ending.where == "twice" else 1):
            recorder.close(execution)


def _campaign_arns(pipeline: Pipeline) -> list[str]:
    return [str(campaign.campaign_arn) for campaign in pipeline.args.solutions[0].campaigns]


def _campaign_arn(pipeline: Pipeline, disturbance: Disturbance) -> str:
    """Return the campaign of a disturbance. It is the home campaign if there is no shelf."""
    if disturbance.where == "shelf" and SHELF in _campaign_arns(pipeline):
        return SHELF
    return HOME


def _deploy_poor_version(pipeline: Pipeline) -> None:
    """Make the shelf campaign serve a version that was trained on shuffled histories."""
    good_content = pipeline.bucket.objects["interactions.csv"]
    pipeline.bucket.objects["interactions.csv"] = SHUFFLED
    pipeline.foreign_import("interactions")
    pipeline.sleep(HOUR)
    pipeline.bucket.objects["interactions.csv"] = good_content
    poor = pipeline.foreign_training("poor")
    pipeline.sleep(HOUR)
    pipeline.foreign_update(poor, "shelf")
    pipeline.sleep(HOUR)


def _train(_pipeline: Pipeline, recorder: Recorder, _disturbance: Disturbance) -> None:
    """Start a foreign training."""
    with recorder.without_faults() as client:
        client.create_solution_version(solutionArn=solution_arn(), name="foreign")


def _update_again(pipeline: Pipeline, recorder: Recorder, disturbance: Disturbance) -> None:
    """Update a campaign to the version that it serves already."""
    campaign = _campaign_arn(pipeline, disturbance)
    served = recorder.served_version(campaign)
    with recorder.without_faults() as client, suppress(client.exceptions.ResourceInUseException):
        client.update_campaign(campaignArn=campaign, solutionVersionArn=served)


def _overtake(pipeline: Pipeline, recorder: Recorder, disturbance: Disturbance) -> None:
    """Train a foreign version in less than two minutes, and deploy it immediately."""
    quick = {"fault": "take", "seconds": 1}
    pipeline.personalize.faults.inject({**quick, "job": "solution-version", "of": "rival"})
    with recorder.without_faults() as client:
        response = client.create_solution_version(solutionArn=solution_arn(), name="rival")
    pipeline.sleep(90)
    rival, campaign = response["solutionVersionArn"], _campaign_arn(pipeline, disturbance)
    if recorder.version(rival)["status"] != "ACTIVE":
        return
    pipeline.personalize.faults.inject({**quick, "job": "campaign-update", "of": campaign})
    with recorder.without_faults() as client, suppress(client.exceptions.ResourceInUseException):
        client.update_campaign(campaignArn=campaign, solutionVersionArn=rival)
        recorder.overtaken[campaign] = pipeline.clock.now()


FOREIGN_ACTIONS: Mapping[str, Callable[[Pipeline, Recorder, Disturbance], None]] = {
    "foreign-training": _train,
    "foreign-update": _update_again,
    "foreign-rival": _overtake,
}
"""The disturbances in which a person or another program uses Personalize."""


def disturbed_handlers(disturbances: Sequence[Disturbance]) -> dict[str, Handler]:
    """Return the functions that are killed, invoked twice or out of memory, by step."""
    handlers = {}
    for disturbance in disturbances:
        if disturbance.kind in ("killed", "killed-before", "twice"):
            step = disturbance.where
        elif disturbance.kind == "no-report":
            step = "report_outcome"
        else:
            continue
        undisturbed = handlers.get(step, handler(step))
        handlers[step] = _disturbed(disturbance, undisturbed)
    return handlers


def _disturbed(disturbance: Disturbance, undisturbed: Handler) -> Handler:
    remaining = disturbance.times

    def run(event, context):
        nonlocal remaining
        if remaining <= 0:
            return undisturbed(event, context)
        remaining -= 1
        if disturbance.kind == "no-report":
            raise Fails("Runtime.OutOfMemory")
        if disturbance.kind == "killed-before":
            raise Fails("Sandbox.Timedout")
        undisturbed(event, context)
        if disturbance.kind == "killed":
            raise Fails("Runtime.ExitError")
        assert disturbance.kind == "twice"
        return undisturbed(event, context)

    return run

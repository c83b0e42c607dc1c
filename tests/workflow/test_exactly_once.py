"""Exactly once: whatever goes wrong around a run, nothing bad goes live, nothing is paid for twice.

Random faults, delays and duplicates, with moto's interpreter, the real functions and the
Personalize emulator, on virtual time. What holds in each example is in `promises`; the same
examples are drawn each time.
"""

import json
from collections import Counter

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from components.args import CampaignArgs, ProbeArgs, SolutionArgs
from emulator.personalize import Switches
from functions.memory import VERDICT
from tests import group
from tests.pipeline import PREFIX, RUN, pipeline
from tests.workflow.troubles import (
    CAMPAIGN,
    SOLUTION,
    Trouble,
    Witness,
    handlers,
    interfere,
    of_this_run,
    prepare,
    troubles,
)

EXAMPLES = 260
"""Of each of the two tests."""
MAX_DROP = 0.25
"""The gate's, unless configured otherwise."""
SECONDS = {
    **{f"{PREFIX}-{RUN}-{kind}-1": 300 for kind in ("interactions", "items")},
    "solution-version": 1200,
    "campaign-update": 300,
}
"""Short jobs: what is looked at less often is tried faster."""


def run_with(found: list[Trouble], switches: Switches, *, resume: bool) -> Counter[str]:
    """Run once with these troubles, hold the promises, and count what came."""
    seen = Counter(f"drawn: {trouble.kind}" for trouble in found) or Counter(["drawn: nothing"])
    bad_answers = any(trouble.kind == "bad-answers" for trouble in found)
    probe = ProbeArgs(user_id="u1", min_results=500 if bad_answers else 1, minutes=5)
    campaign = CampaignArgs(campaign_arn=CAMPAIGN, probe=probe)
    args = group.settings(
        datasets=group.datasets("interactions", "items"),
        solutions=[SolutionArgs(solution_arn=SOLUTION, campaigns=[campaign])],
    )
    troubled = handlers(found, seen)
    with pipeline(args, seconds=SECONDS, switches=switches, handlers=troubled) as made:
        with Witness(made).watching() as witness:
            prepare(made, found)
            first = made.start()
            seconds = interfere(made, witness, found)
            ended = [first.wait(), *(each.wait() for each in seconds)]
            made.personalize.faults.clear()
            if resume and ended[0].status == "FAILED":
                ended.append(
                    made.run(scheduledTime=None, scheduleArn=None, trigger=None, resume=RUN)
                )
                seen["resumed"] += 1
        promises(witness, ended)
    seen.update(f"ended: {_report(each)['status']}" for each in ended)
    return seen


def promises(witness: Witness, ended) -> None:
    """Hold an example to all that is promised."""
    assert {each.status for each in ended} <= {"SUCCEEDED", "FAILED"}, "every run ends by itself"
    reports = [_report(each) for each in ended]
    assert all(reports), "every run ends in a report"
    for update in witness.updates:
        back = update.left.get(VERDICT) == "ROLLED_BACK"
        assert update.status == "ACTIVE", f"{update} moves the campaign to what is not ACTIVE"
        assert VERDICT not in update.tags, f"{update} deploys what was rejected or rolled back from"
        assert back or update.drop <= MAX_DROP, f"{update} deploys what the gate must reject"
        newer = _created(witness, update.target) >= _created(witness, update.served)
        assert newer or back, f"{update} moves the campaign to an older version, and is no rollback"
    with witness.undisturbed() as api:
        arns = [
            each["solutionVersionArn"]
            for each in api.list_solution_versions(solutionArn=SOLUTION)["solutionVersions"]
        ]
        jobs = api.list_dataset_import_jobs()["datasetImportJobs"]
    ours = [version for arn in arns if of_this_run(version := witness.version(arn), RUN)]
    good = [version for version in ours if not _failed(witness, version)]
    assert len(good) <= 1, f"{len(good)} versions were trained, and none of them failed"
    for arn in witness.stopped:
        assert of_this_run(witness.version(arn), RUN), f"{arn} is not ours, and was stopped"
    reported = {
        arn
        for report in reports
        for arn in (
            *(each["datasetImportJobArn"] for each in report["imports"]),
            *(each["solutionVersionArn"] for each in report["solutions"]),
        )
    }
    started = {
        *(job["datasetImportJobArn"] for job in jobs if job["jobName"].startswith(PREFIX)),
        *(version["solutionVersionArn"] for version in ours),
    }
    assert started <= reported, f"{started - reported} were started, and no report says so"
    adopted = {
        each["solutionVersionArn"]
        for report in reports
        for each in report["solutions"]
        if each["adopted"]
    }
    of_ours = adopted & {version["solutionVersionArn"] for version in ours}
    assert of_ours == set(), f"{of_ours} are ours, and taken for somebody else's"
    _matches_the_world(witness, reports)


def _matches_the_world(witness: Witness, reports) -> None:
    """The last report that touched the campaign tells what it serves now."""
    touched = [
        (solution, campaign)
        for report in reports
        for solution in report["solutions"]
        for campaign in solution["campaigns"]
        if campaign["outcome"] in ("DEPLOYED", "ROLLED_BACK")
    ]
    if touched:
        solution, campaign = touched[-1]
        expected = {
            "DEPLOYED": solution["solutionVersionArn"],
            "ROLLED_BACK": campaign["previousVersionArn"],
        }
        assert witness.served() == expected[campaign["outcome"]], (
            f"{campaign} is not what is served"
        )


def _failed(witness: Witness, version) -> bool:
    return version["status"] != "ACTIVE" or VERDICT in witness.tags(version["solutionVersionArn"])


def _created(witness: Witness, arn: str):
    return witness.version(arn)["creationDateTime"]


def _report(execution):
    for event in reversed(execution.events):
        exited = event.get("stateExitedEventDetails", {})
        if exited.get("name") == "Report outcome":
            return json.loads(exited["output"])["outcome"]
    return None


SWITCHES = st.builds(
    Switches,
    unique_version_names=st.booleans(),
    update_visible_after=st.sampled_from([0, 90]),
    update_keeps_settings=st.booleans(),
)


def check(capsys, *, resume: bool) -> None:
    """Run the examples, and print how often each trouble and each outcome came."""
    seen: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @seed(int(resume))
    @given(troubles(), SWITCHES)
    def example(found, switches):
        seen["examples"] += 1
        seen.update(run_with(found, switches, resume=resume))

    example()
    with capsys.disabled():
        print("", *(f"{count:5} {what}" for what, count in sorted(seen.items())), sep="\n")
    assert seen["examples"] >= EXAMPLES, "no example may be thrown away"


def test_nothing_is_done_twice_whatever_goes_wrong(capsys):
    check(capsys, resume=False)


def test_nothing_is_done_twice_when_a_failed_run_is_resumed(capsys):
    check(capsys, resume=True)

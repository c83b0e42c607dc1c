"""Proves how the evidence of each scenario is judged."""

from dataclasses import replace

import pytest

from retrain.rehearsal.judges import Evidence, Expectation
from retrain.rehearsal.scenarios import SCENARIOS, Name
from tests.retrain.builders import (
    CAMPAIGN,
    EXECUTION,
    EXECUTION_BY_HAND,
    NEW,
    NOT_UPDATED,
    OLD,
    UPDATED,
    campaign_report,
    import_job,
    run,
    run_without_report,
    solution_report,
    training,
    update,
)

JUDGES = {str(scenario.name): scenario.judge for scenario in SCENARIOS}
ACTIVE = {NEW: "ACTIVE"}
TOO_SMALL = "datasets.interactions: less than minRelativeSize 0.5"
WRONG_HEADER = (
    "datasets.interactions: lacks A, which the dataset's schema requires; add or "
    "rename columns in the export, which has B"
)
BOTH_TRAIN = "solutions[0]: also trains automatically"


def refused(message, **changes):
    """Return a run that a guard refused."""
    return run("FAILED", reason=f"RunRefused: 1 problem with this run:\n  {message}", **changes)


def retrained(outcome):
    """Return a run that trained a version, after which the campaign has this outcome."""
    report = solution_report(campaigns=[campaign_report(outcome)])
    return run(outcome, report, jobs=[training()])


FAILED = run("FAILED", solution_report(), jobs=[training()])
SKIPPED_BY_HAND = run(
    "SKIPPED",
    reason=f"{EXECUTION}, an older run, is still running; wait until it has ended, or stop it",
    execution_arn=EXECUTION_BY_HAND,
)
FIRST, SECOND = run(jobs=[import_job(arn="a")]), run("TRAINED", jobs=[import_job(arn="b")])
ABORTED = replace(run_without_report("ABORTED"), jobs=[training(), update()])
CHANGED = run(
    "FAILED",
    reason="the export changed while it was imported; the next run imports it again",
    jobs=[import_job()],
)


def finishing(outcome, campaign_arn=CAMPAIGN):
    """Return a run that finished the trial of a campaign with this outcome."""
    return run(outcome, trials=[campaign_report(outcome, campaignArn=campaign_arn)])


AS_DESIGNED = {
    "truncated-export": Evidence([refused(TOO_SMALL)], [NOT_UPDATED]),
    "wrong-header": Evidence([refused(WRONG_HEADER)], [NOT_UPDATED]),
    "worse-model": Evidence([retrained("REJECTED")], [NOT_UPDATED], ACTIVE),
    "stuck-training": Evidence([FAILED], [NOT_UPDATED], {NEW: "CREATE STOPPED"}),
    "bad-probe": Evidence([retrained("ROLLED_BACK")], [NOT_UPDATED], ACTIVE),
    "duplicate-event": Evidence(
        [retrained("DEPLOYED"), SKIPPED_BY_HAND], [UPDATED], ACTIVE, [EXECUTION, EXECUTION]
    ),
    "nothing-new": Evidence([run("SKIPPED", reason="nothing is new: the exports")], [NOT_UPDATED]),
    "aborted-run": Evidence([ABORTED, finishing("ROLLED_BACK")], [NOT_UPDATED]),
    "foreign-import": Evidence([retrained("DEPLOYED")], [UPDATED], ACTIVE),
    "rewritten-export": Evidence([CHANGED], [NOT_UPDATED]),
    "auto-training": Evidence([refused(BOTH_TRAIN)], [NOT_UPDATED]),
    "two-stacks": Evidence([FIRST, SECOND], [UPDATED], ACTIVE),
}

NOT_AS_DESIGNED = [
    ("truncated-export", {"campaigns": [UPDATED]}, "the campaign was updated"),
    ("truncated-export", {"runs": [refused("out of memory")]}, "it failed for another reason"),
    ("truncated-export", {"runs": [run("SKIPPED", reason=TOO_SMALL)]}, "it was not refused"),
    ("wrong-header", {"runs": [refused(WRONG_HEADER, jobs=[training()])]}, "a job was started"),
    ("worse-model", {"runs": [retrained("DEPLOYED")]}, "the campaign was updated"),
    ("worse-model", {"runs": [run_without_report("ABORTED")]}, "there is no report"),
    ("worse-model", {"version_statuses": {}}, "nothing was trained"),
    ("bad-probe", {"runs": [retrained("REJECTED")]}, "the gate rejected it before the probe"),
    ("stuck-training", {"version_statuses": {NEW: "CREATE IN_PROGRESS"}}, "it is training"),
    ("stuck-training", {"runs": [run_without_report("TIMED_OUT")]}, "there is no report"),
    ("nothing-new", {"runs": [retrained("DEPLOYED")]}, "it trained"),
    ("aborted-run", {"runs": [ABORTED]}, "no execution finished the trial"),
    ("aborted-run", {"runs": [ABORTED, run()]}, "another run started, but finished no trial"),
    ("aborted-run", {"runs": [ABORTED, finishing("DEPLOYED")]}, "the trial passed"),
    ("aborted-run", {"campaigns": [UPDATED]}, "the new version stays in use"),
    (
        "aborted-run",
        {"runs": [replace(ABORTED, jobs=[training()]), finishing("ROLLED_BACK")]},
        "it was stopped before the update",
    ),
    ("aborted-run", {"runs": [FAILED, finishing("ROLLED_BACK")]}, "it was not stopped"),
    ("foreign-import", {"runs": [retrained("REJECTED")]}, "the campaign keeps its version"),
    ("foreign-import", {"version_statuses": {}}, "nothing was trained"),
    ("rewritten-export", {"runs": [FAILED]}, "it failed for another reason"),
    ("rewritten-export", {"runs": [retrained("DEPLOYED")]}, "the change was not noticed"),
    ("rewritten-export", {"runs": [replace(CHANGED, jobs=[training()])]}, "it trained"),
    ("rewritten-export", {"campaigns": [UPDATED]}, "the campaign was updated"),
    ("duplicate-event", {"deliveries": [EXECUTION, EXECUTION_BY_HAND]}, "two executions"),
    ("duplicate-event", {"runs": [retrained("DEPLOYED")] * 2}, "both runs trained"),
    ("duplicate-event", {"version_statuses": {**ACTIVE, OLD: "ACTIVE"}}, "two versions"),
    ("duplicate-event", {"version_statuses": {}}, "no version"),
    ("duplicate-event", {"campaigns": [NOT_UPDATED]}, "the campaign was not updated"),
    ("two-stacks", {"foreign_calls": ["a call"]}, "a call names a foreign resource"),
    ("two-stacks", {"runs": [FIRST, FIRST]}, "a job belongs to both"),
    ("two-stacks", {"runs": [run(), run()]}, "there are no jobs"),
    ("two-stacks", {"runs": [FIRST, run("FAILED", jobs=[training()])]}, "one run failed"),
]


def expectations(name, evidence):
    return list(JUDGES[name](evidence))


def test_every_scenario_has_a_case_here():
    names = [name for name in Name if name not in (Name.HAPPY_PATH, Name.ALL)]
    assert list(JUDGES) == list(AS_DESIGNED) == names


@pytest.mark.parametrize("name", AS_DESIGNED)
def test_all_expectations_are_met_if_the_scenario_ends_as_designed(name):
    assert [each for each in expectations(name, AS_DESIGNED[name]) if not each.is_met] == []


@pytest.mark.parametrize(("name", "changes", "reason"), NOT_AS_DESIGNED)
def test_an_expectation_is_not_met_if_the_scenario_ends_otherwise(name, changes, reason):
    evidence = replace(AS_DESIGNED[name], **changes)
    assert not all(each.is_met for each in expectations(name, evidence)), reason


def probed(*outcomes, without_probe):
    """Return the evidence of campaigns with these outcomes, the last of which have no probe."""
    arns = [f"{CAMPAIGN}-{number}" for number in range(len(outcomes))]
    reports = [
        campaign_report(outcome, campaignArn=arn)
        for arn, outcome in zip(arns, outcomes, strict=True)
    ]
    campaigns = [
        replace(UPDATED if outcome == "DEPLOYED" else NOT_UPDATED, campaign_arn=arn)
        for arn, outcome in zip(arns, outcomes, strict=True)
    ]
    runs = [run("ROLLED_BACK", solution_report(campaigns=reports))]
    return Evidence(runs, campaigns, ACTIVE, campaigns_without_probe=arns[-without_probe:])


def test_a_campaign_without_a_probe_is_not_protected():
    evidence = probed("ROLLED_BACK", "DEPLOYED", without_probe=1)
    assert expectations("bad-probe", evidence) == [
        Expectation("the new version was trained, and is ACTIVE", True),
        Expectation("the probe rolled back every campaign that has one", True),
        Expectation("home-page-1, which has no probe, serves its previous version", False),
        Expectation("every campaign serves its previous version", False),
    ]


def test_a_campaign_without_a_probe_keeps_a_version_whose_run_was_stopped():
    served = Evidence(
        [ABORTED, finishing("DEPLOYED")], [UPDATED], campaigns_without_probe=[CAMPAIGN]
    )
    assert [each.text for each in expectations("aborted-run", served) if not each.is_met] == [
        "home-page, which has no probe, serves its previous version",
        "every campaign serves its previous version",
    ]


def test_the_function_of_a_stopped_run_may_roll_back_before_the_next_execution():
    evidence = Evidence([ABORTED, finishing("SKIPPED")], [NOT_UPDATED])
    assert all(each.is_met for each in expectations("aborted-run", evidence))


def test_a_probe_that_does_not_roll_back_is_noticed_beside_a_campaign_without_one():
    evidence = probed("DEPLOYED", "REJECTED", without_probe=1)
    assert [each.is_met for each in expectations("bad-probe", evidence)] == [
        *(True, False, True, False)
    ]


def test_messages_are_the_problems_and_failures_of_the_reports_without_repetitions():
    failed = {"type": "users", "outcome": "FAILED", "datasetImportJobArn": None, "reason": "a"}
    imported = {**failed, "outcome": "IMPORTED", "reason": None}
    report = solution_report(reason="b", campaigns=[campaign_report("FAILED", reason="c")])
    trials = [campaign_report("FAILED", reason="e")]
    reason = "Head:\n  d\n  a"
    failed_run = run("FAILED", report, imports=[failed, imported], trials=trials, reason=reason)
    evidence = Evidence([failed_run, failed_run, run_without_report("ABORTED")], [])
    assert evidence.messages() == ["d", "a", "b", "c", "e"]

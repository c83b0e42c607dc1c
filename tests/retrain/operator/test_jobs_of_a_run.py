"""Proves that the jobs of a run are read from the events of its execution."""

import pytest

from retrain.look.jobs import Job, RunProgress, expected_end_seconds
from tests.retrain.operator.events import (
    CAMPAIGN,
    IMPORT,
    RUN_DOCUMENT,
    SOLUTION,
    VERSION,
    at,
    campaign_document,
    campaign_item,
    dataset_event,
    entered,
    exited,
    item,
    planned,
    solution_event,
)


def read(*events):
    """Return what the events say of a run."""
    progress = RunProgress()
    for event in events:
        progress.read(event)
    return progress


def job_after(kind, *events):
    """Return the only job of a kind after these events."""
    (found,) = [job for job in read(*events).jobs.values() if job.kind == kind]
    return found


def state_after(kind, *events):
    """Return the state, the status and the failure of the only job of a kind."""
    found = job_after(kind, *events)
    return found.state, found.status, found.failure


def test_a_plan_has_its_jobs_in_their_order_with_what_they_usually_take():
    progress = read(planned())
    assert progress.run_id == "20261129T030000Z"
    assert [(job.label, job.expected_seconds, job.state) for job in progress.jobs.values()] == [
        ("import items", 900, "planned"),
        ("train movies", 3600, "planned"),
        ("update home-page", 900 + 2 * 60, "planned"),
    ]


def test_a_job_that_was_never_done_has_no_expected_end():
    campaign = {"campaignArn": CAMPAIGN}
    solution = {"solutionArn": SOLUTION, "existingVersionArn": VERSION, "durations": []}
    jobs = read(planned(imports=[], solutions=[{**solution, "campaigns": [campaign]}])).jobs
    assert [(job.label, job.expected_seconds) for job in jobs.values()] == [
        ("train movies", None),
        ("update home-page", 900 + 2 * 60),
    ]


def test_a_run_that_does_nothing_has_no_jobs():
    assert read(planned(todo="NOTHING", reason="nothing is new")).jobs == {}


def test_the_stage_is_the_state_that_was_entered_last():
    plan = {"todo": "WAIT", "seconds": 90, "reason": "an older run is running"}
    waiting = {**RUN_DOCUMENT, "plan": plan}
    events = [
        entered("Plan retraining", {}),
        exited("Plan retraining", waiting),
        exited("What is there to do?", waiting),
        entered("Import datasets", RUN_DOCUMENT),
        {"timestamp": at(0), "type": "MapIterationStarted"},
        {"timestamp": at(0), "stateExitedEventDetails": {"name": "Has it ended?"}},
    ]
    stages = [read(*events[: count + 1]).stage for count in range(len(events))]
    assert stages == [
        "planning",
        *["waiting until 03:01:30 UTC or longer: an older run is running"] * 2,
        *["importing the datasets"] * 3,
    ]


@pytest.mark.parametrize(
    ("import_item", "state", "status"),
    [
        (None, "planned", ""),
        (item("WAITING", began=None), "waiting", "WAITING"),
        (item("IMPORTING"), "running", "IMPORTING"),
        (item("CONFIRMING", ended=15), "waiting", "CONFIRMING"),
        (item("IMPORTED", "IMPORTED", ended=15), "done", "IMPORTED"),
        (item("IMPORTING", "FAILED", ended=15), "failed", "FAILED"),
    ],
)
def test_the_state_of_an_import_is_that_of_its_item(import_item, state, status):
    assert state_after("import", planned(), dataset_event(import_item)) == (state, status, None)


def test_an_import_has_its_times_and_the_reason_of_its_failure():
    failed = item("IMPORTING", "FAILED", "no such column", began=2, ended=17)
    found = job_after("import", planned(), dataset_event(failed))
    assert (found.arn, found.failure) == (IMPORT, "no such column")
    assert [found.seconds(at(minutes)) for minutes in (3, 60)] == [900, 900]
    running = job_after("import", planned(), dataset_event(item("IMPORTING", began=2)))
    assert [running.seconds(at(minutes)) for minutes in (1, 3)] == [0, 60]
    assert [running.remaining_seconds(at(minutes)) for minutes in (3, 60)] == [840, 0]


ERROR = {"Error": "Denied", "Cause": '{"errorMessage": "the name is taken"}'}
TEXT = "Denied: the name is taken"


def test_an_error_of_the_state_machine_fails_a_job():
    assert state_after("import", dataset_event(None, ERROR)) == ("failed", "FAILED", TEXT)
    assert state_after("train", solution_event(None, ERROR)) == ("failed", "FAILED", TEXT)
    trained = item("TRAINED", "TRAINED", arn=VERSION, ended=60)
    assert state_after("train", solution_event(trained, ERROR)) == ("done", "TRAINED", None), (
        "the error came after the training"
    )


def test_a_training_has_the_arn_of_its_version():
    found = job_after("train", planned(), solution_event(item("TRAINING", arn=VERSION)))
    assert (found.arn, found.state) == (VERSION, "running")


def test_an_update_runs_from_its_first_state_until_its_outcome():
    begun = entered("Deploy version", campaign_document(), 80)
    found = job_after("update", planned(), begun)
    assert (found.state, found.started_at, found.ended_at) == ("running", at(80), None)
    assert found.expected_seconds == 900 + 2 * 60, "with its probe"
    item = campaign_item("GOING_BACK")
    waiting = exited("Deploy version", campaign_document(item=item), 94)
    assert state_after("update", planned(), begun, waiting) == ("running", "GOING_BACK", None)
    document = campaign_document(item=campaign_item("TRYING", "DEPLOYED"), outcome="DEPLOYED")
    found = job_after("update", planned(), begun, exited("Campaign updated", document, 95))
    assert (found.state, found.status, found.ended_at) == ("done", "DEPLOYED", at(95))


def test_the_reasons_of_an_item_are_the_failure_of_its_job():
    item = campaign_item("JUDGING", "REJECTED", "NDCG is 10% worse", "MRR is 0")
    document = campaign_document(item=item, outcome="REJECTED")
    assert state_after("update", exited("Campaign left as it is", document)) == (
        *("held", "REJECTED"),
        "NDCG is 10% worse; MRR is 0",
    )


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("AWAITING_APPROVAL", "held"),
        ("SKIPPED", "held"),
        ("ROLLED_BACK", "failed"),
        ("FAILED", "failed"),
    ],
)
def test_an_outcome_decides_the_state_of_an_update(outcome, state):
    document = campaign_document(outcome=outcome, error=ERROR)
    assert state_after("update", exited("Campaign not updated", document)) == (state, outcome, TEXT)


def test_a_trial_that_an_earlier_run_has_left_is_a_job_of_its_own():
    trials = exited("Deploy version", campaign_document())
    progress = read(planned(todo="TRIALS"), entered("Retrain solutions", RUN_DOCUMENT), trials)
    assert progress.stage == "finishing the trials of earlier runs"
    progress = read(planned(todo="TRIALS"), trials, planned())
    assert next(job.label for job in progress.jobs.values()) == "update home-page (earlier run)"
    assert len(progress.jobs) == 4


def test_the_report_is_the_output_of_its_state():
    report = {"outcome": "DEPLOYED"}
    assert read(exited("Report outcome", {"report": report})).report == report


def expected_job(kind, expected, state="planned"):
    return Job(kind, SOLUTION, expected, state=state)


def test_the_end_of_a_run_is_the_sum_of_its_slowest_jobs():
    jobs = [
        expected_job("import", 600),
        expected_job("import", 900),
        expected_job("train", 3600),
        expected_job("update", 300, "done"),
    ]
    assert expected_end_seconds(jobs, at(0)) == 900 + 3600
    assert expected_end_seconds([*jobs, expected_job("train", None)], at(0)) is None
    assert expected_end_seconds([], at(0)) == 0

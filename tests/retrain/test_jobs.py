"""Proves which jobs the history of an execution contains, and how their statuses are polled."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from retrain.rehearsal.jobs import Job, started_jobs
from tests.retrain.builders import (
    CAMPAIGN,
    EXECUTION,
    IMPORT,
    NEW,
    OLD,
    import_job,
    training,
    update,
)

NOW = datetime.now(UTC)


def exited(state, output, *, event_type="TaskStateExited"):
    """Return an event of an execution's history: a state has ended with this output."""
    details = {"name": state, "output": json.dumps(output)}
    return {"timestamp": NOW, "type": event_type, "id": 1, "stateExitedEventDetails": details}


def entered(state, document):
    """Return an event of an execution's history: a state has begun with this document."""
    details = {"name": state, "input": json.dumps(document)}
    return {
        "timestamp": NOW,
        "type": "TaskStateEntered",
        "id": 1,
        "stateEnteredEventDetails": details,
    }


def created(arn):
    """Return the result of a function that has created a job."""
    return {"arn": arn, "status": "CREATE PENDING", "createdAt": NOW.isoformat()}


def respond_with_history(respond, *events):
    request = {"executionArn": EXECUTION, "includeExecutionData": True}
    response = {"events": list(events)}
    respond("stepfunctions", "get_execution_history", response, **request)


def respond_with_campaign(respond, serves, latest_update=None):
    campaign = {"campaignArn": CAMPAIGN, "solutionVersionArn": serves}
    if latest_update:
        version, status = latest_update
        campaign["latestCampaignUpdate"] = {
            "solutionVersionArn": version,
            "status": status,
            "creationDateTime": NOW,
        }
    respond("personalize", "describe_campaign", {"campaign": campaign}, campaignArn=CAMPAIGN)


def test_the_history_contains_a_job_for_each_state_that_starts_one(respond, clients):
    respond_with_history(
        respond,
        {"timestamp": NOW, "type": "ExecutionStarted", "id": 1},
        exited("Plan retraining", {}),
        exited(
            "Import dataset",
            {"dataset": {"durations": [4, 5]}, "item": created(IMPORT)},
        ),
        exited("Train solution", {"solution": {"durations": [60]}, "item": created(NEW)}),
        exited("Update campaigns", {}, event_type="MapStateExited"),
        entered(
            "Deploy version",
            {"campaign": {"campaignArn": CAMPAIGN}, "training": {"arn": NEW}},
        ),
    )
    assert list(started_jobs(clients["stepfunctions"], EXECUTION)) == [
        Job("import", IMPORT, None, [4, 5], ["CREATE PENDING"]),
        Job("train", NEW, None, [60], ["CREATE PENDING"]),
        Job("update", CAMPAIGN, NEW, [], ["CREATE PENDING"], created_after=NOW),
    ]


@pytest.mark.parametrize("job", [None, {"arn": None, "createdAt": None}], ids=["failed", "waits"])
def test_a_job_that_was_not_created_is_left_out(respond, clients, job):
    event = exited("Import dataset", {"dataset": {}, "item": job})
    respond_with_history(respond, event)
    assert list(started_jobs(clients["stepfunctions"], EXECUTION)) == []


@pytest.mark.parametrize(
    ("job", "progress"),
    [
        (import_job("CREATE IN_PROGRESS", seconds=1), 0.25),
        (import_job("CREATE IN_PROGRESS", seconds=8), 0.95),
        (import_job("CREATE IN_PROGRESS", durations=[]), 0),
        (import_job("CREATE IN_PROGRESS", durations=[0]), 0),
        (import_job("CREATE STOPPING", seconds=2), 0.5),
        (import_job("ACTIVE", seconds=1), 1),
        (import_job("CREATE FAILED", durations=[]), 1),
    ],
)
def test_the_progress_depends_on_the_duration_of_the_last_job(job, progress):
    assert job.progress() == progress


def test_an_import_job_is_polled_for_its_status_and_age(respond, clients):
    job = import_job("CREATE PENDING", seconds=0)
    created_at = datetime.now(UTC) - timedelta(minutes=1)
    for status in ("CREATE PENDING", "CREATE IN_PROGRESS"):
        described = {"status": status, "creationDateTime": created_at}
        response = {"datasetImportJob": described}
        respond("personalize", "describe_dataset_import_job", response, datasetImportJobArn=IMPORT)
    assert [job.poll(clients["personalize"]) for _ in range(2)] == [False, True]
    assert job.statuses == ["CREATE PENDING", "CREATE IN_PROGRESS"]
    assert 60 <= job.seconds < 120


def test_a_training_is_polled_for_the_status_of_its_version(respond, clients):
    job = training("CREATE PENDING")
    version = {"status": "ACTIVE", "creationDateTime": NOW}
    request = {"solutionVersionArn": NEW}
    respond("personalize", "describe_solution_version", {"solutionVersion": version}, **request)
    assert job.poll(clients["personalize"])
    assert (job.statuses[-1], job.label) == ("ACTIVE", "train movies/00000002")


@pytest.mark.parametrize(
    ("latest_update", "minutes", "exists"),
    [
        (None, 0, False),
        ((NEW, "ACTIVE"), 1, False),
        ((NEW, "UPDATE PENDING"), -1, True),
        ((OLD, "UPDATE PENDING"), -1, True),
    ],
    ids=["never updated", "updated by an earlier run", "under way", "already moved back"],
)
def test_an_update_exists_once_the_campaign_shows_one_that_is_newer_than_the_judgement(
    respond, clients, latest_update, minutes, exists
):
    job = Job("update", CAMPAIGN, NEW, [], [], created_after=NOW + timedelta(minutes=minutes))
    respond_with_campaign(respond, OLD, latest_update)
    assert job.exists(clients["personalize"]) == exists


def test_an_update_without_a_target_is_the_rollback_of_a_trial(respond, clients):
    job = Job("update", CAMPAIGN, None, [], ["CREATE PENDING"])
    respond_with_campaign(respond, NEW, (OLD, "UPDATE IN_PROGRESS"))
    assert job.poll(clients["personalize"])
    assert job.statuses[-1] == "UPDATE IN_PROGRESS"


@pytest.mark.parametrize(
    ("serves", "latest_update", "status"),
    [
        (OLD, (NEW, "UPDATE IN_PROGRESS"), "UPDATE IN_PROGRESS"),
        (OLD, (OLD, "ACTIVE"), "CREATE PENDING"),
        (OLD, None, "CREATE PENDING"),
        (NEW, None, "ACTIVE"),
    ],
    ids=["under way", "not visible yet", "no update yet", "served without an update"],
)
def test_an_update_has_the_status_of_the_latest_update_to_its_version(
    respond, clients, serves, latest_update, status
):
    job = update("CREATE PENDING")
    respond_with_campaign(respond, serves, latest_update)
    job.poll(clients["personalize"])
    assert job.statuses[-1] == status

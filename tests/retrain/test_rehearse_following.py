"""Proves how a run is followed and what is gathered of it: requests sent, answers read.

With botocore's Stubber, which refuses fields that the real API lacks.
"""

import io
import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import Stubber
from rich.console import Console

from components.args import CampaignArgs, DatasetsArgs, RetrainingPipelineArgs, SolutionArgs
from retrain.rehearsal import progress
from retrain.rehearsal import summary as of
from retrain.rehearsal.jobs import Job, started
from tests.retrain.rehearsed import (
    CAMPAIGN,
    ENDED,
    EXECUTION,
    IMPORT,
    METRICS,
    NEW,
    OLD,
    OTHER,
    SOLUTION,
    import_job,
    report,
    solution_report,
    update,
)

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-dev"
ARGS = RetrainingPipelineArgs(
    datasets=DatasetsArgs(),
    solutions=[
        SolutionArgs(solution_arn=SOLUTION, campaigns=[CampaignArgs(campaign_arn=CAMPAIGN)]),
        SolutionArgs(solution_arn=OTHER),
    ],
)


@pytest.fixture(scope="session")
def clients():
    """Clients take a while to make; none of them ever sends anything."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    return {
        service: boto3.client(service, region_name="eu-west-1", **keys)
        for service in ("personalize", "personalize-runtime", "stepfunctions", "logs")
    }


@pytest.fixture
def says(clients):
    """Let a service answer a request; all of these are made, in this order."""
    with (
        Stubber(clients["personalize"]) as personalize,
        Stubber(clients["personalize-runtime"]) as runtime,
        Stubber(clients["stepfunctions"]) as states,
        Stubber(clients["logs"]) as logs,
    ):
        stubbers = {
            "personalize": personalize,
            "personalize-runtime": runtime,
            "stepfunctions": states,
            "logs": logs,
        }

        def add(service, method, response, /, **request):
            stubbers[service].add_response(method, response, request)

        yield add
        for each in stubbers.values():
            each.assert_no_pending_responses()


def exited(name, output, *, kind="TaskStateExited"):
    """An event of an execution's history."""
    details = {"name": name, "output": json.dumps(output)}
    return {"timestamp": NOW, "type": kind, "id": 1, "stateExitedEventDetails": details}


def has_history(says, *events):
    says(
        "stepfunctions",
        "get_execution_history",
        {"events": list(events)},
        executionArn=EXECUTION,
        includeExecutionData=True,
    )


def is_running(says, status="RUNNING", **more):
    execution = {
        "executionArn": EXECUTION,
        "stateMachineArn": MACHINE,
        "status": status,
        "startDate": NOW,
    }
    says("stepfunctions", "describe_execution", {**execution, **more}, executionArn=EXECUTION)


def has_import(says, status):
    created = datetime.now(UTC) - MINUTE
    job = {"datasetImportJobArn": IMPORT, "status": status, "creationDateTime": created}
    says(
        "personalize",
        "describe_dataset_import_job",
        {"datasetImportJob": job},
        datasetImportJobArn=IMPORT,
    )


def has_version(says, arn, status="ACTIVE"):
    version = {"solutionVersionArn": arn, "status": status, "creationDateTime": NOW - MINUTE}
    says(
        "personalize",
        "describe_solution_version",
        {"solutionVersion": version},
        solutionVersionArn=arn,
    )


def has_campaign(says, serves, **more):
    campaign = {"campaignArn": CAMPAIGN, "solutionVersionArn": serves, **more}
    says("personalize", "describe_campaign", {"campaign": campaign}, campaignArn=CAMPAIGN)


def made(arn, status="CREATE PENDING"):
    """What a step that starts a job answers."""
    return {"arn": arn, "status": status, "createdAt": NOW.isoformat()}


IMPORT_STARTED = exited(
    "Create dataset import job", {"dataset": {"durations": [4, 5]}, "job": made(IMPORT)}
)


def test_the_history_tells_which_jobs_were_started_for_what(says, clients):
    has_history(
        says,
        {"timestamp": NOW, "type": "ExecutionStarted", "id": 1},
        exited("Plan retraining", {}),
        IMPORT_STARTED,
        exited("Create solution version", {"solution": {"durations": [60]}, "version": made(NEW)}),
        exited("Update campaigns", {}, kind="MapStateExited"),
        exited(
            "Update campaign",
            {"campaign": {"durations": []}, "version": {"arn": NEW}, "update": made(CAMPAIGN)},
        ),
    )
    assert list(started(clients["stepfunctions"], EXECUTION)) == [
        Job("import", IMPORT, None, [4, 5], ["CREATE PENDING"]),
        Job("train", NEW, None, [60], ["CREATE PENDING"]),
        Job("update", CAMPAIGN, NEW, [], ["CREATE PENDING"]),
    ]


def test_what_could_not_be_started_is_no_job(says, clients):
    has_history(
        says,
        exited("Create dataset import job", {"dataset": {}, "job": None}),
        exited(
            "Create dataset import job", {"dataset": {}, "job": {"arn": "x", "status": "waits"}}
        ),
    )
    assert list(started(clients["stepfunctions"], EXECUTION)) == []


@pytest.mark.parametrize(
    ("job", "share"),
    [
        (import_job("CREATE IN_PROGRESS", seconds=1, durations=[4]), 0.25),
        (import_job("CREATE IN_PROGRESS", seconds=8, durations=[4]), 0.95),
        (import_job("CREATE IN_PROGRESS", durations=[]), 0),
        (import_job("CREATE IN_PROGRESS", durations=[0]), 0),
        (import_job("CREATE STOPPING", seconds=2, durations=[4]), 0.5),
        (import_job("ACTIVE", seconds=1, durations=[4]), 1),
        (import_job("CREATE FAILED", durations=[]), 1),
    ],
)
def test_a_bar_fills_with_the_time_the_last_job_took_and_only_the_end_makes_it_whole(job, share):
    assert job.share() == share


def test_a_look_tells_whether_the_status_is_new_and_how_old_the_job_is(says, clients):
    job = import_job("CREATE PENDING", seconds=0)
    has_import(says, "CREATE PENDING")
    has_import(says, "CREATE IN_PROGRESS")
    assert [job.look(clients["personalize"]) for _ in range(2)] == [False, True]
    assert job.statuses == ["CREATE PENDING", "CREATE IN_PROGRESS"]
    assert 60 <= job.seconds < 90


def test_a_training_is_looked_at_as_a_version(says, clients):
    job = Job("train", NEW, None, [], ["CREATE PENDING"])
    has_version(says, NEW)
    assert job.look(clients["personalize"])
    assert (job.statuses[-1], job.label) == ("ACTIVE", "train movies/00000002")


def test_an_update_is_judged_by_the_campaigns_latest_update_to_the_target(says, clients):
    job = update("CREATE PENDING")
    latest = {"solutionVersionArn": NEW, "status": "UPDATE IN_PROGRESS", "creationDateTime": NOW}
    has_campaign(says, OLD, latestCampaignUpdate=latest)
    job.look(clients["personalize"])
    assert job.statuses == ["CREATE PENDING", "UPDATE IN_PROGRESS"]


def test_an_update_that_is_not_shown_yet_stands_as_it_did(says, clients):
    job = update("CREATE PENDING")
    latest = {"solutionVersionArn": OLD, "status": "ACTIVE", "creationDateTime": NOW}
    has_campaign(says, OLD, latestCampaignUpdate=latest)
    assert not job.look(clients["personalize"])


def test_a_campaign_that_serves_the_target_without_an_update_is_done(says, clients):
    job = update("CREATE PENDING")
    has_campaign(says, NEW)
    job.look(clients["personalize"])
    assert job.statuses == ["CREATE PENDING", "ACTIVE"]


def follow(clients, console, monkeypatch):
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0)
    return progress.follow(console, clients["stepfunctions"], clients["personalize"], EXECUTION)


def runs_an_import(says):
    """An import in three looks, the last one after the execution's end."""
    is_running(says)
    has_history(says)
    is_running(says)
    has_history(says, IMPORT_STARTED)
    has_import(says, "CREATE IN_PROGRESS")
    is_running(says)
    has_history(says, IMPORT_STARTED)
    has_import(says, "ACTIVE")
    is_running(says, "SUCCEEDED")
    has_history(says, IMPORT_STARTED)


def test_without_a_terminal_each_status_is_a_line(says, clients, monkeypatch):
    runs_an_import(says)
    console = Console(file=io.StringIO(), width=80)
    (job,) = follow(clients, console, monkeypatch)
    assert job.statuses == ENDED
    assert console.file.getvalue().splitlines() == [
        f"import actionInteractions: {status}" for status in ENDED
    ]


def test_in_a_terminal_each_job_has_a_bar_that_shows_each_status(says, clients, monkeypatch):
    runs_an_import(says)
    console = Console(file=io.StringIO(), width=80, force_terminal=True, _environ={})
    follow(clients, console, monkeypatch)
    written = console.file.getvalue()
    assert [status for status in ENDED if status in written] == ENDED
    assert "import actionInteractions" in written
    assert "import actionInteractions:" not in written, "a line per status is for paper"


def test_a_run_that_does_not_end_is_left_when_patience_ends(says, clients, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", -1)
    is_running(says)
    has_history(says)
    assert follow(clients, Console(file=io.StringIO()), monkeypatch) == []


def test_steps_are_the_records_of_this_run_in_order_of_time(says, clients):
    def record(**fields):
        return json.dumps({"level": "INFO", "runId": "this", **fields})

    messages = [
        (5000, record(step="report_outcome", message="a\nlong text", outcome="DEPLOYED")),
        (1000, "START RequestId: 1 Version: 1"),
        (1000, json.dumps({"level": "INFO", "message": "Found credentials"})),
        (1000, record(step="plan_retraining", message="plan_retraining: 1 to import")),
        (
            2500,
            record(
                step="watch_dataset_import_job",
                message="watch_dataset_import_job: CREATE FAILED",
                arn=IMPORT,
                failure="no such file",
            ),
        ),
        (2600, record(step="plan_retraining", message="plan_retraining: 9", runId="other")),
    ]
    events = [{"timestamp": time, "message": message} for time, message in messages]
    expected = [
        of.Step(0.0, "plan_retraining", None, "1 to import", None),
        of.Step(1.5, "watch_dataset_import_job", IMPORT, "CREATE FAILED", "no such file"),
        of.Step(4.0, "report_outcome", None, "DEPLOYED", None),
    ]
    says("logs", "filter_log_events", {"events": events}, logGroupName="group")
    assert of.steps(clients["logs"], "group", "this") == expected
    says("logs", "filter_log_events", {"events": events}, logGroupName="group")
    assert len(of.steps(clients["logs"], "group", None)) == 4, "without a report: of every run"


def test_the_newest_version_of_each_solution_is_the_one_created_last(says, clients):
    for solution, listed in ((SOLUTION, [OLD, NEW]), (OTHER, [f"{OTHER}/1"])):
        versions = [
            {"solutionVersionArn": arn, "creationDateTime": NOW + number * MINUTE}
            for number, arn in enumerate(listed)
        ]
        says(
            "personalize",
            "list_solution_versions",
            {"solutionVersions": versions},
            solutionArn=solution,
        )
    newest = of.newest_versions(clients["personalize"], ARGS)
    assert newest == {SOLUTION: NEW, OTHER: f"{OTHER}/1"}


def test_what_each_campaign_serves_is_asked_of_the_campaign(says, clients):
    has_campaign(says, OLD)
    assert of.served_now(clients["personalize"], ARGS) == {CAMPAIGN: OLD}
    assert list(of.campaigns_of(ARGS)) == [(SOLUTION, CAMPAIGN)]


def test_new_versions_are_those_that_the_report_names():
    told = report(solution_report(SOLUTION, NEW), solution_report(OTHER, None))
    assert of.new_versions(told) == {SOLUTION: NEW}
    assert of.new_versions(None) == {}


def test_a_version_has_metrics_once_it_is_active(says, clients):
    has_version(says, NEW)
    says(
        "personalize",
        "get_solution_metrics",
        {"solutionVersionArn": NEW, "metrics": METRICS},
        solutionVersionArn=NEW,
    )
    has_version(says, OLD, "CREATE FAILED")
    versions = [of.version(clients["personalize"], arn, "new") for arn in (NEW, OLD)]
    assert versions == [
        of.Version(NEW, "new", "ACTIVE", METRICS),
        of.Version(OLD, "new", "CREATE FAILED", {}),
    ]


def test_five_items_are_recommended(says, clients):
    says(
        "personalize-runtime",
        "get_recommendations",
        {"itemList": [{"itemId": "film-2"}, {"itemId": "film-1"}]},
        campaignArn=CAMPAIGN,
        userId="user-1",
        numResults=5,
    )
    items = of.recommended(clients["personalize-runtime"], CAMPAIGN, "user-1")
    assert items == ["film-2", "film-1"]


def test_five_items_are_related_to_one(says, clients):
    says(
        "personalize-runtime",
        "get_recommendations",
        {"itemList": [{"itemId": "film-2"}]},
        campaignArn=CAMPAIGN,
        itemId="film-1",
        numResults=5,
    )
    assert of.related(clients["personalize-runtime"], CAMPAIGN, "film-1") == ["film-2"]


def ends_with(says, *events):
    says(
        "stepfunctions",
        "get_execution_history",
        {"events": list(events)},
        executionArn=EXECUTION,
        includeExecutionData=True,
        reverseOrder=True,
        maxResults=20,
    )


def test_the_report_is_what_the_last_step_made(says, clients):
    told = report()
    ends_with(says, exited("Retrained", {}), exited("Report outcome", {"outcome": told}))
    assert of.report_of(clients["stepfunctions"], EXECUTION) == told


@pytest.mark.parametrize(
    "events",
    [
        [{"timestamp": NOW, "type": "ExecutionAborted", "id": 1}],
        [exited("Report outcome", {"error": {"Error": "States.Timeout"}})],
    ],
)
def test_a_run_that_ended_otherwise_has_none(says, clients, events):
    ends_with(says, *events)
    assert of.report_of(clients["stepfunctions"], EXECUTION) is None


def test_how_it_ended_is_told_with_error_and_cause(says, clients):
    is_running(says, "FAILED", error="States.Runtime", cause="no such field")
    is_running(says, "ABORTED")
    endings = [of.ending_of(clients["stepfunctions"], EXECUTION) for _ in range(2)]
    assert endings == ["FAILED: States.Runtime: no such field", "ABORTED"]

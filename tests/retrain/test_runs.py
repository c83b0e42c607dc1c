"""Proves what is read of a run: the requests to the services, and the results."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from components.args import RetrainingPipelineArgs, SolutionArgs
from retrain.rehearsal import runs
from retrain.rehearsal.runs import Step, Version
from tests.retrain.builders import (
    CAMPAIGN,
    EXECUTION,
    IMPORT,
    METRICS,
    NEW,
    OLD,
    SECOND_SOLUTION,
    SOLUTION,
    STATE_MACHINE,
    campaign,
    campaign_args,
    campaign_report,
    run,
    run_report,
    run_without_report,
    solution_report,
    summary,
)

NOW = datetime.now(UTC)
ARGS = RetrainingPipelineArgs(
    datasets={},
    solutions=[
        SolutionArgs(solution_arn=SOLUTION, campaigns=[campaign_args()]),
        SolutionArgs(solution_arn=SECOND_SOLUTION),
    ],
)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trained": False}, "a solution has no new version"),
        ({"campaigns": [campaign(), campaign(solution_version_arn=OLD)]}, "one serves the old one"),
        ({"campaigns": [campaign(previous_version_arn=NEW)]}, "the version is not new"),
        ({"campaigns": [campaign(solution_version_arn=SOLUTION)]}, "it serves a third version"),
        (
            {"campaigns": [campaign(solution_version_arn=OLD, new_version_arn=None)]},
            "there is no new version",
        ),
    ],
)
def test_a_first_run_succeeds_only_if_every_campaign_serves_its_new_version(changes, reason):
    assert summary().succeeded
    assert not summary(**changes).succeeded, reason


def test_a_run_has_the_outcomes_and_versions_of_its_report():
    first = solution_report(campaigns=[campaign_report("REJECTED")])
    second = solution_report(SECOND_SOLUTION, None)
    rejected = run("REJECTED", first, second)
    assert rejected.status == "REJECTED"
    assert rejected.campaign_outcomes() == {CAMPAIGN: "REJECTED"}
    assert rejected.new_versions() == {SOLUTION: NEW}


def test_a_run_without_a_report_has_the_status_of_the_execution():
    aborted = run_without_report("ABORTED")
    assert (aborted.status, aborted.campaign_outcomes(), aborted.new_versions()) == (
        "ABORTED",
        {},
        {},
    )


def respond_with_last_events(respond, *events):
    respond(
        "stepfunctions",
        "get_execution_history",
        {"events": list(events)},
        executionArn=EXECUTION,
        includeExecutionData=True,
        reverseOrder=True,
        maxResults=20,
    )


def exited(state, output):
    details = {"name": state, "output": json.dumps(output)}
    return {
        "timestamp": NOW,
        "type": "TaskStateExited",
        "id": 1,
        "stateExitedEventDetails": details,
    }


def test_the_report_is_the_outcome_of_the_report_state(respond, clients):
    report = run_report()
    respond_with_last_events(
        respond, exited("Retrained", {}), exited("Report outcome", {"report": report})
    )
    assert runs.read_report(clients["stepfunctions"], EXECUTION) == report


@pytest.mark.parametrize(
    "event",
    [
        {"timestamp": NOW, "type": "ExecutionAborted", "id": 1},
        exited("Report outcome", {"error": {"Error": "States.Timeout"}}),
    ],
    ids=["aborted", "the report failed"],
)
def test_a_run_may_have_no_report(respond, clients, event):
    respond_with_last_events(respond, event)
    assert runs.read_report(clients["stepfunctions"], EXECUTION) is None


@pytest.mark.parametrize(
    ("details", "ending"),
    [
        (
            {"status": "FAILED", "error": "States.Runtime", "cause": "no such field"},
            "FAILED: States.Runtime: no such field",
        ),
        ({"status": "ABORTED"}, "ABORTED"),
    ],
)
def test_the_ending_has_the_status_the_error_and_the_cause(respond, clients, details, ending):
    execution = {"executionArn": EXECUTION, "stateMachineArn": STATE_MACHINE, "startDate": NOW}
    request = {"executionArn": EXECUTION}
    respond("stepfunctions", "describe_execution", {**execution, **details}, **request)
    assert runs.read_ending(clients["stepfunctions"], EXECUTION) == ending


def record(timestamp, step, message, run_id="this", **fields):
    """Return a record of a function in the log."""
    fields = {"level": "INFO", "step": step, "message": message, "runId": run_id, **fields}
    return {"timestamp": timestamp, "message": json.dumps(fields)}


LOG_EVENTS = [
    record(5000, "report_outcome", "a\nlong text", outcome="DEPLOYED"),
    {"timestamp": 1000, "message": "START RequestId: 1 Version: 1"},
    {"timestamp": 1000, "message": json.dumps({"level": "INFO", "message": "credentials"})},
    record(1000, "plan_retraining", "plan_retraining: 1 to import"),
    record(
        2500,
        "watch_dataset_import_job",
        "watch_dataset_import_job: CREATE FAILED",
        arn=IMPORT,
        failure="no such file",
    ),
    record(2600, "plan_retraining", "plan_retraining: 9", run_id="another"),
]


@pytest.fixture
def read_steps(respond, clients):
    """Return a function that reads the steps of a run from LOG_EVENTS."""
    respond("logs", "filter_log_events", {"events": LOG_EVENTS}, logGroupName="group")
    return lambda run_id: runs.read_steps(clients["logs"], "group", run_id)


def test_the_steps_are_the_records_of_a_run_sorted_by_time(read_steps):
    assert read_steps("this") == [
        Step(0.0, "plan_retraining", None, "1 to import", None),
        Step(1.5, "watch_dataset_import_job", IMPORT, "CREATE FAILED", "no such file"),
        Step(4.0, "report_outcome", None, "DEPLOYED", None),
    ]


def test_without_a_run_id_the_steps_of_all_runs_are_read(read_steps):
    assert len(read_steps(None)) == 4


def test_the_newest_version_of_a_solution_is_the_last_one_created(respond, clients):
    for solution, arns in ((SOLUTION, [OLD, NEW]), (SECOND_SOLUTION, [f"{SECOND_SOLUTION}/1"])):
        versions = [
            {"solutionVersionArn": arn, "creationDateTime": NOW + timedelta(minutes=number)}
            for number, arn in enumerate(arns)
        ]
        response = {"solutionVersions": versions}
        respond("personalize", "list_solution_versions", response, solutionArn=solution)
    newest = runs.read_newest_versions(clients["personalize"], ARGS)
    assert newest == {SOLUTION: NEW, SECOND_SOLUTION: f"{SECOND_SOLUTION}/1"}


def test_the_served_version_is_read_from_each_campaign(respond, clients):
    response = {"campaign": {"solutionVersionArn": OLD}}
    respond("personalize", "describe_campaign", response, campaignArn=CAMPAIGN)
    assert runs.read_served_versions(clients["personalize"], ARGS) == {CAMPAIGN: OLD}


def test_only_an_active_version_has_metrics(respond, clients):
    for arn, status in ((NEW, "ACTIVE"), (OLD, "CREATE FAILED")):
        response = {"solutionVersion": {"status": status}}
        respond("personalize", "describe_solution_version", response, solutionVersionArn=arn)
        if status == "ACTIVE":
            response = {"metrics": METRICS}
            respond("personalize", "get_solution_metrics", response, solutionVersionArn=arn)
    versions = [runs.read_version(clients["personalize"], arn, "new") for arn in (NEW, OLD)]
    assert versions == [
        Version(NEW, "new", "ACTIVE", METRICS),
        Version(OLD, "new", "CREATE FAILED", {}),
    ]


@pytest.mark.parametrize(
    ("function", "parameter"),
    [(runs.recommended_to, "userId"), (runs.related_to, "itemId")],
)
def test_five_recommendations_are_requested(respond, clients, function, parameter):
    request = {"campaignArn": CAMPAIGN, parameter: "1", "numResults": 5}
    response = {"itemList": [{"itemId": "film-2"}, {"itemId": "film-1"}]}
    respond("personalize-runtime", "get_recommendations", response, **request)
    assert function(clients["personalize-runtime"], CAMPAIGN, "1") == ["film-2", "film-1"]

"""Runs whose execution ended without a report: recognised, cleaned up after, reported."""

import json
from datetime import timedelta

import pytest

from functions import aws, close_run
from functions import executions as runs
from functions.errors import ServiceUnavailable
from tests.functions.samples import (
    DATASET,
    EXECUTION,
    IMPORT_JOB,
    JOB_NAME,
    NOW,
    PREFIX,
    RUN_ID,
    SOLUTION,
    VERSION,
    ago,
    configured,
    import_summary,
    version,
    version_summary,
)

EVENT = {"detail": {"executionArn": EXECUTION, "stopDate": int(NOW.timestamp() * 1000)}}
SCHEDULED = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}


def ended(executions, status, **how):
    answer = {
        "executionArn": EXECUTION,
        "stateMachineArn": EXECUTION.replace(":execution:", ":stateMachine:").rpartition(":")[0],
        "status": status,
        "startDate": NOW,
        **how,
    }
    executions.says("describe_execution", answer, executionArn=EXECUTION)


def history(executions, *events):
    answer = {
        "events": [
            {"timestamp": NOW, "id": number, **event} for number, event in enumerate(events, 1)
        ]
    }
    request = {"executionArn": EXECUTION, "maxResults": 10, "includeExecutionData": True}
    executions.says("get_execution_history", answer, **request)


STARTED = {"type": "ExecutionStarted"}
FIRST_STATE = {
    "type": "PassStateExited",
    "stateExitedEventDetails": {
        "name": "Configure run",
        "output": json.dumps(configured(SCHEDULED)),
    },
}


@pytest.mark.parametrize(
    ("status", "how", "error"),
    [
        ("SUCCEEDED", {}, None),
        ("PENDING_REDRIVE", {"error": "States.Runtime"}, None),
        ("FAILED", {"error": "RetrainingFailed", "cause": "a report"}, None),
        ("ABORTED", {}, {"Error": "ABORTED", "Cause": "no cause given"}),
        (
            "TIMED_OUT",
            {"error": "States.Timeout"},
            {"Error": "TIMED_OUT", "Cause": "States.Timeout: no cause given"},
        ),
        (
            "FAILED",
            {"error": "States.Runtime", "cause": "no such path"},
            {"Error": "FAILED", "Cause": "States.Runtime: no such path"},
        ),
    ],
)
def test_an_execution_that_has_not_reported_says_how_it_ended(executions, status, how, error):
    ended(executions, status, **how)
    assert runs.unreported_error(executions.client, EXECUTION) == error


def test_an_execution_that_is_still_said_to_run_is_asked_about_again_later(executions):
    ended(executions, "RUNNING")
    with pytest.raises(ServiceUnavailable) as error:
        runs.unreported_error(executions.client, EXECUTION)
    assert str(error.value) == f"{EXECUTION} is still said to run", "Lambda tries events again"


def test_what_the_first_state_made_is_read_from_the_history(executions):
    later = {**FIRST_STATE, "stateExitedEventDetails": {"name": "Later", "output": "{}"}}
    history(executions, STARTED, {"type": "PassStateEntered"}, FIRST_STATE, later)
    assert runs.configuration_of(executions.client, EXECUTION) == configured(SCHEDULED)


def test_an_execution_that_did_not_leave_its_first_state_made_nothing(executions):
    history(executions, STARTED)
    assert runs.configuration_of(executions.client, EXECUTION) is None


def test_the_client_of_step_functions_is_made_once(monkeypatch, clients):
    made = []
    monkeypatch.setattr("boto3.client", lambda name, **_: made.append(name) or clients[name])
    aws.stepfunctions.cache_clear()
    assert aws.stepfunctions() is aws.stepfunctions()
    aws.stepfunctions.cache_clear()
    assert made == ["stepfunctions"]


# the handler


@pytest.fixture
def close(monkeypatch, executions, personalize):
    monkeypatch.setattr(close_run, "stepfunctions", lambda: executions.client)
    monkeypatch.setattr(close_run, "writer", lambda: personalize.client)
    return lambda: close_run.handler(EVENT, None)


def report(error, words):
    return {
        "status": "FAILED",
        "runId": RUN_ID,
        "executionArn": EXECUTION,
        "reason": f"{error}: {words}",
        "imports": [],
        "solutions": [],
        "warnings": [],
        "text": f"Retraining run {RUN_ID}: FAILED: {error}: {words}",
    }


@pytest.mark.parametrize("status", ["TIMED_OUT", "FAILED"])
def test_a_dead_runs_trainings_are_stopped_and_it_is_reported(
    close, executions, personalize, status
):
    ended(executions, status, error="States.Runtime", cause="no such path")
    history(executions, STARTED, FIRST_STATE)
    arns = VERSION, f"{SOLUTION}/second"
    summaries = [
        version_summary(solutionVersionArn=arn, status="CREATE IN_PROGRESS") for arn in arns
    ]
    imported(personalize)
    answer = {"solutionVersions": summaries}
    personalize.says("list_solution_versions", answer, solutionArn=SOLUTION)
    for attempt, arn in enumerate(arns, start=1):
        name = f"{PREFIX}-{RUN_ID}-0b519087-{attempt}"
        answer = {"solutionVersion": version(solutionVersionArn=arn, name=name)}
        personalize.says("describe_solution_version", answer, solutionVersionArn=arn)
    for arn in arns:
        personalize.says("stop_solution_version_creation", {}, solutionVersionArn=arn)
    stopped = f"stopped {VERSION}; stopped {SOLUTION}/second"
    assert close() == report(status, f"States.Runtime: no such path; {stopped}")


def test_a_run_that_was_aborted_by_hand_is_reported_and_its_trainings_are_left(
    close, executions, personalize
):
    ended(executions, "ABORTED", error="enough", cause="I stop it")
    history(executions, STARTED, FIRST_STATE)
    in_training(personalize, ago(0))
    personalize.says(
        "describe_solution_version", {"solutionVersion": version()}, solutionVersionArn=VERSION
    )
    goes_on = f"{VERSION} is CREATE IN_PROGRESS"
    assert close() == report("ABORTED", f"enough: I stop it; {goes_on}")


def imported(personalize, *jobs):
    answer = {"datasetImportJobs": list(jobs)}
    personalize.says("list_dataset_import_jobs", answer, datasetArn=DATASET)


def test_every_job_of_the_run_is_in_its_report(close, executions, personalize):
    ended(executions, "TIMED_OUT", error="States.Timeout")
    history(executions, STARTED, FIRST_STATE)
    imported(
        personalize,
        import_summary(),
        import_summary(jobName=JOB_NAME, datasetImportJobArn=IMPORT_JOB, status="CREATE FAILED"),
        import_summary(jobName=f"{JOB_NAME[:-1]}2", creationDateTime=NOW + timedelta(minutes=1)),
    )
    summary = version_summary(solutionVersionArn=VERSION, creationDateTime=NOW)
    personalize.says(
        "list_solution_versions", {"solutionVersions": [summary]}, solutionArn=SOLUTION
    )
    answer = {"solutionVersion": version(status="ACTIVE")}
    personalize.says("describe_solution_version", answer, solutionVersionArn=VERSION)
    assert close() == report(
        "TIMED_OUT",
        f"States.Timeout: no cause given; {IMPORT_JOB} is CREATE FAILED; {VERSION} is ACTIVE",
    )


def in_training(personalize, created):
    imported(personalize)
    summary = version_summary(
        solutionVersionArn=VERSION, status="CREATE IN_PROGRESS", creationDateTime=created
    )
    answer = {"solutionVersions": [summary]}
    personalize.says("list_solution_versions", answer, solutionArn=SOLUTION)


@pytest.mark.parametrize(("seconds", "stopped"), [(-59, True), (-60, False), (-3600, False)])
def test_what_a_resumed_execution_has_started_since_is_left_alone(
    close, executions, personalize, seconds, stopped
):
    ended(executions, "TIMED_OUT", error="States.Timeout")
    history(executions, STARTED, FIRST_STATE)
    in_training(personalize, ago(seconds / 3600))
    if stopped:
        answer = {"solutionVersion": version()}
        personalize.says("describe_solution_version", answer, solutionVersionArn=VERSION)
        personalize.says("stop_solution_version_creation", {}, solutionVersionArn=VERSION)
    said = f"; stopped {VERSION}" if stopped else ""
    assert close() == report("TIMED_OUT", f"States.Timeout: no cause given{said}"), (
        "the function that was at work at the end has a minute"
    )


def test_a_run_that_has_reported_is_left_alone(close, executions):
    ended(executions, "FAILED", error="RetrainingFailed", cause="a report")
    assert close() is None


def test_an_execution_of_which_nothing_is_known_is_left_alone(close, executions):
    ended(executions, "ABORTED")
    history(executions, STARTED)
    assert close() is None, "there is no run to report"

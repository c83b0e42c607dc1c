"""Tests of closing a run whose execution ended without a report."""

import json
from datetime import timedelta

import pytest

from functions import clock, close_run
from functions.errors import ServiceUnavailable
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    EXECUTION,
    IMPORT_JOB,
    JOB_NAME,
    NOW,
    ROLE,
    RUN_ID,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    configured,
    expect_execution,
    expect_history,
    first_state,
    import_summary,
    version,
    version_summary,
)
from tests.world import TOPIC

MILLISECONDS = int(NOW.timestamp() * 1000)
EVENT = {"detail": {"executionArn": EXECUTION, "startDate": MILLISECONDS, "stopDate": MILLISECONDS}}
MACHINE = EXECUTION.replace(":execution:", ":stateMachine:").rpartition(":")[0]
CONFIGURED = first_state(configured({"trigger": "schedule", "scheduledTime": NOW.isoformat()}))


def expect_campaign(personalize):
    """Expect the campaign, which has no version on trial, to be read."""
    personalize.expect("describe_campaign", {"campaign": campaign()}, campaignArn=CAMPAIGN)
    personalize.expect("list_tags_for_resource", {"tags": []}, resourceArn=CAMPAIGN)


@pytest.fixture
def close(monkeypatch, executions, personalize):
    """Return a function that calls the handler with the sample event."""
    monkeypatch.setattr(close_run, "stepfunctions", lambda: executions.client)
    monkeypatch.setattr(close_run, "write_client", lambda: personalize.client)
    return lambda **fields: close_run.handler({**EVENT, **fields}, None)


def report(reason):
    """Return the report of a run that failed for this reason."""
    return {
        "status": "FAILED",
        "runId": RUN_ID,
        "executionArn": EXECUTION,
        "reason": reason,
        "imports": [],
        "solutions": [],
        "trials": [],
        "warnings": [],
        "text": f"Retraining run {RUN_ID}: FAILED: {reason}",
    }


def expect_jobs(personalize, *, imports=(), versions=()):
    """Expect the lists of import jobs and versions."""
    response = {"datasetImportJobs": list(imports)}
    request = {"datasetArn": DATASET, "maxResults": 100}
    personalize.expect("list_dataset_import_jobs", response, **request)
    response = {"solutionVersions": list(versions)}
    request = {"solutionArn": SOLUTION, "maxResults": 100}
    personalize.expect("list_solution_versions", response, **request)


def expect_version(personalize, arn=VERSION, **changes):
    tags = [{"tagKey": "retraining-run", "tagValue": RUN_ID}]
    personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=arn)
    response = {"solutionVersion": version(solutionVersionArn=arn, **changes)}
    personalize.expect("describe_solution_version", response, solutionVersionArn=arn)


def in_training(arn=VERSION, **changes):
    return version_summary(solutionVersionArn=arn, status="CREATE IN_PROGRESS", **changes)


def expect_running(executions, *arns):
    """Expect a request for the executions that are running."""
    listed = [
        {
            "executionArn": arn,
            "name": "other",
            "stateMachineArn": MACHINE,
            "status": "RUNNING",
            "startDate": NOW,
        }
        for arn in arns
    ]
    request = {"stateMachineArn": MACHINE, "statusFilter": "RUNNING", "maxResults": 1}
    executions.expect("list_executions", {"executions": listed}, **request)


GOES_ON = "is CREATE IN_PROGRESS, and the next run uses it"


@pytest.mark.parametrize("status", ["TIMED_OUT", "FAILED", "ABORTED"])
def test_the_overdue_trainings_of_a_run_are_stopped(close, executions, personalize, status):
    expect_execution(executions, status, error="States.Runtime", cause="no such path")
    expect_history(executions, CONFIGURED)
    young = f"{SOLUTION}/young"
    expect_jobs(personalize, versions=[in_training(), in_training(young)])
    expect_version(personalize, creationDateTime=ago(24))
    expect_version(personalize, young, creationDateTime=ago(23.9))
    expect_running(executions)
    personalize.expect("stop_solution_version_creation", {}, solutionVersionArn=VERSION)
    expect_campaign(personalize)
    closed = f"{VERSION} was stopped; {young} {GOES_ON}"
    assert close() == report(f"{status}: States.Runtime: no such path; {closed}")


def test_no_training_is_stopped_while_another_execution_is_running(close, executions, personalize):
    expect_execution(executions, "TIMED_OUT", error="States.Timeout")
    expect_history(executions, CONFIGURED)
    expect_jobs(personalize, versions=[in_training()])
    expect_version(personalize, creationDateTime=ago(48))
    expect_running(executions, f"{EXECUTION}2")
    expect_campaign(personalize)
    assert close() == report(f"TIMED_OUT: States.Timeout: no cause given; {VERSION} {GOES_ON}")


def test_the_report_contains_every_job_of_the_run(close, executions, personalize):
    expect_execution(executions, "TIMED_OUT", error="States.Timeout")
    expect_history(executions, CONFIGURED)
    own = {"jobName": JOB_NAME, "datasetImportJobArn": IMPORT_JOB, "status": "CREATE FAILED"}
    later = {"jobName": f"{JOB_NAME[:-1]}2", "creationDateTime": NOW + timedelta(minutes=1)}
    expect_jobs(
        personalize,
        imports=[import_summary(), import_summary(**own), import_summary(**later)],
        versions=[version_summary(solutionVersionArn=VERSION, creationDateTime=NOW)],
    )
    expect_version(personalize, status="ACTIVE")
    expect_running(executions)
    expect_campaign(personalize)
    jobs = f"{IMPORT_JOB} is CREATE FAILED; {VERSION} is ACTIVE"
    assert close() == report(f"TIMED_OUT: States.Timeout: no cause given; {jobs}")


@pytest.mark.parametrize(("seconds", "is_named"), [(59, True), (60, False), (3600, False)])
def test_trainings_that_a_resumed_run_has_started_since_are_not_named(
    close, executions, personalize, seconds, is_named
):
    """A function that was running when the execution ended may start a training for a minute."""
    expect_execution(executions, "TIMED_OUT", error="States.Timeout")
    expect_history(executions, CONFIGURED)
    created = NOW + timedelta(seconds=seconds)
    expect_jobs(personalize, versions=[in_training(creationDateTime=created)])
    if is_named:
        expect_version(personalize, creationDateTime=created)
    expect_running(executions)
    expect_campaign(personalize)
    jobs = f"; {VERSION} {GOES_ON}" if is_named else ""
    assert close() == report(f"TIMED_OUT: States.Timeout: no cause given{jobs}")


def test_a_run_that_has_sent_its_report_is_not_closed(close, executions):
    expect_execution(executions, "FAILED", error="RetrainingFailed", cause="a report")
    assert close() is None


def test_the_settings_of_a_run_whose_first_state_failed_are_in_its_definition(
    close, executions, personalize
):
    expect_execution(executions, "FAILED", error="States.DataLimitExceeded", cause="too large")
    expect_history(executions, {"type": "ExecutionStarted"})
    state = {"Type": "Pass", "Parameters": {"settings": configured()["settings"]}}
    definition = {"StartAt": "Configure run", "States": {"Configure run": state}}
    response = {
        "stateMachineArn": MACHINE,
        "name": "retraining",
        "definition": json.dumps(definition),
        "roleArn": ROLE,
        "updateDate": NOW,
    }
    executions.expect("describe_state_machine_for_execution", response, executionArn=EXECUTION)
    expect_campaign(personalize)
    reason = (
        "FAILED: States.DataLimitExceeded: too large; start a new run with a shorter input, for "
        "example {}"
    )
    closing = close()
    assert (closing["status"], closing["reason"]) == ("FAILED", reason)


def expect_no_execution(executions):
    """Expect the description of an execution that does not exist."""
    error = {"service_error_code": "ExecutionDoesNotExist"}
    executions.stubber.add_client_error("describe_execution", **error)


def test_the_report_of_an_execution_whose_state_machine_was_deleted_says_so(
    close, executions, monkeypatch
):
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(minutes=2))
    expect_no_execution(executions)
    closing = close()
    assert closing["status"] == "FAILED"
    assert closing["executionArn"] == EXECUTION
    assert closing["reason"] == (
        "ExecutionDoesNotExist: its state machine was deleted, so its jobs and the versions on "
        "trial cannot be read; look for import jobs and trainings that are running, and check what "
        "the campaigns serve"
    )


def test_the_report_about_a_deleted_state_machine_goes_where_the_rule_says(
    close, executions, inbox, monkeypatch
):
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(minutes=2))
    expect_no_execution(executions)
    close(
        pipeline="retraining-prod",
        notifications={"topicArn": TOPIC, "on": "problems", "dashboardUrl": None},
    )
    (message,) = inbox.messages
    assert (message.topic, message.subject) == (
        TOPIC,
        "FAILED retraining-prod: the state machine was deleted",
    )
    assert inbox.details[0]["pipeline"] == "retraining-prod"


def test_the_rule_of_an_earlier_release_does_not_say_where_to_send_the_report(
    close, executions, inbox, monkeypatch
):
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(minutes=2))
    expect_no_execution(executions)
    close()
    assert inbox.messages == []
    assert inbox.details[0]["pipeline"] == "retraining", "the name of the state machine"


def test_an_execution_that_is_not_visible_yet_is_closed_by_the_retry_of_lambda(close, executions):
    expect_no_execution(executions)
    with pytest.raises(ServiceUnavailable, match=f"answers that {EXECUTION} does not exist"):
        close()

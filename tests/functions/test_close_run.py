"""Tests of closing a run whose execution ended without a report."""

import json
from datetime import timedelta

import pytest

from functions import clock, close_run
from functions.errors import ServiceUnavailable, Throttled
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
NOTIFICATIONS = {"topicArn": TOPIC, "on": "problems", "dashboardUrl": None}
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
    monkeypatch.setattr(close_run, "read_client", lambda: personalize.client)
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


def expect_definition(executions, definition):
    """Expect a request for the definition with which the execution was started."""
    response = {
        "stateMachineArn": MACHINE,
        "name": "retraining",
        "definition": json.dumps(definition),
        "roleArn": ROLE,
        "updateDate": NOW,
    }
    executions.expect("describe_state_machine_for_execution", response, executionArn=EXECUTION)


def test_the_report_contains_every_job_of_the_run(close, executions, personalize):
    expect_execution(executions, "TIMED_OUT", error="States.Timeout")
    expect_history(executions, CONFIGURED)
    own = {"jobName": JOB_NAME, "datasetImportJobArn": IMPORT_JOB, "status": "CREATE FAILED"}
    expect_jobs(
        personalize,
        imports=[import_summary(), import_summary(**own)],
        versions=[version_summary(solutionVersionArn=VERSION, creationDateTime=NOW)],
    )
    expect_version(personalize, status="ACTIVE")
    expect_campaign(personalize)
    jobs = f"{IMPORT_JOB} is CREATE FAILED; {VERSION} is ACTIVE"
    assert close() == report(f"TIMED_OUT: States.Timeout: no cause given; {jobs}")


def test_a_cause_with_the_whole_document_leaves_room_for_the_jobs(
    close, executions, personalize, inbox
):
    cause = "the path '$.plan' was not found in the input '{" + "x" * 30_000
    expect_execution(executions, "FAILED", error="States.Runtime", cause=cause)
    expect_history(executions, CONFIGURED)
    expect_jobs(personalize, versions=[in_training(creationDateTime=NOW)])
    expect_version(personalize, creationDateTime=NOW)
    expect_campaign(personalize)
    reason = close(notifications=NOTIFICATIONS)["reason"]
    assert reason.startswith("FAILED: States.Runtime: the path '$.plan' was not found in the ")
    assert reason.endswith(f" characters); {VERSION} is CREATE IN_PROGRESS")
    assert "solution/taste/new is CREATE IN_PROGRESS\n" in inbox.messages[0].body


def test_a_run_that_has_sent_its_report_is_not_closed(close, executions):
    expect_execution(executions, "FAILED", error="RetrainingFailed", cause="a report")
    assert close() is None


def test_the_settings_of_a_run_whose_first_state_failed_are_in_its_definition(
    close, executions, personalize
):
    expect_execution(executions, "FAILED", error="States.DataLimitExceeded", cause="too large")
    expect_history(executions, {"type": "ExecutionStarted"})
    state = {"Type": "Pass", "Parameters": {"settings": configured()["settings"]}}
    expect_definition(executions, {"StartAt": "Configure run", "States": {"Configure run": state}})
    expect_campaign(personalize)
    reason = (
        "FAILED: States.DataLimitExceeded: too large; start a new run with a shorter input, for "
        "example {}"
    )
    closing = close()
    assert (closing["status"], closing["reason"]) == ("FAILED", reason)


def test_a_run_whose_jobs_cannot_be_read_is_reported_by_the_last_try_of_lambda(
    close, executions, personalize, inbox, clock
):
    for minutes in (1, 2):
        expect_execution(executions, "TIMED_OUT", error="States.Timeout")
        expect_history(executions, CONFIGURED)
        request = {"datasetArn": DATASET, "maxResults": 100}
        personalize.expect_error("list_dataset_import_jobs", "ThrottlingException", **request)
        if minutes == 1:
            with pytest.raises(Throttled):
                close()
            assert inbox.messages == [], "the next try may read the jobs"
        clock.advance(60 * minutes)
    expect_campaign(personalize)
    closing = close(notifications=NOTIFICATIONS)
    assert (closing["status"], closing["runId"]) == ("FAILED", RUN_ID)
    assert closing["reason"] == (
        "TIMED_OUT: States.Timeout: no cause given; its jobs cannot be read, so look for import "
        "jobs and trainings that are running, and check what the campaigns serve (Throttled: "
        "ListDatasetImportJobs: ThrottlingException: )"
    )
    assert len(inbox.messages) == 1


UNREADABLE = {
    "denied history": lambda executions: executions.stubber.add_client_error(
        "get_execution_history", "AccessDeniedException"
    ),
    "another definition": lambda executions: (
        expect_history(executions, {"type": "ExecutionStarted"}),
        expect_definition(executions, {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}),
    ),
}


@pytest.mark.parametrize("expect_unreadable", UNREADABLE.values(), ids=UNREADABLE)
def test_a_run_of_which_nothing_can_be_read_is_reported_to_the_topic_of_the_rule(
    close, executions, inbox, clock, expect_unreadable
):
    clock.advance(180)
    expect_execution(executions, "ABORTED", error="Enough", cause="of this")
    expect_unreadable(executions)
    closing = close(pipeline="retraining-prod", notifications=NOTIFICATIONS)
    assert closing["reason"].startswith("ABORTED: Enough: of this; its jobs cannot be read, so ")
    (message,) = inbox.messages
    assert message.subject == "FAILED retraining-prod: the execution was stopped"
    assert inbox.details[0]["pipeline"] == "retraining-prod"


def expect_no_execution(executions):
    """Expect the description of an execution that does not exist."""
    error = {"service_error_code": "ExecutionDoesNotExist"}
    executions.stubber.add_client_error("describe_execution", **error)


def test_the_report_says_that_the_state_machine_was_deleted(close, executions, monkeypatch):
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
        notifications=NOTIFICATIONS,
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

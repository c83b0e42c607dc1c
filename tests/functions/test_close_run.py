"""Tests of reporting a run whose execution ended without a report."""

import pytest
from botocore.exceptions import ClientError

from functions import close_run
from functions.errors import ServiceUnavailable
from functions.report import send
from tests.functions import samples as s
from tests.world import TOPIC

EVENT = {
    "executionArn": s.EXECUTION,
    "startDate": int(s.NOW.timestamp() * 1000),
    "pipeline": "retraining-prod",
    "notifications": {"topicArn": TOPIC, "on": "problems", "dashboardUrl": None},
}
NO_CAUSE = "TIMED_OUT: States.Timeout: no cause given"


@pytest.fixture
def close(monkeypatch, executions, personalize):
    """Return a function that calls the handler with the sample event, and returns the report."""
    monkeypatch.setattr(close_run, "stepfunctions", lambda: executions.client)
    monkeypatch.setattr(send, "read_client", lambda: personalize.client)
    return lambda: (close_run.handler(EVENT, None) or {}).get("report")


def test_a_run_that_timed_out_is_reported(close, executions, personalize, inbox):
    s.expect_execution(executions, "TIMED_OUT", error="States.Timeout")
    s.expect_history(executions, s.first_state(s.configured(s.SCHEDULED)))
    personalize.expect("describe_campaign", {"campaign": s.campaign()}, campaignArn=s.CAMPAIGN)
    personalize.expect("list_tags_for_resource", {"tags": []}, resourceArn=s.CAMPAIGN)
    report = close()
    assert [report[key] for key in ("outcome", "error", "reason", "runId", "trigger")] == [
        *("FAILED", "TIMED_OUT", NO_CAUSE, s.RUN_ID, "schedule")
    ]
    assert [row["campaignArn"] for row in report["serving"]] == [s.CAMPAIGN]
    (message,) = inbox.messages
    assert (message.topic, message.subject) == (
        TOPIC,
        "FAILED retraining-prod: the execution took too long",
    )
    assert inbox.details == [report]


def test_a_run_whose_first_state_failed_is_reported_without_its_settings(close, executions, inbox):
    s.expect_execution(executions, "FAILED", error="States.DataLimitExceeded", cause="too large")
    s.expect_history(executions, {"type": "ExecutionStarted"})
    report = close()
    assert report["reason"] == "FAILED: States.DataLimitExceeded: too large"
    assert (report["startedAt"], report["trigger"]) == (s.NOW.isoformat(), "manual")
    assert report["serving"] == []
    assert len(inbox.messages) == 1


def test_a_run_that_has_sent_its_report_is_not_closed(close, executions, inbox):
    s.expect_execution(executions, "FAILED", error="RetrainingFailed", cause="a report")
    assert close() is None
    assert inbox.details == []


def test_an_execution_that_cannot_be_read_is_an_error_that_lambda_retries(close, executions):
    s.expect_execution(executions, "RUNNING")
    with pytest.raises(ServiceUnavailable):
        close()
    executions.stubber.add_client_error("describe_execution", "ExecutionDoesNotExist")
    with pytest.raises(ClientError):
        close()

"""`close_run` reports a run that ended without a report. It starts and stops nothing."""

from datetime import timedelta

import pytest

from components.args import LimitsArgs
from components.state_machine.definition import compute_execution_timeout_seconds
from tests.workflow.pipeline import (
    RUN_ID,
    deploy,
    handler,
    killed_after_work,
)
from tests.workflow.summaries import event_of
from tests.world import MOVIES, PIPELINE

SHORT_LIMITS = MOVIES.with_options(
    limits=LimitsArgs(max_import_hours=1, max_training_hours=1, max_campaign_hours=1)
)


def close(execution):
    """Invoke `close_run` as EventBridge does after the end of an execution."""
    return handler("close_run")(event_of(execution), None)


def report_running(event, context):
    """Start the training, and report then that it is running without a look at it."""
    status = event["status"] or handler("train_solution")(event, context)
    return {**status, "outcome": None, "seconds": 3600}


def time_out(pipeline, **request):
    """Run until the TimeoutSeconds of the machine end the run, because no watcher ends it."""
    pipeline.handlers["train_solution"] = report_running
    execution = pipeline.run(**request)
    assert execution.status == "TIMED_OUT", execution

    return execution


# The time-out of the machine


def test_a_run_that_times_out_after_all_deadlines_is_reported():
    with deploy(SHORT_LIMITS) as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        started_at = pipeline.clock.now()
        execution = time_out(pipeline, skipImport=True)
        assert pipeline.clock.now() - started_at == timedelta(
            seconds=compute_execution_timeout_seconds(SHORT_LIMITS.args)
        )
        assert "report_outcome" not in {call.function for call in execution.calls}
        closing = close(execution)
        served = pipeline.served_version()

        assert pipeline.requests("StopSolutionVersionCreation") == [], "the watcher stops it"

    report_ = closing["report"]
    (message,) = pipeline.inbox.messages
    assert [report_[key] for key in ("runId", "executionArn", "outcome", "reasons")] == [
        RUN_ID,
        execution.arn,
        "FAILED",
        [{"text": "TIMED_OUT: no cause given"}],
    ]
    assert report_["serving"][0]["servedVersionArn"] == served
    assert message.body == closing["text"]
    assert message.subject == f"FAILED {PIPELINE}: the execution took too long"


# Runs that ended without a report


@pytest.mark.parametrize("size", [260_000, 262_000], ids=["later state", "first state"])
def test_a_run_whose_input_is_too_large_is_reported(size):
    with deploy() as pipeline:
        execution = pipeline.machine.start({"datasets": ["x" * size]}).wait()
        closing = close(execution)
        assert pipeline.requests("CreateDatasetImportJob") == []

    assert (execution.status, execution.error) == ("FAILED", "States.DataLimitExceeded")
    assert closing["report"]["reasons"][0]["text"].startswith("FAILED: States.DataLimitExceeded: ")
    assert len(closing["text"]) < 3000


# Functions that fail


def test_a_report_that_is_always_killed_sends_few_messages():
    with deploy(handlers=killed_after_work("report_outcome", times=1000)) as pipeline:
        execution = pipeline.run(skipImport=True)
        close(execution)

    subjects = [message.subject.split()[0] for message in pipeline.inbox.messages]
    assert subjects == ["DEPLOYED"] * 6 + ["FAILED"]
    assert execution.error == "ReportFailed"

"""`close_run` reports a run that ended without a report. It starts and stops nothing."""

from datetime import timedelta

import pytest

from components.args import LimitsArgs
from components.state_machine.definition import execution_timeout_seconds
from emulator.virtual.step_functions import Fails
from functions.executions import REPORTED_ERROR
from tests.workflow.pipeline import (
    RUN_ID,
    deploy,
    handler,
    killed_after_work,
)
from tests.workflow.summaries import DEPLOYED, event_of, failed_calls, outcomes, report
from tests.world import MOVIES, PIPELINE, PREFIX

VERSION_NAME = f"{PREFIX}-{RUN_ID}-0b519087"
SHORT_LIMITS = MOVIES.with_options(
    limits=LimitsArgs(max_import_hours=1, max_training_hours=1, max_campaign_hours=1)
)


def close(execution):
    """Invoke `close_run` as EventBridge does after the end of an execution."""
    return handler("close_run")(event_of(execution), None)


def report_running(event, context):
    """Start the training, and report then that it is running without a look at it."""
    item = event["item"] or handler("train_solution")(event, context)
    return {**item, "outcome": None, "seconds": 3600}


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
            seconds=execution_timeout_seconds(SHORT_LIMITS.args)
        )
        assert "report_outcome" not in {call.function for call in execution.calls}
        closing, served = close(execution), pipeline.served_version()
        assert pipeline.requests("StopSolutionVersionCreation") == [], "the watcher stops it"
    report_, (message,) = closing["report"], pipeline.inbox.messages
    assert [report_[key] for key in ("runId", "executionArn", "outcome", "reason")] == [
        *(RUN_ID, execution.arn, "FAILED", "TIMED_OUT: no cause given")
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
    assert closing["report"]["reason"].startswith("FAILED: States.DataLimitExceeded: ")
    assert len(closing["text"]) < 3000


def test_closing_a_run_that_has_reported_does_nothing():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="solution-version", of=VERSION_NAME)
        execution = pipeline.run(skipImport=True)
        assert execution.error == REPORTED_ERROR
        assert close(execution) is None
    assert len(pipeline.inbox.messages) == 1


def test_a_run_that_could_not_report_is_closed():
    def raise_error(_event, _context):
        raise MemoryError("too much")

    with deploy(handlers={"report_outcome": raise_error}) as pipeline:
        execution = pipeline.run(skipImport=True)
        closing = close(execution)
    assert (execution.status, execution.error) == ("FAILED", "ReportFailed")
    assert closing["report"]["reason"].startswith("FAILED: ReportFailed: ")


# Functions that fail


def test_a_report_that_is_always_killed_sends_few_messages():
    with deploy(handlers=killed_after_work("report_outcome", times=1000)) as pipeline:
        execution = pipeline.run(skipImport=True)
        close(execution)
    subjects = [message.subject.split()[0] for message in pipeline.inbox.messages]
    assert subjects == ["DEPLOYED"] * 6 + ["FAILED"]
    assert execution.error == "ReportFailed"


def test_a_plan_that_is_always_killed_is_reported():
    def killed(_event, _context):
        raise Fails("Runtime.ExitError", "signal: killed")

    with deploy(handlers={"plan_retraining": killed}) as pipeline:
        execution = pipeline.run()
    assert report(execution)["reason"] == "Runtime.ExitError: signal: killed"
    assert len(failed_calls(execution)) == 6


@pytest.mark.parametrize("error", ["Lambda.TooManyRequestsException", "Lambda.ServiceException"])
def test_errors_of_lambda_itself_are_retried(error):
    handlers = {
        **killed_after_work("plan_retraining", error=error),
        **killed_after_work("train_solution", error=error),
        **killed_after_work("deploy_version", error=error),
    }
    with deploy(handlers=handlers) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.versions()) == 2
    assert outcomes(execution) == DEPLOYED
    assert [error for _, error in failed_calls(execution)] == [error] * 3


@pytest.mark.parametrize("fault", ["throttle", "server-error"])
def test_a_plan_is_retried_after_throttling_and_server_errors(fault):
    with deploy() as pipeline:
        pipeline.inject_fault(fault, operation="DescribeSolution", times=6)
        execution = pipeline.run(skipImport=True)
    assert report(execution)["outcome"] == "DEPLOYED"
    errors = {"throttle": "Throttled", "server-error": "ServiceUnavailable"}
    assert failed_calls(execution) == [("plan_retraining", errors[fault])], (
        "botocore makes four attempts, then the workflow retries the step"
    )


def test_endless_throttling_fails_the_run_after_some_minutes():
    with deploy() as pipeline:
        pipeline.inject_fault("throttle", operation="DescribeCampaign", times=1000)
        started_at = pipeline.clock.now()
        execution = pipeline.run()
        duration = pipeline.clock.now() - started_at
    assert report(execution)["reason"] == (
        "Throttled: DescribeCampaign: ThrottlingException: Rate exceeded"
    )
    assert timedelta(minutes=1) < duration < timedelta(minutes=20)

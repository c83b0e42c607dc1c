"""Runs that end without a report: EventBridge invokes `close_run`, which reports them."""

from tests.end_to_end.sample_runs import TRAIN, hanging_training, time_out
from tests.end_to_end.stack import eventually


def test_an_aborted_run_is_reported_and_its_training_goes_on(films):
    with hanging_training(films):
        execution_arn = films.start(**TRAIN)
        eventually(
            lambda: films.read_run(execution_arn).states,
            lambda states: "Wait for solution version" in states,
        )
        films.client("stepfunctions").stop_execution(
            executionArn=execution_arn, error="Enough", cause="stopped by hand"
        )
        run = films.wait_for(execution_arn)
        (record,) = eventually(lambda: films.closing_records(run), bool)
        assert films.version_status(run.version_arn) == "CREATE IN_PROGRESS"
    assert run.status == "ABORTED"
    assert record["message"] == (
        f"Retraining run {run.id}: FAILED: ABORTED: Enough: stopped by hand; "
        f"{run.version_arn} is CREATE IN_PROGRESS"
    )
    assert record["outcome"] == "FAILED"


def test_a_run_that_times_out_is_reported_and_its_training_is_stopped(films, result_of):
    run = result_of(time_out)
    (record,) = eventually(lambda: films.closing_records(run), bool)
    assert run.status == "TIMED_OUT"
    assert films.version_status(run.version_arn) == "CREATE STOPPED", "it would cost money"
    assert record["message"] == (
        f"Retraining run {run.id}: FAILED: TIMED_OUT: no cause given; {run.version_arn} was stopped"
    )


def test_a_run_that_has_reported_its_failure_is_not_reported_again(films):
    earlier_calls = len(calls_of_close_run(films))
    run = films.run(dataset=["users"])
    assert run.report["reason"] == (
        "RunRefused: 1 problem with this run:\n"
        "  key: 'dataset' is unknown; did you mean 'datasets'?"
    )
    assert run.execution["error"] == "RetrainingFailed"
    eventually(lambda: calls_of_close_run(films), lambda calls: len(calls) > earlier_calls)
    assert films.closing_records(run, run.report["runId"]) == []


def calls_of_close_run(stack):
    """Return the calls with which `close_run` reads how an execution ended."""
    role = stack.resources("iam/role:Role")["retraining-films-close-run"]["name"]
    calls = stack.calls("states:DescribeExecution")
    return [call for call in calls if f":assumed-role/{role}/" in call["caller"]]

"""Runs that end without a report: EventBridge has `close_run` called, which closes them."""

from tests.end_to_end.scenarios import TIME, TRAIN, hanging_training, time_limit
from tests.end_to_end.stack import eventually


def run_id(run):
    """The id that the functions know a run by."""
    return run.output("Plan retraining")["run"]["id"]


def test_an_aborted_run_is_reported_and_its_training_left_to_who_aborted_it(films):
    with hanging_training(films):
        arn = films.start(**TRAIN)
        eventually(
            lambda: films.look(arn).states, lambda states: "Wait for solution version" in states
        )
        films.client("stepfunctions").stop_execution(
            executionArn=arn, error="Enough", cause="stopped by hand"
        )
        run = films.ended(arn)
        record = eventually(lambda: films.closed(run), bool)[0]
        assert films.version_status(run.version) == "CREATE IN_PROGRESS"
    assert run.status == "ABORTED"
    assert record["message"] == (
        f"Retraining run {run_id(run)}: FAILED: ABORTED: Enough: stopped by hand; "
        f"{run.version} is CREATE IN_PROGRESS"
    )
    assert record["outcome"] == "FAILED"


def test_a_run_past_the_machine_s_time_is_reported_and_its_training_stopped(films):
    with hanging_training(films), time_limit(films, seconds=TIME):
        run = films.ended(films.start(**TRAIN))
        record = eventually(lambda: films.closed(run), bool)[0]
        assert films.version_status(run.version) == "CREATE STOPPED", "it would cost money"
    assert run.status == "TIMED_OUT"
    assert record["message"] == (
        f"Retraining run {run_id(run)}: FAILED: TIMED_OUT: no cause given; stopped {run.version}"
    )


def test_a_run_that_has_reported_its_failure_is_not_reported_again(films):
    before = len(asked(films))
    run = films.run(dataset=["users"])
    assert run.report["reason"] == (
        "RunRefused: 1 problem with this run:\n"
        "  key: 'dataset' is unknown; did you mean 'datasets'?"
    )
    assert run.execution["error"] == "RetrainingFailed"
    eventually(lambda: asked(films), lambda calls: len(calls) > before)
    assert films.closed_by(run.report["runId"], run.execution["startDate"]) == []


def asked(stack):
    """The times that `close_run` asked how an execution ended."""
    role = stack.resources("iam/role:Role")["retraining-films-close-run"]["name"]
    calls = stack.emulator.calls("states:DescribeExecution")
    return [each for each in calls if f":assumed-role/{role}/" in each["caller"]]

"""Runs that do not end well are reported once, and what they leave behind comes to an end.

The roles of the stack are enforced. `test_happy_path.py` shows that they are enough for a good run.
"""

from tests.end_to_end.sample_runs import (
    abort_during_training,
    abort_during_update,
    deadline,
    hanging_training,
    start_training,
)
from tests.end_to_end.stack import eventually


def test_an_aborted_run_is_reported_and_its_training_goes_on(films):
    with hanging_training(films), deadline(films, 1):
        run, version = abort_during_training(films)
        (record,) = eventually(lambda: films.closing_records(run), bool)
        assert films.version_status(version) == "CREATE IN_PROGRESS"

    assert run.status == "ABORTED"
    assert record["message"].startswith("FAILED: the execution was stopped.\n")
    assert "\nWhy\n- ABORTED: Enough: stopped by hand\n" in record["message"]
    assert record["outcome"] == "FAILED"


def has_ended(status):
    return status not in ("CREATE PENDING", "CREATE IN_PROGRESS")


def test_a_run_stops_its_overdue_training(films):
    with hanging_training(films):
        _, version = start_training(films)
        status = eventually(lambda: films.version_status(version), has_ended)
    assert status == "CREATE STOPPED"


def test_the_watcher_stops_the_overdue_training_of_a_dead_run(films):
    with hanging_training(films), deadline(films, 1 / 900):
        _, version = abort_during_training(films)

        def watch():
            films.watch()
            return films.version_status(version)

        assert eventually(watch, has_ended) == "CREATE STOPPED", "it would cost money"


def test_the_watcher_starts_a_run_for_a_trial_that_an_aborted_run_has_left(films):
    run = abort_during_update(films)

    def started():
        films.watch()
        machine = films.output("state_machine_arn")
        executions = films.client("stepfunctions").list_executions(stateMachineArn=machine)
        return [each for each in executions["executions"] if each["name"].startswith("trial-")]

    (execution,) = eventually(started, bool)
    trial = films.wait_for(execution["executionArn"])
    assert trial.status == "SUCCEEDED"
    assert {report["outcome"] for report in trial.report["trials"]} <= {"DEPLOYED", "SKIPPED"}, (
        "the invocation of the aborted run may end the trial first"
    )
    assert films.served_version() == run.version_arn


def test_a_run_that_has_reported_its_failure_is_not_reported_again(films):
    earlier_calls = len(calls_of_close_run(films))
    run = films.run(dataset=["users"])
    text = 'key: "dataset" is unknown; did you mean "datasets"?'
    assert (run.report["error"], run.report["reasons"]) == ("RunRefused", [{"text": text}])
    assert run.execution["error"] == "RetrainingFailed"

    eventually(lambda: calls_of_close_run(films), lambda calls: len(calls) > earlier_calls)
    assert films.closing_records(run, run.report["runId"]) == []


def calls_of_close_run(stack):
    """Return the calls with which `close_run` reads how an execution ended."""
    role = stack.resources("iam/role:Role")["retraining-films-close-run"]["name"]
    calls = stack.calls("states:DescribeExecution")
    return [call for call in calls if f":assumed-role/{role}/" in call["caller"]]

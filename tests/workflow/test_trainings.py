"""Trainings in whole runs: a failed one stops nothing else, and what one run leaves the next uses.

What the function does is tested in `tests/functions/test_train_solution.py`.
"""

from datetime import timedelta

from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import (
    failures,
    outcomes,
    report,
    skip_reason,
)
from tests.world import MOVIES, solution, solution_arn

TWO = MOVIES.with_solutions(solution("taste"), solution("like", campaigns=["detail"]))


def test_if_one_solution_fails_the_other_continues_and_is_not_trained_again():
    with deploy(TWO) as pipeline:
        pipeline.inject_fault("fail", job="solution-version", of=solution_arn("like"), times=None)
        first = pipeline.run(skipImport=True)
        second = pipeline.run(skipImport=True, scheduledTime=NEXT_SLOT)
        assert pipeline.statuses("taste") == ["ACTIVE", "ACTIVE"], "the first one is foreign"
        assert pipeline.statuses("like")[1:] == ["CREATE FAILED"] * 2

    assert (first.status, report(first)["outcome"]) == ("FAILED", "FAILED")
    assert outcomes(first) == {"taste": "DEPLOYED", "home": "DEPLOYED", "like": "FAILED"}, (
        "the campaign of a solution whose training has failed stays as it is"
    )
    assert outcomes(second) == {"like": "FAILED"}


def test_a_training_is_stopped_at_its_deadline_and_not_repeated():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        started_at = pipeline.clock.now()
        execution = pipeline.run(skipImport=True)
        duration = pipeline.clock.now() - started_at
        new = pipeline.versions()[-1]
        assert pipeline.requests("StopSolutionVersionCreation") == [{"solutionVersionArn": new}]
        second = pipeline.run(skipImport=True, scheduledTime=NEXT_SLOT)
        third = pipeline.run(skipImport=True, scheduledTime=NEXT_SLOT, force=True)

        assert pipeline.statuses() == ["ACTIVE", "CREATE STOPPED", "ACTIVE"]

    again = "train again: `retrain start --skip-import --force`"
    assert failures(execution) == {"taste": f"{new} was stopped after more than 24 hours; {again}"}
    assert timedelta(hours=24) <= duration < timedelta(hours=24, minutes=15)
    assert "the training on its data was stopped" in skip_reason(second)
    assert outcomes(third)["taste"] == "DEPLOYED"

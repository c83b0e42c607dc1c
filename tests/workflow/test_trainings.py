"""Trainings in whole runs: a failed one stops nothing else, and what one run leaves the next uses.

What the function does is tested in `tests/functions/test_train_solution.py`.
"""

from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import outcomes, report
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

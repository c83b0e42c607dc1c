"""Finds the state at which a run failed, for its report. All functions are pure."""

from collections.abc import Iterator, Sequence

from .contract import CampaignResult, FinishedRun, SolutionResult
from .executions import WITHOUT_SUCCESS, played_trials, solution_results
from .report_words import short_name

DELETED = "ExecutionDoesNotExist"
"""The error of a run whose state machine was deleted (`close_run.py`)."""


def failing_step(document: FinishedRun) -> str | None:
    """Return the state at which the run or its first bad part failed, or None if nothing failed.

    A part of the run is named behind the state, for example `Deploy version (home)`.
    """
    if "error" in document:
        # The state of an execution that ended without a report is not known.
        is_known = document["error"]["Error"] not in (*WITHOUT_SUCCESS, DELETED)
        return _step_of_run(document) if is_known else None
    results = document["imports"]["results"] if "imports" in document else []
    solutions = solution_results(document)
    campaigns = [campaign for solution in solutions for campaign in solution["campaigns"]]
    steps = [
        *(
            f"Import dataset ({result['dataset']['type']})"
            for result in results
            if result["outcome"] == "FAILED"
        ),
        *(_step_of_solution(result) for result in solutions),
        *_failed_campaigns("Deploy version", played_trials(document)),
        *_failed_campaigns("Deploy version", campaigns),
    ]
    return next((step for step in steps if step), None)


def _step_of_run(document: FinishedRun) -> str:
    """Return the first state of the run whose result the document does not have."""
    todo = document["plan"]["todo"] if "plan" in document else "WAIT"
    if todo == "WORK":
        return "Retrain solutions" if "imports" in document else "Import datasets"
    is_planning = todo == "WAIT" or "solutions" in document
    return "Plan retraining" if is_planning else "Retrain solutions"


def _step_of_solution(result: SolutionResult) -> str | None:
    """Return the state at which a training failed, or None if the solution has a version."""
    version, name = result["version"], short_name(result["solution"]["solutionArn"])
    if version is None or version["outcome"] not in ("TRAINED", "SKIPPED"):
        return f"Train solution ({name})"
    return f"Update campaigns ({name})" if result["error"] else None


def _failed_campaigns(step: str, results: Sequence[CampaignResult]) -> Iterator[str]:
    """Yield the state at which each campaign whose outcome is FAILED was."""
    for result in results:
        if result["outcome"] == "FAILED":
            yield f"{step} ({short_name(result['campaign']['campaignArn'])})"

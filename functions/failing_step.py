"""Finds the state at which a run failed, for its report. All functions are pure."""

from .contract import CampaignResult, DatasetResult, FinishedRun, SolutionResult
from .executions import WITHOUT_SUCCESS
from .report_words import short_name

DELETED = "ExecutionDoesNotExist"
"""The error of a run whose state machine was deleted (`close_run.py`)."""


def failing_step(document: FinishedRun) -> str | None:
    """Return the state at which the run or its first bad part failed, or None if nothing failed.

    A part of the run is named behind the state, for example `Evaluate solution version (home)`.
    """
    if "error" in document:
        # The state of an execution that ended without a report is not known.
        is_known = document["error"]["Error"] not in (*WITHOUT_SUCCESS, DELETED)
        return _step_of_run(document) if is_known else None
    results = document["imports"]["results"] if "imports" in document else []
    solutions = document.get("solutions", [])
    campaigns = [
        *document.get("trials", []),
        *(campaign for solution in solutions for campaign in solution["campaigns"]),
    ]
    steps = [
        *(_step_of_import(result) for result in results if result["outcome"] == "FAILED"),
        *(_step_of_solution(result) for result in solutions),
        *(_step_of_campaign(result) for result in campaigns if result["outcome"] == "FAILED"),
    ]
    return next((step for step in steps if step), None)


def _step_of_run(document: FinishedRun) -> str:
    """Return the first state of the run whose result the document does not have."""
    if "begin" not in document:
        return "Begin run"
    if "plan" not in document:
        if document["run"]["request"].get("dryRun"):
            return "Plan retraining"
        if "unfinished" not in document:
            return "Find trials"
        return "Plan retraining" if "trials" in document else "Finish trials"
    return "Retrain solutions" if "imports" in document else "Import datasets"


def _step_of_import(result: DatasetResult) -> str:
    """Return the state at which an import failed."""
    dataset = result["dataset"]["type"]
    is_created = result["job"] is not None and "createdAt" in result["job"]
    verb = "Watch" if is_created else "Create"
    return f"{verb} dataset import job ({dataset})"


def _step_of_solution(result: SolutionResult) -> str | None:
    """Return the state at which a training failed, or None if the solution has a version."""
    version, name = result["version"], short_name(result["solution"]["solutionArn"])
    if version is None or "createdAt" not in version:
        return f"Create solution version ({name})"
    if version["phase"] != "ACTIVE":
        return f"Watch solution version ({name})"
    return f"Update campaigns ({name})" if result["error"] else None


def _step_of_campaign(result: CampaignResult) -> str:
    """Return the last state that a campaign whose outcome is FAILED has reached."""
    name = short_name(result["campaign"]["campaignArn"])
    update = result["update"]
    if update is None:
        step = "Begin trial" if result["evaluation"] else "Evaluate solution version"
    elif result["rollback"] is not None:
        step = "Roll back campaign"
    elif result["probing"] is not None:
        step = "Probe campaign"
    else:
        step = "Watch campaign update" if "endedAt" in update else "Update campaign"
    return f"{step} ({name})"

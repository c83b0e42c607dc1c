"""Says in sentences what a run would do, for the report of a dry run. All functions are pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .executions import request_of
from .personalize.tags import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .contract import FinishedRun, PlannedImport, PlannedSolution, Run

MINUTES_PER_HOUR = 60


def dry_run_sentences(document: FinishedRun) -> Iterator[str]:
    """Yield a sentence for each dataset, solution and campaign. A run that acts has none."""
    if "plan" not in document or not document["run"]["request"].get("dryRun"):
        return
    settings, run, plan = document["settings"], document["run"], document["plan"]
    imports = {planned["type"]: planned for planned in plan["imports"]}
    for dataset in settings["datasets"]:
        yield _import_sentence(run, dataset["type"], imports.get(dataset["type"]))
    solutions = {planned["solutionArn"]: planned for planned in plan["solutions"]}
    for solution in settings["solutions"]:
        arn = solution["solutionArn"]
        if arn in solutions:
            needs_approval = bool(solution.get("approval"))
            yield from _solution_sentences(solutions[arn], needs_approval=needs_approval)
        else:
            yield f"{arn} would not be trained, because it has learned the present imports."


def _import_sentence(run: Run, dataset_type: str, planned: PlannedImport | None) -> str:
    """Return whether a dataset would be imported, and why not."""
    if planned is not None:
        return (
            f"{dataset_type} would be imported from {planned['dataLocation']}: "
            f"{planned['tags'][BYTES]} bytes{_age(planned['newestObjectAt'], run)}."
        )
    request = request_of(run["request"])
    if "deploy" in request:
        return f"{dataset_type} would not be imported, because the run only deploys a version."
    if request.get("skipImport") or dataset_type not in request.get("datasets", [dataset_type]):
        return f"{dataset_type} would not be imported, because the input leaves it out."
    return f"{dataset_type} would not be imported, because its export was imported before."


def _age(written_at: str | None, run: Run) -> str:
    """Return how old an export was when the run began, or nothing if it has no files."""
    if written_at is None:
        return ""
    age = datetime.fromisoformat(run["startedAt"]) - datetime.fromisoformat(written_at)
    # The export may have been written after the run began, because a run waits before it plans.
    minutes = max(0, round(age.total_seconds() / 60))
    if minutes < MINUTES_PER_HOUR:
        return f", written {minutes} minute{'' if minutes == 1 else 's'} ago"
    return f", written {minutes / MINUTES_PER_HOUR:.1f} hours ago"


def _solution_sentences(planned: PlannedSolution, *, needs_approval: bool) -> Iterator[str]:
    """Yield what would happen to a solution and its campaigns."""
    version_arn = planned["existingVersionArn"]
    if version_arn is None:
        yield f"{planned['solutionArn']} would be trained with {planned['trainingMode']}."
    else:
        yield f"{planned['solutionArn']} would use the version {version_arn} without a training."
    for campaign in planned["campaigns"]:
        approval = ", a person approves it" if needs_approval else ""
        probe = " and then its probe" if campaign["isProbed"] else ""
        yield (
            f"{campaign['campaignArn']} would be updated if the version passes the gate{approval}"
            f"{probe}."
        )

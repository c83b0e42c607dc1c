"""One pure function per guard: what speaks against this run, in words with the way out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from .requests import scheduled_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize.type_defs import SolutionVersionSummaryTypeDef

    from .documents import DatasetSettings, Request, SolutionSettings, TrainingMode
    from .world import World

FIRST_EVENT = timedelta(minutes=10)
"""A schedule's event so soon after its creation or change comes from the deployment itself."""
WHOLE_MINUTE = timedelta(minutes=2)
"""A slot may be named so much earlier than the change that caused it; schedules count in minutes.

A slot still earlier was due before the change, and its event came late.
"""
UPDATE_RECIPES = ("aws-user-personalization", "aws-hrnn-coldstart")
"""https://docs.aws.amazon.com/personalize/latest/dg/API_CreateSolutionVersion.html#trainingMode."""


def comes_from_deployment(world: World, request: Request) -> str | None:
    """Give why an event is skipped that a deployment caused, not the calendar.

    A rate schedule fires at once when it is created, and perhaps when it is changed; nobody who
    deploys expects a paid training.
    """
    slot, changed = scheduled_at(request), world.schedule_changed_at
    if slot is None or changed is None:
        return None
    if not -WHOLE_MINUTE <= slot - changed <= FIRST_EVENT:
        return None
    return (
        f"the schedule was created or changed at {changed.isoformat(timespec='seconds')}, and a "
        "deployment starts no training; to retrain now, start an execution with input {}"
    )


def incremental_needs_full(world: World, datasets: Sequence[DatasetSettings]) -> list[str]:
    """Refuse INCREMENTAL for a dataset that no FULL import has filled."""
    return [
        f"datasets.{dataset['type']}: importMode INCREMENTAL needs an ACTIVE FULL import of "
        f"{dataset['datasetArn']} before; import it once with importMode FULL"
        for dataset in datasets
        if dataset["importMode"] == "INCREMENTAL"
        and not any(
            job["status"] == "ACTIVE" and job.get("importMode", "FULL") == "FULL"
            for job in world.import_jobs[dataset["datasetArn"]]
        )
    ]


def update_needs_recipe(
    world: World, solutions: Sequence[SolutionSettings], asked: TrainingMode | None
) -> list[str]:
    """Refuse UPDATE for a solution whose recipe cannot do it."""
    return [
        f"{solution['solutionArn']}: trainingMode UPDATE needs one of the recipes "
        f"{', '.join(UPDATE_RECIPES)}, and this solution's is {recipe}; train it with FULL"
        for solution in solutions
        if (asked or solution["trainingMode"]) == "UPDATE"
        and (recipe := _recipe(world, solution)) not in UPDATE_RECIPES
    ]


def update_needs_full(
    world: World, solutions: Sequence[SolutionSettings], asked: TrainingMode | None
) -> list[str]:
    """Refuse an UPDATE that was asked for by name where no ACTIVE FULL version exists."""
    return [
        f"{solution['solutionArn']}: trainingMode UPDATE needs an ACTIVE version that was trained "
        "with FULL, and there is none; start with trainingMode FULL"
        for solution in solutions
        if asked == "UPDATE" and newest_full(world, solution) is None
    ]


def newest_full(world: World, solution: SolutionSettings) -> SolutionVersionSummaryTypeDef | None:
    """Give the newest ACTIVE version that was trained with FULL."""
    return next(
        (
            version
            for version in world.versions[solution["solutionArn"]]
            if version["status"] == "ACTIVE" and version.get("trainingMode", "FULL") == "FULL"
        ),
        None,
    )


def _recipe(world: World, solution: SolutionSettings) -> str:
    return world.solutions[solution["solutionArn"]].get("recipeArn", "").rpartition("/")[2]

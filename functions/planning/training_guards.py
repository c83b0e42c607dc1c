"""Checks the training of a solution: its mode, its recipe, and the number of trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .campaign_guards import recipe_of
from .guards import guard
from .news import receives_events, up_to_date_version
from .planned_imports import imports_to_do
from .planned_jobs import newest_full_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..workflow_settings import TrainingMode
    from .situation import Situation


UPDATE_RECIPES = ("aws-user-personalization", "aws-hrnn-coldstart")
"""The recipes that support a training with UPDATE:
https://docs.aws.amazon.com/personalize/latest/dg/API_CreateSolutionVersion.html#trainingMode."""


@guard("recipe for UPDATE", "REFUSE", "solution")
def update_without_recipe(situation: Situation) -> Iterator[str]:
    """Yield a message for a training with UPDATE of a solution whose recipe does not support it."""
    solution = situation.solution
    recipe = recipe_of(situation)
    mode = _requested_mode(situation) or solution["trainingMode"]
    if mode == "UPDATE" and recipe is not None and recipe not in UPDATE_RECIPES:
        yield (
            f"{solution['solutionArn']}: trainingMode UPDATE needs one of the recipes "
            f"{', '.join(UPDATE_RECIPES)}, but this solution has the recipe {recipe}; change "
            "trainingMode to FULL"
        )


@guard("first training", "REFUSE", "solution")
def update_without_full(situation: Situation) -> Iterator[str]:
    """Yield a message for a requested UPDATE of a solution without a FULL version."""
    if _requested_mode(situation) == "UPDATE" and newest_full_version(situation) is None:
        yield (
            f"{situation.solution['solutionArn']}: trainingMode UPDATE needs an ACTIVE version "
            "that was trained with FULL, but there is none; use retrain start --training-mode FULL"
        )


@guard("data for UPDATE", "REFUSE", "solution")
def update_without_news(situation: Situation) -> Iterator[str]:
    """Yield a message for a requested UPDATE of a solution that has nothing new to learn."""
    has_news = imports_to_do(situation) or receives_events(situation)
    version = up_to_date_version(situation)
    if _requested_mode(situation) == "UPDATE" and not has_news and version is not None:
        yield (
            f"{situation.solution['solutionArn']}: trainingMode UPDATE needs data that are newer "
            f"than {version.arn}; import new data, or use retrain start --training-mode FULL"
        )


def _requested_mode(situation: Situation) -> TrainingMode | None:
    """Return the training mode in the input of the execution, or None if it has none."""
    return situation.run["request"].get("trainingMode")


def automatic_training(situation: Situation) -> Iterator[str]:
    """Yield a message for a solution with automatic training, which costs money."""
    arn = situation.solution["solutionArn"]
    solution = situation.world.solutions.get(arn)
    if solution and solution.get("performAutoTraining"):
        yield (
            f"{arn}: also trains automatically; turn that off with 'aws personalize "
            f"update-solution --solution-arn {arn} --no-perform-auto-training'"
        )


@guard("automatic training", "REFUSE", "solution")
def refused_automatic_training(situation: Situation) -> Iterator[str]:
    """Yield a message for a solution with automatic training, if autoTraining is `refuse`."""
    if situation.settings["autoTraining"] == "refuse":
        yield from automatic_training(situation)


@guard("automatic training", "WARN", "solution")
def allowed_automatic_training(situation: Situation) -> Iterator[str]:
    """Yield a message for a solution with automatic training, if autoTraining is `warn`."""
    if situation.settings["autoTraining"] == "warn":
        yield from automatic_training(situation)

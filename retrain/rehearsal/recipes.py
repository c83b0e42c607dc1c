"""Chooses a recipe for each solution in a rehearsal, and builds requests that suit the recipe.

A stack's settings don't contain recipes, because on AWS the solutions exist before the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.args import to_config
from functions.rules.recipes import FEATURES, RECIPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.args import SolutionArgs
    from functions.rules.recipes import Recipe
    from retrain.rehearsal.data import User

POPULARITY = "aws-popularity-count"
RANKING = "aws-personalized-ranking-v2"
RELATED_ITEMS = "aws-similar-items"
REHEARSED_RECIPES = (
    "aws-user-personalization-v2",
    "aws-user-personalization",
    RANKING,
    RELATED_ITEMS,
    POPULARITY,
    "aws-trending-now",
)
"""The recipes to choose from, in order of preference."""
REQUEST_KEYS = {"userId", "itemId", "inputList"}
"""The keys of a probe that only some recipes support."""


def choose_recipe(solution: SolutionArgs) -> str:
    """Choose the first recipe that supports all settings of a solution.

    If no recipe does, choose the first one anyway, and let the run report which settings don't fit.
    """
    config = to_config(solution, keep_none=False)
    for recipe_name in REHEARSED_RECIPES:
        if _supports(RECIPES[recipe_name], config):
            return recipe_name
    return REHEARSED_RECIPES[0]


def _supports(recipe: Recipe, config: Mapping[str, Any]) -> bool:
    """Return True if a recipe supports everything that a solution's config uses."""
    if not _list_used_features(config) <= {*recipe.features}:
        return False
    if config["batchJobs"] and not recipe.batch_line_keys:
        return False

    for rule in config["qualityGate"]:
        if recipe.lacks_metric(rule["metric"]):
            return False
    for campaign in config["campaigns"]:
        if "probe" in campaign and not recipe.accepts_request_keys(
            REQUEST_KEYS & campaign["probe"].keys()
        ):
            return False
    return True


def _list_used_features(config: Mapping[str, Any]) -> set[str]:
    """List the settings that a config uses and only some recipes support, named as in FEATURES."""
    used_settings = {f"trainingMode {config['trainingMode']}"}
    for batch_job in config["batchJobs"]:
        used_settings.update(batch_job)
    return used_settings & FEATURES


def build_query(user: User, recipe_name: str) -> dict[str, Any]:
    """Build a recommendation request for a user, with the parameters that a recipe takes.

    A line in a batch job's input has the same keys.
    """
    if recipe_name == RELATED_ITEMS:
        return {"itemId": user.item_ids[0]}
    if recipe_name == RANKING:
        return {"userId": user.id, "itemList": user.item_ids}
    return {"userId": user.id}

"""The operations that configure solutions."""

from functools import partial

from emulator.personalize.auto_training import check_rate, plan_after_update, plan_first_training
from emulator.personalize.errors import invalid_input, not_found
from emulator.personalize.lifecycle import (
    create_resource,
    find_active,
    find_updatable,
    start_update,
)
from emulator.personalize.recipes import RECIPES, Recipe
from emulator.personalize.resources import DatasetGroup, Solution
from emulator.personalize.store import Request, Store

DEFAULT_SOLUTION_SETTINGS = {
    "performHPO": False,
    "performAutoML": False,
    "performAutoTraining": True,
}
WEEKLY_TRAINING = {"autoTrainingConfig": {"schedulingExpression": "rate(7 days)"}}


def create_solution(store: Store, request: Request) -> Solution:
    """Create a solution. As in AWS, it has automatic training every 7 days by default."""
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    recipe = _find_recipe(request)

    details = {**DEFAULT_SOLUTION_SETTINGS, **request}
    if details["performAutoTraining"]:
        details["solutionConfig"] = {**WEEKLY_TRAINING, **request.get("solutionConfig", {})}
        check_rate(details)

    solution = create_resource(store, Solution, details, parent_arns=[group.arn], recipe=recipe)
    solution.timeline.on_active(partial(plan_first_training, store, solution))
    return solution


def _find_recipe(request: Request) -> Recipe:
    """Look up the recipe of a new solution."""
    recipe_arn = request.get("recipeArn")
    if recipe_arn is None:
        raise invalid_input("recipeArn is missing; this emulator does not perform AutoML")
    if recipe_arn not in RECIPES:
        raise not_found(recipe_arn)

    return RECIPES[recipe_arn]


def update_solution(store: Store, request: Request) -> Solution:
    """Start an update of a solution. The new settings apply once the update is ACTIVE."""
    solution = find_updatable(store, Solution, request["solutionArn"])
    old_settings = solution.settings_at(store.now)
    settings = {**old_settings, **request}

    # The request only has to contain the parts of the configuration that should change.
    old_config = settings.get("solutionConfig", {})
    settings["solutionConfig"] = {**old_config, **request.get("solutionUpdateConfig", {})}
    if settings["performAutoTraining"]:
        settings["solutionConfig"] = {**WEEKLY_TRAINING, **settings["solutionConfig"]}
        check_rate(settings)

    timeline = start_update(store, solution, settings)
    timeline.on_active(partial(plan_after_update, store, solution, old_settings))
    return solution

"""Checks that the settings of a solution fit its recipe.

The table of recipes is in `rules/recipes.py`. If it lacks a recipe, one guard warns, and the others
check nothing.
"""

from collections.abc import Iterator

from ..common.formatting import format_list
from ..rules.recipes import FEATURES, RECIPES, find_recipe
from .guards import guard
from .solutions import SolutionView

ALARM_ADVICE = {
    "GetRecommendations": "remove the inputList from the probe",
    "GetPersonalizedRanking": "give the campaign a probe with an inputList",
    "GetActionRecommendations": (
        "set createAlarms to false and list other alarms, because Personalize publishes no metric "
        "of this operation"
    ),
}
"""The operation of the campaigns -> how to get alarms with data for their bake:
https://docs.aws.amazon.com/personalize/latest/dg/cloudwatch-metrics.html"""


@guard("recipe", "WARN", "solution")
def warn_of_unknown_recipe(view: SolutionView) -> Iterator[str]:
    """Yield a message for a recipe that this program does not know."""
    # Without a solution, the recipe is None. refuse_unusable_solution() reports the solution.
    if view.recipe is not None and view.recipe not in RECIPES:
        yield (
            f"{view.arn}: this program does not know its recipe {view.recipe or 'of AutoML'}, so "
            "nothing has checked whether the recipe fits the trainingMode, probes, createAlarms, "
            "qualityGate and batchJobs; compare them with AWS's guide"
        )


@guard("recipe", "REFUSE", "solution")
def refuse_unsupported_settings(view: SolutionView) -> Iterator[str]:
    """Yield a message for batch jobs or other settings that the recipe does not support."""
    recipe = find_recipe(view.recipe)
    if recipe is None:
        return

    if view.solution_snapshot.batch_jobs and not recipe.batch_line_keys:
        yield f"{view.arn}: its recipe {view.recipe} has no batch jobs; remove the batchJobs"

    # FEATURES contains all settings that only some recipes support.
    for setting in sorted(_collect_used_settings(view) & FEATURES):
        if setting in recipe.features:
            continue

        suitable_recipes = [
            name for name, suitable in RECIPES.items() if setting in suitable.features
        ]
        yield (
            f"{view.arn}: {setting} needs the recipe {' or '.join(suitable_recipes)}, but this "
            f"solution has the recipe {view.recipe}; remove the setting"
        )


def _collect_used_settings(view: SolutionView) -> set[str]:
    """Collect the training mode and the keys of the batch jobs, named as in FEATURES."""
    used_settings = {f"trainingMode {view.solution_settings['trainingMode']}"}
    for batch_job in view.solution_snapshot.batch_jobs:
        # Settings that aren't in the config are None.
        used_settings.update(key for key, value in batch_job.settings.items() if value is not None)
    return used_settings


@guard("quality gate", "REFUSE", "solution")
def refuse_missing_metrics(view: SolutionView) -> Iterator[str]:
    """Yield a message for a metric of the qualityGate that no version of the recipe has.

    Without the metric, the gate accepts or rejects a version no matter how good it is.
    """
    recipe = find_recipe(view.recipe)
    # The gate only judges versions for campaigns and batch jobs.
    uses_gate = bool(view.solution_settings["campaigns"] or view.solution_snapshot.batch_jobs)
    if recipe is None or not uses_gate:
        return

    for rule in view.solution_settings["qualityGate"]:
        if recipe.lacks_metric(rule["metric"]):
            yield (
                f"{view.arn}: its qualityGate has the metric {rule['metric']}, which no version of "
                f"the recipe {view.recipe} has; use one of {', '.join(recipe.metrics or ())}, or "
                "write 'qualityGateEnabled: false'"
            )


@guard("probe", "REFUSE", "solution")
def refuse_unsuitable_probes(view: SolutionView) -> Iterator[str]:
    """Yield a message for a probe that does not fit the recipe of the solution.

    Otherwise, the probe would fail only after a training that costs money.
    """
    recipe = find_recipe(view.recipe)
    if recipe is None:
        return

    for arn, probe in view.probes:
        keys = [key for key in ("userId", "itemId", "inputList") if probe.get(key)]
        if recipe.operation == "GetActionRecommendations":
            yield (
                f"{arn}: campaigns of the recipe {view.recipe} do not answer a probe; remove the "
                "probe from the campaign"
            )
        elif not recipe.accepts_request_keys(keys):
            optional_keys = (f"{key} if its filter needs it" for key in recipe.optional_keys)
            accepted_keys = format_list([*recipe.required_keys, *optional_keys])
            yield (
                f"{arn}: the probe has {format_list(keys) or 'no id'}, but campaigns of the "
                f"recipe {view.recipe} take {accepted_keys}; "
                "correct the probe"
            )


@guard("bake", "REFUSE", "solution")
def refuse_alarms_without_data(view: SolutionView) -> Iterator[str]:
    """Yield a message for a bake with `createAlarms` that watches a metric without data.

    The alarms would always be OK, so every version would pass its bake.
    """
    recipe = find_recipe(view.recipe)
    if recipe is None or recipe.operation is None:
        return

    for campaign in view.solution_settings["campaigns"]:
        probe = campaign["probe"]
        bake = campaign["bake"]
        if bake is None or not bake["createAlarms"]:
            continue

        # `components/alarms.py` creates the alarms from the probe alone, without the recipe.
        watched_operation = "GetRecommendations"
        if probe and probe.get("inputList"):
            watched_operation = "GetPersonalizedRanking"

        if watched_operation != recipe.operation:
            yield (
                f"{campaign['campaignArn']}: createAlarms watches {watched_operation}, but "
                f"campaigns of the recipe {view.recipe} answer {recipe.operation}; "
                f"{ALARM_ADVICE[recipe.operation]}"
            )

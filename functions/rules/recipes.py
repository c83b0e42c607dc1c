"""What AWS documents about each recipe: requests to campaigns, batch jobs, metrics and training.

A fact that AWS doesn't document is None, and isn't validated. Nothing is validated for a newer
recipe that isn't in RECIPES, and planning warns about it.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, NamedTuple

from ..constants import ITEM_METRICS, NDCG_METRICS, TREND_METRIC

Operation = Literal["GetRecommendations", "GetPersonalizedRanking", "GetActionRecommendations"]

EXPLORATION_KEYS: Final = ("explorationWeight", "explorationItemAgeCutOff")
"""The settings for how often to recommend items with little data, and up to which age."""


class Recipe(NamedTuple):
    """What AWS documents about one recipe."""

    operation: Operation | None
    """The operation that its campaigns support. None for user segments, which only have batch jobs:
    https://docs.aws.amazon.com/personalize/latest/dg/working-with-predefined-recipes.html"""
    required_keys: tuple[str, ...] = ()
    """The keys that every request to a campaign needs."""
    optional_keys: tuple[str, ...] = ()
    """Further keys that a request may have, because a filter may need them."""
    batch_line_keys: tuple[str, ...] = ()
    """The keys that every line of a batch job's input needs. Empty if it has no batch jobs:
    https://docs.aws.amazon.com/personalize/latest/dg/batch-data-upload.html"""
    metrics: tuple[str, ...] | None = ITEM_METRICS
    """The metrics that its versions may have, or None if AWS doesn't document them:
    https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html"""
    other_metrics_pattern: str = ""
    """A regular expression for further metrics, whose names in the API AWS doesn't document."""
    features: tuple[str, ...] = ()
    """The settings that only some recipes support:

    - trainingMode: https://docs.aws.amazon.com/personalize/latest/dg/API_CreateSolutionVersion.html
    - themes: https://docs.aws.amazon.com/personalize/latest/dg/themed-batch-recommendations.html
    - exploration: https://docs.aws.amazon.com/personalize/latest/dg/use-case-recipe-features.html
    """
    is_priced_by_interactions: bool = False
    """True if trainings are priced by interactions: https://aws.amazon.com/personalize/pricing/"""
    is_tuned_by_automatic_training: bool = False
    """True if only automatic training optimizes the hyperparameters, every 90 days:
    https://docs.aws.amazon.com/personalize/latest/dg/customizing-solution-config-hpo.html"""

    def accepts_request_keys(self, keys: Collection[str]) -> bool:
        """Return True if a request with these keys has all required ones and no unknown ones."""
        required_keys = {*self.required_keys}
        known_keys = {*self.required_keys, *self.optional_keys}
        return required_keys <= {*keys} <= known_keys

    def lacks_metric(self, metric_name: str) -> bool:
        """Return True if, according to AWS's guide, no version has this metric."""
        if self.metrics is None or metric_name in self.metrics:
            return False

        return not re.fullmatch(self.other_metrics_pattern, metric_name)


_FOR_USERS = Recipe("GetRecommendations", required_keys=("userId",), batch_line_keys=("userId",))
_POPULAR = Recipe("GetRecommendations", optional_keys=("userId",))
_RELATED = Recipe("GetRecommendations", ("itemId",), ("userId",), batch_line_keys=("itemId",))
_RANKING = Recipe(
    "GetPersonalizedRanking", ("userId", "inputList"), batch_line_keys=("userId", "itemList")
)
_SECOND_VERSION: Final[Mapping[str, Any]] = {
    "is_priced_by_interactions": True,
    "is_tuned_by_automatic_training": True,
}
_SEGMENTS = Recipe(
    operation=None,
    metrics=("coverage",),
    # AWS's guide only rules out the mean reciprocal rank for segments. Metrics "at K" may exist, so
    # they're accepted, and one of them is in the default quality gate.
    other_metrics_pattern=r"(hit|recall)(_at_\w+)?|(precision|normalized_discounted_cumulative_gain)_at_\d+",
)

RECIPES: Mapping[str, Recipe] = {
    "aws-user-personalization-v2": _FOR_USERS._replace(**_SECOND_VERSION),
    "aws-user-personalization": _FOR_USERS._replace(
        features=("trainingMode UPDATE", *EXPLORATION_KEYS)
    ),
    "aws-hrnn": _FOR_USERS,
    "aws-hrnn-metadata": _FOR_USERS,
    "aws-hrnn-coldstart": _FOR_USERS._replace(features=("trainingMode UPDATE",)),
    "aws-popularity-count": _POPULAR._replace(batch_line_keys=("userId",)),
    "aws-trending-now": _POPULAR._replace(metrics=(*ITEM_METRICS, TREND_METRIC)),
    "aws-personalized-ranking-v2": _RANKING._replace(**_SECOND_VERSION),
    "aws-personalized-ranking": _RANKING,
    "aws-similar-items": _RELATED._replace(features=("themes",)),
    "aws-sims": _RELATED,
    "aws-semantic-similarity": _RELATED._replace(metrics=None),
    "aws-item-affinity": _SEGMENTS._replace(batch_line_keys=("itemId",)),
    "aws-item-attribute-affinity": _SEGMENTS._replace(batch_line_keys=("itemAttributes",)),
    "aws-next-best-action": Recipe(
        "GetActionRecommendations",
        required_keys=("userId",),
        metrics=("coverage", *NDCG_METRICS),
        other_metrics_pattern="precision|recall|auc|area_under_the_curve",
    ),
}
"""Recipe name -> what AWS documents about the recipe."""

FEATURES = {feature for recipe in RECIPES.values() for feature in recipe.features}
"""All the settings that only some recipes support."""


def find_recipe(recipe_name: str | None) -> Recipe | None:
    """Return a recipe, or None if its name is None or isn't in RECIPES."""
    return RECIPES.get(recipe_name or "")


def advise_on_automatic_training(recipe_name: str | None) -> str:
    """Advise who should train a solution, and say what automatic training means for its recipe."""
    advice = (
        "turn that off, or write 'trainedBy: personalize', so that runs judge and deploy what "
        "Personalize trains"
    )

    recipe = find_recipe(recipe_name)
    if recipe is None or not recipe.is_tuned_by_automatic_training:
        return advice
    return f"{advice}; only automatic training optimizes the hyperparameters of {recipe_name}"


def has_segment_jobs(recipe_name: str | None) -> bool:
    """Return True if the recipe's batch jobs are segment jobs instead of inference jobs."""
    recipe = find_recipe(recipe_name)
    return recipe is not None and recipe.operation is None

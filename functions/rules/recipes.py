"""What depends on a recipe: the requests to its campaigns and batch jobs, and how it's trained.

RECIPES contains only what AWS documents. A fact that the guide doesn't mention is None, and is not
validated. A recipe that AWS has added since then isn't in the table, so nothing of it is validated,
and planning warns of that.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final, Literal, NamedTuple

from ..constants import ITEM_METRICS, NDCG_METRICS, TREND_METRIC

Operation = Literal["GetRecommendations", "GetPersonalizedRanking", "GetActionRecommendations"]

EXPLORATION_KEYS: Final = ("explorationWeight", "explorationItemAgeCutOff")
"""The settings that say how often, and up to which age, hardly known items are recommended."""


class Recipe(NamedTuple):
    """What AWS documents about one recipe."""

    operation: Operation | None
    """The operation that its campaigns answer. None for user segments, which have only batch jobs:
    https://docs.aws.amazon.com/personalize/latest/dg/working-with-predefined-recipes.html"""
    required_keys: tuple[str, ...] = ()
    """The keys that each request to a campaign needs."""
    optional_keys: tuple[str, ...] = ()
    """The keys that a request may have as well, because a filter may need them."""
    line_keys: tuple[str, ...] = ()
    """The keys that each line in a batch job's input needs. Empty if there are no batch jobs:
    https://docs.aws.amazon.com/personalize/latest/dg/batch-data-upload.html"""
    metrics: tuple[str, ...] | None = ITEM_METRICS
    """The metrics that its versions may have, or None if they aren't documented:
    https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html"""
    other_metrics: str = ""
    """A pattern for further metrics, whose names in the API aren't documented."""
    features: tuple[str, ...] = ()
    """The settings that only some recipes support:

    - trainingMode: https://docs.aws.amazon.com/personalize/latest/dg/API_CreateSolutionVersion.html
    - themes: https://docs.aws.amazon.com/personalize/latest/dg/themed-batch-recommendations.html
    - exploration: https://docs.aws.amazon.com/personalize/latest/dg/use-case-recipe-features.html
    """
    is_priced_by_interactions: bool = False
    """True if trainings aren't priced by the hour: https://aws.amazon.com/personalize/pricing/"""

    def takes(self, keys: Collection[str]) -> bool:
        """Return True if a request to a campaign may have exactly these keys."""
        required_keys = {*self.required_keys}
        return required_keys <= {*keys} <= required_keys.union(self.optional_keys)

    def lacks_metric(self, name: str) -> bool:
        """Return True if the guide says that no version has this metric."""
        if self.metrics is None or name in self.metrics:
            return False

        return not re.fullmatch(self.other_metrics, name)


_FOR_USERS = Recipe("GetRecommendations", required_keys=("userId",), line_keys=("userId",))
_POPULAR = Recipe("GetRecommendations", optional_keys=("userId",))
_RELATED = Recipe("GetRecommendations", ("itemId",), ("userId",), line_keys=("itemId",))
_RANKING = Recipe(
    "GetPersonalizedRanking", ("userId", "inputList"), line_keys=("userId", "itemList")
)
_SEGMENTS = Recipe(
    operation=None,
    metrics=("coverage",),
    # The guide says that segments have no mean reciprocal rank, but doesn't exclude metrics at a
    # number of items. So we accept these, and one of them is in the default quality gate.
    other_metrics=r"(hit|recall)(_at_\w+)?|(precision|normalized_discounted_cumulative_gain)_at_\d+",
)

RECIPES: Mapping[str, Recipe] = {
    "aws-user-personalization-v2": _FOR_USERS._replace(is_priced_by_interactions=True),
    "aws-user-personalization": _FOR_USERS._replace(
        features=("trainingMode UPDATE", *EXPLORATION_KEYS)
    ),
    "aws-hrnn": _FOR_USERS,
    "aws-hrnn-metadata": _FOR_USERS,
    "aws-hrnn-coldstart": _FOR_USERS._replace(features=("trainingMode UPDATE",)),
    "aws-popularity-count": _POPULAR._replace(line_keys=("userId",)),
    "aws-trending-now": _POPULAR._replace(metrics=(*ITEM_METRICS, TREND_METRIC)),
    "aws-personalized-ranking-v2": _RANKING._replace(is_priced_by_interactions=True),
    "aws-personalized-ranking": _RANKING,
    "aws-similar-items": _RELATED._replace(features=("themes",)),
    "aws-sims": _RELATED,
    "aws-semantic-similarity": _RELATED._replace(metrics=None),
    "aws-item-affinity": _SEGMENTS._replace(line_keys=("itemId",)),
    "aws-item-attribute-affinity": _SEGMENTS._replace(line_keys=("itemAttributes",)),
    "aws-next-best-action": Recipe(
        "GetActionRecommendations",
        required_keys=("userId",),
        metrics=("coverage", *NDCG_METRICS),
        other_metrics="precision|recall|auc|area_under_the_curve",
    ),
}
"""The name of a recipe -> what AWS documents about it."""

FEATURES = {feature for recipe in RECIPES.values() for feature in recipe.features}
"""All settings that only some recipes support."""


def find_recipe(name: str | None) -> Recipe | None:
    """Look up a recipe. It's None if the name is unknown, or isn't in the table."""
    return RECIPES.get(name or "")


def makes_segments(name: str | None) -> bool:
    """Return True if the recipe's batch jobs are segment jobs instead of inference jobs."""
    recipe = find_recipe(name)
    return recipe is not None and recipe.operation is None

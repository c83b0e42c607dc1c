"""The recipes that the emulator supports, under the same names as in AWS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """An algorithm that solution versions are trained with."""

    name: str

    type: str
    """The recipe type in the guide. It decides which requests campaigns and batch jobs accept."""

    updatable: bool = False
    """True if the recipe supports trainingMode UPDATE."""

    dataset_type: str = "INTERACTIONS"
    """The type of the dataset that versions are trained on."""

    item_column: str = "ITEM_ID"
    """The column with the IDs of what is recommended."""

    @property
    def arn(self) -> str:
        """The ARN, which contains neither a region nor an account, as in AWS."""
        return f"arn:aws:personalize:::recipe/{self.name}"


# The names, types and support of UPDATE come from the guide's pages about the recipes.
ALL_RECIPES = (
    Recipe("aws-user-personalization-v2", "USER_PERSONALIZATION"),
    Recipe("aws-user-personalization", "USER_PERSONALIZATION", updatable=True),
    Recipe("aws-hrnn", "USER_PERSONALIZATION"),
    Recipe("aws-hrnn-metadata", "USER_PERSONALIZATION"),
    Recipe("aws-hrnn-coldstart", "USER_PERSONALIZATION", updatable=True),
    Recipe("aws-popularity-count", "POPULAR_ITEMS"),
    Recipe("aws-trending-now", "POPULAR_ITEMS"),
    Recipe("aws-personalized-ranking-v2", "PERSONALIZED_RANKING"),
    Recipe("aws-personalized-ranking", "PERSONALIZED_RANKING"),
    Recipe("aws-similar-items", "RELATED_ITEMS"),
    Recipe("aws-sims", "RELATED_ITEMS"),
    Recipe("aws-semantic-similarity", "RELATED_ITEMS", dataset_type="ITEMS"),
    Recipe("aws-item-affinity", "USER_SEGMENTATION"),
    Recipe("aws-item-attribute-affinity", "USER_SEGMENTATION"),
    Recipe(
        "aws-next-best-action",
        "PERSONALIZED_ACTIONS",
        dataset_type="ACTION_INTERACTIONS",
        item_column="ACTION_ID",
    ),
)
RECIPES: Mapping[str, Recipe] = {recipe.arn: recipe for recipe in ALL_RECIPES}

USE_CASES: Mapping[str, Sequence[Recipe]] = {
    "ECOMMERCE": (
        Recipe("aws-ecomm-popular-items-by-views", "POPULAR_ITEMS"),
        Recipe("aws-ecomm-popular-items-by-purchases", "POPULAR_ITEMS"),
        Recipe("aws-ecomm-frequently-bought-together", "RELATED_ITEMS"),
        Recipe("aws-ecomm-customers-who-viewed-x-also-viewed", "RELATED_ITEMS"),
        Recipe("aws-ecomm-recommended-for-you", "USER_PERSONALIZATION"),
    ),
    "VIDEO_ON_DEMAND": (
        Recipe("aws-vod-most-popular", "POPULAR_ITEMS"),
        Recipe("aws-vod-trending-now", "POPULAR_ITEMS"),
        Recipe("aws-vod-because-you-watched-x", "RELATED_ITEMS"),
        Recipe("aws-vod-more-like-x", "RELATED_ITEMS"),
        Recipe("aws-vod-top-picks", "USER_PERSONALIZATION"),
    ),
}
"""Domain -> the recipes of its recommenders (guide, "Choosing recommender use cases")."""

"""The recipes that the emulator can train, with the names that AWS gives them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A recipe, which is the algorithm of a solution."""

    name: str

    type: str
    """The type in the guide, which decides what its campaigns and batch jobs are asked."""

    updatable: bool = False
    """True if the recipe allows trainingMode UPDATE."""

    dataset_type: str = "INTERACTIONS"
    """The type of the dataset that the recipe learns from."""

    item_column: str = "ITEM_ID"
    """The column with the ids of what it recommends."""

    @property
    def arn(self) -> str:
        """The ARN, which has no account and no region."""
        return f"arn:aws:personalize:::recipe/{self.name}"


# The names, the types and the recipes for trainingMode UPDATE are from the guide's recipe pages.
ALL = (
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
RECIPES: Mapping[str, Recipe] = {recipe.arn: recipe for recipe in ALL}

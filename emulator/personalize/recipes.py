"""The recipes that the emulator can train, with the names that AWS gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Method = Literal["neighbours", "popularity", "words"]


@dataclass(frozen=True)
class Recipe:
    """A recipe: the type of its campaigns, and how the emulator trains it.

    The method "words" compares the texts of items, and the other methods learn from interactions.
    `data` is the type of the dataset that the recipe learns from. `target` is the column with the
    items that it recommends. `updatable` recipes allow trainingMode UPDATE.
    """

    name: str
    type: str
    method: Method = "neighbours"
    updatable: bool = False
    data: str = "INTERACTIONS"
    target: str = "ITEM_ID"

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
    Recipe("aws-popularity-count", "POPULAR_ITEMS", method="popularity"),
    Recipe("aws-trending-now", "POPULAR_ITEMS", method="popularity"),
    Recipe("aws-personalized-ranking-v2", "PERSONALIZED_RANKING"),
    Recipe("aws-personalized-ranking", "PERSONALIZED_RANKING"),
    Recipe("aws-similar-items", "RELATED_ITEMS"),
    Recipe("aws-sims", "RELATED_ITEMS"),
    Recipe("aws-semantic-similarity", "RELATED_ITEMS", method="words", data="ITEMS"),
    Recipe("aws-item-affinity", "USER_SEGMENTATION"),
    Recipe("aws-item-attribute-affinity", "USER_SEGMENTATION"),
    Recipe(
        "aws-next-best-action",
        "PERSONALIZED_ACTIONS",
        data="ACTION_INTERACTIONS",
        target="ACTION_ID",
    ),
)
RECIPES: Mapping[str, Recipe] = {recipe.arn: recipe for recipe in ALL}

"""The recipes that can be trained here, by their real names."""

from dataclasses import dataclass
from typing import Literal

Method = Literal["neighbours", "popularity"]


@dataclass(frozen=True)
class Recipe:
    """What a recipe needs and how it is trained.

    `data` is the dataset it learns from and `target` the column that it recommends.
    """

    name: str
    type: str
    method: Method = "neighbours"
    updatable: bool = False
    data: str = "INTERACTIONS"
    target: str = "ITEM_ID"

    def arn(self, partition: str) -> str:
        """Recipes belong to no account and no region."""
        return f"arn:{partition}:personalize:::recipe/{self.name}"


# Names, types and the two recipes that trainingMode UPDATE takes: the guide's pages on recipes.
RECIPES: tuple[Recipe, ...] = (
    Recipe("aws-user-personalization-v2", "USER_PERSONALIZATION"),
    Recipe("aws-user-personalization", "USER_PERSONALIZATION", updatable=True),
    Recipe("aws-hrnn", "USER_PERSONALIZATION"),
    Recipe("aws-hrnn-metadata", "USER_PERSONALIZATION"),
    Recipe("aws-hrnn-coldstart", "USER_PERSONALIZATION", updatable=True),
    Recipe("aws-popularity-count", "USER_PERSONALIZATION", method="popularity"),
    Recipe("aws-personalized-ranking-v2", "PERSONALIZED_RANKING"),
    Recipe("aws-personalized-ranking", "PERSONALIZED_RANKING"),
    Recipe("aws-similar-items", "RELATED_ITEMS"),
    Recipe("aws-sims", "RELATED_ITEMS"),
    Recipe("aws-item-affinity", "USER_SEGMENTATION"),
    Recipe(
        "aws-next-best-action",
        "PERSONALIZED_ACTIONS",
        data="ACTION_INTERACTIONS",
        target="ACTION_ID",
    ),
)

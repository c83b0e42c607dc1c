"""Answers of campaigns: recommendations, rankings, and next best actions."""

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING
from uuid import uuid4

from emulator.personalize.errors import invalid_input
from emulator.personalize.resources import Campaign, SolutionVersion
from emulator.personalize.store import Store

if TYPE_CHECKING:
    from mypy_boto3_personalize_runtime.type_defs import (
        GetActionRecommendationsRequestTypeDef,
        GetPersonalizedRankingRequestTypeDef,
        GetRecommendationsRequestTypeDef,
    )

    from emulator.personalize.training import Model

DEFAULT_RESULTS = 25  # API reference: numResults defaults to 25
MAX_RESULTS = 500  # guide, quotas: also the most items for a ranking


def get_recommendations(
    store: Store, request: "GetRecommendationsRequestTypeDef"
) -> dict[str, object]:
    """Items for a user, or items like an item, by the recipe of the version that serves."""
    _refuse_unused(request, ("campaignArn", "userId", "itemId", "numResults"))
    version, model = _serving(store, request.get("campaignArn"), "GetRecommendations")
    if version.solution.recipe.type == "RELATED_ITEMS":
        scores = model.for_item(_required(request, "itemId"))
    else:
        scores = model.for_user(_required(request, "userId"))
    return {"itemList": _top(scores, request, "itemId"), "recommendationId": _id()}


def get_action_recommendations(
    store: Store, request: "GetActionRecommendationsRequestTypeDef"
) -> dict[str, object]:
    """Actions for a user."""
    _refuse_unused(request, ("campaignArn", "userId", "numResults"))
    _, model = _serving(store, request.get("campaignArn"), "GetActionRecommendations")
    scores = model.for_user(_required(request, "userId"))
    return {"actionList": _top(scores, request, "actionId"), "recommendationId": _id()}


def get_personalized_ranking(
    store: Store, request: "GetPersonalizedRankingRequestTypeDef"
) -> dict[str, object]:
    """The given items in the user's order."""
    _refuse_unused(request, ("campaignArn", "inputList", "userId"))
    _, model = _serving(store, request["campaignArn"], "GetPersonalizedRanking")
    items = request["inputList"]
    if len(items) > MAX_RESULTS:
        raise invalid_input(f"inputList has {len(items)} items, more than {MAX_RESULTS}")
    scores = model.rank(request["userId"], items)
    ranking = [{"itemId": item, "score": score} for item, score in scores.items()]
    return {"personalizedRanking": ranking, "recommendationId": _id()}


# Which operation asks a campaign of which type of recipe (guide, "Choosing a recipe").
OPERATIONS = {
    "USER_PERSONALIZATION": "GetRecommendations",
    "RELATED_ITEMS": "GetRecommendations",
    "PERSONALIZED_RANKING": "GetPersonalizedRanking",
    "PERSONALIZED_ACTIONS": "GetActionRecommendations",
}


def _serving(
    store: Store, campaign_arn: str | None, operation: str
) -> "tuple[SolutionVersion, Model]":
    """The version that the campaign serves now: the old one until an update is ACTIVE."""
    campaign = store.get(Campaign, _given(campaign_arn, "campaignArn"))
    if not campaign.active(store.now):
        raise invalid_input(f"Campaign {campaign.arn} is {campaign.status(store.now)}")
    version = store.get(SolutionVersion, campaign.serves(store.now))
    recipe = version.solution.recipe
    if OPERATIONS[recipe.type] != operation:
        raise invalid_input(
            f"{operation} is not supported by the recipe {recipe.name} of {campaign.arn}; "
            f"use {OPERATIONS[recipe.type]}"
        )
    assert version.model is not None, "an ACTIVE version has been trained"
    return version, version.model


def _refuse_unused(request: Mapping[str, object], used: tuple[str, ...]) -> None:
    """What the emulator cannot do is refused by name, never left out in silence."""
    for name in request:
        if name not in used:
            raise invalid_input(f"{name} is not supported by this emulator")


def _required(request: Mapping[str, object], name: str) -> str:
    return _given(request.get(name), name)


def _given(value: object, name: str) -> str:
    if not value:
        raise invalid_input(f"{name} is required")
    return str(value)


def _top(
    scores: Mapping[str, float], request: Mapping[str, object], key: str
) -> list[dict[str, object]]:
    asked = request.get("numResults") or DEFAULT_RESULTS
    number = min(int(str(asked)), MAX_RESULTS)
    return [{key: item, "score": score} for item, score in islice(scores.items(), number)]


def _id() -> str:
    return f"RID-{uuid4()}"

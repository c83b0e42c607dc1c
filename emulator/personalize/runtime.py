"""The operations of the runtime: recommendations, rankings and next best actions."""

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

# The operation for each type of recipe (guide, "Choosing a recipe").
OPERATIONS = {
    "USER_PERSONALIZATION": "GetRecommendations",
    "RELATED_ITEMS": "GetRecommendations",
    "PERSONALIZED_RANKING": "GetPersonalizedRanking",
    "PERSONALIZED_ACTIONS": "GetActionRecommendations",
}


def get_recommendations(
    store: Store, request: "GetRecommendationsRequestTypeDef"
) -> dict[str, object]:
    """Return items for a user, or items like an item. The campaign's recipe decides which."""
    _refuse_unsupported(request, ("campaignArn", "userId", "itemId", "numResults"))
    version = _served_version(store, request.get("campaignArn"), "GetRecommendations")
    model = _model(version)
    if version.solution.recipe.type == "RELATED_ITEMS":
        scores = model.for_item(_required(request, "itemId"))
    else:
        scores = model.for_user(_required(request, "userId"))
    return {
        "itemList": _first_results(scores, request, "itemId"),
        "recommendationId": _recommendation_id(),
    }


def get_action_recommendations(
    store: Store, request: "GetActionRecommendationsRequestTypeDef"
) -> dict[str, object]:
    """Return actions for a user."""
    _refuse_unsupported(request, ("campaignArn", "userId", "numResults"))
    version = _served_version(store, request.get("campaignArn"), "GetActionRecommendations")
    scores = _model(version).for_user(_required(request, "userId"))
    return {
        "actionList": _first_results(scores, request, "actionId"),
        "recommendationId": _recommendation_id(),
    }


def get_personalized_ranking(
    store: Store, request: "GetPersonalizedRankingRequestTypeDef"
) -> dict[str, object]:
    """Return the items of the request, best first for the user."""
    _refuse_unsupported(request, ("campaignArn", "inputList", "userId"))
    version = _served_version(store, request["campaignArn"], "GetPersonalizedRanking")
    items = request["inputList"]
    if len(items) > MAX_RESULTS:
        raise invalid_input(f"inputList has {len(items)} items, more than {MAX_RESULTS}")
    scores = _model(version).rank(request["userId"], items)
    ranking = [{"itemId": item, "score": score} for item, score in scores.items()]
    return {"personalizedRanking": ranking, "recommendationId": _recommendation_id()}


def _served_version(store: Store, campaign_arn: str | None, operation: str) -> SolutionVersion:
    """Return the version that the campaign serves now.

    Raises:
        ApiError: The campaign is not ACTIVE, or its recipe has another operation.
    """
    campaign = store.get(Campaign, _not_empty(campaign_arn, "campaignArn"))
    if not campaign.is_active(store.now):
        raise invalid_input(f"Campaign {campaign.arn} is {campaign.status(store.now)}")
    version = store.get(SolutionVersion, campaign.served_version_arn(store.now))
    recipe = version.solution.recipe
    if OPERATIONS[recipe.type] != operation:
        raise invalid_input(
            f"{operation} is not supported by the recipe {recipe.name} of {campaign.arn}; "
            f"use {OPERATIONS[recipe.type]}"
        )
    return version


def _model(version: SolutionVersion) -> "Model":
    assert version.model is not None, "an ACTIVE version has been trained"
    return version.model


def _refuse_unsupported(request: Mapping[str, object], supported: tuple[str, ...]) -> None:
    for name in request:
        if name not in supported:
            raise invalid_input(f"{name} is not supported by this emulator")


def _required(request: Mapping[str, object], name: str) -> str:
    return _not_empty(request.get(name), name)


def _not_empty(value: object, name: str) -> str:
    if not value:
        raise invalid_input(f"{name} is required")
    return str(value)


def _first_results(
    scores: Mapping[str, float], request: Mapping[str, object], key: str
) -> list[dict[str, object]]:
    """Return the first `numResults` of the scores, in their order, with the item below `key`."""
    requested = request.get("numResults") or DEFAULT_RESULTS
    number = min(int(str(requested)), MAX_RESULTS)
    return [{key: item, "score": score} for item, score in islice(scores.items(), number)]


def _recommendation_id() -> str:
    return f"RID-{uuid4()}"

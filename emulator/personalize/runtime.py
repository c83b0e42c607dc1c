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
    """Return items for a user, or items that are similar to an item if the recipe is for those."""
    _refuse_unsupported(request, ("campaignArn", "userId", "itemId", "numResults"))
    version = _served_version(store, request, "GetRecommendations")
    model = _model(version)
    if version.solution.recipe.type == "RELATED_ITEMS":
        scores = model.similar_items(_required(request, "itemId"))
    else:
        scores = _scores_of_user(store, model, _required(request, "userId"))
    return {
        "itemList": _first_results(_scores_to_return(version, scores), request, "itemId"),
        "recommendationId": _recommendation_id(),
    }


def get_action_recommendations(
    store: Store, request: "GetActionRecommendationsRequestTypeDef"
) -> dict[str, object]:
    """Return the best actions for a user."""
    _refuse_unsupported(request, ("campaignArn", "userId", "numResults"))
    version = _served_version(store, request, "GetActionRecommendations")
    scores = _scores_of_user(store, _model(version), _required(request, "userId"))
    return {
        "actionList": _first_results(_scores_to_return(version, scores), request, "actionId"),
        "recommendationId": _recommendation_id(),
    }


def get_personalized_ranking(
    store: Store, request: "GetPersonalizedRankingRequestTypeDef"
) -> dict[str, object]:
    """Return the items of the request, best first for the user."""
    _refuse_unsupported(request, ("campaignArn", "inputList", "userId"))
    version = _served_version(store, request, "GetPersonalizedRanking")
    items = request["inputList"]
    if len(items) > MAX_RESULTS:
        raise invalid_input(f"inputList has {len(items)} items, more than {MAX_RESULTS}")
    scores = _scores_to_return(version, _model(version).rank(request["userId"], items))
    ranking = [{"itemId": item, "score": score} for item, score in scores.items()]
    return {"personalizedRanking": ranking, "recommendationId": _recommendation_id()}


def _scores_to_return(version: SolutionVersion, scores: Mapping[str, float]) -> Mapping[str, float]:
    """Return the scores, or none if the version has met the fault `no-results`."""
    return scores if version.timeline.gives_results else {}


def _served_version(store: Store, request: Mapping[str, object], operation: str) -> SolutionVersion:
    """Return the solution version that the campaign serves now.

    Raises:
        ApiError: The campaign is not ACTIVE, or its recipe needs another operation.
    """
    campaign = store.get(Campaign, _required(request, "campaignArn"))
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
    """Return the model of a version that a campaign serves."""
    assert version.model is not None, "an ACTIVE version has been trained"
    return version.model


def _scores_of_user(store: Store, model: "Model", user_id: str) -> dict[str, float]:
    """Return the scores for a user. The switch `unknown_user` decides if the user is unknown.

    Raises:
        ApiError: The user is unknown, and the switch is "error".
    """
    answer = store.options.switches.unknown_user
    if user_id in model.histories or answer == "popular":
        return model.recommend_to_user(user_id)
    if answer == "error":
        raise invalid_input(f"userId {user_id} is not in the data of the solution version")
    return {}


def _refuse_unsupported(request: Mapping[str, object], supported: tuple[str, ...]) -> None:
    """Raise ApiError if a request has a field that the emulator would ignore."""
    for name in request:
        if name not in supported:
            raise invalid_input(f"{name} is not supported by this emulator")


def _required(request: Mapping[str, object], name: str) -> str:
    """Return a field of a request. Raise ApiError if it is missing or empty."""
    value = request.get(name)
    if not value:
        raise invalid_input(f"{name} is required")
    return str(value)


def _first_results(
    scores: Mapping[str, float], request: Mapping[str, object], key: str
) -> list[dict[str, object]]:
    """Return the first scores, as many as the request asks for.

    `scores` must be sorted, best first. The id of the item or action has the name `key`.
    """
    requested = request.get("numResults") or DEFAULT_RESULTS
    limit = min(int(str(requested)), MAX_RESULTS)
    return [{key: item, "score": score} for item, score in islice(scores.items(), limit)]


def _recommendation_id() -> str:
    return f"RID-{uuid4()}"

"""The operations of the runtime: recommendations, rankings and next best actions."""

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING
from uuid import uuid4

from emulator.personalize.errors import invalid_input
from emulator.personalize.resources import Campaign, SolutionVersion
from emulator.personalize.store import Request, Response, Store

if TYPE_CHECKING:
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
SUPPORTED_FIELDS = ("campaignArn", "userId", "itemId", "inputList", "numResults")


def get_recommendations(store: Store, request: Request) -> Response:
    """Return items for a user, or items that are similar to an item if the recipe is for those."""
    version, model = _served(store, request, "GetRecommendations")
    if version.solution.recipe.type == "RELATED_ITEMS":
        scores = model.similar_items(_required(request, "itemId"))
    else:
        scores = _scores_of_user(store, model, request)
    return _response(version, "itemList", scores, request.get("numResults"))


def get_action_recommendations(store: Store, request: Request) -> Response:
    """Return the best actions for a user."""
    version, model = _served(store, request, "GetActionRecommendations")
    scores = _scores_of_user(store, model, request)
    return _response(version, "actionList", scores, request.get("numResults"))


def get_personalized_ranking(store: Store, request: Request) -> Response:
    """Return the items of the request, best first for the user."""
    version, model = _served(store, request, "GetPersonalizedRanking")
    items = request["inputList"]
    if len(items) > MAX_RESULTS:
        raise invalid_input(f"inputList has {len(items)} items, more than {MAX_RESULTS}")
    scores = model.rank(request["userId"], items)
    return _response(version, "personalizedRanking", scores, MAX_RESULTS)


def _served(store: Store, request: Request, operation: str) -> tuple[SolutionVersion, "Model"]:
    """Return the solution version that the campaign serves now, and its model.

    Raise ApiError if the emulator would ignore a field of the request, if the campaign is not
    ACTIVE, or if its recipe needs another operation.
    """
    for name in request:
        if name not in SUPPORTED_FIELDS:
            raise invalid_input(f"{name} is not supported by this emulator")
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
    assert version.model is not None, "an ACTIVE version has been trained"
    return version, version.model


def _scores_of_user(store: Store, model: "Model", request: Request) -> dict[str, float]:
    """Return the scores for a user. The switch `unknown_user` decides if the user is unknown."""
    user_id = _required(request, "userId")
    answers = user_id in model.histories or store.switches.unknown_user == "popular"
    return model.recommend_to_user(user_id) if answers else {}


def _required(request: Request, name: str) -> str:
    """Return a field of a request. Raise ApiError if it is missing or empty."""
    if not request.get(name):
        raise invalid_input(f"{name} is required")
    return str(request[name])


def _response(
    version: SolutionVersion, list_field: str, scores: Mapping[str, float], limit: int | None
) -> Response:
    """Return the response with the first scores, or with none after the fault `no-results`.

    `scores` must be sorted, best first.
    """
    id_field = "actionId" if list_field == "actionList" else "itemId"
    shown = scores.items() if version.timeline.gives_results else ()
    first = islice(shown, min(limit or DEFAULT_RESULTS, MAX_RESULTS))
    results = [{id_field: item, "score": score} for item, score in first]
    return {list_field: results, "recommendationId": f"RID-{uuid4()}"}

"""The operations of the runtime: recommendations, rankings and next best actions."""

from collections.abc import Mapping
from itertools import islice
from uuid import uuid4

from emulator.personalize.errors import invalid_input
from emulator.personalize.filters import active_filter, columns_of, passing
from emulator.personalize.resources import Campaign, Solution, SolutionVersion
from emulator.personalize.store import Request, Response, Store

DEFAULT_RESULTS = 25  # API reference: numResults defaults to 25
MAX_RESULTS = 500  # guide, quotas: also the most items for a ranking

# The operation for each type of recipe (guide, "Choosing a recipe").
OPERATIONS = {
    "USER_PERSONALIZATION": "GetRecommendations",
    "POPULAR_ITEMS": "GetRecommendations",
    "RELATED_ITEMS": "GetRecommendations",
    "PERSONALIZED_RANKING": "GetPersonalizedRanking",
    "PERSONALIZED_ACTIONS": "GetActionRecommendations",
}
RESULT_FIELDS = {
    "GetRecommendations": ("itemList", "itemId"),
    "GetPersonalizedRanking": ("personalizedRanking", "itemId"),
    "GetActionRecommendations": ("actionList", "actionId"),
}
"""The field of each response with the results, and the field of each result with the id."""
SUPPORTED_FIELDS = (
    *("campaignArn", "userId", "itemId", "inputList", "numResults"),
    *("context", "filterArn", "filterValues"),
)


def recommend(operation: str, store: Store, request: Request) -> Response:
    """Return the best results of the version that a campaign serves now.

    A version that was trained with the fault `no-results` has none.
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
    item_filter = active_filter(store, request, version.solution.group_arn)
    _check_context(store, version.solution, request.get("context", {}))
    shown = passing(item_filter, request, scores(store, version, request)).items()
    limit = MAX_RESULTS if "inputList" in request else request.get("numResults")
    first = islice(shown, min(limit or DEFAULT_RESULTS, MAX_RESULTS))
    list_field, id_field = RESULT_FIELDS[operation]
    results = [{id_field: item, "score": score} for item, score in first]
    return {list_field: results, "recommendationId": f"RID-{uuid4()}"}


def _check_context(store: Store, solution: Solution, context: Mapping[str, str]) -> None:
    """Raise ApiError if a field of the context is not in the schema of the interactions."""
    names = [column.name for _, column in columns_of(store, solution.group_arn, "INTERACTIONS")]
    if unknown := [key for key in context if key not in names]:
        raise invalid_input(f"context has {unknown[0]}, which the interactions do not have")


def scores(store: Store, version: SolutionVersion, request: Request) -> dict[str, float]:
    """Return the results of a version by their ids, best first.

    Popular items need no user (guide, "Choosing a recipe"). The switch `unknown_user` decides about
    a user who is not in the data. A version that was trained with the fault `no-results` has none.
    """
    model = version.model
    assert model is not None, "an ACTIVE version has been trained"
    if not version.timeline.gives_results:
        return {}
    recipe_type = version.solution.recipe.type
    if recipe_type == "RELATED_ITEMS":
        return model.similar_items(_required(request, "itemId"))
    if recipe_type == "POPULAR_ITEMS" and "userId" not in request:
        return model.recommend_to_user("")
    user_id, items = _required(request, "userId"), request.get("inputList", [])
    if len(items) > MAX_RESULTS:
        raise invalid_input(f"inputList has {len(items)} items, more than {MAX_RESULTS}")
    if recipe_type == "PERSONALIZED_RANKING":
        return model.rank(user_id, items)
    answers = user_id in model.histories or store.switches.unknown_user == "popular"
    return model.recommend_to_user(user_id) if answers else {}


def _required(request: Request, name: str) -> str:
    """Return a field of a request. Raise ApiError if it is missing or empty."""
    if not request.get(name):
        raise invalid_input(f"{name} is required")
    return str(request[name])

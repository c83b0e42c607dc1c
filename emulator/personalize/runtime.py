"""The operations of the runtime: recommendations, rankings and next best actions."""

from collections.abc import Mapping
from itertools import islice
from uuid import uuid4

from emulator.personalize.errors import invalid_input
from emulator.personalize.filters import filter_scores, find_active_filter, list_columns
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
    """Return the best results of the version that a campaign serves now."""
    for name in request:
        if name not in SUPPORTED_FIELDS:
            raise invalid_input(f"{name} is not supported by this emulator")

    version = _find_served_version(operation, store, request)
    item_filter = find_active_filter(store, request, version.solution.group_arn)
    _check_context(store, version.solution, request.get("context", {}))
    passed = filter_scores(item_filter, request, compute_scores(store, version, request))

    list_field, id_field = RESULT_FIELDS[operation]
    first_scores = islice(passed.items(), _choose_limit(request))
    results = [{id_field: result_id, "score": score} for result_id, score in first_scores]
    return {list_field: results, "recommendationId": f"RID-{uuid4()}"}


def _find_served_version(operation: str, store: Store, request: Request) -> SolutionVersion:
    """Find the version that a campaign serves, if its recipe supports the operation."""
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


def _choose_limit(request: Request) -> int:
    """Choose how many results a response has. A ranking has all items that were given."""
    if "inputList" in request:
        return MAX_RESULTS

    limit: int = request.get("numResults", DEFAULT_RESULTS)
    if limit == 0:
        limit = DEFAULT_RESULTS
    return min(limit, MAX_RESULTS)


def _check_context(store: Store, solution: Solution, context: Mapping[str, str]) -> None:
    """Reject a field of the context that is not in the schema of the interactions."""
    columns = list_columns(store, solution.group_arn, "INTERACTIONS")
    names = [column.name for _, column in columns]
    for key in context:
        if key not in names:
            raise invalid_input(f"context has {key}, which the interactions do not have")


def compute_scores(store: Store, version: SolutionVersion, request: Request) -> dict[str, float]:
    """Compute the results of a version by their ids, best first."""
    model = version.model
    assert model is not None, "an ACTIVE version has been trained"
    if not version.timeline.gives_results:
        return {}  # the fault `no-results`

    recipe_type = version.solution.recipe.type
    if recipe_type == "RELATED_ITEMS":
        return model.similar_items(_required(request, "itemId"))
    if recipe_type == "POPULAR_ITEMS" and "userId" not in request:
        # Popular items need no user (guide, "Choosing a recipe").
        return model.recommend_to_user("")

    user_id = _required(request, "userId")
    if recipe_type == "PERSONALIZED_RANKING":
        return model.rank(user_id, _list_given_items(request))
    if user_id not in model.histories and store.switches.unknown_user == "nothing":
        return {}
    return model.recommend_to_user(user_id)


def _list_given_items(request: Request) -> list[str]:
    """List the items to rank, which have a maximum (guide, quotas)."""
    items: list[str] = request.get("inputList", [])
    if len(items) > MAX_RESULTS:
        raise invalid_input(f"inputList has {len(items)} items, more than {MAX_RESULTS}")
    return items


def _required(request: Request, name: str) -> str:
    """Return a field of a request, which must have one that is not empty."""
    if not request.get(name):
        raise invalid_input(f"{name} is required")
    return str(request[name])

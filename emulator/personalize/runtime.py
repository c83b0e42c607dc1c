"""The operations of the service `personalize-runtime`, which ask a campaign for results."""

from itertools import islice
from uuid import uuid4

from emulator.personalize.errors import invalid_input
from emulator.personalize.filters import filter_scores, find_active_filter
from emulator.personalize.operation_models import RESULT_FIELDS
from emulator.personalize.resources import Campaign, SolutionVersion
from emulator.personalize.store import Request, Response, Store, Switches

DEFAULT_RESULTS = 25
"""The default of numResults according to the API reference."""

OPERATION_BY_RECIPE_TYPE = {
    "USER_PERSONALIZATION": "GetRecommendations",
    "POPULAR_ITEMS": "GetRecommendations",
    "RELATED_ITEMS": "GetRecommendations",
    "PERSONALIZED_RANKING": "GetPersonalizedRanking",
    "PERSONALIZED_ACTIONS": "GetActionRecommendations",
}
"""Type of recipe -> the operation that its campaigns support (guide, "Choosing a recipe")."""

SUPPORTED_FIELDS = {
    "campaignArn",
    "userId",
    "itemId",
    "inputList",
    "numResults",
    "context",
    "filterArn",
    "filterValues",
}


def recommend(operation: str, store: Store, request: Request) -> Response:
    """Return recommendations from the solution version that a campaign currently serves."""
    _check_fields_are_supported(request)
    version = _find_served_version(operation, store, request)
    item_filter = find_active_filter(store, request, version.solution.group_arn)
    scores = filter_scores(item_filter, request, compute_scores(version, request, store.switches))

    limit = request.get("numResults") or DEFAULT_RESULTS
    if "inputList" in request:
        limit = None  # A ranking contains all of the given items.

    # Fill the fields of all three operations. Afterwards, only those in the service model of this
    # operation remain.
    results = [
        {"itemId": result_id, "actionId": result_id, "score": score}
        for result_id, score in islice(scores.items(), limit)
    ]
    response: Response = dict.fromkeys(RESULT_FIELDS, results)

    return {**response, "recommendationId": f"RID-{uuid4()}"}


def _check_fields_are_supported(request: Request) -> None:
    """Reject a field that the emulator would have to ignore, although AWS wouldn't."""
    for name in request.keys() - SUPPORTED_FIELDS:
        raise invalid_input(f"{name} is not supported by this emulator")


def _find_served_version(operation: str, store: Store, request: Request) -> SolutionVersion:
    """Look up the version that a campaign serves, and reject an operation that its recipe lacks."""
    campaign = store.get(Campaign, _require_field(request, "campaignArn"))
    if not campaign.is_active(store.now):
        raise invalid_input(f"Campaign {campaign.arn} is {campaign.status(store.now)}")

    version = store.get(SolutionVersion, campaign.served_version_arn(store.now))
    recipe = version.solution.recipe
    if OPERATION_BY_RECIPE_TYPE[recipe.type] != operation:
        raise invalid_input(
            f"{operation} is not supported by the recipe {recipe.name} of {campaign.arn}; "
            f"use {OPERATION_BY_RECIPE_TYPE[recipe.type]}"
        )

    return version


def compute_scores(
    version: SolutionVersion, request: Request, switches: Switches
) -> dict[str, float]:
    """Compute a version's results: the scores of the items or actions by ID, best first."""
    if version.timeline.fault == "no-results":
        return {}

    model = version.model
    match version.solution.recipe.type:
        case "RELATED_ITEMS":
            return model.recommend_similar_items(_require_field(request, "itemId"))
        case "PERSONALIZED_RANKING":
            return model.rank_items(_require_field(request, "userId"), request.get("inputList", []))
        case "POPULAR_ITEMS" if "userId" not in request:
            # For this type of recipe, the user is optional (guide, "Choosing a recipe").
            return model.recommend_to_user("")

    user_id = _require_field(request, "userId")
    if user_id not in model.histories and switches.unknown_user == "nothing":
        return {}
    return model.recommend_to_user(user_id)


def _require_field(request: Request, name: str) -> str:
    """Return a field of a request, and reject a request in which it's missing or empty."""
    if not request.get(name):
        raise invalid_input(f"{name} is required")
    return str(request[name])

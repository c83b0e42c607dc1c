"""The Describe and List operations of all resources.

They return all fields of a resource. Afterwards, `api.py` drops those that the service model of the
operation doesn't have.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from emulator.personalize.resources import Campaign, Resource, Solution, SolutionVersion
from emulator.personalize.store import Request, Response, Store, Switches
from emulator.protocol.errors import ApiError


def describe(resource_class: type[Resource], store: Store, request: Request) -> Response:
    """Describe the resource that a request names."""
    resource = store.get(resource_class, request[resource_class.arn_field()])
    return {resource_class.response_field(): _collect_fields(store, resource)}


def list_page(resource_class: type[Resource], store: Store, request: Request) -> Response:
    """Return one page of the resources of a class, and a token for the next page, if any."""
    resources = _list_resources(resource_class, store, request)
    start = _parse_token(request.get("nextToken", "0"))
    page_size = store.switches.page_size
    end = start + min(request.get("maxResults", page_size), page_size)

    # In the response of ListFilters, the field is called `Filters`. All other operations use lower
    # camel case.
    page = [_collect_fields(store, resource) for resource in resources[start:end]]
    response: Response = {
        f"{resource_class.response_field()}s": page,
        f"{resource_class.noun()}s": page,
    }
    if end < len(resources):
        response["nextToken"] = str(end)

    return response


def _list_resources(
    resource_class: type[Resource], store: Store, request: Request
) -> Sequence[Resource]:
    """List the resources for all pages, filtered by the request's ARN, if it has one."""
    parent_arn = None
    for field, value in request.items():
        if field.endswith("Arn"):
            parent_arn = value

    if resource_class is SolutionVersion and parent_arn is not None:
        # Unlike the other List operations, this one can raise ResourceNotFoundException according
        # to the service model.
        store.get(Solution, parent_arn)

    resources = store.list_resources(resource_class, parent_arn)
    return _sort_resources(resources, store.switches.list_order)


def _sort_resources(resources: Sequence[Resource], order: str) -> Sequence[Resource]:
    """Sort resources, which are still oldest first, as the switch `list_order` demands."""
    match order:
        case "newest first":
            return resources[::-1]
        case "shuffled":
            return sorted(resources, key=lambda it: hashlib.sha256(it.arn.encode()).digest())
    return resources


def _parse_token(token: str) -> int:
    """Parse a nextToken, which is the position of the page's first resource in the whole list."""
    if not token.isdecimal():
        raise ApiError("InvalidNextTokenException", "The token is not valid.")
    return int(token)


def _collect_fields(store: Store, resource: Resource) -> dict[str, Any]:
    """Collect all fields that Describe or List could show of a resource.

    AWS doesn't document some of their values, so these depend on the switches.
    """
    fields: dict[str, Any] = resource.fields_at(store.now)
    if isinstance(resource, Solution):
        versions = store.list_resources(SolutionVersion, resource.arn)
        if versions:
            fields["latestSolutionVersion"] = versions[-1].fields_at(store.now)

    _apply_switches(resource, fields, store.switches)
    for name in ("latestCampaignUpdate", "latestSolutionVersion"):
        if name in fields:
            _apply_switches(resource, fields[name], store.switches)

    return fields


def _apply_switches(resource: Resource, fields: dict[str, Any], switches: Switches) -> None:
    """Change the status and the campaign settings in place, as the switches demand."""
    if switches.underscore_in_stop_status and "STOP" in fields["status"]:
        fields["status"] = fields["status"].replace(" ", "_")

    if isinstance(resource, Campaign) and switches.describe_shows_invalid_settings:
        fields["campaignConfig"] = {"itemExplorationConfig": {}, **fields["campaignConfig"]}
        if fields["minProvisionedTPS"] == 1:
            fields["minProvisionedTPS"] = 0

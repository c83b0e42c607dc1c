"""The Describe and List operations. The service model decides which fields each of them shows."""

import hashlib
from collections.abc import Sequence
from typing import Any

from emulator.personalize.resources import Campaign, Resource, Solution, SolutionVersion
from emulator.personalize.store import Request, Response, Store, Switches
from emulator.protocol.errors import ApiError


def describe(kind: type[Resource], store: Store, request: Request) -> Response:
    """Show one resource."""
    resource = store.get(kind, request[kind.arn_field()])
    return {kind.response_field(): _collect_fields(store, resource)}


def list_page(kind: type[Resource], store: Store, request: Request) -> Response:
    """Show one page of the resources of a kind.

    If the request has an ARN, only the resources that belong to this ARN are listed.
    """
    resources = _list_resources(kind, store, request)
    start = _parse_token(request.get("nextToken", "0"))
    page_size = store.switches.page_size
    end = start + min(request.get("maxResults", page_size), page_size)

    # ListFilters calls its field `Filters`. In all other responses it begins in lower case.
    page = [_collect_fields(store, resource) for resource in resources[start:end]]
    response: Response = {f"{kind.response_field()}s": page, f"{kind.noun()}s": page}
    if end < len(resources):
        response["nextToken"] = str(end)

    return response


def _list_resources(kind: type[Resource], store: Store, request: Request) -> Sequence[Resource]:
    """List the resources that a request asks for."""
    parent_arn = None
    for field, value in request.items():
        if field.endswith("Arn"):
            parent_arn = value

    if kind is SolutionVersion and parent_arn is not None:
        # Only the model of this List has ResourceNotFoundException.
        store.get(Solution, parent_arn)

    return _order(store.list_resources(kind, parent_arn), store.switches.list_order)


def _order(resources: Sequence[Resource], order: str) -> Sequence[Resource]:
    """Put resources, which come oldest first, into the order of the switch `list_order`."""
    match order:
        case "newest first":
            return resources[::-1]
        case "shuffled":
            return sorted(resources, key=lambda it: hashlib.sha256(it.arn.encode()).digest())
    return resources


def _parse_token(token: str) -> int:
    """Parse the token of a page, which is the position in the list at which it begins."""
    if not token.isdecimal():
        raise ApiError("InvalidNextTokenException", "The token is not valid.")
    return int(token)


def _collect_fields(store: Store, resource: Resource) -> dict[str, Any]:
    """Collect the fields that Describe and List show of a resource.

    Where AWS's documentation leaves it open what they show, the switches decide.
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
    """Change the status and the settings that are shown, if a switch says so."""
    if switches.underscore_in_stop_status and "STOP" in fields["status"]:
        fields["status"] = fields["status"].replace(" ", "_")

    if isinstance(resource, Campaign) and switches.senseless_campaign_settings:
        fields["campaignConfig"] = {"itemExplorationConfig": {}, **fields["campaignConfig"]}
        if fields["minProvisionedTPS"] == 1:
            fields["minProvisionedTPS"] = 0

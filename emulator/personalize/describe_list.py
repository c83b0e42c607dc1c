"""The Describe and List operations. The service model decides which fields each of them shows."""

import hashlib
from typing import Any

from emulator.personalize.operation_models import find_operation_model
from emulator.personalize.resources import Campaign, Resource, Solution, SolutionVersion
from emulator.personalize.store import Request, Response, Store, Switches
from emulator.protocol.errors import ApiError
from emulator.protocol.service_models import list_members


def describe(kind: type[Resource], store: Store, request: Request) -> Response:
    """Show one resource."""
    resource = store.get(kind, request[kind.arn_field()])
    return {kind.response_field(): _list_shown_fields(store, resource)}


def list_page(kind: type[Resource], store: Store, request: Request) -> Response:
    """Show one page of the resources of a kind.

    If the request has an ARN, only the resources that belong to this ARN are listed.
    """
    parent_arn = _find_parent_arn(request)
    if kind is SolutionVersion and parent_arn is not None:
        # Only the model of this List has ResourceNotFoundException.
        store.get(Solution, parent_arn)

    resources = store.list_resources(kind, parent_arn)
    _order(resources, store.switches)

    start = _parse_token(request.get("nextToken", "0"))
    page_size = store.switches.page_size
    end = start + min(request.get("maxResults", page_size), page_size)

    page = [_list_shown_fields(store, resource) for resource in resources[start:end]]
    response: Response = {_find_list_field(kind): page}
    if end < len(resources):
        response["nextToken"] = str(end)
    return response


def _find_parent_arn(request: Request) -> str | None:
    for field, value in request.items():
        if field.endswith("Arn"):
            return str(value)
    return None


def _find_list_field(kind: type[Resource]) -> str:
    """Find the field with the resources in the response of a List. It is the first one."""
    output_shape = find_operation_model(f"List{kind.noun()}s").output_shape
    return next(iter(list_members(output_shape)))


def _order(resources: list[Resource], switches: Switches) -> None:
    """Put resources, which come oldest first, into the order of the switch `list_order`."""
    match switches.list_order:
        case "newest first":
            resources.reverse()
        case "shuffled":
            resources.sort(key=lambda resource: hashlib.sha256(resource.arn.encode()).digest())


def _parse_token(token: str) -> int:
    """Parse the token of a page, which is the position in the list at which it begins."""
    if not token.isdecimal():
        raise ApiError("InvalidNextTokenException", "The token is not valid.")
    return int(token)


def _list_shown_fields(store: Store, resource: Resource) -> Response:
    """List the fields that Describe and List show of a resource.

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


def _apply_switches(resource: Resource, shown: dict[str, Any], switches: Switches) -> None:
    """Change the status and the settings that are shown, if a switch says so."""
    if switches.underscore_in_stop_status and "STOP" in shown["status"]:
        shown["status"] = shown["status"].replace(" ", "_")

    if isinstance(resource, Campaign) and switches.senseless_campaign_settings:
        shown["campaignConfig"] = {"itemExplorationConfig": {}, **shown["campaignConfig"]}
        if shown["minProvisionedTPS"] == 1:
            shown["minProvisionedTPS"] = 0

"""The Describe and List operations. The service model decides which fields each of them shows."""

import hashlib
from typing import Any

from emulator.personalize.operation_models import find_operation_model
from emulator.personalize.resources import Campaign, Resource, Solution, SolutionVersion
from emulator.personalize.store import Request, Response, Store, Switches
from emulator.protocol.errors import ApiError
from emulator.protocol.service_models import list_members


def describe(kind: type[Resource], store: Store, request: Request) -> Response:
    """Return the response of a Describe operation."""
    resource = store.get(kind, request[kind.arn_field()])
    return {kind.response_field(): _shown_fields(store, resource)}


def list_page(kind: type[Resource], store: Store, request: Request) -> Response:
    """Return the response of a List operation.

    The switch `list_order` says which resource is first. If the request has an ARN, only the
    resources that belong to this ARN are listed. A token is valid only together with the ARN of the
    request that it came from.
    """
    parent_arn = next((request[key] for key in request if key.endswith("Arn")), None)
    if kind is SolutionVersion and parent_arn is not None:
        # Only the model of this List has ResourceNotFoundException.
        store.get(Solution, parent_arn)
    switches = store.switches
    resources = store.all(kind, parent_arn)
    if switches.list_order == "newest first":
        resources.reverse()
    if switches.list_order == "shuffled":
        resources.sort(key=lambda resource: hashlib.sha256(resource.arn.encode()).digest())
    list_id = f"{kind.response_field()}s {parent_arn}"
    offset, _, token_list_id = request.get("nextToken", f"0 {list_id}").partition(" ")
    if token_list_id != list_id or not offset.isdecimal():
        raise ApiError("InvalidNextTokenException", "The token is not valid.")
    start = int(offset)
    end = start + min(request.get("maxResults", switches.page_size), switches.page_size)
    shown = [_shown_fields(store, resource) for resource in resources[start:end]]
    list_field = next(iter(list_members(find_operation_model(f"List{kind.noun()}s").output_shape)))
    response: dict[str, object] = {list_field: shown}
    if end < len(resources):
        response["nextToken"] = f"{end} {list_id}"
    return response


def _shown_fields(store: Store, resource: Resource) -> Response:
    """Return the fields that Describe and List show of a resource.

    Where AWS's documentation leaves it open what they show, the switches decide.
    """
    switches = store.switches
    fields: dict[str, Any] = resource.fields_at(store.now)
    if isinstance(resource, Solution):
        versions = store.all(SolutionVersion, resource.arn)
        fields["latestSolutionVersion"] = versions[-1].fields_at(store.now) if versions else None
    latest = [fields.get("latestCampaignUpdate"), fields.get("latestSolutionVersion")]
    for shown in filter(None, [fields, *latest]):
        if switches.underscore_in_stop_status and "STOP" in shown["status"]:
            shown["status"] = shown["status"].replace(" ", "_")
        if isinstance(resource, Campaign):
            _show_settings(shown, switches)
    return fields


def _show_settings(shown: dict[str, Any], switches: Switches) -> None:
    config = shown["campaignConfig"]
    if switches.senseless_campaign_settings:
        shown["campaignConfig"] = {"itemExplorationConfig": {}, **config}
        if shown["minProvisionedTPS"] == 1:
            shown["minProvisionedTPS"] = 0

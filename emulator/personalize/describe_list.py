"""The Describe and List operations. The service model decides which fields each of them shows."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape

from emulator.personalize.errors import ApiError, invalid_input
from emulator.personalize.resources import RESOURCE_CLASSES, Campaign, Resource, Solution
from emulator.personalize.service_model import members, operation_model
from emulator.personalize.store import Store, Switches


def describe(
    store: Store, operation_name: str, request: Mapping[str, object], read_time: datetime
) -> dict[str, object]:
    """Return the response of a Describe operation, with the resource as it was at `read_time`."""
    kind = RESOURCE_CLASSES[operation_name.removeprefix("Describe")]
    (output_field,) = members(operation_model(operation_name).output_shape)
    resource = store.get(kind, str(request[kind.arn_field()]), read_time)
    return {output_field: shown_fields(resource, read_time, store.options.switches)}


def list_page(
    store: Store, operation_name: str, request: Mapping[str, object], read_time: datetime
) -> dict[str, object]:
    """Return the response of a List operation, with the resources as they were at `read_time`.

    The switch `list_order` says which resource is first. If the request has an ARN, only the
    resources that belong to this ARN are listed. A token is valid only together with the ARN of the
    request that it came from.
    """
    if "domain" in request:
        raise invalid_input("This emulator has no recipes of domains")
    output_shapes = members(operation_model(operation_name).output_shape)
    (output_field,) = [name for name in output_shapes if isinstance(output_shapes[name], ListShape)]
    parent_arn = next((str(request[key]) for key in request if key.endswith("Arn")), None)
    if operation_name == "ListSolutionVersions" and parent_arn is not None:
        # Only the model of this List has ResourceNotFoundException.
        store.get(Solution, parent_arn, read_time)
    switches = store.options.switches
    kind = RESOURCE_CLASSES[operation_name.removeprefix("List").removesuffix("s")]
    resources = store.all(kind, parent_arn, read_time)
    if switches.list_order == "newest first":
        resources.reverse()
    if switches.list_order == "shuffled":
        resources.sort(key=lambda resource: hashlib.sha256(resource.arn.encode()).digest())
    list_id = f"{operation_name} {parent_arn}"
    start = _offset(request.get("nextToken"), list_id)
    size = switches.page_size
    end = start + min(int(str(request.get("maxResults", size))), size)
    shown = [shown_fields(resource, read_time, switches) for resource in resources[start:end]]
    response: dict[str, object] = {output_field: shown}
    if end < len(resources):
        response["nextToken"] = f"{end} {list_id}"
    return response


def _offset(token: object, list_id: str) -> int:
    """Return the offset in a token, or 0 without a token. Raise ApiError if it is not valid."""
    if token is None:
        return 0
    offset, _, token_list_id = str(token).partition(" ")
    if token_list_id != list_id or not offset.isdecimal():
        raise ApiError("InvalidNextTokenException", "The token is not valid.")
    return int(offset)


def shown_fields(resource: Resource, time: datetime, switches: Switches) -> dict[str, object]:
    """Return the fields that Describe and List show of a resource, as it was at a time.

    Where AWS's documentation leaves it open what they show, the switches decide.
    """
    fields: dict[str, Any] = resource.fields_at(time)
    for shown in (fields, *(fields[name] for name in LATEST if name in fields)):
        status = str(shown.get("status"))
        if switches.underscore_in_stop_status and "STOP" in status:
            shown["status"] = status.replace(" ", "_")
        if isinstance(resource, Campaign):
            _show_settings(shown, switches)
    return fields


LATEST = ("latestCampaignUpdate", "latestSolutionVersion")
"""The fields with the fields of an update or of another resource."""


def _show_settings(shown: dict[str, Any], switches: Switches) -> None:
    """Change the settings of a campaign, or of its update, as the switches ask for."""
    config = shown["campaignConfig"]
    if switches.latest_in_describe and config.get("syncWithLatestSolutionVersion"):
        solution_arn = shown["solutionVersionArn"].rpartition("/")[0]
        shown["solutionVersionArn"] = f"{solution_arn}/$LATEST"
    if switches.senseless_campaign_settings:
        shown["campaignConfig"] = {"itemExplorationConfig": {}, **config}
        if shown["minProvisionedTPS"] == 1:
            shown["minProvisionedTPS"] = 0

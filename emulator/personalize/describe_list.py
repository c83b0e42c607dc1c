"""The Describe and List operations. The service model decides which fields each of them shows."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime

from botocore.model import ListShape

from emulator.personalize.errors import ApiError, invalid_input
from emulator.personalize.resources import (
    Campaign,
    Dataset,
    DatasetGroup,
    EventTracker,
    ImportJob,
    RecipeResource,
    Resource,
    Schema,
    Solution,
    SolutionVersion,
)
from emulator.personalize.service_model import members, operation_model
from emulator.personalize.shown_fields import shown_fields
from emulator.personalize.store import Store

RESOURCE_CLASSES: Mapping[str, type[Resource]] = {
    "DescribeCampaign": Campaign,
    "DescribeDataset": Dataset,
    "DescribeDatasetGroup": DatasetGroup,
    "DescribeDatasetImportJob": ImportJob,
    "DescribeEventTracker": EventTracker,
    "DescribeRecipe": RecipeResource,
    "DescribeSchema": Schema,
    "DescribeSolution": Solution,
    "DescribeSolutionVersion": SolutionVersion,
    "ListCampaigns": Campaign,
    "ListDatasetGroups": DatasetGroup,
    "ListDatasetImportJobs": ImportJob,
    "ListDatasets": Dataset,
    "ListEventTrackers": EventTracker,
    "ListRecipes": RecipeResource,
    "ListSchemas": Schema,
    "ListSolutions": Solution,
    "ListSolutionVersions": SolutionVersion,
}

PAGE_SIZE = 100  # for a request without maxResults; it is also the model's maximum of maxResults


def describe(
    store: Store, operation_name: str, request: Mapping[str, object], read_time: datetime
) -> dict[str, object]:
    """Return the response of a Describe operation, with the resource as it was at `read_time`.

    The only field of the request is an ARN, and the only field of the response is the resource.
    """
    model = operation_model(operation_name)
    (arn_field,) = members(model.input_shape)
    (output_field,) = members(model.output_shape)
    resource_class = RESOURCE_CLASSES[operation_name]
    resource = store.get(resource_class, str(request[arn_field]), read_time)
    return {output_field: shown_fields(store, resource, read_time)}


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
    (output_field,) = (
        field
        for field, shape in members(operation_model(operation_name).output_shape).items()
        if isinstance(shape, ListShape)
    )
    parent_arns = [str(value) for key, value in request.items() if key.endswith("Arn")]
    parent_arn = parent_arns[0] if parent_arns else None
    if operation_name == "ListSolutionVersions" and parent_arn is not None:
        # Only the model of this List has ResourceNotFoundException.
        store.get(Solution, parent_arn, read_time)
    switches = store.options.switches
    resources = store.all(RESOURCE_CLASSES[operation_name], parent_arn, read_time)
    if switches.list_order == "newest first":
        resources.reverse()
    if switches.list_order == "shuffled":
        resources.sort(key=lambda resource: hashlib.sha256(resource.arn.encode()).digest())
    list_id = f"{operation_name} {parent_arn}"
    start = _offset(request.get("nextToken"), list_id)
    end = start + min(int(str(request.get("maxResults", PAGE_SIZE))), switches.page_size)
    summaries = [shown_fields(store, resource, read_time) for resource in resources[start:end]]
    response: dict[str, object] = {output_field: summaries}
    if end < len(resources):
        response["nextToken"] = _token(end, list_id)
    return response


def _token(offset: int, list_id: str) -> str:
    """Return the token of the page that begins at an offset. `list_id` identifies the list."""
    return base64.urlsafe_b64encode(f"{offset} {list_id}".encode()).decode()


def _offset(token: object, list_id: str) -> int:
    """Return the offset in a token, or 0 for a request without a token.

    Raises:
        ApiError: InvalidNextTokenException if the token is not valid or is from another list.
    """
    if token is None:
        return 0
    try:
        offset, _, token_list_id = base64.urlsafe_b64decode(str(token)).decode().partition(" ")
        if token_list_id == list_id:
            return int(offset)
    except (binascii.Error, ValueError):
        pass
    raise ApiError("InvalidNextTokenException", "The token is not valid.")

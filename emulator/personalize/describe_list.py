"""The Describe and List operations. The service model decides which fields each of them shows."""

import base64
import binascii
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
from emulator.personalize.service_model import members, operation
from emulator.personalize.store import Store

KINDS: Mapping[str, type[Resource]] = {
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

PAGE = 100  # the model's maximum of maxResults, and the page if a request has no maxResults


def describe(
    store: Store, name: str, request: Mapping[str, object], at: datetime
) -> dict[str, object]:
    """Return one resource at a time.

    The only field of the request is an ARN, and the only field of the response is the resource.
    """
    model = operation(name)
    (arn_field,) = members(model.input_shape)
    (output_field,) = members(model.output_shape)
    resource = store.get(KINDS[name], str(request[arn_field]), at)
    return {output_field: resource.shown(at)}


def list_page(
    store: Store, name: str, request: Mapping[str, object], at: datetime
) -> dict[str, object]:
    """Return one page of summaries at a time, oldest first.

    An ARN in the request selects the resources that belong to it. A token is valid only with the
    ARN of the request that it came from.
    """
    _refuse_domain(request)
    (output_field,) = (
        field
        for field, shape in members(operation(name).output_shape).items()
        if isinstance(shape, ListShape)
    )
    parent_arns = [str(value) for key, value in request.items() if key.endswith("Arn")]
    parent = parent_arns[0] if parent_arns else None
    if name == "ListSolutionVersions" and parent is not None:
        store.get(Solution, parent, at)  # the only List whose model has ResourceNotFound
    resources = store.all(KINDS[name], parent, at)
    start = _offset(request.get("nextToken"), name, parent)
    end = start + int(str(request.get("maxResults", PAGE)))
    page: dict[str, object] = {output_field: [item.shown(at) for item in resources[start:end]]}
    if end < len(resources):
        page["nextToken"] = _token(end, name, parent)
    return page


def _refuse_domain(request: Mapping[str, object]) -> None:
    if "domain" in request:
        raise invalid_input("This emulator has no recipes of domains")


def _token(offset: int, name: str, parent: str | None) -> str:
    return base64.urlsafe_b64encode(f"{offset} {name} {parent}".encode()).decode()


def _offset(token: object, name: str, parent: str | None) -> int:
    if token is None:
        return 0
    try:
        offset, _, origin = base64.urlsafe_b64decode(str(token)).decode().partition(" ")
        if origin == f"{name} {parent}":
            return int(offset)
    except (binascii.Error, ValueError):
        pass
    raise ApiError("InvalidNextTokenException", "The token is not valid.")

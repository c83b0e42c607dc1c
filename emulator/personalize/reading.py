"""Describe and List, for every kind of resource: the service model says what each one shows."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime

from botocore.model import ListShape

from emulator.personalize.errors import ApiError, invalid_input
from emulator.personalize.model import members, operation
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

PAGE = 100  # the model's maximum of maxResults, and what is given when none is asked for


def describe(
    store: Store, name: str, request: Mapping[str, object], at: datetime
) -> dict[str, object]:
    """One resource as of a time: the only input is its ARN, the only output is the resource."""
    model = operation(name)
    (arn,) = members(model.input_shape)
    (output,) = members(model.output_shape)
    return {output: store.get(KINDS[name], str(request[arn]), at).shown(at)}


def list_page(
    store: Store, name: str, request: Mapping[str, object], at: datetime
) -> dict[str, object]:
    """One page of summaries as of a time, the oldest first; an ARN in the request filters.

    A token is good for the same request only.
    """
    _refuse_domain(request)
    (output,) = (
        field
        for field, shape in members(operation(name).output_shape).items()
        if isinstance(shape, ListShape)
    )
    filters = {key: str(value) for key, value in request.items() if key.endswith("Arn")}
    parent = next(iter(filters.values()), None)
    if name == "ListSolutionVersions" and parent is not None:
        store.get(Solution, parent, at)  # the only List whose model knows ResourceNotFound
    found = store.all(KINDS[name], parent, at)
    start = _offset(request.get("nextToken"), name, parent)
    end = start + int(str(request.get("maxResults", PAGE)))
    page: dict[str, object] = {output: [resource.shown(at) for resource in found[start:end]]}
    if end < len(found):
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
        offset, _, rest = base64.urlsafe_b64decode(str(token)).decode().partition(" ")
        if rest == f"{name} {parent}":
            return int(offset)
    except (binascii.Error, ValueError):
        pass
    raise ApiError("InvalidNextTokenException", "The token is not valid.")

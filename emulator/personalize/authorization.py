"""The IAM actions and resources for which the caller of each operation needs a permission.

The reference is the page "Actions, resources, and condition keys for Amazon Personalize" of the
Service Authorization Reference. An action has the name of its operation.
"""

from collections.abc import Mapping
from typing import NamedTuple

from emulator.personalize.errors import invalid_input
from emulator.personalize.resources import RESOURCE_CLASSES
from emulator.personalize.service_model import members, operation_model
from emulator.personalize.store import Store

Request = Mapping[str, object]

CONTAINERS = {
    "CreateDataset": "datasetGroupArn",
    "CreateDatasetImportJob": "datasetArn",
    "CreateEventTracker": "datasetGroupArn",
    "CreateSolution": "datasetGroupArn",
    "CreateCampaign": "solutionVersionArn",
}
"""The field with the second resource of a Create operation. The first one is the new resource."""


class Caller(NamedTuple):
    """The caller's account and region, and the ARN of the principal."""

    account: str
    region: str
    arn: str


class Permission(NamedTuple):
    """An IAM action and the ARNs of the resources on which it must be allowed."""

    action: str
    resources: list[str]


def required_permissions(operation: str, request: Request, store: Store) -> list[Permission]:
    """Return the permissions that a caller needs for a call.

    A Create request with tags also needs TagResource on the new resource. The id of a new solution
    version is not known before its creation, so its ARN is a pattern.

    Raises:
        ApiError: InvalidInputException if the request lacks a resource's ARN.
    """
    try:
        resources = _resources(operation, request, store)
    except KeyError as missing:
        raise invalid_input(f"{missing.args[0]} is required") from None
    permissions = [Permission(f"personalize:{operation}", resources)]
    if operation.startswith("Create") and request.get("tags"):
        is_version = operation == "CreateSolutionVersion"
        tagged_resource = f"{resources[0]}/*" if is_version else resources[0]
        permissions.append(Permission("personalize:TagResource", [tagged_resource]))
    return permissions


def _resources(operation: str, request: Request, store: Store) -> list[str]:
    """Return the ARNs of the resources of an operation.

    CreateSolutionVersion needs the permission on the solution, and other Create operations on the
    new resource and its container. The List operations of resources need it on `*`. All other
    operations are about one resource, whose ARN is the first one of the request's model.
    """
    noun = operation.removeprefix("Create")
    if operation.startswith("List") and operation != "ListTagsForResource":
        return ["*"]
    if noun == operation or noun not in RESOURCE_CLASSES or noun == "SolutionVersion":
        shapes = members(operation_model(operation).input_shape)
        arn_fields = [name for name in shapes if name.endswith("Arn")]
        return [str(request[arn_fields[0]])] if arn_fields else ["*"]
    kind = RESOURCE_CLASSES[noun].kind
    container = str(request[CONTAINERS[operation]]) if operation in CONTAINERS else ""
    if noun == "Dataset":
        name = f"{container.rpartition('/')[2]}/{str(request['datasetType']).upper()}"
    else:
        name = str(request["jobName" if noun == "DatasetImportJob" else "name"])
    if noun == "Campaign":
        container = container.rpartition("/")[0]
    return [store.arn(kind, name), *filter(None, [container])]

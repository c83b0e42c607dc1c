"""The IAM actions and resources for which the caller of each operation needs a permission.

The reference is the page "Actions, resources, and condition keys for Amazon Personalize" of the
Service Authorization Reference. An action has the name of its operation.
"""

from typing import NamedTuple

from emulator.personalize.errors import invalid_input
from emulator.personalize.operation_models import find_operation_model
from emulator.personalize.resources import RESOURCE_CLASSES
from emulator.personalize.store import Request, Store
from emulator.protocol.service_models import list_members

CONTAINER_FIELDS = ("datasetGroupArn", "datasetArn", "solutionVersionArn")
"""The fields with the second resource of a Create operation. The first one is the new resource."""


class Caller(NamedTuple):
    """The caller's account and region, and the ARN and the access key of the principal."""

    account: str
    region: str
    arn: str
    access_key: str = ""


def required_permissions(operation: str, request: Request, store: Store) -> dict[str, list[str]]:
    """Return the IAM actions that a call needs, and the ARNs of the resources of each of them.

    A Create request with tags also needs TagResource on the new resource. The id of a new solution
    version is not known before its creation, so its ARN is a pattern.

    Raises:
        ApiError: InvalidInputException if the request lacks a resource's ARN.
    """
    noun, action = operation.removeprefix("Create"), f"personalize:{operation}"
    if noun not in RESOURCE_CLASSES:
        return {action: [_resource(operation, request)]}
    if noun == "SolutionVersion":
        resources = [request["solutionArn"]]
        new_resource = f"{request['solutionArn']}/*"
    else:
        resources = _new_resource_and_container(noun, request, store)
        new_resource = resources[0]
    permissions = {action: resources}
    if request.get("tags"):
        permissions["personalize:TagResource"] = [new_resource]
    if "roleArn" in request:
        permissions["iam:PassRole"] = [request["roleArn"]]
    return permissions


def _resource(operation: str, request: Request) -> str:
    """Return the ARN of the one resource of an operation that creates nothing.

    It is the first ARN of the request's model. The List operations of resources need `*`.
    """
    shapes = list_members(find_operation_model(operation).input_shape)
    fields = [name for name in shapes if name.endswith("Arn")]
    if not fields or (operation.startswith("List") and operation != "ListTagsForResource"):
        return "*"
    if fields[0] not in request:
        raise invalid_input(f"{fields[0]} is required")
    return str(request[fields[0]])


def _new_resource_and_container(noun: str, request: Request, store: Store) -> list[str]:
    """Return the ARNs of the new resource of a Create operation and of the one that contains it."""
    containers = [request[field] for field in CONTAINER_FIELDS if field in request]
    name = request.get("name", request.get("jobName"))
    if noun == "Dataset":
        name = f"{containers[0].rpartition('/')[2]}/{request['datasetType'].upper()}"
    if noun in ("Campaign", "BatchInferenceJob"):
        containers = [containers[0].rpartition("/")[0]]
    if noun == "BatchSegmentJob":
        containers = []
    return [store.arn(RESOURCE_CLASSES[noun].kind, name), *containers]

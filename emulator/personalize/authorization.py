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


def list_required_permissions(
    operation: str, request: Request, store: Store
) -> dict[str, list[str]]:
    """List the IAM actions that a call needs, each with the ARNs of its resources.

    Raises:
        ApiError: InvalidInputException if the request lacks a resource's ARN.
    """
    noun = operation.removeprefix("Create")
    action = f"personalize:{operation}"
    if noun not in RESOURCE_CLASSES:
        return {action: [_find_resource(operation, request)]}

    if noun == "SolutionVersion":
        # The id of a new version is not known before its creation, so its ARN is a pattern.
        resources = [request["solutionArn"]]
        new_resource = f"{request['solutionArn']}/*"
    else:
        resources = _list_new_resource_and_container(noun, request, store)
        new_resource = resources[0]

    permissions = {action: resources}
    if request.get("tags"):
        permissions["personalize:TagResource"] = [new_resource]
    if "roleArn" in request:
        permissions["iam:PassRole"] = [request["roleArn"]]
    return permissions


def _find_resource(operation: str, request: Request) -> str:
    """Find the one resource of an operation that creates nothing: the first ARN of its model.

    The List operations of resources need `*`.
    """
    if operation.startswith("List") and operation != "ListTagsForResource":
        return "*"

    for name in list_members(find_operation_model(operation).input_shape):
        if name.endswith("Arn"):
            if name not in request:
                raise invalid_input(f"{name} is required")
            return str(request[name])
    return "*"


def _list_new_resource_and_container(noun: str, request: Request, store: Store) -> list[str]:
    """List the new resource of a Create operation, and the one that contains it, if IAM asks."""
    containers = [request[field] for field in CONTAINER_FIELDS if field in request]
    name = request.get("name", request.get("jobName"))

    match noun:
        case "Dataset":
            group_name = containers[0].rpartition("/")[2]
            name = f"{group_name}/{request['datasetType'].upper()}"
        case "Campaign" | "BatchInferenceJob":
            # The solution contains them, not its version.
            containers = [containers[0].rpartition("/")[0]]
        case "BatchSegmentJob":
            containers = []

    return [store.build_arn(RESOURCE_CLASSES[noun].resource_type, name), *containers]

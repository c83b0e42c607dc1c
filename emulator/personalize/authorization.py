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
    action = f"personalize:{operation}"
    noun = operation.removeprefix("Create")
    if noun not in RESOURCE_CLASSES:
        return {action: [_find_target_arn(operation, request)]}

    new_arn = _build_new_arn(noun, request, store)
    resource_arns = _list_containers(noun, request)
    if noun != "SolutionVersion":  # for which IAM asks for the solution alone
        resource_arns.insert(0, new_arn)

    permissions = {action: resource_arns}
    if request.get("tags"):
        permissions["personalize:TagResource"] = [new_arn]
    if "roleArn" in request:
        permissions["iam:PassRole"] = [request["roleArn"]]

    return permissions


def _find_target_arn(operation: str, request: Request) -> str:
    """Find the ARN that a policy has to allow for an operation that creates nothing.

    In the service model that is always the first ARN. UpdateCampaign, for example, takes a
    campaignArn followed by a solutionVersionArn.
    """
    # IAM cannot restrict the List operations to a resource, even if they take the ARN of a parent.
    # ListTagsForResource is different: despite its name, it is about a single resource.
    if operation.startswith("List") and operation != "ListTagsForResource":
        return "*"

    fields = list_members(find_operation_model(operation).input_shape)
    arn_field = next(name for name in fields if name.endswith("Arn"))
    if arn_field not in request:
        # GetRecommendations also accepts a recommenderArn, but the emulator has no recommenders.
        raise invalid_input(f"{arn_field} is required")

    return str(request[arn_field])


def _build_new_arn(noun: str, request: Request, store: Store) -> str:
    """Build the ARN of the resource that a Create operation would create."""
    name = request.get("name", request.get("jobName"))
    match noun:
        case "SolutionVersion":
            # Nobody knows the id of a version before its creation, so its ARN is a pattern.
            return f"{request['solutionArn']}/*"

        case "Dataset":
            group_name = request["datasetGroupArn"].rpartition("/")[2]
            name = f"{group_name}/{request['datasetType'].upper()}"

    return store.build_arn(RESOURCE_CLASSES[noun].resource_type, name)


def _list_containers(noun: str, request: Request) -> list[str]:
    """List the ARN of the resource that contains a new one, if IAM asks for that too."""
    match noun:
        case "BatchSegmentJob":
            return []
        case "Campaign" | "BatchInferenceJob":
            # The solution contains them, not its version.
            return [request["solutionVersionArn"].rpartition("/")[0]]

    container_fields = ("datasetGroupArn", "datasetArn", "solutionArn")
    return [request[field] for field in container_fields if field in request]

"""The IAM permissions that a caller needs for each operation.

They come from the page "Actions, resources, and condition keys for Amazon Personalize" in the
Service Authorization Reference. Each operation has an action of the same name.
"""

from typing import NamedTuple

from emulator.personalize.errors import invalid_input
from emulator.personalize.events import find_tracker
from emulator.personalize.operation_models import find_operation_model
from emulator.personalize.resources import RESOURCE_CLASSES
from emulator.personalize.store import Request, Store
from emulator.protocol.service_models import list_members


class Caller(NamedTuple):
    """The IAM principal that makes a call, and the account and region of the call."""

    account: str
    region: str
    arn: str
    """The caller's ARN, which is recorded together with the call."""

    access_key: str = ""
    """The access key that signed the call. The server looks up its policies."""


def list_required_permissions(
    operation: str, request: Request, store: Store
) -> dict[str, list[str]]:
    """Return the IAM actions that a call requires, each with the ARNs of its resources.

    Raises:
        ApiError: InvalidInputException if the request lacks the ARN of the resource.
    """
    action = f"personalize:{operation}"
    if operation == "PutEvents":
        return {action: [find_tracker(store, request["trackingId"]).arn]}

    noun = operation.removeprefix("Create")
    if noun not in RESOURCE_CLASSES:
        return {action: [_find_target_arn(operation, request)]}

    new_arn = _build_new_arn(noun, request, store)
    resource_arns = _list_container_arns(noun, request)
    if noun != "SolutionVersion":  # CreateSolutionVersion only needs the solution.
        resource_arns.insert(0, new_arn)

    permissions = {action: resource_arns}
    if request.get("tags"):
        permissions["personalize:TagResource"] = [new_arn]
    if "roleArn" in request:
        permissions["iam:PassRole"] = [request["roleArn"]]

    return permissions


def _find_target_arn(operation: str, request: Request) -> str:
    """Find the ARN that the caller's policy has to allow for anything but a Create operation.

    In the service model, that's always the first ARN. UpdateCampaign, for example, takes a
    campaignArn followed by a solutionVersionArn.
    """
    # IAM can't restrict List operations to a resource, even if they take the ARN of a parent.
    # ListTagsForResource is different: despite its name, it's about a single resource.
    if operation.startswith("List") and operation != "ListTagsForResource":
        return "*"

    fields = list_members(find_operation_model(operation).input_shape)
    arn_field = next(name for name in fields if name.endswith("Arn"))
    if arn_field not in request:
        # GetRecommendations also accepts a recommenderArn, but ours don't answer.
        raise invalid_input(
            f"{arn_field} is required, because recommenders of this emulator answer no requests"
        )

    return str(request[arn_field])


def _build_new_arn(noun: str, request: Request, store: Store) -> str:
    """Predict the ARN of the resource that a Create operation will create."""
    name = request.get("name", request.get("jobName"))
    match noun:
        case "SolutionVersion":
            # The ID of a version isn't known before its creation, so use a pattern.
            return f"{request['solutionArn']}/*"

        case "Dataset":
            group_name = request["datasetGroupArn"].rpartition("/")[2]
            name = f"{group_name}/{request['datasetType'].upper()}"

    return store.build_arn(RESOURCE_CLASSES[noun].resource_type, name)


def _list_container_arns(noun: str, request: Request) -> list[str]:
    """List the existing resources on which the caller must be allowed to create the new one."""
    match noun:
        case "BatchSegmentJob":
            return []
        case "Campaign" | "BatchInferenceJob":
            # IAM expects the ARN of the solution instead of its version.
            return [request["solutionVersionArn"].rpartition("/")[0]]

    container_fields = ("datasetGroupArn", "datasetArn", "solutionArn")
    return [request[field] for field in container_fields if field in request]

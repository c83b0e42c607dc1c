"""The IAM actions and resources for which the caller of each operation needs a permission.

The reference is the page "Actions, resources, and condition keys for Amazon Personalize" of the
Service Authorization Reference. An action has the name of its operation.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from emulator.personalize.errors import invalid_input

Request = Mapping[str, object]

VERSION_ARN = re.compile(r"(arn:[^/]+:solution/[^/]+)/[^/]+")


class Caller(NamedTuple):
    """The caller's account and region, and the ARN of the principal."""

    account: str
    region: str
    arn: str


class Arns(Protocol):
    """A source of ARNs in the caller's account and region. A Store is one."""

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of a resource."""


class Permission(NamedTuple):
    """An IAM action and the ARNs of the resources on which it must be allowed."""

    action: str
    resources: list[str]


def new_resource(kind: str, name_field: str = "name") -> Callable[[Request, Arns], str]:
    """Return a function that returns the ARN of the resource that a request creates.

    `name_field` is the field of the request that has the name of the new resource.
    """
    return lambda request, arns: arns.arn(kind, str(request[name_field]))


def arn_in(field: str) -> Callable[[Request, Arns], str]:
    """Return a function that returns the ARN in a field of a request."""
    return lambda request, _: str(request[field])


def new_dataset(request: Request, arns: Arns) -> str:
    """Return the ARN of the dataset that the request creates. It contains the group's name."""
    group = str(request["datasetGroupArn"]).rpartition("/")[2]
    return arns.arn("dataset", f"{group}/{str(request['datasetType']).upper()}")


def new_version(request: Request, _: Arns) -> str:
    """Return a pattern for the ARN of the solution version that the request creates.

    The id of the version is not known before its creation.
    """
    return f"{request['solutionArn']}/*"


def solution_of_version(request: Request, _: Arns) -> str:
    """Return the ARN of the solution to which the request's version belongs."""
    return str(request["solutionVersionArn"]).rpartition("/")[0]


def solutions_of_versions(permissions: Sequence[Permission]) -> list[Permission]:
    """Return the permissions with the ARN of the solution instead of that of each version."""
    return [
        Permission(
            permission.action,
            [VERSION_ARN.sub(r"\1", resource) for resource in permission.resources],
        )
        for permission in permissions
    ]


# The resources of each operation. In a Create operation the first one is the new resource, except
# for CreateSolutionVersion, which needs the permission on the solution.
RESOURCES: Mapping[str, Sequence[Callable[[Request, Arns], str]]] = {
    "CreateSchema": [new_resource("schema")],
    "CreateDatasetGroup": [new_resource("dataset-group")],
    "CreateDataset": [new_dataset, arn_in("datasetGroupArn")],
    "CreateDatasetImportJob": [new_resource("dataset-import-job", "jobName"), arn_in("datasetArn")],
    "CreateEventTracker": [new_resource("event-tracker"), arn_in("datasetGroupArn")],
    "CreateSolution": [new_resource("solution"), arn_in("datasetGroupArn")],
    "CreateSolutionVersion": [arn_in("solutionArn")],
    "CreateCampaign": [new_resource("campaign"), solution_of_version],
    "UpdateSolution": [arn_in("solutionArn")],
    "UpdateCampaign": [arn_in("campaignArn")],
    "StopSolutionVersionCreation": [arn_in("solutionVersionArn")],
    "GetSolutionMetrics": [arn_in("solutionVersionArn")],
    "DeleteSchema": [arn_in("schemaArn")],
    "DeleteDatasetGroup": [arn_in("datasetGroupArn")],
    "DeleteDataset": [arn_in("datasetArn")],
    "DeleteEventTracker": [arn_in("eventTrackerArn")],
    "DeleteSolution": [arn_in("solutionArn")],
    "DeleteCampaign": [arn_in("campaignArn")],
    "DescribeSchema": [arn_in("schemaArn")],
    "DescribeDatasetGroup": [arn_in("datasetGroupArn")],
    "DescribeDataset": [arn_in("datasetArn")],
    "DescribeDatasetImportJob": [arn_in("datasetImportJobArn")],
    "DescribeEventTracker": [arn_in("eventTrackerArn")],
    "DescribeRecipe": [arn_in("recipeArn")],
    "DescribeSolution": [arn_in("solutionArn")],
    "DescribeSolutionVersion": [arn_in("solutionVersionArn")],
    "DescribeCampaign": [arn_in("campaignArn")],
    "TagResource": [arn_in("resourceArn")],
    "UntagResource": [arn_in("resourceArn")],
    "ListTagsForResource": [arn_in("resourceArn")],
    "GetRecommendations": [arn_in("campaignArn")],
    "GetPersonalizedRanking": [arn_in("campaignArn")],
    "GetActionRecommendations": [arn_in("campaignArn")],
}


def required_permissions(operation: str, request: Request, arns: Arns) -> list[Permission]:
    """Return the permissions that a caller needs for a call.

    An operation without an entry in RESOURCES needs its action on `*`. These are the List
    operations except ListTagsForResource. A Create request with tags also needs TagResource on the
    new resource.

    Raises:
        ApiError: InvalidInputException if the request lacks a resource's ARN.
    """
    try:
        resources = [resource(request, arns) for resource in RESOURCES.get(operation, ())]
    except KeyError as missing:
        raise invalid_input(f"{missing.args[0]} is required") from None
    permissions = [Permission(f"personalize:{operation}", resources or ["*"])]
    if operation.startswith("Create") and request.get("tags"):
        is_version = operation == "CreateSolutionVersion"
        tagged_resource = new_version(request, arns) if is_version else resources[0]
        permissions.append(Permission("personalize:TagResource", [tagged_resource]))
    return permissions

"""The actions and resources that each operation must be allowed, as in AWS's reference.

The reference is the page "Actions, resources, and condition keys for Amazon Personalize" of the
Service Authorization Reference. An action has the name of its operation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from emulator.personalize.errors import invalid_input

Request = Mapping[str, object]


class Caller(NamedTuple):
    """The caller's account and region, and the ARN of the principal."""

    account: str
    region: str
    arn: str


class Arns(Protocol):
    """A source of ARNs in the caller's account and region. A Store is one."""

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of a resource."""


class Need(NamedTuple):
    """An action and resources. The caller must be allowed the action on each resource."""

    action: str
    resources: list[str]


def new(kind: str, name_field: str = "name") -> Callable[[Request, Arns], str]:
    """Return a function that returns the ARN of the resource that the request creates."""
    return lambda request, arns: arns.arn(kind, str(request[name_field]))


def named(field: str) -> Callable[[Request, Arns], str]:
    """Return a function that returns the ARN in a field of the request."""
    return lambda request, _: str(request[field])


def new_dataset(request: Request, arns: Arns) -> str:
    """Return the ARN of the dataset that the request creates. It contains the group's name."""
    group = str(request["datasetGroupArn"]).rpartition("/")[2]
    return arns.arn("dataset", f"{group}/{str(request['datasetType']).upper()}")


def new_version(request: Request, _: Arns) -> str:
    """Return a pattern for the ARN of the new version, whose id is not known yet."""
    return f"{request['solutionArn']}/*"


def solution_of_version(request: Request, _: Arns) -> str:
    """Return the ARN of the solution of the version in the request."""
    return str(request["solutionVersionArn"]).rpartition("/")[0]


# The resources of each operation. Tags in a Create request belong to the first resource.
RESOURCES: Mapping[str, Sequence[Callable[[Request, Arns], str]]] = {
    "CreateSchema": [new("schema")],
    "CreateDatasetGroup": [new("dataset-group")],
    "CreateDataset": [new_dataset, named("datasetGroupArn")],
    "CreateDatasetImportJob": [new("dataset-import-job", "jobName"), named("datasetArn")],
    "CreateEventTracker": [new("event-tracker"), named("datasetGroupArn")],
    "CreateSolution": [new("solution"), named("datasetGroupArn")],
    "CreateSolutionVersion": [named("solutionArn")],
    "CreateCampaign": [new("campaign"), solution_of_version],
    "UpdateSolution": [named("solutionArn")],
    "UpdateCampaign": [named("campaignArn")],
    "StopSolutionVersionCreation": [named("solutionVersionArn")],
    "GetSolutionMetrics": [named("solutionVersionArn")],
    "DeleteSchema": [named("schemaArn")],
    "DeleteDatasetGroup": [named("datasetGroupArn")],
    "DeleteDataset": [named("datasetArn")],
    "DeleteEventTracker": [named("eventTrackerArn")],
    "DeleteSolution": [named("solutionArn")],
    "DeleteCampaign": [named("campaignArn")],
    "DescribeSchema": [named("schemaArn")],
    "DescribeDatasetGroup": [named("datasetGroupArn")],
    "DescribeDataset": [named("datasetArn")],
    "DescribeDatasetImportJob": [named("datasetImportJobArn")],
    "DescribeEventTracker": [named("eventTrackerArn")],
    "DescribeRecipe": [named("recipeArn")],
    "DescribeSolution": [named("solutionArn")],
    "DescribeSolutionVersion": [named("solutionVersionArn")],
    "DescribeCampaign": [named("campaignArn")],
    "TagResource": [named("resourceArn")],
    "UntagResource": [named("resourceArn")],
    "ListTagsForResource": [named("resourceArn")],
    "GetRecommendations": [named("campaignArn")],
    "GetPersonalizedRanking": [named("campaignArn")],
    "GetActionRecommendations": [named("campaignArn")],
}


def needs(operation: str, request: Request, arns: Arns) -> list[Need]:
    """Return what a caller must be allowed for a call.

    Operations without an entry in RESOURCES (each List but ListTagsForResource) need `*`. Tags in
    a Create request need TagResource on the new resource too.

    Raises:
        ApiError: InvalidInputException if the request lacks a resource's ARN.
    """
    try:
        resources = [resource(request, arns) for resource in RESOURCES.get(operation, ())]
    except KeyError as missing:
        raise invalid_input(f"{missing.args[0]} is required") from None
    needed = [Need(f"personalize:{operation}", resources or ["*"])]
    if operation.startswith("Create") and request.get("tags"):
        is_version = operation == "CreateSolutionVersion"
        tagged = new_version(request, arns) if is_version else resources[0]
        needed.append(Need("personalize:TagResource", [tagged]))
    return needed

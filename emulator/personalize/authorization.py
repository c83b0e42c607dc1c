"""Which action each operation needs, and on which resources, as AWS's reference has it.

The reference: Service Authorization Reference, "Actions, resources, and condition keys for Amazon
Personalize". Actions are called like their operations.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from emulator.personalize.errors import invalid_input

Request = Mapping[str, object]


class Caller(NamedTuple):
    """Who calls: the account and region that are acted in, and the ARN of the principal."""

    account: str
    region: str
    arn: str


class Arns(Protocol):
    """Makes ARNs in the caller's account and region."""

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a resource."""


class Need(NamedTuple):
    """An action on resources; every one of them must be allowed."""

    action: str
    resources: list[str]


def new(kind: str, name: str = "name") -> Callable[[Request, Arns], str]:
    """The resource that the operation is about to make, called by a field of the request."""
    return lambda request, arns: arns.arn(kind, str(request[name]))


def given(field: str) -> Callable[[Request, Arns], str]:
    """A resource that the request names."""
    return lambda request, _: str(request[field])


def new_dataset(request: Request, arns: Arns) -> str:
    """A dataset's ARN has the name of its group."""
    group = str(request["datasetGroupArn"]).rpartition("/")[2]
    return arns.arn("dataset", f"{group}/{str(request['datasetType']).upper()}")


def new_version(request: Request, _: Arns) -> str:
    """The id of a version is not known beforehand."""
    return f"{request['solutionArn']}/*"


def solution_of(request: Request, _: Arns) -> str:
    """The solution of the version that the request names."""
    return str(request["solutionVersionArn"]).rpartition("/")[0]


# The resources of each operation; the first one is what tags in the request go to.
RESOURCES: Mapping[str, Sequence[Callable[[Request, Arns], str]]] = {
    "CreateSchema": [new("schema")],
    "CreateDatasetGroup": [new("dataset-group")],
    "CreateDataset": [new_dataset, given("datasetGroupArn")],
    "CreateDatasetImportJob": [new("dataset-import-job", "jobName"), given("datasetArn")],
    "CreateEventTracker": [new("event-tracker"), given("datasetGroupArn")],
    "CreateSolution": [new("solution"), given("datasetGroupArn")],
    "CreateSolutionVersion": [given("solutionArn")],
    "CreateCampaign": [new("campaign"), solution_of],
    "UpdateSolution": [given("solutionArn")],
    "UpdateCampaign": [given("campaignArn")],
    "StopSolutionVersionCreation": [given("solutionVersionArn")],
    "GetSolutionMetrics": [given("solutionVersionArn")],
    "DeleteSchema": [given("schemaArn")],
    "DeleteDatasetGroup": [given("datasetGroupArn")],
    "DeleteDataset": [given("datasetArn")],
    "DeleteEventTracker": [given("eventTrackerArn")],
    "DeleteSolution": [given("solutionArn")],
    "DeleteCampaign": [given("campaignArn")],
    "DescribeSchema": [given("schemaArn")],
    "DescribeDatasetGroup": [given("datasetGroupArn")],
    "DescribeDataset": [given("datasetArn")],
    "DescribeDatasetImportJob": [given("datasetImportJobArn")],
    "DescribeEventTracker": [given("eventTrackerArn")],
    "DescribeRecipe": [given("recipeArn")],
    "DescribeSolution": [given("solutionArn")],
    "DescribeSolutionVersion": [given("solutionVersionArn")],
    "DescribeCampaign": [given("campaignArn")],
    "TagResource": [given("resourceArn")],
    "UntagResource": [given("resourceArn")],
    "ListTagsForResource": [given("resourceArn")],
    "GetRecommendations": [given("campaignArn")],
    "GetPersonalizedRanking": [given("campaignArn")],
    "GetActionRecommendations": [given("campaignArn")],
}


def needs(operation: str, request: Request, arns: Arns) -> list[Need]:
    """What a call must be allowed to do; every List but that of tags is for `*` alone.

    Tags in a Create request need TagResource on the new resource as well.

    Raises:
        ApiError: InvalidInputException, when the resource's ARN is missing in the request.
    """
    try:
        resources = [resource(request, arns) for resource in RESOURCES.get(operation, ())]
    except KeyError as missing:
        raise invalid_input(f"{missing.args[0]} is required") from None
    needed = [Need(f"personalize:{operation}", resources or ["*"])]
    if operation.startswith("Create") and request.get("tags"):
        tagged = (
            new_version(request, arns) if operation == "CreateSolutionVersion" else resources[0]
        )
        needed.append(Need("personalize:TagResource", [tagged]))
    return needed

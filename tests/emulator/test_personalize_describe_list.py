"""Proves that Describe and List show the fields of the service model, page by page."""

import pytest
from personalize_world import ARN, CALLER, GROUP, INTERACTIONS, World

from emulator.personalize import Switches
from emulator.personalize.resources import RESOURCE_CLASSES
from emulator.personalize.service_model import operation_model

ARNS = {
    "Schema": f"{ARN}schema/movies-INTERACTIONS",
    "DatasetGroup": GROUP,
    "Dataset": INTERACTIONS,
    "DatasetImportJob": f"{ARN}dataset-import-job/first",
    "EventTracker": f"{ARN}event-tracker/live",
    "Solution": f"{ARN}solution/for-you",
    "Campaign": f"{ARN}campaign/live",
}


@pytest.fixture(scope="module")
def world():
    """A world with a resource of every kind, with updates and with a failed training."""
    world = World()
    solution = world.create_trainable_solution()
    world.client.create_event_tracker(name="live", datasetGroupArn=GROUP)
    campaign = world.create_campaign(world.train(solution, name="first"))
    world.start_update(campaign, world.train(solution))
    world.client.update_solution(solutionArn=solution, performAutoTraining=False)
    world.inject("fail", job="solution-version")
    world.failed = world.train(solution, name="failed")
    world.wait()
    return world


def unknown_fields(shape, value, path=""):
    """Yield the paths of fields that the shape does not have, at every depth."""
    if isinstance(value, dict) and shape.type_name == "structure":
        for key, item in value.items():
            if key not in shape.members:
                yield f"{path}.{key}"
            else:
                yield from unknown_fields(shape.members[key], item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from unknown_fields(shape.member, item, f"{path}[]")


@pytest.mark.parametrize("noun", RESOURCE_CLASSES)
def test_a_response_has_only_fields_of_the_output_shape(world, noun):
    arn = {**ARNS, "SolutionVersion": world.failed}[noun]
    arn_field = f"{noun[0].lower()}{noun[1:]}Arn"
    for name, request in ((f"Describe{noun}", {arn_field: arn}), (f"List{noun}s", {})):
        response = world.personalize.call(name, request, CALLER)
        assert list(unknown_fields(operation_model(name).output_shape, response)) == []
        (shown,) = response.values()
        found = shown if isinstance(shown, list) else [shown]
        assert arn in [item[arn_field] for item in found]


@pytest.mark.parametrize("other", [{"account": "999999999999"}, {"region": "us-east-1"}])
def test_accounts_and_regions_are_separate(world, other):
    caller = CALLER._replace(**other)
    client = world.connect(caller)
    assert client.list_dataset_groups()["datasetGroups"] == []
    assert client.create_dataset_group(name="movies")["datasetGroupArn"] == (
        f"arn:aws:personalize:{caller.region}:{caller.account}:dataset-group/movies"
    )


def test_an_event_tracker_has_an_id_of_its_own():
    world = World()
    ids = []
    for name in ("live", "test"):
        created = world.client.create_event_tracker(
            name=name, datasetGroupArn=world.create_group(name)
        )
        tracker = world.client.describe_event_tracker(eventTrackerArn=created["eventTrackerArn"])
        assert tracker["eventTracker"]["accountId"] == CALLER.account
        assert tracker["eventTracker"]["trackingId"] == created["trackingId"]
        ids.append(created["trackingId"])
    assert ids[0] != ids[1]


def test_a_list_can_be_limited_to_one_parent(world):
    group = world.create_group("other")
    for call, field, name in (
        (world.client.list_datasets, "datasets", "movies-INTERACTIONS"),
        (world.client.list_solutions, "solutions", "for-you"),
        (world.client.list_event_trackers, "eventTrackers", "live"),
    ):
        assert [item["name"] for item in call(datasetGroupArn=GROUP)[field]] == [name]
        assert call(datasetGroupArn=group)[field] == []
    jobs = world.client.list_dataset_import_jobs(datasetArn=INTERACTIONS)["datasetImportJobs"]
    assert [job["jobName"] for job in jobs] == ["first"]


@pytest.mark.parametrize(
    ("switches", "request_fields", "pages"),
    [
        ({}, {}, ["abcd"]),
        ({}, {"maxResults": 3}, ["abc", "d"]),
        ({}, {"maxResults": 2}, ["ab", "cd"]),
        ({"list_order": "newest first"}, {}, ["dcba"]),
        ({"list_order": "shuffled"}, {}, ["badc"]),
        ({"page_size": 3}, {"maxResults": 100}, ["abc", "d"]),
        ({"page_size": 3}, {"maxResults": 2}, ["ab", "cd"]),
    ],
)
def test_a_list_has_pages_in_the_order_and_with_the_size_of_the_switches(
    switches, request_fields, pages
):
    world = World(switches=Switches(**switches))
    for name in "abcd":
        world.create_schema("USERS", name)
    listed = world.client.get_paginator("list_schemas").paginate(**request_fields)
    names = ["".join(schema["name"] for schema in page["schemas"]) for page in listed]
    assert names == pages, "a full last page has no token"

"""Proves what belongs to an account and a region, and that lists have pages."""

import pytest
from personalize_world import CALLER, World

from emulator.personalize import Switches


@pytest.mark.parametrize("other", [{"account": "999999999999"}, {"region": "us-east-1"}])
def test_accounts_and_regions_are_separate(other):
    world = World()
    world.create_group()
    caller = CALLER._replace(**other)
    client = world.connect(caller)

    assert client.list_dataset_groups()["datasetGroups"] == []
    assert client.create_dataset_group(name="movies")["datasetGroupArn"] == (
        f"arn:aws:personalize:{caller.region}:{caller.account}:dataset-group/movies"
    )


def test_the_response_to_its_creation_has_the_id_of_an_event_tracker():
    world = World()
    created = world.client.create_event_tracker(name="live", datasetGroupArn=world.create_group())
    tracker = world.client.describe_event_tracker(eventTrackerArn=created["eventTrackerArn"])
    assert tracker["eventTracker"]["trackingId"] == created["trackingId"]


@pytest.mark.parametrize(
    "switches, request_fields, pages",
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

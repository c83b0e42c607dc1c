"""Proves the rules of schemas, dataset groups, datasets, event trackers and tags."""

import pytest
from personalize_world import ACCOUNT, ARN, CALLER, World, error_of

from retrain.rehearsal.data.sample_data import schema


@pytest.fixture
def world():
    return World()


def tag(key, value):
    return {"tagKey": key, "tagValue": value}


def test_a_schema_has_no_status_and_exists_at_once(world):
    avro = schema("USERS")
    arn = world.client.create_schema(name="users", schema=avro)["schemaArn"]
    description = world.client.describe_schema(schemaArn=arn)["schema"]
    assert description == {
        "name": "users",
        "schemaArn": f"{ARN}schema/users",
        "schema": avro,
        "creationDateTime": description["creationDateTime"],
        "lastUpdatedDateTime": description["creationDateTime"],
    }


def test_the_arn_of_a_dataset_ends_in_its_type_in_capitals(world):
    arn = world.client.create_dataset(
        name="viewers",
        schemaArn=world.create_schema("USERS"),
        datasetGroupArn=world.create_group(),
        datasetType="Users",
    )["datasetArn"]
    assert arn == f"{ARN}dataset/movies/USERS"
    description = world.client.describe_dataset(datasetArn=arn)["dataset"]
    assert (description["datasetType"], description["name"]) == ("USERS", "viewers")
    assert description["status"] == "CREATE PENDING"


@pytest.mark.parametrize("other", [{"account": "999999999999"}, {"region": "us-east-1"}])
def test_accounts_and_regions_are_separate(world, other):
    caller = CALLER._replace(**other)
    world.create_group()
    client = world.connect(caller)
    assert client.list_dataset_groups()["datasetGroups"] == []
    assert client.create_dataset_group(name="movies")["datasetGroupArn"] == (
        f"arn:aws:personalize:{caller.region}:{caller.account}:dataset-group/movies"
    )


def test_an_event_tracker_has_an_id_of_its_own(world):
    first, second = (
        world.client.create_event_tracker(name=name, datasetGroupArn=world.create_group(name))
        for name in ("live", "test")
    )
    assert first["trackingId"] != second["trackingId"]
    arn = first["eventTrackerArn"]
    assert arn == f"{ARN}event-tracker/live"
    world.wait()
    tracker = world.client.describe_event_tracker(eventTrackerArn=arn)["eventTracker"]
    assert (tracker["status"], tracker["accountId"]) == ("ACTIVE", ACCOUNT)
    assert tracker["trackingId"] == first["trackingId"]


def test_a_group_can_be_deleted_when_all_that_it_contains_has_been_deleted(world):
    client, solution = world.client, world.create_trainable_solution()
    group, dataset = f"{ARN}dataset-group/movies", f"{ARN}dataset/movies/INTERACTIONS"
    tracker = client.create_event_tracker(name="live", datasetGroupArn=group)["eventTrackerArn"]
    world.train(solution)
    for delete, resource in (
        (client.delete_dataset, {"datasetArn": dataset}),
        (client.delete_solution, {"solutionArn": solution}),
        (client.delete_event_tracker, {"eventTrackerArn": tracker}),
    ):
        message = f"Resource {group} is in use by {next(iter(resource.values()))}"
        error = error_of(client.delete_dataset_group, datasetGroupArn=group)
        assert error == ("ResourceInUseException", message)
        delete(**resource)
        world.wait()
    client.delete_schema(schemaArn=f"{ARN}schema/movies-INTERACTIONS")
    client.delete_dataset_group(datasetGroupArn=group)
    world.wait()
    assert client.list_dataset_groups()["datasetGroups"] == client.list_schemas()["schemas"] == []
    assert client.list_solution_versions()["solutionVersions"] == []
    assert len(client.list_dataset_import_jobs()["datasetImportJobs"]) == 1, "jobs remain"
    assert world.create_group() == group, "the name is free"


def test_only_list_tags_for_resource_shows_tags_and_they_can_change(world):
    tags = [tag("team", "ranking"), tag("run", "1")]
    group = world.create_group(tags=tags)
    client = world.client
    assert client.list_tags_for_resource(resourceArn=group)["tags"] == tags
    assert "tags" not in client.describe_dataset_group(datasetGroupArn=group)["datasetGroup"]
    client.tag_resource(resourceArn=group, tags=[tag("run", "2")])
    client.untag_resource(resourceArn=group, tagKeys=["team", "absent"])
    assert client.list_tags_for_resource(resourceArn=group)["tags"] == [tag("run", "2")]


@pytest.mark.parametrize("value", ["", "2026-11-01T03:00:00Z", "a/b=c+d@e_f.g", "Größe 大 ½"])
def test_tag_values_can_have_letters_numbers_and_spaces_of_any_script(world, value):
    group = world.create_group(tags=[tag("key", value)])
    tags = world.client.list_tags_for_resource(resourceArn=group)["tags"]
    assert tags == [tag("key", value)]

"""Proves the rules of schemas, dataset groups, datasets, event trackers and tags."""

import json

import pytest
from personalize_world import ACCOUNT, ARN, CALLER, World, error_of, interactions

from retrain.rehearsal.data.sample_data import schema


@pytest.fixture
def world():
    return World()


def dataset_request(world, group, dataset_type, name="dataset"):
    """Return the arguments of CreateDataset, with the schema of a USERS dataset."""
    users_schema = world.create_schema("USERS")
    return {
        "name": name,
        "schemaArn": users_schema,
        "datasetGroupArn": group,
        "datasetType": dataset_type,
    }


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


@pytest.mark.parametrize(
    "avro",
    [
        "no json",
        "[]",
        '{"type": "record"}',
        '{"type": "record", "fields": []}',
        '{"type": "enum", "fields": [{"name": "A", "type": "string"}]}',
        '{"type": "record", "fields": [{"name": "A", "type": "decimal"}]}',
        '{"type": "record", "fields": [{"name": "A", "type": ["int", "string"]}]}',
    ],
)
def test_a_schema_must_be_an_avro_record(world, avro):
    error = error_of(world.client.create_schema, name="users", schema=avro)
    assert error.code == "InvalidInputException"
    assert error.message.startswith("Input schema is not a valid Avro record: ")


@pytest.mark.parametrize(
    ("dataset_type", "missing"),
    [
        ("INTERACTIONS", "ITEM_ID, TIMESTAMP"),
        ("ITEMS", "ITEM_ID"),
        ("ACTIONS", "ACTION_ID"),
        ("ACTION_INTERACTIONS", "ACTION_ID, EVENT_TYPE, TIMESTAMP"),
    ],
)
def test_each_type_of_dataset_needs_its_fields_in_the_schema(world, dataset_type, missing):
    request = dataset_request(world, world.create_group(), dataset_type)
    assert error_of(world.client.create_dataset, **request) == (
        "InvalidInputException",
        f"Schema of the {dataset_type} dataset is missing the fields: [{missing}]",
    )


def test_an_unknown_type_of_dataset_is_refused(world):
    request = dataset_request(world, world.create_group(), "Viewers")
    assert error_of(world.client.create_dataset, **request) == (
        "InvalidInputException",
        (
            "Invalid dataset type VIEWERS; it must be one of "
            "INTERACTIONS, USERS, ITEMS, ACTIONS, ACTION_INTERACTIONS"
        ),
    )


def test_the_arn_of_a_dataset_ends_in_its_type_in_capitals(world):
    request = dataset_request(world, world.create_group(), "Users", name="viewers")
    arn = world.client.create_dataset(**request)["datasetArn"]
    assert arn == f"{ARN}dataset/movies/USERS"
    description = world.client.describe_dataset(datasetArn=arn)["dataset"]
    assert (description["datasetType"], description["name"]) == ("USERS", "viewers")
    error = error_of(world.client.create_dataset, **{**request, "name": "again"})
    assert error.code == "ResourceAlreadyExistsException", "a group has one dataset of each type"


def test_a_dataset_needs_an_active_group(world):
    group = world.client.create_dataset_group(name="movies")["datasetGroupArn"]
    error = error_of(world.client.create_dataset, **dataset_request(world, group, "USERS"))
    assert error.code == "ResourceInUseException"


def test_a_region_has_at_most_five_groups(world):
    for number in range(5):
        world.create_group(f"group-{number}")
    assert error_of(world.client.create_dataset_group, name="sixth") == (
        "LimitExceededException",
        "More than 5 resources in ACTIVE state. Please delete some and try again.",
    )


@pytest.mark.parametrize(
    ("operation", "request_fields"),
    [
        ("create_dataset_group", {"name": "movies"}),
        ("create_schema", {"name": "movies-INTERACTIONS", "schema": schema("USERS")}),
        (
            "create_solution",
            {
                "name": "for-you",
                "datasetGroupArn": f"{ARN}dataset-group/movies",
                "recipeArn": "arn:aws:personalize:::recipe/aws-sims",
            },
        ),
    ],
)
def test_names_are_unique_in_an_account_and_region(world, operation, request_fields):
    world.create_trainable_solution()
    error = error_of(getattr(world.client, operation), **request_fields)
    assert error.code == "ResourceAlreadyExistsException"
    assert error.message.startswith(f"Another resource with Arn {ARN}")


@pytest.mark.parametrize(
    ("caller", "partition"),
    [
        (CALLER._replace(account="999999999999"), "aws"),
        (CALLER._replace(region="cn-north-1"), "aws-cn"),
    ],
)
def test_accounts_and_regions_are_separate(world, caller, partition):
    world.create_group()
    client = world.connect(caller)
    assert client.list_dataset_groups()["datasetGroups"] == []
    assert client.create_dataset_group(name="movies")["datasetGroupArn"] == (
        f"arn:{partition}:personalize:{caller.region}:{caller.account}:dataset-group/movies"
    )


def test_a_group_has_at_most_one_event_tracker(world):
    group = world.create_group()
    created = world.client.create_event_tracker(name="live", datasetGroupArn=group)
    arn = f"{ARN}event-tracker/live"
    assert created["eventTrackerArn"] == arn
    assert error_of(world.client.create_event_tracker, name="more", datasetGroupArn=group) == (
        "ResourceAlreadyExistsException",
        f"Another resource with Arn {arn} already exists.",
    )
    world.wait()
    tracker = world.client.describe_event_tracker(eventTrackerArn=arn)["eventTracker"]
    assert (tracker["status"], tracker["accountId"]) == ("ACTIVE", ACCOUNT)
    assert tracker["trackingId"] == created["trackingId"]


def test_a_resource_that_is_in_use_cannot_be_deleted(world):
    client, group = world.client, world.create_group()
    world.put("interactions.csv", interactions())
    dataset = world.create_dataset(group)
    schema_arn = f"{ARN}schema/movies-INTERACTIONS"
    tracker = client.create_event_tracker(name="live", datasetGroupArn=group)["eventTrackerArn"]

    def check_in_use(delete, user, **resource):
        (arn,) = resource.values()
        expected = ("ResourceInUseException", f"Resource {arn} is in use by {user}")
        assert error_of(delete, **resource) == expected

    job = world.start_import(dataset)
    check_in_use(client.delete_schema, dataset, schemaArn=schema_arn)
    check_in_use(client.delete_dataset, job, datasetArn=dataset)
    check_in_use(client.delete_dataset_group, dataset, datasetGroupArn=group)
    world.wait()
    solution = world.create_solution(group)
    check_in_use(client.delete_dataset, world.start_training(solution), datasetArn=dataset)
    world.wait()
    client.delete_dataset(datasetArn=dataset)
    world.wait()
    client.delete_schema(schemaArn=schema_arn)
    check_in_use(client.delete_dataset_group, solution, datasetGroupArn=group)
    client.delete_solution(solutionArn=solution)
    world.wait()
    check_in_use(client.delete_dataset_group, tracker, datasetGroupArn=group)
    client.delete_event_tracker(eventTrackerArn=tracker)
    world.wait()
    client.delete_dataset_group(datasetGroupArn=group)
    world.wait()
    assert client.list_dataset_groups()["datasetGroups"] == []
    assert len(client.list_dataset_import_jobs()["datasetImportJobs"]) == 1, "jobs remain"


def test_only_list_tags_for_resource_shows_tags_and_they_can_change(world):
    tags = [tag("team", "ranking"), tag("run", "1")]
    group = world.create_group(tags=tags)
    client = world.client
    assert client.list_tags_for_resource(resourceArn=group)["tags"] == tags
    assert "tags" not in client.describe_dataset_group(datasetGroupArn=group)["datasetGroup"]
    client.tag_resource(resourceArn=group, tags=[tag("run", "2")])
    client.untag_resource(resourceArn=group, tagKeys=["team", "absent"])
    assert client.list_tags_for_resource(resourceArn=group)["tags"] == [tag("run", "2")]


def test_a_resource_has_at_most_50_tags(world):
    tags = [tag(f"key-{number}", "") for number in range(51)]
    group = world.create_group(tags=tags[:50])
    assert error_of(world.client.tag_resource, resourceArn=group, tags=tags[50:]) == (
        "TooManyTagsException",
        "A resource can have at most 50 tags",
    )
    world.inject("hang", job="dataset-group")
    error = error_of(world.client.create_dataset_group, name="other", tags=tags)
    assert error.code == "TooManyTagsException"
    assert len(world.personalize.faults.list()) == 1, "the refused call used no fault"
    assert len(world.client.list_dataset_groups()["datasetGroups"]) == 1, "nothing was created"


@pytest.mark.parametrize("value", ['"etag"', "a,b", json.dumps({"a": 1}), "a;b", "x" * 257])
def test_tag_values_cannot_have_quotes_commas_or_json(world, value):
    error = error_of(world.client.create_dataset_group, name="movies", tags=[tag("key", value)])
    assert error.code == "InvalidInputException"
    assert error.message.startswith("1 validation error detected: Value ")


@pytest.mark.parametrize("value", ["", "2026-11-01T03:00:00Z", "a/b=c+d@e_f.g", "Größe 大 ½"])
def test_tag_values_can_have_letters_numbers_and_spaces_of_any_script(world, value):
    group = world.create_group(tags=[tag("key", value)])
    tags = world.client.list_tags_for_resource(resourceArn=group)["tags"]
    assert tags == [tag("key", value)]


def test_tag_keys_that_begin_with_aws_are_refused(world):
    tags = [tag("aws:run", "1")]
    assert error_of(world.client.create_dataset_group, name="movies", tags=tags) == (
        "InvalidInputException",
        "Tag keys must not start with aws: aws:run",
    )

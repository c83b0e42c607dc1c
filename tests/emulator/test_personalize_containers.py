"""Proves how schemas, groups, datasets, trackers and tags behave, with boto3 in process."""

import json

import pytest
from personalize_world import ACCOUNT, ARN, ME, World, interactions, refused

from retrain.rehearsal.data.sample_data import schema


@pytest.fixture
def world():
    return World()


def test_a_schema_has_no_status_and_is_there_at_once(world):
    text = schema("USERS")
    arn = world.client.create_schema(name="users", schema=text)["schemaArn"]
    described = world.client.describe_schema(schemaArn=arn)["schema"]
    assert described == {
        "name": "users",
        "schemaArn": f"{ARN}schema/users",
        "schema": text,
        "creationDateTime": described["creationDateTime"],
        "lastUpdatedDateTime": described["creationDateTime"],
    }


@pytest.mark.parametrize(
    "text",
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
def test_a_schema_that_is_no_avro_record_is_refused(world, text):
    code, message = refused(world.client.create_schema, name="users", schema=text)
    assert code == "InvalidInputException"
    assert message.startswith("Input schema is not a valid Avro record: ")


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("INTERACTIONS", "ITEM_ID, TIMESTAMP"),
        ("ITEMS", "ITEM_ID"),
        ("ACTIONS", "ACTION_ID"),
        ("ACTION_INTERACTIONS", "ACTION_ID, EVENT_TYPE, TIMESTAMP"),
    ],
)
def test_each_type_of_dataset_demands_fields_of_its_schema(world, kind, missing):
    group = world.group()
    users = world.client.create_schema(name="users", schema=schema("USERS"))["schemaArn"]
    assert refused(
        world.client.create_dataset,
        name="d",
        schemaArn=users,
        datasetGroupArn=group,
        datasetType=kind,
    ) == (
        "InvalidInputException",
        f"Schema of the {kind} dataset is missing the fields: [{missing}]",
    )


def test_an_unknown_type_of_dataset_is_refused(world):
    group = world.group()
    users = world.client.create_schema(name="users", schema=schema("USERS"))["schemaArn"]
    code, message = refused(
        world.client.create_dataset,
        name="d",
        schemaArn=users,
        datasetGroupArn=group,
        datasetType="Viewers",
    )
    assert (code, message) == (
        "InvalidInputException",
        (
            "Invalid dataset type VIEWERS; it must be one of "
            "INTERACTIONS, USERS, ITEMS, ACTIONS, ACTION_INTERACTIONS"
        ),
    )


def test_a_type_of_dataset_in_any_case_gives_the_arn_in_capitals_once_per_group(world):
    group = world.group()
    users = world.client.create_schema(name="users", schema=schema("USERS"))["schemaArn"]
    request = {"schemaArn": users, "datasetGroupArn": group, "datasetType": "Users"}
    arn = world.client.create_dataset(name="viewers", **request)["datasetArn"]
    assert arn == f"{ARN}dataset/movies/USERS"
    described = world.client.describe_dataset(datasetArn=arn)["dataset"]
    assert (described["datasetType"], described["name"]) == ("USERS", "viewers")
    code, _ = refused(world.client.create_dataset, name="again", **request)
    assert code == "ResourceAlreadyExistsException"


def test_a_dataset_needs_a_group_that_is_active(world):
    group = world.client.create_dataset_group(name="movies")["datasetGroupArn"]
    users = world.client.create_schema(name="users", schema=schema("USERS"))["schemaArn"]
    code, _ = refused(
        world.client.create_dataset,
        name="d",
        schemaArn=users,
        datasetGroupArn=group,
        datasetType="USERS",
    )
    assert code == "ResourceInUseException"


def test_a_sixth_group_exceeds_the_regions_limit(world):
    for number in range(5):
        world.group(f"group-{number}")
    assert refused(world.client.create_dataset_group, name="more") == (
        "LimitExceededException",
        "More than 5 resources in ACTIVE state. Please delete some and try again.",
    )


@pytest.mark.parametrize(
    ("call", "request_"),
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
def test_names_are_unique_per_account_and_region(world, call, request_):
    world.movies()
    code, message = refused(getattr(world.client, call), **request_)
    assert code == "ResourceAlreadyExistsException"
    assert message.startswith(f"Another resource with Arn {ARN}")


def test_another_account_and_another_region_are_worlds_of_their_own(world):
    world.group()
    for caller in (ME._replace(account="999999999999"), ME._replace(region="cn-north-1")):
        elsewhere = world.connect(caller)
        assert elsewhere.list_dataset_groups()["datasetGroups"] == []
        arn = elsewhere.create_dataset_group(name="movies")["datasetGroupArn"]
        partition = "aws-cn" if caller.region == "cn-north-1" else "aws"
        assert arn == (
            f"arn:{partition}:personalize:{caller.region}:{caller.account}:dataset-group/movies"
        )


def test_a_group_has_at_most_one_event_tracker(world):
    group = world.group()
    made = world.client.create_event_tracker(name="live", datasetGroupArn=group)
    assert made["eventTrackerArn"] == f"{ARN}event-tracker/live"
    assert refused(world.client.create_event_tracker, name="more", datasetGroupArn=group) == (
        "ResourceAlreadyExistsException",
        f"Another resource with Arn {ARN}event-tracker/live already exists.",
    )
    world.wait()
    described = world.client.describe_event_tracker(eventTrackerArn=made["eventTrackerArn"])
    tracker = described["eventTracker"]
    assert (tracker["status"], tracker["accountId"]) == ("ACTIVE", ACCOUNT)
    assert tracker["trackingId"] == made["trackingId"]


def test_what_others_depend_on_cannot_be_deleted(world):
    group = world.group()
    world.put("interactions.csv", interactions())
    dataset = world.dataset(group)
    schema_arn = f"{ARN}schema/movies-INTERACTIONS"
    tracker = world.client.create_event_tracker(name="live", datasetGroupArn=group)
    job = world.start_import(dataset, "first")
    for call, request, user in [
        (world.client.delete_schema, {"schemaArn": schema_arn}, dataset),
        (world.client.delete_dataset, {"datasetArn": dataset}, job),
        (world.client.delete_dataset_group, {"datasetGroupArn": group}, dataset),
    ]:
        (arn,) = request.values()
        assert refused(call, **request) == (
            "ResourceInUseException",
            f"Resource {arn} is in use by {user}",
        )
    world.wait()
    solution = world.solution(group)
    training = world.start_version(solution)
    message = refused(world.client.delete_dataset, datasetArn=dataset)[1]
    assert message == f"Resource {dataset} is in use by {training}"
    world.wait()
    world.client.delete_dataset(datasetArn=dataset)
    world.wait()
    world.client.delete_schema(schemaArn=schema_arn)
    for user in (solution, tracker["eventTrackerArn"]):
        message = refused(world.client.delete_dataset_group, datasetGroupArn=group)[1]
        assert message == f"Resource {group} is in use by {user}"
        if user == solution:
            world.client.delete_solution(solutionArn=solution)
        else:
            world.client.delete_event_tracker(eventTrackerArn=user)
        world.wait()
    world.client.delete_dataset_group(datasetGroupArn=group)
    world.wait()
    assert world.client.list_dataset_groups()["datasetGroups"] == []
    assert len(world.client.list_dataset_import_jobs()["datasetImportJobs"]) == 1, "jobs stay"


def test_tags_are_read_by_list_tags_alone_and_can_be_changed(world):
    tags = [{"tagKey": "team", "tagValue": "ranking"}, {"tagKey": "run", "tagValue": "1"}]
    group = world.group(tags=tags)
    client = world.client
    assert client.list_tags_for_resource(resourceArn=group)["tags"] == tags
    assert "tags" not in client.describe_dataset_group(datasetGroupArn=group)["datasetGroup"]
    client.tag_resource(resourceArn=group, tags=[{"tagKey": "run", "tagValue": "2"}])
    client.untag_resource(resourceArn=group, tagKeys=["team", "absent"])
    assert client.list_tags_for_resource(resourceArn=group)["tags"] == [
        {"tagKey": "run", "tagValue": "2"}
    ]


def test_a_resource_has_at_most_50_tags(world):
    tags = [{"tagKey": f"key-{n}", "tagValue": ""} for n in range(51)]
    group = world.group(tags=tags[:50])
    assert refused(world.client.tag_resource, resourceArn=group, tags=tags[50:]) == (
        "TooManyTagsException",
        "A resource can have at most 50 tags",
    )
    world.personalize.faults.inject({"fault": "hang", "job": "dataset-group"})
    code, _ = refused(world.client.create_dataset_group, name="other", tags=tags)
    assert code == "TooManyTagsException"
    assert len(world.personalize.faults.list()) == 1, "no job was started that it could bend"
    assert len(world.client.list_dataset_groups()["datasetGroups"]) == 1, "nothing was created"


@pytest.mark.parametrize("value", ['"etag"', "a,b", json.dumps({"a": 1}), "a;b", "x" * 257])
def test_tag_values_take_no_quotes_commas_or_json(world, value):
    tags = [{"tagKey": "key", "tagValue": value}]
    code, message = refused(world.client.create_dataset_group, name="movies", tags=tags)
    assert code == "InvalidInputException"
    assert message.startswith("1 validation error detected: Value ")


@pytest.mark.parametrize("value", ["", "2026-11-01T03:00:00Z", "a/b=c+d@e_f.g", "Größe 大 ½"])
def test_tag_values_take_letters_numbers_and_spaces_of_any_script(world, value):
    group = world.group(tags=[{"tagKey": "key", "tagValue": value}])
    tags = world.client.list_tags_for_resource(resourceArn=group)["tags"]
    assert tags == [{"tagKey": "key", "tagValue": value}]


def test_keys_of_aws_are_refused(world):
    tags = [{"tagKey": "aws:run", "tagValue": "1"}]
    assert refused(world.client.create_dataset_group, name="movies", tags=tags) == (
        "InvalidInputException",
        "Tag keys must not start with aws: aws:run",
    )

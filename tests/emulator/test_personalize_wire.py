"""Proves what goes over the wire: validation, protocols, error codes, retries, threads."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws
from personalize_world import ARN, ME, ROLE, Files, World, interactions, refused

from emulator.personalize import NoAnswer, Personalize, attach, respond


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {},
            (
                "1 validation error detected: Value null at 'name' failed to satisfy constraint: "
                "Member must not be null"
            ),
        ),
        (
            {"name": "-movies"},
            (
                "1 validation error detected: Value '-movies' at 'name' failed to satisfy "
                "constraint: Member must satisfy regular expression pattern: "
                "^[a-zA-Z0-9][a-zA-Z0-9\\-_]*"
            ),
        ),
        (
            {"name": "m" * 64},
            (
                f"1 validation error detected: Value '{'m' * 64}' at 'name' failed to satisfy "
                "constraint: Member must have length less than or equal to 63"
            ),
        ),
        (
            {"name": "movies", "domain": "BOOKS"},
            (
                "1 validation error detected: Value 'BOOKS' at 'domain' failed to satisfy "
                "constraint: Member must satisfy enum value set: [ECOMMERCE, VIDEO_ON_DEMAND]"
            ),
        ),
        (
            {"name": 1, "colour": "red", "tags": [{"tagKey": ""}]},
            (
                "4 validation errors detected: Value 1 at 'name' must be of type string; "
                "'colour' is not a member of CreateDatasetGroupRequest; "
                "Value null at 'tags.1.member.tagValue' failed to satisfy constraint: "
                "Member must not be null; "
                "Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1"
            ),
        ),
    ],
)
def test_a_request_is_held_against_the_service_model(world, request_, message):
    body = json.dumps(request_).encode()
    status, _, answer = ask(world, "CreateDatasetGroup", body)
    assert (status, json.loads(answer)) == (
        400,
        {"__type": "InvalidInputException", "message": message},
    )


@pytest.mark.parametrize(
    ("call", "request_", "constraint"),
    [
        ("list_schemas", {"maxResults": 101}, "Member must have value less than or equal to 100"),
        ("list_schemas", {"maxResults": 0}, "Member must have value greater than or equal to 1"),
        (
            "list_schemas",
            {"nextToken": "ü"},
            "Member must satisfy regular expression pattern: \\p{ASCII}{0,1500}",
        ),
        (
            "describe_campaign",
            {"campaignArn": "live"},
            "Member must satisfy regular expression pattern: arn:([a-z\\d-]+):personalize:.*:.*:.+",
        ),
        (
            "create_solution",
            {
                "name": "s",
                "datasetGroupArn": f"{ARN}dataset-group/movies",
                "solutionConfig": {"autoTrainingConfig": {"schedulingExpression": "rate(1 week)"}},
            },
            "Member must satisfy regular expression pattern: rate\\(\\d+ days?\\)",
        ),
    ],
)
def test_limits_that_the_client_does_not_check_are_checked(world, call, request_, constraint):
    code, message = refused(getattr(world.client, call), **request_)
    assert code == "InvalidInputException"
    assert message.endswith(constraint)


def ask(world, operation, body=b"{}"):
    return respond(
        world.personalize,
        service_name="personalize",
        method="POST",
        path="/",
        headers={"X-Amz-Target": f"AmazonPersonalize.{operation}"},
        body=body,
        caller=ME,
    )


def test_an_answer_is_json_with_times_in_seconds(world):
    created = world.now
    world.client.create_dataset_group(name="movies")
    status, headers, body = ask(world, "ListDatasetGroups")
    (group,) = json.loads(body)["datasetGroups"]
    assert (status, headers["Content-Type"]) == (200, "application/x-amz-json-1.1")
    assert int(headers["Content-Length"]) == len(body)
    assert group["creationDateTime"] == created.timestamp()


def test_an_operation_that_is_not_emulated_is_named(world):
    arn = f"{ARN}dataset-group/movies"
    assert refused(
        world.client.create_filter, name="f", datasetGroupArn=arn, filterExpression="x"
    ) == (
        "UnknownOperationException",
        "CreateFilter is not supported by this emulator of Personalize.",
    )


@pytest.mark.parametrize("target", ["", "DynamoDB_20120810.ListTables"])
def test_a_target_of_another_service_is_refused(world, target):
    answer = respond(
        world.personalize,
        service_name="personalize",
        method="POST",
        path="/",
        headers={"x-amz-target": target},
        body=b"{}",
        caller=ME,
    )
    assert (answer.status, json.loads(answer.body)["__type"]) == (400, "UnknownOperationException")


def test_a_path_that_the_runtime_does_not_have_is_refused(world):
    answer = respond(
        world.personalize,
        service_name="personalize-runtime",
        method="POST",
        path="/magic",
        headers={},
        body=b"{}",
        caller=ME,
    )
    assert (answer.status, json.loads(answer.body)["message"]) == (
        404,
        "personalize-runtime has no POST /magic",
    )


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(world, body):
    status, _, answer = ask(world, "ListSchemas", body)
    assert (status, json.loads(answer)["__type"]) == (400, "SerializationException")


def test_an_answer_that_is_lost_is_no_answer_on_the_wire(world):
    world.personalize.faults.inject({"fault": "lost-answer", "operation": "ListSchemas"})
    with pytest.raises(NoAnswer):
        ask(world, "ListSchemas")


def test_modelled_errors_are_classes_of_their_own_at_the_client(world):
    arn = f"{ARN}campaign/none"
    with pytest.raises(world.client.exceptions.ResourceNotFoundException) as error:
        world.client.describe_campaign(campaignArn=arn)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_client_made_under_moto_is_served_by_this_emulator(world):
    with mock_aws():
        client = boto3.client("personalize", region_name="eu-west-1")
        attach(client, world.personalize, ME)
        arn = client.create_dataset_group(name="movies")["datasetGroupArn"]
    assert world.client.list_dataset_groups()["datasetGroups"][0]["datasetGroupArn"] == arn


def test_calls_are_remembered_in_order_whatever_came_of_them(world):
    world.client.create_dataset_group(name="movies")
    refused(world.client.create_dataset_group, name="movies")
    assert [(c.operation, c.caller, c.request) for c in world.personalize.calls] == [
        ("CreateDatasetGroup", ME.arn, {"name": "movies"})
    ] * 2


def test_what_a_caller_changes_afterwards_changes_nothing(world):
    request = {"name": "movies", "tags": [{"tagKey": "run", "tagValue": "1"}]}
    world.personalize.call("CreateDatasetGroup", request, ME)
    request["tags"].clear()
    (call,) = world.personalize.calls
    assert call.request["tags"] == [{"tagKey": "run", "tagValue": "1"}]


def test_calls_of_several_threads_do_the_work_once_and_agree(world):
    group = world.group()
    world.put("interactions.csv", interactions())
    dataset = world.dataset(group)
    arn = world.start_import(dataset, "first")
    world.wait()
    start = threading.Barrier(8)

    def look(_):
        start.wait(10)
        return world.describe_import(arn)["status"]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(look, range(8))) == ["ACTIVE"] * 8
    assert world.files.reads == [("exports", "interactions.csv", ROLE)] * 2, "listed and read once"


def test_without_a_clock_of_its_own_the_emulator_takes_the_time_of_day():
    personalize = Personalize(objects=Files())
    before = datetime.now(UTC)
    personalize.call("CreateDatasetGroup", {"name": "movies"}, ME)
    (group,) = personalize.call("ListDatasetGroups", {}, ME)["datasetGroups"]
    assert before <= group["creationDateTime"] <= datetime.now(UTC)

"""Proves what goes over the wire: validation, protocols, error codes and threads."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from personalize_world import ARN, CALLER, GROUP, IMPORT_ROLE, Files, World, error_of, interactions

from emulator.personalize import NoResponse, Personalize, respond


@pytest.fixture
def world():
    return World()


def response_to(
    world, target="", body=b"{}", *, service_name="personalize", path="/", header="X-Amz-Target"
):
    """Return the HTTP response to a request of CALLER."""
    return respond(
        world.personalize,
        service_name=service_name,
        method="POST",
        path=path,
        headers={header: target},
        body=body,
        caller=CALLER,
    )


CONSTRAINT = "failed to satisfy constraint: Member must"


@pytest.mark.parametrize(
    ("request_fields", "message"),
    [
        ({}, f"1 validation error detected: Value null at 'name' {CONSTRAINT} not be null"),
        (
            {"name": "-movies"},
            (
                f"1 validation error detected: Value '-movies' at 'name' {CONSTRAINT} satisfy "
                "regular expression pattern: ^[a-zA-Z0-9][a-zA-Z0-9\\-_]*"
            ),
        ),
        (
            {"name": "m" * 64},
            (
                f"1 validation error detected: Value '{'m' * 64}' at 'name' {CONSTRAINT} have "
                "length less than or equal to 63"
            ),
        ),
        (
            {"name": "movies", "domain": "BOOKS"},
            (
                f"1 validation error detected: Value 'BOOKS' at 'domain' {CONSTRAINT} satisfy enum "
                "value set: [ECOMMERCE, VIDEO_ON_DEMAND]"
            ),
        ),
        (
            {"name": 1, "colour": "red", "tags": [{"tagKey": ""}]},
            (
                "4 validation errors detected: Value 1 at 'name' must be of type string; "
                "'colour' is not a member of CreateDatasetGroupRequest; "
                f"Value null at 'tags.1.member.tagValue' {CONSTRAINT} not be null; "
                f"Value '' at 'tags.1.member.tagKey' {CONSTRAINT} have length greater than or "
                "equal to 1"
            ),
        ),
    ],
)
def test_a_request_is_checked_with_the_service_model(world, request_fields, message):
    body = json.dumps(request_fields).encode()
    response = response_to(world, "AmazonPersonalize.CreateDatasetGroup", body)
    assert (response.status, json.loads(response.body)) == (
        400,
        {"__type": "InvalidInputException", "message": message},
    )


@pytest.mark.parametrize(
    ("call", "request_fields", "constraint"),
    [
        ("list_schemas", {"maxResults": 101}, "have value less than or equal to 100"),
        ("list_schemas", {"maxResults": 0}, "have value greater than or equal to 1"),
        (
            "list_schemas",
            {"nextToken": "ü"},
            "satisfy regular expression pattern: \\p{ASCII}{0,1500}",
        ),
        (
            "describe_campaign",
            {"campaignArn": "live"},
            "satisfy regular expression pattern: arn:([a-z\\d-]+):personalize:.*:.*:.+",
        ),
        (
            "create_solution",
            {
                "name": "s",
                "datasetGroupArn": GROUP,
                "solutionConfig": {"autoTrainingConfig": {"schedulingExpression": "rate(1 week)"}},
            },
            "satisfy regular expression pattern: rate\\(\\d+ days?\\)",
        ),
    ],
)
def test_limits_that_the_client_does_not_check_are_checked(world, call, request_fields, constraint):
    error = error_of(getattr(world.client, call), **request_fields)
    assert error.code == "InvalidInputException"
    assert error.message.endswith(f"Member must {constraint}")


def test_a_response_is_json_with_times_in_seconds(world):
    created = world.now
    world.client.create_dataset_group(name="movies")
    status, headers, body = response_to(world, "AmazonPersonalize.ListDatasetGroups")
    (group,) = json.loads(body)["datasetGroups"]
    assert (status, headers["Content-Type"]) == (200, "application/x-amz-json-1.1")
    assert int(headers["Content-Length"]) == len(body)
    assert group["creationDateTime"] == created.timestamp()


def test_an_operation_that_is_not_emulated_is_named(world):
    request = {"name": "f", "datasetGroupArn": GROUP, "filterExpression": "x"}
    assert error_of(world.client.create_filter, **request) == (
        "UnknownOperationException",
        "CreateFilter is not supported by this emulator of Personalize.",
    )


@pytest.mark.parametrize("target", ["", "DynamoDB_20120810.ListTables"])
def test_a_target_of_another_service_is_refused(world, target):
    response = response_to(world, target, header="x-amz-target")
    error_type = json.loads(response.body)["__type"]
    assert (response.status, error_type) == (400, "UnknownOperationException")


def test_an_unknown_path_of_the_runtime_is_refused(world):
    response = response_to(world, service_name="personalize-runtime", path="/magic")
    assert (response.status, json.loads(response.body)["message"]) == (
        404,
        "personalize-runtime has no POST /magic",
    )


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_must_be_a_json_object(world, body):
    response = response_to(world, "AmazonPersonalize.ListSchemas", body)
    error_type = json.loads(response.body)["__type"]
    assert (response.status, error_type) == (400, "SerializationException")


def test_a_lost_response_is_no_response_on_the_wire(world):
    world.inject("lost-answer", operation="ListSchemas")
    with pytest.raises(NoResponse):
        response_to(world, "AmazonPersonalize.ListSchemas")


def test_an_error_of_the_model_has_its_class_at_the_client(world):
    with pytest.raises(world.client.exceptions.ResourceNotFoundException) as error:
        world.client.describe_campaign(campaignArn=f"{ARN}campaign/none")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_successful_and_refused_calls_are_recorded_in_order(world):
    world.client.create_dataset_group(name="movies")
    error_of(world.client.create_dataset_group, name="movies")
    call = ("CreateDatasetGroup", CALLER.arn, {"name": "movies"})
    assert list(world.personalize.calls) == [call, call]


def test_a_recorded_call_does_not_change_with_the_request_of_the_caller(world):
    request = {"name": "movies", "tags": [{"tagKey": "run", "tagValue": "1"}]}
    world.personalize.call("CreateDatasetGroup", request, CALLER)
    request["tags"].clear()
    (call,) = world.personalize.calls
    assert call.request["tags"] == [{"tagKey": "run", "tagValue": "1"}]


def test_calls_of_several_threads_perform_an_import_once(world):
    world.put("interactions.csv", interactions())
    arn = world.start_import(world.create_dataset())
    world.wait()
    start = threading.Barrier(8)

    def status(_):
        start.wait(10)
        return world.describe_import(arn)["status"]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(status, range(8))) == ["ACTIVE"] * 8
    read = ("exports", "interactions.csv", IMPORT_ROLE)
    assert world.files.reads == [read, read], "listed once and read once"


def test_the_default_clock_is_the_real_time():
    personalize = Personalize(objects=Files())
    start = datetime.now(UTC)
    personalize.call("CreateDatasetGroup", {"name": "movies"}, CALLER)
    (group,) = personalize.call("ListDatasetGroups", {}, CALLER)["datasetGroups"]
    assert start <= group["creationDateTime"] <= datetime.now(UTC)

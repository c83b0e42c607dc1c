"""Proves what goes over the wire: protocols, error codes and threads."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from personalize_world import (
    CALLER,
    IMPORT_ROLE,
    World,
    error_of,
    numbered_interactions,
)

from emulator.protocol.wire import respond


@pytest.fixture
def world():
    return World()


def response_to(world, operation, body=b"{}"):
    """Return the HTTP response to a request of CALLER."""
    return respond(partial(world.personalize.call, operation, caller=CALLER), body)


def test_a_response_is_json_with_times_in_seconds(world):
    created = world.now
    world.client.create_dataset_group(name="movies")
    status, headers, body = response_to(world, "ListDatasetGroups")
    (group,) = json.loads(body)["datasetGroups"]

    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert int(headers["Content-Length"]) == len(body)
    assert group["creationDateTime"] == created.timestamp()


@pytest.mark.parametrize(
    "operation, body, code",
    [
        ("ListTables", b"{}", "UnknownOperationException"),
        ("ListSchemas", b"{", "SerializationException"),
        ("ListSchemas", b"5", "SerializationException"),
        ("ListSchemas", b"\xff", "SerializationException"),
        ("ListSchemas", b"", None),
    ],
)
def test_a_request_that_is_for_no_operation_or_no_json_is_refused(world, operation, body, code):
    response = response_to(world, operation, body)
    assert response.status == (400 if code else 200), "a body can be empty"
    assert json.loads(response.body).get("__type") == code


def test_successful_and_refused_calls_are_recorded_in_order(world):
    request = {"name": "movies", "tags": [{"tagKey": "run", "tagValue": "1"}]}
    world.personalize.call("CreateDatasetGroup", request, CALLER)
    error_of(world.client.create_dataset_group, **request)
    call = ("CreateDatasetGroup", CALLER.arn, {**request, "tags": [*request["tags"]]})
    request["tags"].clear()
    assert list(world.personalize.calls) == [call, call], "the caller cannot change them"


def test_calls_of_several_threads_perform_an_import_once(world):
    world.put("interactions.csv", numbered_interactions(1000))
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

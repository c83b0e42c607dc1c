"""Proves how executions end, and what their descriptions, lists and histories show."""

import json
import time

import pytest
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from small_stack import (
    ACCOUNT,
    allow,
    calling,
    create_function,
    create_machine,
    eventually,
    execute,
    finished,
    refusal,
    waiting,
)

from emulator import moto_patches

QUICK_EVENTS = ["ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"]
SLEEPER_CODE = """
import time

def handler(event, context):
    time.sleep(2)
    raise ValueError
"""


@pytest.fixture(scope="module")
def client(aws):
    return aws.client("stepfunctions")


@pytest.fixture(scope="module")
def quick_machine(aws):
    """A machine whose executions end at once, with QUICK_EVENTS."""
    return create_machine(aws, "ex-quick", waiting(0))


@pytest.fixture(scope="module")
def sleeper(aws):
    """A function that fails after two seconds."""
    return create_function(aws, "ex-sleeper", code=SLEEPER_CODE)


def map_over_items(definition):
    """Return a definition that runs another one for each of `$.items`."""
    state = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": definition, "End": True}
    return {"StartAt": "Each", "States": {"Each": state}}


def history(client, execution_arn, **fields):
    return client.get_execution_history(executionArn=execution_arn, **fields)["events"]


def last_event(client, execution_arn):
    """Return the type and the details of an execution's last event."""
    (event,) = history(client, execution_arn, reverseOrder=True, maxResults=1)
    event_type = event["type"]
    return event_type, event[f"{event_type[0].lower()}{event_type[1:]}EventDetails"]


# Histories


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_history_can_be_read_in_pages_from_both_ends(aws, client, quick_machine, is_reversed):
    arn = execute(aws, quick_machine, {})["executionArn"]
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=arn, reverseOrder=is_reversed, PaginationConfig={"PageSize": 3}
    )
    types = [[event["type"] for event in page["events"]] for page in pages]
    expected = QUICK_EVENTS[::-1] if is_reversed else QUICK_EVENTS
    assert types == [expected[:3], expected[3:]]


def test_a_page_of_a_history_has_100_events_by_default(aws, client):
    arn = create_machine(aws, "ex-long", map_over_items(waiting(0)))
    execution = execute(aws, arn, {"items": list(range(30))})["executionArn"]
    first = client.get_execution_history(executionArn=execution)
    second = client.get_execution_history(executionArn=execution, nextToken=first["nextToken"])
    whole = client.get_execution_history(executionArn=execution, maxResults=1000)
    assert len(first["events"]) == 100
    assert "nextToken" not in second
    assert "nextToken" not in whole
    assert first["events"] + second["events"] == whole["events"]


def test_a_history_without_data_has_no_inputs_and_outputs(aws, client, quick_machine):
    arn = execute(aws, quick_machine, {"secret": 1})["executionArn"]
    events = history(client, arn, includeExecutionData=False)
    assert [event["type"] for event in events] == QUICK_EVENTS
    assert "secret" not in json.dumps(events, default=str)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"nextToken": "rubbish"}, ("InvalidToken", "Invalid Token: 'Invalid token'")),
        (
            {"maxResults": 1001},
            (
                "ValidationException",
                (
                    "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy"
                    " constraint: Member must have value less than or equal to 1000"
                ),
            ),
        ),
    ],
)
def test_an_invalid_token_or_page_size_is_refused(aws, client, quick_machine, fields, error):
    arn = execute(aws, quick_machine, {})["executionArn"]
    assert refusal(client.get_execution_history, executionArn=arn, **fields) == error
    assert refusal(client.list_executions, stateMachineArn=quick_machine, **fields) == error


# Ends


@pytest.mark.parametrize("is_map", [False, True], ids=["task", "map"])
@pytest.mark.parametrize("reason", [{}, {"error": "Enough", "cause": "by a test"}])
def test_a_stopped_execution_has_the_first_reason_and_no_later_events(
    aws, client, sleeper, is_map, reason
):
    definition = map_over_items(calling(sleeper)) if is_map else calling(sleeper)
    number_of_tasks = 2 if is_map else 1
    name = f"ex-stopped-{number_of_tasks}-{len(reason)}"
    arn = create_machine(aws, name, definition, allow("lambda:InvokeFunction", sleeper))
    started = client.start_execution(stateMachineArn=arn, input='{"items": [1, 2]}')
    execution = started["executionArn"]
    eventually(
        lambda: [event["type"] for event in history(client, execution)],
        lambda types: types.count("TaskStarted") == number_of_tasks,
    )
    client.stop_execution(executionArn=execution, **reason)
    assert last_event(client, execution) == ("ExecutionAborted", reason)
    number_of_events = len(history(client, execution))
    client.stop_execution(executionArn=execution, error="Again", cause="too late")
    description = finished(aws, execution)
    end = {key: description[key] for key in ("status", "error", "cause") if key in description}
    assert end == {"status": "ABORTED", **reason}
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{name}"
    eventually(
        lambda: [call for call in aws.calls("lambda:InvokeFunction") if call["caller"] == session],
        lambda calls: len(calls) == number_of_tasks,
    )
    time.sleep(0.2)
    assert len(history(client, execution)) == number_of_events, "the functions failed later"


def test_the_timeout_of_a_machine_is_the_last_event_of_its_execution(aws, client, sleeper):
    definition = {**map_over_items(calling(sleeper)), "TimeoutSeconds": 1}
    arn = create_machine(aws, "ex-late", definition, allow("lambda:InvokeFunction", sleeper))
    execution = client.start_execution(stateMachineArn=arn, input='{"items": [1]}')["executionArn"]
    description = finished(aws, execution)
    assert description["status"] == "TIMED_OUT"
    assert 1 <= (description["stopDate"] - description["startDate"]).total_seconds() < 3
    assert last_event(client, execution) == ("ExecutionTimedOut", {})
    (listed,) = client.list_executions(stateMachineArn=arn, statusFilter="TIMED_OUT")["executions"]
    assert listed["stopDate"] == description["stopDate"]


@pytest.mark.parametrize("end", ["set_stop", "set_timed_out"])
def test_a_failure_after_the_end_does_not_change_the_end(monkeypatch, end):
    # The order of these calls in a running execution is a matter of microseconds.
    for replacement in moto_patches.keep_first_end(lambda _: None):
        monkeypatch.setattr(*replacement)
    env = Environment(
        aws_execution_details=None,
        execution_type=None,
        context={"Execution": {"Input": {}}},
        event_history_context=EventHistoryContext.of_program_start(),
        cloud_watch_logging_session=None,
        activity_store={},
    )
    env.next_state_name = "Any"  # makes the execution running
    arguments = {"stop_date": None, "cause": None, "error": None} if end == "set_stop" else {}
    getattr(env, end)(**arguments)
    end_state = type(env.program_state())
    env.set_error({"error": "States.Runtime"})
    env.set_timed_out()
    assert type(env.program_state()) is end_state
    assert len(env.event_manager.get_event_history()) == 1


# Lists


def test_executions_are_listed_by_their_end_or_by_their_start_while_they_run(aws, client):
    arn = create_machine(aws, "ex-listed", waiting(60))

    def start(name):
        return client.start_execution(stateMachineArn=arn, name=name)["executionArn"]

    first, second, _third = start("first"), start("second"), start("third")
    client.stop_execution(executionArn=second)
    client.stop_execution(executionArn=first)
    fourth = start("fourth")

    def names(**fields):
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=arn, **fields)
        return [[execution["name"] for execution in page["executions"]] for page in pages]

    assert names() == [["fourth", "first", "second", "third"]]
    assert names(PaginationConfig={"PageSize": 3}) == [["fourth", "first", "second"], ["third"]]
    assert names(statusFilter="ABORTED") == [["first", "second"]]
    assert names(statusFilter="RUNNING") == [["fourth", "third"]]
    executions = client.list_executions(stateMachineArn=arn)["executions"]
    ended = [execution["name"] for execution in executions if "stopDate" in execution]
    assert ended == ["first", "second"]
    client.stop_execution(executionArn=fourth)


def test_executions_of_a_map_run_cannot_be_listed(client):
    assert refusal(client.list_executions, mapRunArn="arn:aws:states:any") == (
        "ValidationException",
        "the emulator's Step Functions lists executions by their stateMachineArn only",
    )


# Refused requests


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            {"input": '{"a": }'},
            (
                "InvalidExecutionInput",
                (
                    "Invalid State Machine Execution Input: 'Expecting value: line 1 column 7"
                    " (char 6)'"
                ),
            ),
        ),
        ({"name": "a<b"}, ("InvalidName", "Invalid Name: 'a<b'")),
    ],
)
def test_an_invalid_input_or_name_is_refused(client, quick_machine, fields, error):
    assert refusal(client.start_execution, stateMachineArn=quick_machine, **fields) == error


def test_an_invalid_definition_has_its_error_code(client, quick_machine):
    role_arn = client.describe_state_machine(stateMachineArn=quick_machine)["roleArn"]
    request = {"name": "ex-no", "definition": "{}", "roleArn": role_arn}
    assert refusal(client.create_state_machine, **request)[0] == "InvalidDefinition"
    code, _ = refusal(client.update_state_machine, stateMachineArn=quick_machine)
    assert code == "MissingRequiredParameter"


# The limit of the documents


def test_an_input_of_255_kilobytes_starts_and_fails_the_first_state_that_adds_to_it(aws, client):
    settings = {"text": "x" * 5000}
    add = {"Type": "Pass", "Result": settings, "ResultPath": "$.settings", "End": True}
    definition = {"StartAt": "Configure", "States": {"Configure": add}}
    machine = create_machine(aws, "ex-large", definition)
    execution = client.start_execution(
        stateMachineArn=machine, input=json.dumps({"note": "y" * 255 * 1024})
    )["executionArn"]
    assert finished(aws, execution)["error"] == "States.DataLimitExceeded"
    description = client.describe_state_machine_for_execution(executionArn=execution)
    assert json.loads(description["definition"]) == definition, "the settings can be read here"


def test_an_input_of_more_than_256_kilobytes_is_refused(client, quick_machine):
    text = json.dumps({"note": "y" * 256 * 1024})
    assert refusal(client.start_execution, stateMachineArn=quick_machine, input=text) == (
        "ValidationException",
        (
            "1 validation error detected: Value at 'input' failed to satisfy constraint: Member"
            " must have length less than or equal to 262144"
        ),
    )

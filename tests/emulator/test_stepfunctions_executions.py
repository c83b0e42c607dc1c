"""How executions, and lists and histories of them, are told about, and how they end."""

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

from emulator import moto_seams


@pytest.fixture(scope="module")
def client(aws):
    return aws.client("stepfunctions")


@pytest.fixture(scope="module")
def quick(aws):
    """A machine whose executions end at once, in four events."""
    return create_machine(aws, "ex-quick", waiting(0))


@pytest.fixture(scope="module")
def sleeper(aws):
    """A function that takes two seconds and then fails."""
    code = "import time\ndef handler(event, context):\n    time.sleep(2)\n    raise ValueError\n"
    return create_function(aws, "ex-sleeper", code=code)


def in_map(definition):
    """A definition that runs another one for each of two items."""
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": definition, "End": True}
    return {"StartAt": "Each", "States": {"Each": each}}


def last_event(client, execution_arn):
    """An execution's last event: its type, and what it tells."""
    event = client.get_execution_history(
        executionArn=execution_arn, reverseOrder=True, maxResults=1
    )["events"][0]
    kind = event["type"]
    return kind, event[f"{kind[0].lower()}{kind[1:]}EventDetails"]


QUICK = ["ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_history_is_read_page_by_page_from_either_end(aws, client, quick, backwards):
    arn = execute(aws, quick, {})["executionArn"]
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=arn, reverseOrder=backwards, PaginationConfig={"PageSize": 3}
    )
    types = [[event["type"] for event in page["events"]] for page in pages]
    expected = QUICK[::-1] if backwards else QUICK
    assert types == [expected[:3], expected[3:]]


def test_a_page_of_a_history_holds_a_hundred_events(aws, client):
    arn = create_machine(aws, "ex-long", in_map(waiting(0)))
    execution = execute(aws, arn, {"items": list(range(30))})["executionArn"]
    first = client.get_execution_history(executionArn=execution)
    rest = client.get_execution_history(executionArn=execution, nextToken=first["nextToken"])
    whole = client.get_execution_history(executionArn=execution, maxResults=1000)
    assert (len(first["events"]), "nextToken" in rest, "nextToken" in whole) == (100, False, False)
    assert [event["id"] for event in first["events"] + rest["events"]] == [
        event["id"] for event in whole["events"]
    ]


def test_a_history_without_data_has_no_inputs_and_outputs(aws, client, quick):
    arn = execute(aws, quick, {"secret": 1})["executionArn"]
    history = client.get_execution_history(executionArn=arn, includeExecutionData=False)
    assert [event["type"] for event in history["events"]] == QUICK
    assert "secret" not in json.dumps(history["events"], default=str)


@pytest.mark.parametrize(
    ("given", "expected"),
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
def test_a_page_that_there_cannot_be_is_refused(aws, client, quick, given, expected):
    arn = execute(aws, quick, {})["executionArn"]
    assert refusal(client.get_execution_history, executionArn=arn, **given) == expected
    assert refusal(client.list_executions, stateMachineArn=quick, **given) == expected


@pytest.mark.parametrize("shape", ["plain", "map"])
@pytest.mark.parametrize("given", [{}, {"error": "Enough", "cause": "by a test"}])
def test_the_last_event_of_a_stopped_execution_tells_why(aws, client, sleeper, shape, given):
    definition = calling(sleeper) if shape == "plain" else in_map(calling(sleeper))
    name = f"ex-stopped-{shape}-{len(given)}"
    arn = create_machine(aws, name, definition, allow("lambda:InvokeFunction", sleeper))
    execution = client.start_execution(stateMachineArn=arn, input='{"items": [1, 2]}')[
        "executionArn"
    ]
    tasks = 1 if shape == "plain" else 2
    eventually(
        lambda: client.get_execution_history(executionArn=execution)["events"],
        lambda events: [event["type"] for event in events].count("TaskStarted") == tasks,
    )
    client.stop_execution(executionArn=execution, **given)
    assert last_event(client, execution) == ("ExecutionAborted", given)
    count = len(client.get_execution_history(executionArn=execution)["events"])
    client.stop_execution(executionArn=execution, error="Again", cause="too late")
    described = finished(aws, execution)
    told = {key: described[key] for key in ("status", "error", "cause") if key in described}
    assert told == {"status": "ABORTED", **given}, "the first end counts"
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{name}"
    eventually(
        lambda: [c for c in aws.calls("lambda:InvokeFunction") if c["caller"] == role],
        lambda calls: len(calls) == tasks,
    )
    time.sleep(0.2)
    assert len(client.get_execution_history(executionArn=execution)["events"]) == count, (
        "that the function fails later changes nothing"
    )


def test_a_machine_s_own_time_out_is_its_executions_last_event(aws, client, sleeper):
    definition = {**in_map(calling(sleeper)), "TimeoutSeconds": 1}
    arn = create_machine(aws, "ex-late", definition, allow("lambda:InvokeFunction", sleeper))
    execution = client.start_execution(stateMachineArn=arn, input='{"items": [1]}')["executionArn"]
    described = finished(aws, execution)
    assert described["status"] == "TIMED_OUT"
    assert 1 <= (described["stopDate"] - described["startDate"]).total_seconds() < 3
    assert last_event(client, execution) == ("ExecutionTimedOut", {})
    (listed,) = client.list_executions(stateMachineArn=arn, statusFilter="TIMED_OUT")["executions"]
    assert listed["stopDate"] == described["stopDate"]


def test_executions_are_listed_by_their_end_or_else_their_start(aws, client):
    arn = create_machine(aws, "ex-listed", waiting(60))

    def start(name):
        started = client.start_execution(stateMachineArn=arn, name=name)
        return started["executionArn"]

    first, second, _third = start("first"), start("second"), start("third")
    client.stop_execution(executionArn=second)
    client.stop_execution(executionArn=first)
    fourth = start("fourth")

    def names(**given):
        pages = client.get_paginator("list_executions").paginate(stateMachineArn=arn, **given)
        return [[each["name"] for each in page["executions"]] for page in pages]

    assert names() == [["fourth", "first", "second", "third"]]
    assert names(PaginationConfig={"PageSize": 3}) == [["fourth", "first", "second"], ["third"]]
    assert names(statusFilter="ABORTED") == [["first", "second"]]
    assert names(statusFilter="RUNNING") == [["fourth", "third"]]
    listed = client.list_executions(stateMachineArn=arn)["executions"]
    assert [each["name"] for each in listed if "stopDate" in each] == ["first", "second"]
    client.stop_execution(executionArn=fourth)


def test_executions_of_a_map_run_are_not_listed(client):
    code, message = refusal(client.list_executions, mapRunArn="arn:aws:states:any")
    assert code == "ValidationException"
    assert message == "the emulator's Step Functions lists executions by their stateMachineArn only"


def test_an_input_that_is_no_json_is_refused(client, quick):
    code, message = refusal(client.start_execution, stateMachineArn=quick, input='{"a": }')
    assert code == "InvalidExecutionInput"
    assert message == (
        "Invalid State Machine Execution Input: 'Expecting value: line 1 column 7 (char 6)'"
    )


def test_a_name_with_a_character_that_names_cannot_have_is_refused(client, quick):
    code, message = refusal(client.start_execution, stateMachineArn=quick, name="a<b")
    assert (code, message) == ("InvalidName", "Invalid Name: 'a<b'")


def test_a_definition_that_is_none_is_refused_by_its_code(client, quick):
    role = client.describe_state_machine(stateMachineArn=quick)["roleArn"]
    code, _ = refusal(client.create_state_machine, name="ex-no", definition="{}", roleArn=role)
    assert code == "InvalidDefinition"
    code, _ = refusal(client.update_state_machine, stateMachineArn=quick)
    assert code == "MissingRequiredParameter"


@pytest.mark.parametrize("over", ["set_stop", "set_timed_out"])
def test_what_fails_after_an_execution_s_end_does_not_change_how_it_ended(monkeypatch, over):
    for name in ("set_stop", "set_timed_out", "set_error"):  # to be put back afterwards
        monkeypatch.setattr(Environment, name, getattr(Environment, name))
    moto_seams.install(moto_seams.keep_first_end(lambda _: None))
    env = Environment(
        aws_execution_details=None,
        execution_type=None,
        context={"Execution": {"Input": {}}},
        event_history_context=EventHistoryContext.of_program_start(),
        cloud_watch_logging_session=None,
        activity_store={},
    )
    env.next_state_name = "Any"  # it runs
    given = {"stop_date": None, "cause": None, "error": None} if over == "set_stop" else {}
    getattr(env, over)(**given)
    ended = type(env.program_state())
    env.set_error({"error": "States.Runtime"})
    env.set_timed_out()
    assert (type(env.program_state()), len(env.event_manager.get_event_history())) == (ended, 1)

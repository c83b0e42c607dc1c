"""Proves what boto3 sees of state machines and executions, also with faults and old data."""

import json
from datetime import timedelta
from functools import cache

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from small_machines import machine, map_over, replies, task, wait
from small_stack import refusal

from emulator.personalize.wire import intercept
from emulator.virtual.step_functions import ACCOUNT, REGION, StepFunctions, run
from emulator.virtual.virtual_time import DEFAULT_START

HOUR = 3600
REST = machine(Rest=wait(HOUR))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/machine"
OTHER = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:other"


@pytest.fixture
def step_functions():
    with StepFunctions() as step_functions:
        yield step_functions


@pytest.fixture
def resting(step_functions):
    """A state machine whose executions take an hour."""
    return step_functions.machine(REST, {})


@cache
def any_client():
    """Return a client that makes one attempt, and the services that it asks. It is slow to make."""
    config = Config(retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    client = boto3.client("stepfunctions", region_name=REGION, config=config, **keys)
    services = []

    def respond(operation, request):
        return services[-1].respond(operation, request)

    intercept(client, respond)
    return client, services


@pytest.fixture
def client(step_functions):
    client, services = any_client()
    services.append(step_functions)
    return client


def described(call, **request):
    """Return a response without its metadata."""
    response = call(**request)
    del response["ResponseMetadata"]
    return response


# State machines


def test_a_state_machine_is_created_described_changed_and_listed(client):
    fields = {
        "definition": json.dumps(REST),
        "roleArn": ROLE,
        "tracingConfiguration": {"enabled": True},
    }
    created = client.create_state_machine(name="machine", **fields)
    arn = created["stateMachineArn"]
    again = client.create_state_machine(name="machine", **{**fields, "roleArn": "arn:other"})
    assert again["stateMachineArn"] == arn, "AWS ignores another role"
    other = {"name": "machine", "definition": json.dumps(machine(A=wait(1))), "roleArn": ROLE}
    assert refusal(client.create_state_machine, **other)[0] == "StateMachineAlreadyExists"
    client.update_state_machine(stateMachineArn=arn, roleArn="arn:new")
    assert described(client.describe_state_machine, stateMachineArn=arn) == {
        **fields,
        "stateMachineArn": arn,
        "name": "machine",
        "roleArn": "arn:new",
        "status": "ACTIVE",
        "type": "STANDARD",
        "creationDate": DEFAULT_START,
    }
    listed = client.list_state_machines()["stateMachines"]
    assert [row["stateMachineArn"] for row in listed] == [arn]


def test_a_deleted_state_machine_disappears_with_its_executions_and_tags(client, resting):
    started, arn = resting.start({}), resting.arn
    for key, value in ("a1", "b2", "b3"):
        client.tag_resource(resourceArn=arn, tags=[{"key": key, "value": value}])
    client.untag_resource(resourceArn=arn, tagKeys=["a", "c"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "3"}]
    for _ in range(2):  # a second deletion is no error
        client.delete_state_machine(stateMachineArn=arn)
    assert started.now().status == "ABORTED"
    errors = [
        refusal(client.describe_state_machine, stateMachineArn=arn)[0],
        refusal(client.describe_execution, executionArn=started.arn)[0],
    ]
    assert errors == ["StateMachineDoesNotExist", "ExecutionDoesNotExist"]
    client.create_state_machine(name="machine", definition=json.dumps(REST), roleArn=ROLE)
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == []


# Executions


def test_an_execution_is_started_once_with_the_same_name_and_input(client, resting):
    request = {"stateMachineArn": resting.arn, "name": "one", "input": '{"a": 1}'}
    first = client.start_execution(**request)
    assert client.start_execution(**request)["executionArn"] == first["executionArn"]
    code, message = refusal(client.start_execution, **request | {"input": "{}"})
    assert (code, message) == (
        "ExecutionAlreadyExists",
        f"Execution Already Exists: '{first['executionArn']}'",
    )
    client.stop_execution(executionArn=first["executionArn"])
    assert refusal(client.start_execution, **request)[0] == "ExecutionAlreadyExists"
    without_name = client.start_execution(stateMachineArn=resting.arn)
    assert len(without_name["executionArn"].rpartition(":")[2]) == 36


def test_an_execution_is_described_with_its_end(client, step_functions, resting):
    started = resting.start({"a": 1})
    running = {
        "executionArn": started.arn,
        "stateMachineArn": resting.arn,
        "name": "run-1",
        "status": "RUNNING",
        "startDate": DEFAULT_START,
        "input": '{"a": 1}',
    }
    assert described(client.describe_execution, executionArn=started.arn) == running
    started.wait()
    assert described(client.describe_execution, executionArn=started.arn) == {
        **running,
        "status": "SUCCEEDED",
        "stopDate": DEFAULT_START + timedelta(seconds=HOUR),
        "output": '{"a":1}',
    }
    stopped = resting.start({}).arn
    client.stop_execution(executionArn=stopped, error="Enough", cause="by a test")
    client.stop_execution(executionArn=stopped, error="Again", cause="too late")
    description = client.describe_execution(executionArn=stopped)
    end = [description[key] for key in ("status", "error", "cause")]
    assert end == ["ABORTED", "Enough", "by a test"]
    late = step_functions.machine({**REST, "TimeoutSeconds": 60}, {}, name="late").start({}).wait()
    description = client.describe_execution(executionArn=late.arn)
    seconds = (description["stopDate"] - description["startDate"]).total_seconds()
    assert (late.status, seconds) == ("TIMED_OUT", 60)


def test_an_execution_keeps_the_definition_and_the_role_of_its_start(client, resting):
    started = resting.start({})
    client.update_state_machine(
        stateMachineArn=resting.arn,
        definition=json.dumps(machine(Other=wait(1))),
        roleArn="arn:new",
    )
    for _ in ("while it runs", "after its end"):
        description = client.describe_state_machine_for_execution(executionArn=started.arn)
        assert json.loads(description["definition"]) == REST
        assert description["roleArn"] == ROLE
        assert started.wait().states == ["Rest"]


def test_executions_are_listed_by_their_end_or_by_their_start_while_they_run(client, resting):
    sleep, started = resting.step_functions.clock.sleep, {}
    for step in ("first", "second", "third", "end second", "end first", "fourth"):
        sleep(1)
        if step.startswith("end"):
            started[step.removeprefix("end ")].abort()
        else:
            started[step] = resting.start({}, name=step)

    def names(**fields):
        paginator = client.get_paginator("list_executions")
        pages = paginator.paginate(stateMachineArn=resting.arn, **fields)
        return [[execution["name"] for execution in page["executions"]] for page in pages]

    assert names() == [["fourth", "first", "second", "third"]]
    assert names(PaginationConfig={"PageSize": 3}) == [["fourth", "first", "second"], ["third"]]
    assert names(statusFilter="ABORTED") == [["first", "second"]]
    assert names(statusFilter="RUNNING") == [["fourth", "third"]]


# Histories


def test_a_history_can_be_read_in_pages_from_both_ends(client, step_functions):
    mapped = step_functions.machine(machine(Each=map_over("$.items", Rest=wait(0))), {})
    execution = mapped.start({"items": list(range(30))}).wait()
    history = client.get_execution_history
    whole = history(executionArn=execution.arn, maxResults=1000)
    assert whole["events"] == execution.events
    assert "nextToken" not in whole
    first = history(executionArn=execution.arn)
    second = history(executionArn=execution.arn, nextToken=first["nextToken"])
    assert len(first["events"]) == 100
    assert first["events"] + second["events"] == whole["events"]
    (last,) = history(executionArn=execution.arn, reverseOrder=True, maxResults=1)["events"]
    assert last == whole["events"][-1]


def test_a_history_has_at_most_25000_events_and_the_last_one_is_the_end(monkeypatch):
    # One turn has four events. The limit is lower here, because 25,000 events take a second.
    monkeypatch.setattr("emulator.states.execution.MAX_EVENTS", 250)
    turn = {"Type": "Pass", "Next": "A"}
    execution = run(machine(A={**turn, "Next": "B"}, B=turn), {}, {})
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")
    assert execution.cause == "The execution reached the maximum number of history events (250)."
    assert [len(execution.events), execution.events[-1]["type"]] == [250, "ExecutionFailed"]
    monkeypatch.setattr("emulator.states.execution.MAX_EVENTS", 4)
    assert run(machine(A={"Type": "Pass", "End": True}), {}, {}).status == "SUCCEEDED"


def test_a_year_and_262144_bytes_are_the_limits_of_an_execution(step_functions):
    definition = {**machine(A=wait(50_000_000)), "TimeoutSeconds": 90_000_000}
    assert step_functions.machine(definition, {}).start({}).wait().status == "TIMED_OUT"
    assert step_functions.clock.now() - DEFAULT_START == timedelta(days=365)
    for count, status in ((131_071, "SUCCEEDED"), (131_072, "FAILED")):  # with two quotes
        execution = run(machine(Work=task("work")), {"work": replies("ü" * count)}, {})
        assert execution.status == status, "characters are counted in bytes of UTF-8"


# Refused requests

INVALID = "InvalidDefinition: Invalid State Machine Definition: '"
NEW = {"name": "new", "definition": json.dumps(REST), "roleArn": ROLE}
ONE_VERSION = "ValidationException: publish: this emulator supports only False, not True"
MISSING = "StateMachineDoesNotExist: State Machine Does Not Exist: '"


def wrong(value, field, constraint):
    """Return the error for a value that botocore's model of Step Functions does not allow."""
    return (
        f"ValidationException: 1 validation error detected: Value '{value}' at '{field}' failed to"
        f" satisfy constraint: Member must have {constraint}"
    )


START, LIST, UPDATE = "start_execution", "list_executions", "update_state_machine"
CREATE = "create_state_machine"
NOT_EXPRESS = "ValidationException: type: this emulator supports only 'STANDARD', not 'EXPRESS'"
NO_START = f"{INVALID}the definition: a state machine has one StartAt, but this has 0; the defin"
NO_REDRIVE = "UnknownOperationException: the emulator's Step Functions has no RedriveExecution"
TOO_LONG = wrong("x" * 81, "name", "length less than or equal to 80")
TOO_MANY = wrong(1001, "maxResults", "value less than or equal to 1000")
REFUSED = [
    (START, {"input": '{"a": }'}, "InvalidExecutionInput: Invalid State Machine Exec"),
    (START, {"name": "a<b"}, "InvalidName: Invalid Name: 'a<b'"),
    (START, {"name": "x" * 81}, TOO_LONG),
    (START, {"stateMachineArn": OTHER}, f"{MISSING}{OTHER}"),
    (LIST, {"maxResults": 1001}, TOO_MANY),
    (LIST, {"nextToken": "rubbish"}, "InvalidToken: Invalid Token: 'Invalid token'"),
    (LIST, {"stateMachineArn": None}, f"{MISSING}None"),
    (UPDATE, {"roleArn": ROLE, "publish": True}, ONE_VERSION),
    (UPDATE, {"definition": "{"}, f"{INVALID}the definition is not JSON: Expecting"),
    (CREATE, {**NEW, "definition": "{}"}, NO_START),
    (CREATE, {**NEW, "type": "EXPRESS"}, NOT_EXPRESS),
    (CREATE, {**NEW, "publish": True}, ONE_VERSION),
    ("tag_resource", {"resourceArn": OTHER, "tags": []}, f"{MISSING}{OTHER}"),
    ("redrive_execution", {"executionArn": "arn:none"}, NO_REDRIVE),
]


@pytest.mark.parametrize(("method", "fields", "error"), REFUSED)
def test_a_request_is_refused(client, resting, method, fields, error):
    about_machine = {"stateMachineArn": resting.arn} if method in (START, LIST, UPDATE) else {}
    request = {k: value for k, value in (about_machine | fields).items() if value is not None}
    assert ": ".join(refusal(getattr(client, method), **request)).startswith(error)


def test_a_missing_field_is_named(step_functions):
    with pytest.raises(Exception, match='Missing required parameter in input: "executionArn"'):
        step_functions.respond("StopExecution", {})


# Faults


def test_a_list_of_executions_may_be_old(client, step_functions, resting):
    def statuses(**fields):
        listed = client.list_executions(stateMachineArn=resting.arn, **fields)["executions"]
        return [execution["status"] for execution in listed]

    def make_old(**fields):
        fault = {"fault": "stale", "operation": "ListExecutions", "seconds": 90, **fields}
        step_functions.faults.inject(fault)

    started = resting.start({})
    make_old(times=2)
    step_functions.clock.sleep(60)
    assert statuses() == [], "it started 60 seconds ago"
    step_functions.clock.sleep(60)
    assert statuses() == ["RUNNING"]
    started.wait()
    assert statuses() == ["SUCCEEDED"], "no fault is left"
    make_old(times=2)
    assert (statuses(statusFilter="RUNNING"), statuses(statusFilter="SUCCEEDED")) == (
        ["RUNNING"],
        [],
    )
    step_functions.clock.sleep(90)
    make_old(times=None, rate=0.5)
    resting.start({})
    rows = [len(statuses()) for _ in range(100)]
    assert set(rows) == {1, 2}
    assert 30 < rows.count(1) < 70


def test_an_old_description_shows_an_ended_execution_as_running_and_no_new_execution(
    client, step_functions, resting
):
    fault = {"fault": "stale", "operation": "DescribeExecution"}
    started = resting.start({})
    step_functions.faults.inject(fault)
    error = refusal(client.describe_execution, executionArn=started.arn)
    assert error[0] == "ExecutionDoesNotExist"
    started.wait()
    step_functions.faults.inject(fault)
    old, new = (client.describe_execution(executionArn=started.arn) for _ in range(2))
    assert (old["status"], "stopDate" in old, "output" in old) == ("RUNNING", False, False)
    assert (new["status"], "stopDate" in new, "output" in new) == ("SUCCEEDED", True, True)


def test_a_call_meets_the_faults_of_calls(client, step_functions, resting):
    started = resting.start({})
    for fault, error in (("throttle", ClientError), ("lost-answer", ReadTimeoutError)):
        assert started.now().status == "RUNNING"
        step_functions.faults.inject({"fault": fault, "operation": "StopExecution"})
        with pytest.raises(error):
            client.stop_execution(executionArn=started.arn)
    assert started.now().status == "ABORTED", "only the second response is lost"


def test_only_operations_of_step_functions_have_faults_there(step_functions):
    with pytest.raises(ValueError, match=r"unknown operation 'ListSchemas'; known are \*, Create"):
        step_functions.faults.inject({"fault": "throttle", "operation": "ListSchemas"})

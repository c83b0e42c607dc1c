"""Proves what updates and deletions do to running executions, published versions and schedules.

The calls go over gRPC to the emulator.
"""

import itertools
import json

import pytest
from provider_support import Type, archive, function_inputs, message, schedule_inputs
from small_stack import allow, eventually, finished, invoke, policy, trust


def returning(digest, value):
    """Return the archive of a function that returns a value."""
    return archive(digest, work=f"def handler(*_):\n    return {value!r}\n")


NUMBERS = itertools.count()
NEW_CODE = {"code": returning("sha-new", "new")}


@pytest.fixture(scope="module")
def role(engine):
    """Create a role for functions."""
    return engine.create(Type.ROLE, "running", {"assumeRolePolicy": trust("lambda")})


@pytest.fixture(scope="module")
def machine_inputs(engine):
    """Create a role for state machines. Return a function from a definition to complete inputs."""
    role = engine.create(Type.ROLE, "running-states", {"assumeRolePolicy": trust("states")})
    permissions = {"role": role.id, "policy": policy(allow("lambda:*"))}
    engine.create(Type.ROLE_POLICY, "running", permissions)
    return lambda definition: {"roleArn": role.outputs["arn"], "definition": definition}


@pytest.fixture
def inputs(role):
    """Return the inputs of a published function that returns 'old'."""
    code = returning("sha-old", "old")
    return function_inputs(role.outputs["arn"], code, publish=True, timeout=20)


@pytest.fixture
def function(engine, inputs):
    """Create a function for one test."""
    return engine.create(Type.FUNCTION, f"function-{next(NUMBERS)}", inputs)


def test_new_code_becomes_a_new_version(aws, engine, function, inputs):
    updated = engine.update(function, inputs | NEW_CODE)
    assert (function.outputs["version"], updated.outputs["version"]) == ("1", "2")
    assert updated.outputs["qualifiedArn"] == f"{updated.outputs['arn']}:2"
    assert updated.outputs["codeSha256"] != function.outputs["codeSha256"]
    assert invoke(aws, function.outputs["qualifiedArn"], {}) == "old", "the old version stays"
    assert invoke(aws, updated.outputs["qualifiedArn"], {}) == "new"
    assert invoke(aws, updated.outputs["arn"], {}) == "new", "an ARN without version is the latest"


def test_a_new_configuration_becomes_a_new_version(aws, engine, function, inputs):
    updated = engine.update(function, inputs | {"memorySize": 256})
    assert updated.outputs["version"] == "2"
    client = aws.client("lambda")
    configurations = [
        client.get_function_configuration(FunctionName=version.outputs["qualifiedArn"])
        for version in (function, updated)
    ]
    assert [configuration["MemorySize"] for configuration in configurations] == [128, 256]


@pytest.mark.parametrize(
    "change",
    [{"tags": {"team": "ranking"}}, NEW_CODE | {"publish": False}],
    ids=["tags", "not published"],
)
def test_these_changes_do_not_become_a_new_version(aws, engine, function, inputs, change):
    updated = engine.update(function, inputs | change)
    assert updated.outputs["version"] == "1", "the latest version that exists"
    client = aws.client("lambda")
    versions = client.list_versions_by_function(FunctionName=function.id)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1"]


def wait_then_call(seconds, function_arn):
    """Return a definition that waits and then calls a function."""
    wait = {"Type": "Wait", "Seconds": seconds, "Next": "Last"}
    last = {"Type": "Task", "Resource": function_arn, "ResultSelector": {"said.$": "$"}}
    states = {"Wait": wait, "Last": {**last, "End": True}}
    return json.dumps({"StartAt": "Wait", "States": states})


def start_and_wait(aws, machine):
    """Start an execution, wait until it is in its Wait state, and return its ARN."""
    client = aws.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=machine.id)["executionArn"]
    eventually(
        lambda: client.get_execution_history(executionArn=arn)["events"],
        lambda events: "WaitStateEntered" in [event["type"] for event in events],
    )
    return arn


def test_a_running_execution_keeps_the_version_of_its_functions(
    aws, engine, function, inputs, machine_inputs
):
    definition = wait_then_call(2, function.outputs["qualifiedArn"])
    machine = engine.create(Type.MACHINE, "keeping", machine_inputs(definition))
    running = start_and_wait(aws, machine)
    updated = engine.update(function, inputs | NEW_CODE)
    definition = wait_then_call(0, updated.outputs["qualifiedArn"])
    machine = engine.update(machine, machine_inputs(definition))
    next_one = start_and_wait(aws, machine)
    assert finished(aws, next_one)["output"] == '{"said":"new"}'
    assert finished(aws, running)["output"] == '{"said":"old"}'


def test_a_role_with_a_policy_that_was_added_by_hand_is_not_deleted(aws, engine):
    role = engine.create(Type.ROLE, "held", {"assumeRolePolicy": trust("lambda")})
    aws.client("iam").put_role_policy(
        RoleName=role.id, PolicyName="by-hand", PolicyDocument=policy(allow("s3:*"))
    )
    assert message(engine.delete, role) == (
        "An error occurred (DeleteConflict) when calling the DeleteRole operation: Cannot delete"
        " entity, must delete all inline policies first."
    )


def test_the_schedules_of_a_deleted_group_are_deleted(engine):
    scheduler_role = engine.create(
        Type.ROLE, "running-scheduler", {"assumeRolePolicy": trust("scheduler")}
    )
    group = engine.create(Type.GROUP, "running", {})
    inputs = schedule_inputs(group.id, scheduler_role.outputs["arn"])
    schedule = engine.create(Type.SCHEDULE, "running", inputs)
    engine.delete(group)
    assert engine.read(schedule) is None

"""Proves how a state machine is deleted, and that an update does not change its executions.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
"""

import json

import pytest
from small_stack import ACCOUNT, create_machine, eventually, finished, refusal, waiting


@pytest.fixture(scope="module")
def client(aws):
    return aws.client("stepfunctions")


def two_waits(first, second):
    """Return a definition that waits twice."""
    states = {
        "First": {"Type": "Wait", "Seconds": first, "Next": "Second"},
        "Second": {"Type": "Wait", "Seconds": second, "End": True},
    }
    return {"StartAt": "First", "States": states}


def event_types(client, execution_arn):
    events = client.get_execution_history(executionArn=execution_arn)["events"]
    return [event["type"] for event in events]


def start_and_enter(client, machine_arn, entered=1, **fields):
    """Start an execution, and return its ARN when it has entered this number of Wait states."""
    arn = client.start_execution(stateMachineArn=machine_arn, **fields)["executionArn"]
    eventually(
        lambda: event_types(client, arn), lambda types: types.count("WaitStateEntered") == entered
    )
    return arn


def is_deleted(client, machine_arn):
    try:
        client.describe_state_machine(stateMachineArn=machine_arn)
    except client.exceptions.StateMachineDoesNotExist:
        return True
    return False


def wait_for_deletion(client, machine_arn):
    eventually(lambda: is_deleted(client, machine_arn), bool, seconds=10)


def test_a_machine_without_running_executions_is_deleted_immediately(aws, client):
    arn = create_machine(aws, "gone", waiting(0))
    finished(aws, client.start_execution(stateMachineArn=arn)["executionArn"])
    client.delete_state_machine(stateMachineArn=arn)
    assert is_deleted(client, arn)
    client.delete_state_machine(stateMachineArn=arn)  # a second deletion is no error


@pytest.mark.parametrize(
    ("name", "definition"),
    [("deleting", two_waits(2, 60)), ("ending", waiting(2))],
    ids=["it is aborted at its next state", "its last state ends"],
)
def test_the_deletion_ends_with_the_running_execution(aws, client, name, definition):
    arn = create_machine(aws, name, definition)
    execution = start_and_enter(client, arn)
    client.delete_state_machine(stateMachineArn=arn)
    assert client.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
    assert client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    wait_for_deletion(client, arn)


def test_the_iterations_of_a_map_end_with_their_execution(aws, client):
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, **two_waits(2, 60)}
    states = {"Map": {"Type": "Map", "ItemProcessor": processor, "End": True}}
    arn = create_machine(aws, "mapping", {"StartAt": "Map", "States": states})
    start_and_enter(client, arn, entered=2, input="[1, 2]")
    client.delete_state_machine(stateMachineArn=arn)
    wait_for_deletion(client, arn)


def test_a_machine_that_is_being_deleted_cannot_be_started_changed_or_created_again(aws, client):
    arn = create_machine(aws, "refusing", two_waits(60, 1))
    execution = start_and_enter(client, arn)
    client.delete_state_machine(stateMachineArn=arn)
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/refusing"
    new_machine = {
        "name": "refusing",
        "roleArn": role_arn,
        "definition": json.dumps(waiting(1)),
    }
    deleting = ("StateMachineDeleting", f"State Machine is being deleted: '{arn}'")
    assert refusal(client.start_execution, stateMachineArn=arn) == deleting
    assert refusal(client.update_state_machine, stateMachineArn=arn, roleArn=role_arn) == deleting
    assert refusal(client.create_state_machine, **new_machine) == deleting
    client.stop_execution(executionArn=execution)
    assert is_deleted(client, arn)
    client.create_state_machine(**new_machine)
    assert client.describe_state_machine(stateMachineArn=arn)["status"] == "ACTIVE"


def test_the_tags_are_deleted_with_the_machine(aws, client):
    arn = create_machine(aws, "tagged", waiting(1))
    client.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "ranking"}])
    client.delete_state_machine(stateMachineArn=arn)
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/tagged"
    definition = json.dumps(waiting(1))
    client.create_state_machine(name="tagged", roleArn=role_arn, definition=definition)
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == []


def test_an_execution_keeps_the_definition_and_the_role_of_its_start(aws, client):
    arn = create_machine(aws, "updated", two_waits(1, 1))
    execution = start_and_enter(client, arn)
    other_machine = create_machine(aws, "updated-other", waiting(0))
    other_role = client.describe_state_machine(stateMachineArn=other_machine)["roleArn"]
    definition = json.dumps({"StartAt": "Fail", "States": {"Fail": {"Type": "Fail"}}})
    client.update_state_machine(stateMachineArn=arn, definition=definition, roleArn=other_role)
    description = client.describe_state_machine_for_execution(executionArn=execution)
    assert json.loads(description["definition"]) == two_waits(1, 1)
    assert description["roleArn"] == f"arn:aws:iam::{ACCOUNT}:role/updated"
    assert finished(aws, execution)["status"] == "SUCCEEDED", "the new definition would fail"

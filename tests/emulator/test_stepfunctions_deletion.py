"""A state machine that is deleted waits for its executions, and an update leaves them alone.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
"""

import json

import pytest
from small_stack import ACCOUNT, REGION, create_machine, eventually, finished, refusal, waiting


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


def arn_of(name):
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


def begun(client, arn):
    """Start an execution, and return its ARN once it has entered its first state."""
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    eventually(
        lambda: client.get_execution_history(executionArn=execution)["events"],
        lambda events: events[-1]["type"].endswith("StateEntered"),
    )
    return execution


def is_gone(client, arn):
    try:
        client.describe_state_machine(stateMachineArn=arn)
    except client.exceptions.StateMachineDoesNotExist:
        return True
    return False


def test_a_machine_without_executions_is_gone_at_once(aws, client):
    arn = create_machine(aws, "gone", waiting(0))
    finished(aws, client.start_execution(stateMachineArn=arn)["executionArn"])
    client.delete_state_machine(stateMachineArn=arn)
    assert is_gone(client, arn), "the execution is over"
    client.delete_state_machine(stateMachineArn=arn)  # deleting what is gone is no error


def test_an_execution_is_aborted_at_its_next_state_and_then_the_machine_is_gone(aws, client):
    arn = create_machine(aws, "deleting", two_waits(2, 60))
    execution = begun(client, arn)
    client.delete_state_machine(stateMachineArn=arn)
    assert client.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
    assert client.describe_execution(executionArn=execution)["status"] == "RUNNING", "it waits"
    eventually(lambda: is_gone(client, arn), bool, seconds=10)


def test_an_execution_in_its_last_state_may_end(aws, client):
    arn = create_machine(aws, "ending", waiting(2))
    execution = begun(client, arn)
    client.delete_state_machine(stateMachineArn=arn)
    assert client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    eventually(lambda: is_gone(client, arn), bool, seconds=10)


def test_the_iterations_of_a_map_end_with_their_execution(aws, client):
    iteration = {
        "Type": "Map",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **two_waits(2, 60)},
        "End": True,
    }
    arn = create_machine(aws, "mapping", {"StartAt": "Map", "States": {"Map": iteration}})
    execution = client.start_execution(stateMachineArn=arn, input="[1, 2]")["executionArn"]
    eventually(
        lambda: client.get_execution_history(executionArn=execution)["events"],
        lambda events: [e["type"] for e in events].count("WaitStateEntered") == 2,
    )
    client.delete_state_machine(stateMachineArn=arn)
    eventually(lambda: is_gone(client, arn), bool, seconds=10)


def test_a_machine_that_is_being_deleted_starts_and_changes_nothing(aws, client):
    arn = create_machine(aws, "refusing", two_waits(60, 1))
    execution = begun(client, arn)
    client.delete_state_machine(stateMachineArn=arn)
    role = f"arn:aws:iam::{ACCOUNT}:role/refusing"
    definition = json.dumps(waiting(1))
    refused = (
        "StateMachineDeleting",
        f"State Machine is being deleted: '{arn_of('refusing')}'",
    )
    assert refusal(client.start_execution, stateMachineArn=arn) == refused
    assert refusal(client.update_state_machine, stateMachineArn=arn, roleArn=role) == refused
    assert (
        refusal(client.create_state_machine, name="refusing", roleArn=role, definition=definition)
        == refused
    ), "its name is not free yet"
    client.stop_execution(executionArn=execution)
    assert is_gone(client, arn), "nothing holds it any more"
    client.create_state_machine(name="refusing", roleArn=role, definition=definition)
    assert client.describe_state_machine(stateMachineArn=arn)["status"] == "ACTIVE", "a new one"
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == []


def test_the_tags_go_with_the_machine(aws, client):
    arn = create_machine(aws, "tagged", waiting(1))
    client.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "ranking"}])
    client.delete_state_machine(stateMachineArn=arn)
    role = f"arn:aws:iam::{ACCOUNT}:role/tagged"
    client.create_state_machine(name="tagged", roleArn=role, definition=json.dumps(waiting(1)))
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == []


def test_an_execution_keeps_the_definition_and_the_role_that_it_began_with(aws, client):
    arn = create_machine(aws, "updated", two_waits(1, 1))
    execution = begun(client, arn)
    other_role = machine_role(aws, client, "updated-other")
    definition = json.dumps({"StartAt": "Fail", "States": {"Fail": {"Type": "Fail"}}})
    client.update_state_machine(stateMachineArn=arn, definition=definition, roleArn=other_role)
    described = client.describe_state_machine_for_execution(executionArn=execution)
    assert json.loads(described["definition"]) == two_waits(1, 1)
    assert described["roleArn"] == f"arn:aws:iam::{ACCOUNT}:role/updated"
    assert finished(aws, execution)["status"] == "SUCCEEDED", "the new definition would fail"


def machine_role(aws, client, name):
    """Create a machine, and return its role."""
    return client.describe_state_machine(stateMachineArn=create_machine(aws, name, waiting(0)))[
        "roleArn"
    ]

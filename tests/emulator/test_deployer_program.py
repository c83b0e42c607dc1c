"""Proves that the repository's own program can be deployed with its sample stack.

The end-to-end tests prove that the deployed pipeline does its job.
"""

import pytest

from emulator.deployer import deploy


@pytest.fixture(scope="module")
def deployment(aws):
    """Deploy the sample stack."""
    return deploy("dev", endpoint=aws.endpoint)


def test_the_schedule_and_the_state_machine_of_the_exports_exist(aws, deployment):
    outputs = deployment.outputs
    states, scheduler = aws.client("stepfunctions"), aws.client("scheduler")
    machine = states.describe_state_machine(stateMachineArn=outputs["state_machine_arn"])
    assert machine["status"] == "ACTIVE"
    group, name = outputs["schedule_arn"].split("/")[-2:]
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    assert schedule["Target"]["Arn"] == outputs["state_machine_arn"]


def test_the_workflow_calls_published_functions_that_exist(aws, deployment):
    states, client = aws.client("stepfunctions"), aws.client("lambda")
    machine = states.describe_state_machine(stateMachineArn=deployment.outputs["state_machine_arn"])
    called = {word for word in machine["definition"].split('"') if ":function:" in word}
    published = {
        resource.outputs["qualifiedArn"]
        for resource in deployment.resources
        if resource.type == "aws:lambda/function:Function"
    }
    assert called, "the workflow calls functions"
    assert called - published == set()
    for arn in called:
        assert client.get_function(FunctionName=arn)["Configuration"]["Version"] == "1", arn


def test_a_second_deployment_changes_nothing(aws, deployment):
    again = deploy("dev", endpoint=aws.endpoint)
    assert again.outputs == deployment.outputs
    assert {resource.urn: resource for resource in again.resources} == {
        resource.urn: resource for resource in deployment.resources
    }

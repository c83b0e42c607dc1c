"""Proves that the repository's own program, unchanged and with its sample stack, can be deployed.

Does not prove that what it deploys does its job: the end-to-end tests do.
"""

import json

import pytest

from emulator.deployer import deploy


@pytest.fixture(scope="module")
def deployment(aws):
    return deploy("dev", endpoint=aws.endpoint)


def test_the_exports_lead_to_what_exists(aws, deployment):
    outputs = deployment.outputs
    states, scheduler = aws.client("stepfunctions"), aws.client("scheduler")
    machine = states.describe_state_machine(stateMachineArn=outputs["state_machine_arn"])
    assert machine["status"] == "ACTIVE", "the workflow exists"
    group, name = outputs["schedule_arn"].split("/")[-2:]
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    assert schedule["Target"]["Arn"] == outputs["state_machine_arn"], "the schedule starts it"


def test_the_workflow_names_published_functions_that_exist(aws, deployment):
    states, client = aws.client("stepfunctions"), aws.client("lambda")
    machine = states.describe_state_machine(stateMachineArn=deployment.outputs["state_machine_arn"])
    named = {word for word in machine["definition"].split('"') if ":function:" in word}
    published = {
        resource.outputs["qualifiedArn"]
        for resource in deployment.resources
        if resource.type == "aws:lambda/function:Function"
    }
    assert named, "the workflow calls functions"
    assert named <= published, json.dumps(sorted(named - published))
    for arn in named:
        assert client.get_function(FunctionName=arn)["Configuration"]["Version"] == "1", arn


def test_deployed_again_nothing_changes(aws, deployment):
    again = deploy("dev", endpoint=aws.endpoint)
    assert again.outputs == deployment.outputs, "the same exports"
    assert {r.urn: r for r in again.resources} == {r.urn: r for r in deployment.resources}, (
        "the same resources"
    )

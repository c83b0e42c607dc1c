"""A state machine with the settings of a pipeline. It ends at once and changes nothing."""

import json
from contextlib import contextmanager
from uuid import uuid4

import boto3

from components.workflow_settings import workflow_settings

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@contextmanager
def deployed_machine(emulator, args, *, seconds=0):
    """Create the state machine of a pipeline with these arguments, and yield its ARN.

    An execution lasts this many seconds.
    """
    iam = boto3.client("iam", **emulator.connection)
    machines = boto3.client("stepfunctions", **emulator.connection)
    name = f"machine-{uuid4().hex[:8]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    settings = workflow_settings(
        args, job_prefix="0a1b2c3d", import_role_arn="r", topic_arn="t", dashboard_url="d"
    )
    definition = {
        "StartAt": "Configure run",
        "States": {
            "Configure run": {
                "Type": "Pass",
                "Parameters": {"settings": settings},
                "Next": "Wait",
            },
            "Wait": {"Type": "Wait", "Seconds": seconds, "End": True},
        },
    }
    machine = machines.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role["Role"]["Arn"]
    )
    try:
        yield machine["stateMachineArn"]
    finally:
        machines.delete_state_machine(stateMachineArn=machine["stateMachineArn"])
        iam.delete_role(RoleName=name)

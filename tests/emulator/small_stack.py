"""Parts of a small pipeline: roles, functions, machines, schedules, by names of the caller's."""

import io
import json
import time
import zipfile

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT, REGION = "123456789012", "eu-west-1"
AS_ROOT = json.dumps(
    {
        "Statement": {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        }
    }
)
BOOTSTRAP = '#!/bin/sh\nexec python -m awslambdaric "$_HANDLER"\n'
ECHO = """
import os

def handler(event, context):
    if "fail" in event:
        raise ValueError(event["fail"])
    return {"event": event, "arn": context.invoked_function_arn, "pid": os.getpid()}
"""


def allow(action, resource="*", **condition):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service, **condition):
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    return policy({**statement, "Condition": condition} if condition else statement)


def role(aws, name, trust_policy, *statements):
    """The ARN of a new role."""
    iam = aws.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust_policy)["Role"]["Arn"]
    grant(aws, name, *statements)
    return arn


def grant(aws, name, *statements):
    """Give a role these permissions, and no others."""
    iam = aws.client("iam")
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="main", PolicyDocument=policy(*statements))
    elif "main" in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName="main")


def member(aws, name, *statements):
    """A function that makes clients of a new role of this name."""
    arn = role(aws, name, AS_ROOT, *statements)
    keys = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]

    def client(service="personalize"):
        return boto3.client(
            service,
            endpoint_url=aws.endpoint,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    return client


def refusal(call, **arguments):
    """The code and message of a call that must be refused."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def archive(code):
    """A function's code, with what starts AWS's own runtime client."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        file.writestr(bootstrap, BOOTSTRAP)
        file.writestr("code.py", code)
    return buffer.getvalue()


def function(aws, name, *statements, code=ECHO):
    """The ARN of a new function's published version; its role has the function's name."""
    client = aws.client("lambda")
    client.create_function(
        FunctionName=name,
        Role=role(aws, name, trust("lambda"), *statements),
        Runtime="provided.al2023",
        Handler="code.handler",
        Code={"ZipFile": archive(code)},
        Timeout=20,
    )
    return client.publish_version(FunctionName=name)["FunctionArn"]


def invoke(aws, function_arn, event):
    """What a function answers."""
    answer = aws.client("lambda").invoke(FunctionName=function_arn, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def calling(function_arn):
    """A definition that calls one function with the input."""
    return {
        "StartAt": "Call",
        "States": {
            "Call": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": function_arn, "Payload.$": "$"},
                "OutputPath": "$.Payload",
                "End": True,
            }
        },
    }


def waiting(seconds):
    """A definition that only waits."""
    return {
        "StartAt": "Wait",
        "States": {"Wait": {"Type": "Wait", "Seconds": seconds, "End": True}},
    }


def machine(aws, name, definition, *statements):
    """The ARN of a new state machine; its role has the machine's name."""
    role_arn = role(
        aws,
        name,
        trust(
            "states",
            StringEquals={"aws:SourceAccount": ACCOUNT},
            ArnLike={"aws:SourceArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:*"},
        ),
        *statements,
    )
    return aws.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role_arn
    )["stateMachineArn"]


def execute(aws, machine_arn, document):
    """An execution, once it has ended."""
    started = aws.client("stepfunctions").start_execution(
        stateMachineArn=machine_arn, input=json.dumps(document)
    )
    return finished(aws, started["executionArn"])


def finished(aws, execution_arn, seconds=30):
    """The execution once it has ended."""
    client = aws.client("stepfunctions")
    ended = eventually(
        lambda: client.describe_execution(executionArn=execution_arn),
        lambda execution: execution["status"] != "RUNNING",
        seconds,
    )
    ended.pop("ResponseMetadata")
    return ended


def eventually(look, enough, seconds=20):
    """The first look that is enough."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if enough(seen):
            return seen
        assert time.monotonic() < deadline, f"still {seen} after {seconds} s"
        time.sleep(0.05)


def group_arn(group):
    return f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{group}"


def schedule(aws, name, machine_arn, *statements, expression="cron(0 3 ? * SUN *)", **target):
    """The ARN of a new schedule in a group of its own name; so is its role's."""
    scheduler = aws.client("scheduler")
    scheduler.create_schedule_group(Name=name)
    role_arn = role(
        aws,
        name,
        trust(
            "scheduler",
            StringEquals={"aws:SourceAccount": ACCOUNT, "aws:SourceArn": group_arn(name)},
        ),
        *statements,
    )
    return scheduler.create_schedule(
        Name=name,
        GroupName=name,
        ScheduleExpression=expression,
        ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine_arn, "RoleArn": role_arn, **target},
    )["ScheduleArn"]

"""A pipeline as small as it can be: one function, one state machine, one schedule, each with its role."""

import io
import json
import time
import zipfile

BOOTSTRAP = '#!/bin/sh\nexec python -m awslambdaric "$_HANDLER"\n'
ECHO = """
import os
def handler(event, context):
    if "fail" in event:
        raise ValueError(event["fail"])
    return {"event": event, "arn": context.invoked_function_arn}
"""
ACCOUNT, REGION = "123456789012", "eu-west-1"


def archive(code):
    """A function's code with what AWS's own runtime client needs to serve it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        file.writestr(bootstrap, BOOTSTRAP)
        file.writestr("code.py", code)
    return buffer.getvalue()


def allow(action, resource="*"):
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service, **conditions):
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    if conditions:
        statement["Condition"] = conditions
    return policy(statement)


def role(aws, name, trust_policy, *statements):
    iam = aws.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust_policy)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="main", PolicyDocument=policy(*statements))
    return arn


def function(aws, name, code=ECHO, *statements):
    """The ARN of a published version."""
    role_arn = role(aws, name, trust("lambda"), *statements)
    client = aws.client("lambda")
    answer = client.create_function(
        FunctionName=name,
        Role=role_arn,
        Runtime="provided.al2023",
        Handler="code.handler",
        Code={"ZipFile": archive(code)},
        Publish=True,
        Timeout=20,
    )
    return (
        answer["FunctionArn"]
        if answer["FunctionArn"].endswith(":1")
        else f"{answer['FunctionArn']}:1"
    )


def invoke_once(function_arn, result_path="$"):
    return {
        "StartAt": "Call",
        "States": {
            "Call": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": function_arn, "Payload.$": "$"},
                "ResultSelector": {"payload.$": "$.Payload"},
                "ResultPath": result_path,
                "End": True,
            }
        },
    }


def machine(aws, name, definition, *statements):
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


def finished(aws, execution_arn, seconds=30):
    """The execution once it has ended."""
    client = aws.client("stepfunctions")
    deadline = time.monotonic() + seconds
    while True:
        execution = client.describe_execution(executionArn=execution_arn)
        if execution["status"] != "RUNNING":
            return execution
        assert time.monotonic() < deadline, f"{execution_arn} still runs after {seconds} s"
        time.sleep(0.05)

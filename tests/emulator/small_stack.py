"""Creates the parts of a small pipeline: roles, functions, state machines and schedules."""

import io
import json
import time
import zipfile
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from small_machines import machine, wait

ACCOUNT = "123456789012"
REGION = "eu-west-1"
AS_ROOT = json.dumps(
    {
        "Statement": {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        }
    }
)
"""A trust policy that lets the account's root assume the role."""
ECHO = """
import os

def handler(event, context):
    if "fail" in event:
        raise ValueError(event["fail"])
    return {"event": event, "arn": context.invoked_function_arn, "pid": os.getpid()}
"""


def allow(action, resource="*", **condition):
    """Return a statement of a policy."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def policy(*statements):
    """Return a policy as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service, **condition):
    """Return the trust policy, as JSON, of a role that a service of AWS may assume."""
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    return policy({**statement, "Condition": condition} if condition else statement)


def create_role(aws, name, trust_policy, *statements):
    """Create a role with these permissions and return its ARN."""
    iam = aws.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust_policy)["Role"]["Arn"]
    grant(aws, name, *statements)
    return arn


def grant(aws, name, *statements):
    """Replace the permissions of a role with these."""
    iam = aws.client("iam")
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="main", PolicyDocument=policy(*statements))
    elif "main" in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName="main")


def role_clients(aws, name, *statements):
    """Create a role and return a function that returns a client of a service with this role."""
    arn = create_role(aws, name, AS_ROOT, *statements)
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
    """Call a method of a client that must fail, and return the error's code and message."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def archive(code):
    """Return the zip file of a function with this code."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("code.py", code)
    return buffer.getvalue()


def create_function(aws, name, *statements, code=ECHO, **options):
    """Create and publish a function with a role of the same name. Return the version's ARN."""
    client = aws.client("lambda")
    client.create_function(
        FunctionName=name,
        Role=create_role(aws, name, trust("lambda"), *statements),
        Runtime="python3.13",
        Handler="code.handler",
        Code={"ZipFile": archive(code)},
        Timeout=20,
        **options,
    )

    return client.publish_version(FunctionName=name)["FunctionArn"]


def invoke(aws, function_arn, event):
    """Invoke a function and return the parsed payload."""
    response = aws.client("lambda").invoke(FunctionName=function_arn, Payload=json.dumps(event))
    return json.loads(response["Payload"].read())


def calling(function_arn):
    """Return a definition that calls one function with the input."""
    return machine(Call={"Type": "Task", "Resource": function_arn, "End": True})


def waiting(seconds):
    """Return a definition that only waits."""
    return machine(Wait=wait(seconds))


def create_machine(aws, name, definition, *statements):
    """Create a state machine with a role of the same name. Return its ARN."""
    role_arn = create_role(
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
    """Start an execution, wait until it has ended, and return it."""
    started = aws.client("stepfunctions").start_execution(
        stateMachineArn=machine_arn, input=json.dumps(document)
    )
    return finished(aws, started["executionArn"])


def finished(aws, execution_arn):
    """Wait until an execution has ended, and return it."""
    client = aws.client("stepfunctions")
    execution = eventually(
        lambda: client.describe_execution(executionArn=execution_arn),
        lambda execution: execution["status"] != "RUNNING",
    )
    execution.pop("ResponseMetadata")
    return execution


def eventually(read, is_enough, seconds=20):
    """Call `read` until its result is enough, and return the result."""
    deadline = time.monotonic() + seconds
    while True:
        result = read()
        if is_enough(result):
            return result
        assert time.monotonic() < deadline, f"still {result} after {seconds} s"
        time.sleep(0.05)


def is_running(pid):
    """Return True if the process is running. A zombie has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def allowing(service, action, source):
    """Return a resource policy that lets a service do an action for the resource `source`."""
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": action,
            "Resource": "*",
            "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }
    )


def create_queue(aws, name):
    """Create a queue. Return its URL and its ARN."""
    url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def received(aws, url, count=1):
    """Wait until this many messages have arrived in a queue, and return them."""
    messages = []

    def receive():
        response = aws.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        messages.extend(response.get("Messages", ()))
        return messages

    return eventually(receive, lambda messages: len(messages) >= count)


def group_arn(group):
    """Return the ARN of a schedule group."""
    return f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{group}"


def create_schedule(
    aws, name, machine_arn, *statements, expression="cron(0 3 ? * SUN *)", **target
):
    """Create a schedule. Its group and its role have the same name. Return its ARN."""
    scheduler = aws.client("scheduler")
    scheduler.create_schedule_group(Name=name)
    role_arn = create_role(
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

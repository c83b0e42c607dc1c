"""Proves that a schedule, a state machine and a function work together, each with its role."""

import json

import pytest
from small_stack import (
    ACCOUNT,
    REGION,
    allow,
    calling,
    create_function,
    create_machine,
    create_schedule,
    finished,
    grant,
)

import emulator

NAME = "whole-way"
CODE = """
import boto3

def handler(event, context):
    groups = boto3.client("personalize").list_dataset_groups()["datasetGroups"]
    boto3.client("s3").put_object(Bucket="whole-way", Key=event["at"], Body=str(len(groups)))
    return {"slot": event["at"]}
"""
SLOT = "2026-11-29T02:00:00Z"
FUNCTION = (
    allow("personalize:ListDatasetGroups"),
    allow("s3:PutObject", f"arn:aws:s3:::{NAME}/*"),
    allow(
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{NAME}-function:*",
    ),
)


@pytest.fixture(scope="module")
def statements(aws):
    """The policy statements of each role of a working pipeline."""
    aws.client("s3").create_bucket(
        Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    code = create_function(aws, f"{NAME}-function", *FUNCTION, code=CODE)
    invokes = allow("lambda:InvokeFunction", code)
    arn = create_machine(aws, f"{NAME}-machine", calling(code), invokes)
    starts = allow("states:StartExecution", arn)
    event = '{"at": "<aws.scheduler.scheduled-time>"}'
    create_schedule(aws, f"{NAME}-schedule", arn, starts, Input=event)
    return {
        f"{NAME}-function": list(FUNCTION),
        f"{NAME}-machine": [invokes],
        f"{NAME}-schedule": [starts],
    }


def run(aws, slot):
    """Fire the schedule for a slot, and return the execution when it has ended."""
    return finished(aws, aws.fire(f"{NAME}-schedule", f"{NAME}-schedule", slot))


@pytest.mark.usefixtures("statements")
def test_each_call_is_made_with_the_role_of_its_caller(aws):
    execution = run(aws, SLOT)
    assert execution["status"] == "SUCCEEDED", execution
    assert json.loads(execution["output"]) == {"slot": SLOT}
    body = aws.client("s3").get_object(Bucket=NAME, Key=SLOT)["Body"].read()
    assert body.isdigit(), "the function wrote the number of groups"
    calls = [
        (call["caller"].split("/")[1], call["action"], call["status"])
        for call in aws.calls()
        if f":assumed-role/{NAME}" in call["caller"]
    ]
    assert calls == [
        (f"{NAME}-schedule", "states:StartExecution", 200),
        (f"{NAME}-function", "personalize:ListDatasetGroups", 200),
        (f"{NAME}-function", "s3:PutObject", 200),
        (f"{NAME}-machine", "lambda:InvokeFunction", 200),
    ], "in the order of the responses"


@pytest.mark.parametrize(
    ("role", "position", "action", "slot"),
    [
        (f"{NAME}-function", 0, "personalize:ListDatasetGroups", "2026-12-01T02:00:00Z"),
        (f"{NAME}-function", 1, "s3:PutObject", "2026-12-02T02:00:00Z"),
        (f"{NAME}-machine", 0, "lambda:InvokeFunction", "2026-12-03T02:00:00Z"),
    ],
)
def test_a_missing_statement_fails_the_execution(  # noqa: PLR0917 - a row of the table
    aws, statements, role, position, action, slot
):
    remaining = [*statements[role][:position], *statements[role][position + 1 :]]
    grant(aws, role, *remaining)
    execution = run(aws, slot)
    grant(aws, role, *statements[role])
    assert execution["status"] == "FAILED"
    assert "AccessDenied" in execution["cause"]
    assert f"{ACCOUNT}:assumed-role/{role}/" in execution["cause"]
    assert f"not authorized to perform: {action}" in execution["cause"]


def test_a_schedule_without_its_statement_starts_nothing(aws, statements):
    role = f"{NAME}-schedule"
    grant(aws, role)
    with pytest.raises(emulator.EmulatorError, match="not authorized to perform: states:Start"):
        run(aws, "2026-12-09T02:00:00Z")
    grant(aws, role, *statements[role])

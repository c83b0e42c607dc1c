"""EventBridge: schedules with their groups, rules with their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.errors import DeploymentError
from emulator.deployer.rows import Created, Row, Rows
from emulator.deployer.translation import TAGS, Request, block, take

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws

DEFAULT = "default"
"""The name of the schedule group and of the event bus that every account has."""


def _schedule_group(request: Request, aws: Aws) -> Created:
    created = aws.call("scheduler", "CreateScheduleGroup", request)
    group = aws.call("scheduler", "GetScheduleGroup", {"Name": request["Name"]})
    return Created(
        str(request["Name"]),
        {
            "arn": created["ScheduleGroupArn"],
            "creationDate": group["CreationDate"].isoformat(),
            "lastModificationDate": group["LastModificationDate"].isoformat(),
            "state": group["State"],
        },
    )


def _schedule(request: Request, aws: Aws) -> Created:
    created = aws.call("scheduler", "CreateSchedule", request)
    group = request.get("GroupName", DEFAULT)
    return Created(
        f"{group}/{request['Name']}",
        {
            "arn": created["ScheduleArn"],
            "groupName": group,
            "state": request.get("State", "ENABLED"),
            "scheduleExpressionTimezone": request.get("ScheduleExpressionTimezone", "UTC"),
        },
    )


def _rule(request: Request, aws: Aws) -> Created:
    created = aws.call("events", "PutRule", request)
    bus = request.get("EventBusName", DEFAULT)
    return Created(
        str(request["Name"]) if bus == DEFAULT else f"{bus}/{request['Name']}",
        {
            "arn": created["RuleArn"],
            "eventBusName": bus,
            "state": request.get("State", "ENABLED"),
        },
    )


def _target(request: Request, aws: Aws) -> Created:
    place = take(request, "Rule", "EventBusName")
    answer = aws.call("events", "PutTargets", {**place, "Targets": [request]})
    if answer["FailedEntryCount"]:
        raise DeploymentError(f"PutTargets: {answer['FailedEntries']}")
    return Created(
        f"{place['Rule']}-{request['Id']}", {"eventBusName": place.get("EventBusName", DEFAULT)}
    )


RETRY_POLICY = block(
    {
        "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds",
        "maximumRetryAttempts": "MaximumRetryAttempts",
    }
)
DEAD_LETTER_CONFIG = block({"arn": "Arn"})

ROWS: Rows = {
    "aws:scheduler/scheduleGroup:ScheduleGroup": Row(
        name=naming.SCHEDULE_GROUP,
        shape={"name": "Name", "tags": ("Tags", TAGS)},
        create=_schedule_group,
    ),
    "aws:scheduler/schedule:Schedule": Row(
        name=naming.SCHEDULE,
        shape={
            "name": "Name",
            "groupName": "GroupName",
            "description": "Description",
            "scheduleExpression": "ScheduleExpression",
            "scheduleExpressionTimezone": "ScheduleExpressionTimezone",
            "startDate": "StartDate",
            "endDate": "EndDate",
            "state": "State",
            "flexibleTimeWindow": (
                "FlexibleTimeWindow",
                block({"mode": "Mode", "maximumWindowInMinutes": "MaximumWindowInMinutes"}),
            ),
            "target": (
                "Target",
                block(
                    {
                        "arn": "Arn",
                        "roleArn": "RoleArn",
                        "input": "Input",
                        "retryPolicy": ("RetryPolicy", RETRY_POLICY),
                        "deadLetterConfig": ("DeadLetterConfig", DEAD_LETTER_CONFIG),
                    }
                ),
            ),
            "kmsKeyArn": "KmsKeyArn",
        },
        create=_schedule,
    ),
    "aws:cloudwatch/eventRule:EventRule": Row(
        name=naming.EVENT_RULE,
        shape={
            "name": "Name",
            "eventBusName": "EventBusName",
            "description": "Description",
            "eventPattern": "EventPattern",
            "scheduleExpression": "ScheduleExpression",
            "roleArn": "RoleArn",
            "state": "State",
            "tags": ("Tags", TAGS),
        },
        create=_rule,
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Row(
        name=naming.EVENT_TARGET,
        name_input="targetId",
        shape={
            "targetId": "Id",
            "rule": "Rule",
            "eventBusName": "EventBusName",
            "arn": "Arn",
            "roleArn": "RoleArn",
            "input": "Input",
            "inputPath": "InputPath",
            "inputTransformer": (
                "InputTransformer",
                block({"inputPaths": "InputPathsMap", "inputTemplate": "InputTemplate"}),
            ),
            "retryPolicy": ("RetryPolicy", RETRY_POLICY),
            "deadLetterConfig": ("DeadLetterConfig", DEAD_LETTER_CONFIG),
        },
        create=_target,
    ),
}

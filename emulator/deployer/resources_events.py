"""EventBridge: schedules with their groups, rules with their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.errors import DeploymentError, GoneError
from emulator.deployer.rows import Change, Found, Patience, Place, Row, Rows, Tagging, unchangeable
from emulator.deployer.translation import DOCUMENT, TAGS, Request, block, take

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws

DEFAULT = "default"
"""The name of the schedule group and of the event bus that every account has."""


def _create_group(request: Request, aws: Aws) -> str:
    aws.call("scheduler", "CreateScheduleGroup", request)
    return str(request["Name"])


def _read_group(place: Place, aws: Aws) -> Found:
    group = aws.call("scheduler", "GetScheduleGroup", {"Name": place.id})
    tags = aws.call("scheduler", "ListTagsForResource", {"ResourceArn": group["Arn"]})["Tags"]
    return Found(
        {"Name": group["Name"], "Tags": tags},
        {
            "arn": group["Arn"],
            "creationDate": group["CreationDate"].isoformat(),
            "lastModificationDate": group["LastModificationDate"].isoformat(),
            "state": group["State"],
        },
    )


def _create_schedule(request: Request, aws: Aws) -> str:
    aws.call("scheduler", "CreateSchedule", request)
    return f"{request.get('GroupName', DEFAULT)}/{request['Name']}"


def _schedule(place: Place) -> Request:
    """Return the parameters that name a schedule."""
    group, _, name = place.id.partition("/")
    return {"GroupName": group, "Name": name}


def _read_schedule(place: Place, aws: Aws) -> Found:
    schedule = aws.call("scheduler", "GetSchedule", _schedule(place))
    return Found(schedule, {"arn": schedule["Arn"], "groupName": schedule["GroupName"]})


def _put_rule(request: Request, aws: Aws) -> str:
    aws.call("events", "PutRule", request)
    bus, name = request["EventBusName"], str(request["Name"])
    return name if bus == DEFAULT else f"{bus}/{name}"


def _rule(place: Place) -> Request:
    """Return the parameters that name a rule."""
    bus, _, name = place.id.rpartition("/")
    return {"EventBusName": bus or DEFAULT, "Name": name}


def _read_rule(place: Place, aws: Aws) -> Found:
    rule = aws.call("events", "DescribeRule", _rule(place))
    tags = aws.call("events", "ListTagsForResource", {"ResourceARN": rule["Arn"]})["Tags"]
    return Found(
        {**rule, **_rule(place), "Tags": tags}, {"arn": rule["Arn"], "state": rule["State"]}
    )


def _update_rule(change: Change, aws: Aws) -> None:
    _put_rule({name: change.new[name] for name in change.new.keys() - {"Tags"}}, aws)


def _rule_arn(identifier: str, aws: Aws) -> str:
    return aws.arn("events", f"rule/{identifier}")


def _put_target(request: Request, aws: Aws) -> str:
    place = take(request, "Rule", "EventBusName")
    answer = aws.call("events", "PutTargets", {**place, "Targets": [request]})
    if answer["FailedEntryCount"]:
        raise DeploymentError(f"PutTargets: {answer['FailedEntries']}")
    names = [place["Rule"], request["Id"]]
    bus = place["EventBusName"]
    return "-".join(map(str, names if bus == DEFAULT else [bus, *names]))


def _read_target(place: Place, aws: Aws) -> Found:
    rule = take(dict(place.request), "Rule", "EventBusName")
    for target in aws.pages("events", "ListTargetsByRule", rule):
        if target["Id"] == place.request["Id"]:
            return Found({**target, **rule})
    raise GoneError(place.id)


def _delete_target(place: Place, aws: Aws, _patience: Patience) -> None:
    rule = take(dict(place.request), "Rule", "EventBusName")
    answer = aws.call("events", "RemoveTargets", {**rule, "Ids": [place.request["Id"]]})
    if answer["FailedEntryCount"]:
        raise DeploymentError(f"RemoveTargets: {answer['FailedEntries']}")


RETRY_POLICY = block(
    {
        "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds",
        "maximumRetryAttempts": "MaximumRetryAttempts",
    }
)
DEAD_LETTER_CONFIG = block({"arn": "Arn"})

ROWS: Rows = {
    # terraform-provider-aws, internal/service/scheduler/schedule_group.go: ForceNew on name.
    "aws:scheduler/scheduleGroup:ScheduleGroup": Row(
        name=naming.SCHEDULE_GROUP,
        shape={"name": "Name", "tags": ("Tags", TAGS)},
        replaces=frozenset({"name"}),
        create=_create_group,
        read=_read_group,
        update=unchangeable,
        delete=lambda place, aws, _: aws.call(
            "scheduler", "DeleteScheduleGroup", {"Name": place.id}
        ),
        tagging=Tagging(
            "scheduler",
            "ResourceArn",
            lambda name, aws: aws.arn("scheduler", f"schedule-group/{name}"),
        ),
        decided=frozenset({"arn", "creationDate", "lastModificationDate", "state"}),
    ),
    # internal/service/scheduler/schedule.go: ForceNew on name and group_name. UpdateSchedule sets
    # what the request leaves out to its default:
    # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
    "aws:scheduler/schedule:Schedule": Row(
        name=naming.SCHEDULE,
        shape={
            "name": "Name",
            "groupName": "GroupName",
            "description": "Description",
            "scheduleExpression": "ScheduleExpression",
            "scheduleExpressionTimezone": "ScheduleExpressionTimezone",
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
        defaults={"state": "ENABLED", "scheduleExpressionTimezone": "UTC"},
        replaces=frozenset({"name", "groupName"}),
        create=_create_schedule,
        read=_read_schedule,
        update=lambda change, aws: aws.call("scheduler", "UpdateSchedule", change.new),
        delete=lambda place, aws, _: aws.call("scheduler", "DeleteSchedule", _schedule(place)),
        decided=frozenset({"arn", "groupName"}),
    ),
    # internal/service/events/rule.go: ForceNew on name and event_bus_name; PutRule updates.
    "aws:cloudwatch/eventRule:EventRule": Row(
        name=naming.EVENT_RULE,
        shape={
            "name": "Name",
            "eventBusName": "EventBusName",
            "description": "Description",
            "eventPattern": ("EventPattern", DOCUMENT),
            "scheduleExpression": "ScheduleExpression",
            "roleArn": "RoleArn",
            "state": "State",
            "tags": ("Tags", TAGS),
        },
        defaults={"eventBusName": DEFAULT},
        replaces=frozenset({"name", "eventBusName"}),
        create=_put_rule,
        read=_read_rule,
        update=_update_rule,
        delete=lambda place, aws, _: aws.call("events", "DeleteRule", _rule(place)),
        tagging=Tagging("events", "ResourceARN", _rule_arn),
        decided=frozenset({"arn", "state"}),
    ),
    # internal/service/events/target.go: ForceNew on rule, event_bus_name and target_id.
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
        defaults={"eventBusName": DEFAULT},
        replaces=frozenset({"rule", "eventBusName", "targetId"}),
        create=_put_target,
        read=_read_target,
        update=lambda change, aws: _put_target(change.new, aws),
        delete=_delete_target,
    ),
}

"""The schedules of EventBridge Scheduler with their groups, and the rules of EventBridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.errors import DeploymentError, GoneError
from emulator.deployer.rows import (
    DeletionLimit,
    Identity,
    Row,
    Rows,
    Snapshot,
    Tagging,
    delete_by_id,
    never_updated,
)
from emulator.deployer.translation import DOCUMENT, TAGS, Request, block, omit_values, pick_values

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws, Response

DEFAULT = "default"
"""The name of the schedule group and of the event bus that every account has."""
RULE_OF_TARGET = ("Rule", "EventBusName")
"""The inputs of a target that identify its rule."""


def _create_group(request: Request, aws: Aws) -> str:
    aws.call("scheduler", "CreateScheduleGroup", request)
    return str(request["Name"])


def _read_group(identity: Identity, aws: Aws) -> Snapshot:
    group = aws.call("scheduler", "GetScheduleGroup", {"Name": identity.id})
    tags = aws.call("scheduler", "ListTagsForResource", {"ResourceArn": group["Arn"]})["Tags"]
    return Snapshot(
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


def _schedule_parameters(identity: Identity) -> Request:
    """Return the parameters that identify a schedule. Its id is `group/name`."""
    group, _, name = identity.id.partition("/")
    return {"GroupName": group, "Name": name}


def _read_schedule(identity: Identity, aws: Aws) -> Snapshot:
    schedule = aws.call("scheduler", "GetSchedule", _schedule_parameters(identity))
    return Snapshot(schedule, {"arn": schedule["Arn"], "groupName": schedule["GroupName"]})


def _put_rule(request: Request, aws: Aws) -> str:
    """Create or update a rule. Return its id, which is `name`, or `bus/name` on another bus."""
    aws.call("events", "PutRule", request)
    bus, name = request["EventBusName"], str(request["Name"])
    return name if bus == DEFAULT else f"{bus}/{name}"


def _rule_parameters(identity: Identity) -> Request:
    """Return the parameters that identify a rule."""
    bus, _, name = identity.id.rpartition("/")
    return {"EventBusName": bus or DEFAULT, "Name": name}


def _read_rule(identity: Identity, aws: Aws) -> Snapshot:
    parameters = _rule_parameters(identity)
    rule = aws.call("events", "DescribeRule", parameters)
    tags = aws.call("events", "ListTagsForResource", {"ResourceARN": rule["Arn"]})["Tags"]
    return Snapshot(
        {**rule, **parameters, "Tags": tags}, {"arn": rule["Arn"], "state": rule["State"]}
    )


def _put_target(request: Request, aws: Aws) -> str:
    """Create or update a target of a rule.

    Return its id, which is `rule-target`, or `bus-rule-target` on another bus than the default.
    """
    rule = pick_values(request, *RULE_OF_TARGET)
    target = omit_values(request, *RULE_OF_TARGET)
    response = aws.call("events", "PutTargets", {**rule, "Targets": [target]})
    _check_entries("PutTargets", response)
    identifier, bus = f"{rule['Rule']}-{target['Id']}", rule["EventBusName"]
    return identifier if bus == DEFAULT else f"{bus}-{identifier}"


def _read_target(identity: Identity, aws: Aws) -> Snapshot:
    rule = pick_values(identity.request, *RULE_OF_TARGET)
    for target in aws.list_items("events", "ListTargetsByRule", rule):
        if target["Id"] == identity.request["Id"]:
            return Snapshot({**target, **rule})
    raise GoneError(identity.id)


def _delete_target(identity: Identity, aws: Aws, _limit: DeletionLimit) -> None:
    rule = pick_values(identity.request, *RULE_OF_TARGET)
    request = {**rule, "Ids": [identity.request["Id"]]}
    _check_entries("RemoveTargets", aws.call("events", "RemoveTargets", request))


def _check_entries(operation: str, response: Response) -> None:
    """Raise DeploymentError if the response reports a target that failed.

    EventBridge returns such a response without an error.
    """
    if response["FailedEntryCount"]:
        raise DeploymentError(f"{operation}: {response['FailedEntries']}")


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
        inputs={"name": "Name", "tags": ("Tags", TAGS)},
        name_rule=naming.SCHEDULE_GROUP,
        create=_create_group,
        read=_read_group,
        computed_outputs=frozenset({"arn", "creationDate", "lastModificationDate", "state"}),
        update=never_updated,
        replacing_inputs=frozenset({"name"}),
        tagging=Tagging(
            "scheduler",
            "ResourceArn",
            lambda name, aws: aws.arn("scheduler", f"schedule-group/{name}"),
        ),
        delete=delete_by_id("scheduler", "DeleteScheduleGroup", "Name"),
    ),
    # internal/service/scheduler/schedule.go: ForceNew on name and group_name. UpdateSchedule sets
    # what the request leaves out to its default:
    # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
    "aws:scheduler/schedule:Schedule": Row(
        inputs={
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
        name_rule=naming.SCHEDULE,
        defaults={"state": "ENABLED", "scheduleExpressionTimezone": "UTC"},
        create=_create_schedule,
        read=_read_schedule,
        computed_outputs=frozenset({"arn", "groupName"}),
        update=lambda change, aws: aws.call("scheduler", "UpdateSchedule", change.request),
        replacing_inputs=frozenset({"name", "groupName"}),
        delete=lambda identity, aws, _limit: aws.call(
            "scheduler", "DeleteSchedule", _schedule_parameters(identity)
        ),
    ),
    # internal/service/events/rule.go: ForceNew on name and event_bus_name. PutRule also updates,
    # but without tags: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
    "aws:cloudwatch/eventRule:EventRule": Row(
        inputs={
            "name": "Name",
            "eventBusName": "EventBusName",
            "description": "Description",
            "eventPattern": ("EventPattern", DOCUMENT),
            "scheduleExpression": "ScheduleExpression",
            "roleArn": "RoleArn",
            "state": "State",
            "tags": ("Tags", TAGS),
        },
        name_rule=naming.EVENT_RULE,
        defaults={"eventBusName": DEFAULT},
        create=_put_rule,
        read=_read_rule,
        computed_outputs=frozenset({"arn", "state"}),
        update=lambda change, aws: _put_rule(omit_values(change.request, "Tags"), aws),
        replacing_inputs=frozenset({"name", "eventBusName"}),
        tagging=Tagging(
            "events",
            "ResourceARN",
            lambda identifier, aws: aws.arn("events", f"rule/{identifier}"),
        ),
        delete=lambda identity, aws, _limit: aws.call(
            "events", "DeleteRule", _rule_parameters(identity)
        ),
    ),
    # internal/service/events/target.go: ForceNew on rule, event_bus_name and target_id.
    "aws:cloudwatch/eventTarget:EventTarget": Row(
        inputs={
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
        name_rule=naming.EVENT_TARGET,
        name_input="targetId",
        defaults={"eventBusName": DEFAULT},
        create=_put_target,
        read=_read_target,
        update=lambda change, aws: _put_target(change.request, aws),
        replacing_inputs=frozenset({"rule", "eventBusName", "targetId"}),
        delete=_delete_target,
    ),
}

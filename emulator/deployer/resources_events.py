"""The schedules of EventBridge Scheduler with their groups, and the rules of EventBridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer.rows import Row, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = r"[0-9a-zA-Z\-_.]+"
DEFAULT = "default"
"""The name of the schedule group and of the event bus that every account has."""


def _id_on_bus(template: str, separator: str) -> Callable[[Mapping[str, object]], str]:
    """Return a function from values to an id, which begins with the bus if it is not the default.

    The template is the rest of the id.
    """

    def identifier(values: Mapping[str, object]) -> str:
        rest, bus = template.format_map(values), values["EventBusName"]
        return rest if bus == DEFAULT else f"{bus}{separator}{rest}"

    return identifier


ROWS: Rows = {
    # terraform-provider-aws, internal/service/scheduler/schedule_group.go
    "aws:scheduler/scheduleGroup:ScheduleGroup": Row(
        service="scheduler",
        operation="CreateScheduleGroup",
        inputs="name tags",
        name_pattern=NAME,
        read="GetScheduleGroup",
        outputs={
            "arn": "Arn",
            "creationDate": "CreationDate",
            "lastModificationDate": "LastModificationDate",
            "state": "State",
        },
        replacing="name",
        delete="DeleteScheduleGroup",
    ),
    # internal/service/scheduler/schedule.go. UpdateSchedule sets what the request leaves out to its
    # default: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
    "aws:scheduler/schedule:Schedule": Row(
        service="scheduler",
        operation="CreateSchedule",
        inputs="name groupName description scheduleExpression scheduleExpressionTimezone state "
        "flexibleTimeWindow target kmsKeyArn",
        name_pattern=NAME,
        defaults={"groupName": DEFAULT, "state": "ENABLED", "scheduleExpressionTimezone": "UTC"},
        id="{GroupName}/{Name}".format_map,
        read="GetSchedule",
        outputs={"arn": "Arn", "groupName": "GroupName"},
        update="UpdateSchedule",
        replacing="name groupName",
        delete="DeleteSchedule",
    ),
    # internal/service/events/rule.go
    "aws:cloudwatch/eventRule:EventRule": Row(
        service="events",
        operation="PutRule",
        inputs="name eventBusName description eventPattern scheduleExpression roleArn state tags",
        documents="eventPattern",
        name_pattern=NAME,
        defaults={"eventBusName": DEFAULT},
        id=_id_on_bus("{Name}", "/"),
        read="DescribeRule",
        outputs={"arn": "Arn", "state": "State"},
        update="PutRule",
        unset={"description": ""},
        replacing="name eventBusName",
        delete="DeleteRule",
    ),
    # internal/service/events/target.go
    "aws:cloudwatch/eventTarget:EventTarget": Row(
        service="events",
        operation="PutTargets",
        inputs="targetId rule eventBusName arn roleArn input inputPath inputTransformer "
        "retryPolicy deadLetterConfig",
        api_names={
            "targetId": "Targets.0.Id",
            "inputTransformer.inputPaths": "InputPathsMap",
            "inputTransformer.inputTemplate": "InputTemplate",
        },
        within="Targets.0",
        name_input="targetId",
        name_pattern=NAME,
        defaults={"eventBusName": DEFAULT},
        id=_id_on_bus("{Rule}-{Id}", "-"),
        read="ListTargetsByRule",
        found_in="Targets",
        unreadable="rule eventBusName",
        update="PutTargets",
        replacing="rule eventBusName targetId",
        delete="RemoveTargets",
    ),
}

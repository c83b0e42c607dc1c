"""The schedule that starts the state machine, with its role and its dead-letter queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from . import iam
from .args import RetrainingPipelineArgs

DAY = 24 * 3600

INPUT = {
    "trigger": "schedule",
    "scheduledTime": "<aws.scheduler.scheduled-time>",
    "scheduleArn": "<aws.scheduler.schedule-arn>",
}
"""The execution's input; Scheduler fills in the context attributes.

Two deliveries of one slot have the same input, and so become one execution; with attempt number or
execution id in it the second would be an error.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""


@dataclass(frozen=True, kw_only=True)
class ScheduleArgs:
    """What the schedule is told."""

    pipeline: RetrainingPipelineArgs
    tags: pulumi.Input[Mapping[str, str]]
    """The tags of every resource."""
    group: aws.scheduler.ScheduleGroup
    state_machine_arn: pulumi.Input[str]
    after: Sequence[pulumi.Resource]
    """What must be there before the first start."""


class Schedule(pulumi.ComponentResource):
    """Starts the state machine at the pipeline's rate; starts that fail for an hour are kept."""

    schedule_arn: pulumi.Output[str]
    """ARN of the EventBridge Scheduler schedule."""

    dead_letter_queue_url: pulumi.Output[str]
    """URL of the SQS queue with the starts that failed, kept for 14 days."""

    def __init__(
        self, name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:Schedule", name, {}, opts)
        pipeline = args.pipeline
        queue = aws.sqs.Queue(
            f"{name}-dead-letters",
            message_retention_seconds=14 * DAY,
            # Its own encryption and a customer's key exclude each other.
            sqs_managed_sse_enabled=True if pipeline.kms_key_arn is None else None,
            kms_master_key_id=pipeline.kms_key_arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        role = aws.iam.Role(
            f"{name}-schedule",
            assume_role_policy=pulumi.Output.json_dumps(args.group.arn.apply(iam.scheduler_trust)),
            permissions_boundary=pipeline.permissions_boundary_arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        policy = aws.iam.RolePolicy(
            f"{name}-schedule",
            role=role.name,
            policy=pulumi.Output.json_dumps(
                pulumi.Output.all(
                    state_machine_arn=args.state_machine_arn,
                    queue_arn=queue.arn,
                    kms_key_arn=pipeline.kms_key_arn,
                ).apply(lambda known: iam.schedule_policy(**known))
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        schedule = aws.scheduler.Schedule(
            f"{name}-schedule",
            group_name=args.group.name,
            schedule_expression=pipeline.schedule_expression,
            schedule_expression_timezone=pipeline.timezone,
            state="DISABLED" if pipeline.paused else "ENABLED",
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": args.state_machine_arn,
                "role_arn": role.arn,
                "input": pulumi.Output.json_dumps(INPUT),
                # An hour, not Scheduler's day: a later start would meet the next day's data.
                "retry_policy": {
                    "maximum_event_age_in_seconds": 3600,
                    "maximum_retry_attempts": 30,
                },
                "dead_letter_config": {"arn": queue.arn},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, *args.after]),
        )
        self.schedule_arn = schedule.arn
        self.dead_letter_queue_url = queue.url
        self.register_outputs(
            {
                "schedule_arn": self.schedule_arn,
                "dead_letter_queue_url": self.dead_letter_queue_url,
            }
        )

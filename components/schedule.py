"""The schedules that start the state machine and that measure the age of the models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from . import iam
from .args import RetrainingPipelineArgs
from .lambda_functions import StepFunction
from .naming import step_name

SECONDS_PER_DAY = 24 * 3600

EXECUTION_INPUT = {
    "trigger": "schedule",
    "scheduledTime": "<aws.scheduler.scheduled-time>",
    "scheduleArn": "<aws.scheduler.schedule-arn>",
}
"""The input of an execution. EventBridge Scheduler fills in the context attributes.

Scheduler may start an execution twice. Both inputs are then equal, so only one execution starts.
With an attempt number or an execution id in the input, the second start would be an error.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""


@dataclass(frozen=True, kw_only=True)
class ScheduleArgs:
    """The arguments of Schedule."""

    pipeline: RetrainingPipelineArgs
    tags: pulumi.Input[Mapping[str, str]]
    """The tags of every resource."""
    group: aws.scheduler.ScheduleGroup
    state_machine_arn: pulumi.Input[str]
    depends_on: Sequence[pulumi.Resource]
    """The resources that must exist before the first execution starts."""


class Schedule(pulumi.ComponentResource):
    """The schedule that starts executions, and the queue of the starts that failed for an hour.

    Scheduler repeats a start that fails for an hour, and then sends it to the queue.
    """

    schedule_arn: pulumi.Output[str]
    """ARN of the EventBridge Scheduler schedule."""

    dead_letter_queue_url: pulumi.Output[str]
    """URL of the SQS queue that keeps failed starts for 14 days."""

    dead_letter_queue_name: pulumi.Output[str]
    """Name of this queue."""

    def __init__(
        self, name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:Schedule", name, {}, opts)
        pipeline = args.pipeline
        queue = aws.sqs.Queue(
            f"{name}-dead-letters",
            message_retention_seconds=14 * SECONDS_PER_DAY,
            # SQS accepts only one of the two: encryption with its own key, or a customer's key.
            sqs_managed_sse_enabled=True if pipeline.kms_key_arn is None else None,
            kms_master_key_id=pipeline.kms_key_arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        policy = pulumi.Output.all(
            state_machine_arn=args.state_machine_arn,
            queue_arn=queue.arn,
            kms_key_arn=pipeline.kms_key_arn,
        ).apply(lambda values: iam.schedule_policy(**values))
        access = iam.role_with_policy(
            f"{name}-schedule",
            trust=args.group.arn.apply(iam.scheduler_trust),
            policy=policy,
            args=pipeline,
            tags=args.tags,
            parent=self,
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
                "role_arn": access.role.arn,
                "input": pulumi.Output.json_dumps(EXECUTION_INPUT),
                # By default, Scheduler retries for a day. Such a late run would import the data of
                # the next day.
                "retry_policy": {
                    "maximum_event_age_in_seconds": 3600,
                    "maximum_retry_attempts": 30,
                },
                "dead_letter_config": {"arn": queue.arn},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[access.policy, *args.depends_on]),
        )
        self.schedule_arn = schedule.arn
        self.dead_letter_queue_url = queue.url
        self.dead_letter_queue_name = queue.name
        self.register_outputs(
            {
                "schedule_arn": self.schedule_arn,
                "dead_letter_queue_url": self.dead_letter_queue_url,
                "dead_letter_queue_name": self.dead_letter_queue_name,
            }
        )


@dataclass(frozen=True, kw_only=True)
class ModelAgeArgs:
    """The arguments of ModelAge."""

    pipeline: RetrainingPipelineArgs
    tags: pulumi.Input[Mapping[str, str]]
    """The tags of every resource."""
    group: aws.scheduler.ScheduleGroup
    state_machine_arn: pulumi.Input[str]
    measure_model_age: StepFunction
    depends_on: Sequence[pulumi.Resource]
    """The policies with which `measure_model_age` reads. They must exist before it is invoked."""


class ModelAge(pulumi.ComponentResource):
    """The schedule that measures every hour how old the models and the data are.

    It also measures while the pipeline is paused, because the models grow older then.
    """

    first_measurement: aws.lambda_.Invocation
    """The measurement during the deployment. An alarm that depends on it has a value when it is
    created, so that a missing value does not ring."""

    def __init__(
        self, name: str, args: ModelAgeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:ModelAge", name, {}, opts)
        measurement_name = step_name(name, "measure_model_age")
        function = args.measure_model_age.function
        event = pulumi.Output.json_dumps({"stateMachineArn": args.state_machine_arn})
        depends_on = [args.measure_model_age.policy, *args.depends_on]
        self.first_measurement = aws.lambda_.Invocation(
            measurement_name,
            function_name=function.name,
            input=event,
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )
        access = iam.role_with_policy(
            f"{name}-model-age",
            trust=args.group.arn.apply(iam.scheduler_trust),
            policy=function.arn.apply(iam.invocation_policy),
            args=args.pipeline,
            tags=args.tags,
            parent=self,
        )
        aws.scheduler.Schedule(
            measurement_name,
            group_name=args.group.name,
            schedule_expression="rate(1 hour)",
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": function.arn,
                "role_arn": access.role.arn,
                "input": event,
                # The next measurement comes after an hour. If one is missing, the alarm counts it
                # as too old, so no dead-letter queue is needed.
                "retry_policy": {
                    "maximum_event_age_in_seconds": 900,
                    "maximum_retry_attempts": 5,
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[access.policy, *depends_on]),
        )
        self.register_outputs({})

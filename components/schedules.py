"""Creates the schedules and event rules that start runs and invoke functions."""

import re
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from . import iam
from .constants import UNSUCCESSFUL_STATUSES
from .context import PipelineContext
from .naming import build_function_name
from .rules.several_settings import build_marker_pattern

SCHEDULED_EXECUTION_INPUT = {
    "trigger": "schedule",
    "scheduledTime": "<aws.scheduler.scheduled-time>",
    "scheduleArn": "<aws.scheduler.schedule-arn>",
}
"""The input of a scheduled execution. EventBridge Scheduler replaces the context attributes:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html

Scheduler may start an execution twice. The second start has no effect if both inputs are equal, so
they must not contain an attempt number or an execution ID.
"""


def create_dead_letter_queue(context: PipelineContext) -> aws.sqs.Queue:
    """Create the queue for runs that the schedule couldn't start within an hour."""
    kms_key_arn = context.args.kms_key_arn

    return aws.sqs.Queue(
        f"{context.name}-dead-letters",
        # SQS keeps messages for at most 14 days.
        message_retention_seconds=14 * 24 * 3600,
        # A queue is encrypted with either SQS's own key or a KMS key.
        sqs_managed_sse_enabled=True if kms_key_arn is None else None,
        kms_master_key_id=kms_key_arn,
        tags=context.tags,
        opts=context.child_options,
    )


def create_schedules(
    context: PipelineContext,
    state_machine_arn: Output[str],
    watch_function: aws.lambda_.Function,
    dead_letter_queue: aws.sqs.Queue,
) -> aws.scheduler.Schedule:
    """Create a schedule for runs and one for `watch_pipeline`, and return the one for runs."""
    args = context.args

    role_arn = iam.create_role(
        context,
        f"{context.name}-schedule",
        "scheduler",
        source_resource=Output.concat("schedule-group/", context.unique_name),
        grants=[
            (["states:StartExecution"], [state_machine_arn]),
            (["lambda:InvokeFunction"], [watch_function.arn]),
            (["sqs:SendMessage"], [dead_letter_queue.arn]),
            # Only a sender who may use the key can send messages to an encrypted queue:
            # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
            (["kms:GenerateDataKey", "kms:Decrypt"], [args.kms_key_arn]),
        ],
    )

    # Pausing the pipeline doesn't stop this schedule, because models still grow old, and a trial
    # may be unfinished.
    aws.scheduler.Schedule(
        build_function_name(context.name, "watch_pipeline"),
        group_name=context.unique_name,
        schedule_expression="rate(15 minutes)",
        flexible_time_window={"mode": "OFF"},
        target={
            "arn": watch_function.arn,
            "role_arn": role_arn,
            "input": Output.json_dumps({"stateMachineArn": state_machine_arn}),
            # A lost call needs no dead-letter queue, because the next one follows in 15 minutes.
            # If ages aren't measured for hours, alarms go off.
            "retry_policy": {"maximum_event_age_in_seconds": 600, "maximum_retry_attempts": 5},
        },
        opts=context.child_options,
    )

    return aws.scheduler.Schedule(
        f"{context.name}-schedule",
        group_name=context.unique_name,
        schedule_expression=args.schedule_expression,
        schedule_expression_timezone=args.timezone,
        state="DISABLED" if args.paused else "ENABLED",
        flexible_time_window={"mode": "OFF"},
        target={
            "arn": state_machine_arn,
            "role_arn": role_arn,
            "input": Output.json_dumps(SCHEDULED_EXECUTION_INPUT),
            # By default, Scheduler retries for a day, and such a late run would import the next
            # day's data.
            "retry_policy": {"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 30},
            "dead_letter_config": {"arn": dead_letter_queue.arn},
        },
        opts=context.child_options,
    )


def create_export_trigger(
    context: PipelineContext, state_machine_arn: Output[str], function: aws.lambda_.Function
) -> None:
    """Invoke `start_on_export` for each object that may be a ready marker.

    This works only if the bucket sends its events to EventBridge, which its owner has to enable:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html
    """
    datasets = context.args.datasets.configured().values()
    ready_markers = [
        dataset.ready_marker for dataset in datasets if dataset.ready_marker is not None
    ]

    _create_event_rule(
        context,
        "start_on_export",
        function,
        description="Ready markers of exports",
        pattern=Output.all(*ready_markers).apply(build_marker_pattern),
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
        event_paths={"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"},
        function_input={"stateMachineArn": state_machine_arn, "bucket": "<bucket>", "key": "<key>"},
        is_enabled=not context.args.paused,
    )


def create_close_run_rule(
    context: PipelineContext,
    state_machine_arn: Output[str],
    function: aws.lambda_.Function,
    notifications: object,
) -> None:
    """Invoke `close_run` after each execution that didn't succeed.

    Most executions report their failure themselves, and then `close_run` does nothing. Its event
    says whom to notify, because an execution may end before its first state adds the settings.
    """
    _create_event_rule(
        context,
        "close_run",
        function,
        description="Executions that may have ended without a report",
        pattern={
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {
                "stateMachineArn": [state_machine_arn],
                "status": UNSUCCESSFUL_STATUSES,
            },
        },
        event_paths={
            "executionArn": "$.detail.executionArn",
            "startDate": "$.detail.startDate",
        },
        function_input={
            "executionArn": "<executionArn>",
            "startDate": "<startDate>",
            "pipeline": context.name,
            "notifications": notifications,
        },
    )


def _create_event_rule(
    context: PipelineContext,
    module: str,
    function: aws.lambda_.Function,
    *,
    description: str,
    pattern: Input[Mapping[str, object]],
    event_paths: Mapping[str, str],
    function_input: Mapping[str, object],
    is_enabled: bool = True,
) -> None:
    """Invoke a Lambda function for each event that matches a pattern.

    The function gets `function_input`, in which each `<key>` is replaced by the part of the event
    at `event_paths[key]`. A call may be missing, because Step Functions sends its events on a
    best-effort basis:
    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    name = build_function_name(context.name, module)
    rule = aws.cloudwatch.EventRule(
        name,
        description=description,
        event_pattern=Output.json_dumps(pattern),
        state="ENABLED" if is_enabled else "DISABLED",
        tags=context.tags,
        opts=context.child_options,
    )
    permission = aws.lambda_.Permission(
        name,
        action="lambda:InvokeFunction",
        function=function.name,
        principal="events.amazonaws.com",
        source_arn=rule.arn,
        opts=context.child_options,
    )

    # EventBridge puts the strings that it inserts in quotes, so the template must not:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    template = Output.json_dumps(function_input).apply(
        lambda text: re.sub(r'"(<\w+>)"', r"\1", text)
    )

    aws.cloudwatch.EventTarget(
        name,
        rule=rule.name,
        arn=function.arn,
        input_transformer={"input_paths": event_paths, "input_template": template},
        opts=pulumi.ResourceOptions(parent=context.component, depends_on=[permission]),
    )

"""Creates the schedules and event rules that start runs and call functions."""

import re
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from . import iam
from .rules.pipeline import marker_pattern
from .shared import Shared, step_name

EXECUTION_INPUT = {
    "trigger": "schedule",
    "scheduledTime": "<aws.scheduler.scheduled-time>",
    "scheduleArn": "<aws.scheduler.schedule-arn>",
}
"""The input of a scheduled execution. EventBridge Scheduler fills in the context attributes.

Scheduler may try to start an execution twice. The second start has no effect, because the inputs
are equal. With an attempt number or an execution id in the input, it would be an error.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""


def create_dead_letter_queue(shared: Shared) -> aws.sqs.Queue:
    """Create the queue for runs that the schedule could not start within an hour."""
    key = shared.args.kms_key_arn

    return aws.sqs.Queue(
        f"{shared.name}-dead-letters",
        message_retention_seconds=14 * 24 * 3600,
        # SQS accepts only one of the two kinds of keys.
        sqs_managed_sse_enabled=True if key is None else None,
        kms_master_key_id=key,
        tags=shared.tags,
        opts=shared.child,
    )


def create_schedules(
    shared: Shared,
    state_machine_arn: pulumi.Output[str],
    watcher: aws.lambda_.Function,
    dead_letters: aws.sqs.Queue,
) -> aws.scheduler.Schedule:
    """Create the schedules that start runs and call the watcher. Return the one that starts runs.

    The watcher is called even while the pipeline is paused, because models still grow older and a
    trial may be open.
    """
    args = shared.args
    role_arn = iam.create_role(
        shared,
        f"{shared.name}-schedule",
        "scheduler",
        source=pulumi.Output.concat("schedule-group/", shared.group.name),
        grants=[
            (["states:StartExecution"], [state_machine_arn]),
            (["lambda:InvokeFunction"], [watcher.arn]),
            (["sqs:SendMessage"], [dead_letters.arn]),
            # A message to an encrypted queue needs the key:
            # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
            (["kms:GenerateDataKey", "kms:Decrypt"], [args.kms_key_arn]),
        ],
    )

    aws.scheduler.Schedule(
        step_name(shared.name, "watch_pipeline"),
        group_name=shared.group.name,
        schedule_expression="rate(15 minutes)",
        flexible_time_window={"mode": "OFF"},
        target={
            "arn": watcher.arn,
            "role_arn": role_arn,
            "input": pulumi.Output.json_dumps({"stateMachineArn": state_machine_arn}),
            # The next call comes after 15 minutes. If calls are missing for hours, alarms count
            # the missing ages as too old, so no dead-letter queue is needed.
            "retry_policy": {"maximum_event_age_in_seconds": 600, "maximum_retry_attempts": 5},
        },
        opts=shared.child,
    )

    return aws.scheduler.Schedule(
        f"{shared.name}-schedule",
        group_name=shared.group.name,
        schedule_expression=args.schedule_expression,
        schedule_expression_timezone=args.timezone,
        state="DISABLED" if args.paused else "ENABLED",
        flexible_time_window={"mode": "OFF"},
        target={
            "arn": state_machine_arn,
            "role_arn": role_arn,
            "input": pulumi.Output.json_dumps(EXECUTION_INPUT),
            # By default, Scheduler retries for a day. A run as late as that would import the next
            # day's data.
            "retry_policy": {"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 30},
            "dead_letter_config": {"arn": dead_letters.arn},
        },
        opts=shared.child,
    )


def start_on_export(
    shared: Shared, state_machine_arn: pulumi.Output[str], function: aws.lambda_.Function
) -> None:
    """Create the rule that calls `start_on_export` for each object that may be a ready marker.

    The bucket has to send its events to EventBridge. The pipeline does not configure this:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html
    """
    datasets = shared.args.datasets.configured().values()
    markers = [dataset.ready_marker for dataset in datasets if dataset.ready_marker is not None]

    _call_on_event(
        shared,
        "start_on_export",
        function,
        description="Ready markers of exports",
        pattern=pulumi.Output.all(*markers).apply(marker_pattern),
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
        event_fields={"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"},
        document={"stateMachineArn": state_machine_arn, "bucket": "<bucket>", "key": "<key>"},
        is_enabled=not shared.args.paused,
    )


def report_unreported_runs(
    shared: Shared,
    state_machine_arn: pulumi.Output[str],
    function: aws.lambda_.Function,
    notifications: object,
) -> None:
    """Create the rule that calls `close_run` after an execution that did not succeed.

    Most FAILED executions have sent a report, so `close_run` does nothing for them. It gets the
    `notifications` of the settings in case the first state has failed.
    """
    fields = ("executionArn", "startDate")

    _call_on_event(
        shared,
        "close_run",
        function,
        description="Executions that may have ended without a report",
        pattern={
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {
                "stateMachineArn": [state_machine_arn],
                "status": ["FAILED", "TIMED_OUT", "ABORTED"],
            },
        },
        event_fields={field: f"$.detail.{field}" for field in fields},
        document={
            **{field: f"<{field}>" for field in fields},
            "pipeline": shared.name,
            "notifications": notifications,
        },
    )


def _call_on_event(
    shared: Shared,
    step: str,
    function: aws.lambda_.Function,
    *,
    description: str,
    pattern: pulumi.Input[Mapping[str, object]],
    event_fields: Mapping[str, str],
    document: Mapping[str, object],
    is_enabled: bool = True,
) -> None:
    """Create a rule that calls the function of a step for each event that matches a pattern.

    The function gets the document, in which EventBridge replaces each `<key>` by the event's field
    at the path `event_fields[key]`. EventBridge does not guarantee that it delivers events:
    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    name = step_name(shared.name, step)
    rule = aws.cloudwatch.EventRule(
        name,
        description=description,
        event_pattern=pulumi.Output.json_dumps(pattern),
        state="ENABLED" if is_enabled else "DISABLED",
        tags=shared.tags,
        opts=shared.child,
    )
    permission = aws.lambda_.Permission(
        name,
        action="lambda:InvokeFunction",
        function=function.name,
        principal="events.amazonaws.com",
        source_arn=rule.arn,
        opts=shared.child,
    )

    # EventBridge itself writes quotes around a text that it fills in:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    template = pulumi.Output.json_dumps(document).apply(
        lambda text: re.sub(r'"(<\w+>)"', r"\1", text)
    )

    aws.cloudwatch.EventTarget(
        name,
        rule=rule.name,
        arn=function.arn,
        input_transformer={"input_paths": event_fields, "input_template": template},
        opts=pulumi.ResourceOptions(parent=shared.component, depends_on=[permission]),
    )

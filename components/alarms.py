"""The alarms of a pipeline as a table: what each of them watches, and what it tells a person."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pulumi
import pulumi_aws as aws

from .args import HOURS_PER_DAY
from .shared import Shared

METRICS_NAMESPACE = "PersonalizeRetraining"
"""The namespace of the metrics in the log of the functions (`functions/metrics.py`)."""
PIPELINE: Literal["Pipeline"] = "Pipeline"
"""The dimension with the name of the pipeline."""
Dimension = Literal["Pipeline", "StateMachineArn", "QueueName"]
NAMESPACES: Mapping[Dimension, str] = {"StateMachineArn": "AWS/States", "QueueName": "AWS/SQS"}
"""Dimension -> the namespace of the metrics that have it, if it is not METRICS_NAMESPACE."""
FIVE_MINUTES, HALF_HOUR, THREE_HOURS = (1, 300), (2, 900), (3, 3600)
"""Numbers of periods, with the seconds of each.

Step Functions, SQS and Lambda publish their metrics each minute. `watch_pipeline` measures every
15 minutes. An alarm looks back at most a day if its period is shorter than an hour:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""
NO_MEASUREMENT = 100_000
"""The age in hours that stands for an hour without a measurement. It is more than any threshold."""

EXPECTED_ERRORS = ("Throttled", "ServiceUnavailable", "RunRefused")
"""The exceptions of `functions/errors.py`. They are retried, or they are a result of the run."""
FUNCTION_ERRORS_PATTERN = (
    '{ ($.errorType = "*" && '
    + " && ".join(f'$.errorType != "{name}"' for name in EXPECTED_ERRORS)
    + ') || $.record.status = "timeout" }'
)
"""The records of the functions' log that count as errors of a function.

Lambda's runtime writes the class of an exception that ends an invocation as `errorType`. The record
of an invocation has the status:
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report"""


class Alarm(NamedTuple):
    """One row of the table of alarms. It rings if each of the last periods is bad."""

    name: str
    """The end of the alarm's name. It is permanent, because it identifies the deployed alarm."""
    metric: str
    text: str
    """What happened, and what to do. It is the beginning of the alarm's description."""
    dimension: Dimension = "Pipeline"
    outcome: str | None = None
    """The value of the dimension `Outcome`, if the metric has it."""
    pattern: str | None = None
    """The filter pattern of the log records that the metric counts. It then has no dimension."""
    kind: Literal["event", "state", "age"] = "event"
    """A state lasts until a person or a run ends it. Then the greatest value of a period counts,
    and not the sum, and the alarm also says that it is over. An age is a state whose threshold is
    `limits.maxModelAgeDays`, and hours without a measurement are bad as well. Any other alarm rings
    at 1, and missing data are good."""
    periods: tuple[int, int] = FIVE_MINUTES
    """The number of periods, and the seconds of each."""
    is_notice: bool = False
    """True if the pipeline did its job, and a person should look at the result."""


ALARMS = (
    Alarm(
        "run-failed",
        "ExecutionsFailed",
        "A run failed. The campaigns serve what they served before, unless the report says "
        "otherwise. Read the report, solve the problem, and start a run with retrain start -s "
        "STACK.",
        dimension="StateMachineArn",
    ),
    Alarm(
        "run-timed-out",
        "ExecutionsTimedOut",
        "A run took longer than all its deadlines together, and Step Functions ended it. Read the "
        "report of close_run, which says what is still running, and start a run with retrain start "
        "-s STACK.",
        dimension="StateMachineArn",
    ),
    Alarm(
        "run-aborted",
        "ExecutionsAborted",
        "A person or a program stopped a run. Its trainings go on, and the next run uses them. If "
        "nobody wanted this, start a run with retrain start -s STACK.",
        dimension="StateMachineArn",
    ),
    Alarm(
        "start-failed",
        "ApproximateNumberOfMessagesVisible",
        "The schedule could not start a run for an hour. The run is missing. Read the message in "
        "the dead-letter queue, which names the error. Correct it, start a run with retrain start "
        "-s STACK, and delete the message.",
        dimension="QueueName",
        kind="state",
    ),
    Alarm(
        "model-too-old",
        "ModelAgeHours",
        "A campaign serves a model that is too old, or nothing has measured its age for 3 hours. "
        "Users get recommendations without the newest items. retrain history -s STACK shows what "
        "the last runs did, and retrain doctor -s STACK shows whether the schedule is enabled. If "
        "the dashboard shows no age, look at the errors of watch_pipeline in the log.",
        kind="age",
        periods=THREE_HOURS,
    ),
    Alarm(
        "data-too-old",
        "DataAgeHours",
        "A dataset has got no new data for too long, or nothing has measured it for 3 hours. Check "
        "the job that writes the exports. Runs without new data are skipped and train nothing.",
        kind="age",
        periods=THREE_HOURS,
    ),
    Alarm(
        "trial-unfinished",
        "UnfinishedTrials",
        "A campaign has a version on trial for more than 5 hours, or cannot be read. The version "
        "may be served although no probe has judged it. Go back at once with retrain rollback -s "
        "STACK. If the campaign cannot be read, the log of watch_pipeline says why.",
        kind="state",
        periods=HALF_HOUR,
    ),
    Alarm(
        "report-undelivered",
        "UndeliveredReports",
        "A message or an event with the report of a run could not be sent. The run itself is not "
        "affected. Read the report with retrain watch -s STACK. Check the SNS topic, its policy "
        "and its key.",
    ),
    Alarm(
        "function-error",
        "FunctionErrors",
        "A function ended with an error that is no result of a run, or exceeded its timeout. The "
        "dashboard lists the errors in the log of the functions. An error of AccessDenied names "
        "the permission that is missing.",
        pattern=FUNCTION_ERRORS_PATTERN,
    ),
    Alarm(
        "version-rejected",
        "Runs",
        "The quality gate rejected a new version. The campaigns keep the previous version. Compare "
        "the metrics in the report, and look at the export of that day.",
        outcome="REJECTED",
        is_notice=True,
    ),
    Alarm(
        "version-rolled-back",
        "Runs",
        "A new version answered badly, and its campaign was moved back to the previous version. "
        "The report has the bad answer. The same version is not deployed again.",
        outcome="ROLLED_BACK",
        is_notice=True,
    ),
)
"""The alarms in the order of the docs. `docs/operations.md` explains each of them."""


def create_alarms(
    shared: Shared,
    settings: Mapping[str, Any],
    *,
    log_group_name: pulumi.Output[str],
    state_machine_arn: pulumi.Output[str],
    dead_letter_queue_name: pulumi.Output[str],
    first_look: pulumi.Resource,
) -> list[pulumi.Output[str]]:
    """Create the alarms and the filters of the log that count for them, and return their ARNs.

    The first ARN is that of the composite alarm. It rings while an alarm that is no notice rings.
    """
    watched: Mapping[Dimension, pulumi.Input[str]] = {
        "StateMachineArn": state_machine_arn,
        "QueueName": dead_letter_queue_name,
    }
    alarms = {}
    for alarm in ALARMS:
        if alarm.pattern is not None:
            aws.cloudwatch.LogMetricFilter(
                f"{shared.name}-{alarm.name}",
                log_group_name=log_group_name,
                pattern=alarm.pattern,
                metric_transformation={
                    "name": alarm.metric,
                    "namespace": _namespace(alarm, shared.name),
                    "value": "1",
                },
                opts=pulumi.ResourceOptions(parent=shared.component),
            )
        alarms[alarm] = aws.cloudwatch.MetricAlarm(
            f"{shared.name}-{alarm.name}",
            aws.cloudwatch.MetricAlarmArgs(
                **alarm_inputs(alarm, shared.name, watched, max_age_hours(settings)),
                alarm_actions=[settings["notifications"]["topicArn"]],
                # The end of an event would only mean that it did not happen again.
                ok_actions=[settings["notifications"]["topicArn"]]
                if alarm.kind != "event"
                else None,
                tags=shared.tags,
            ),
            opts=pulumi.ResourceOptions(
                parent=shared.component,
                depends_on=[first_look] if alarm.kind == "age" else [],
            ),
        )
    names = [created.name for alarm, created in alarms.items() if not alarm.is_notice]
    composite = aws.cloudwatch.CompositeAlarm(
        f"{shared.name}-unhealthy",
        # Pulumi adds no random suffix to this name, and two alarms cannot have the same name.
        alarm_name=pulumi.Output.concat(shared.group.name, "-unhealthy"),
        alarm_rule=pulumi.Output.all(*names).apply(
            lambda known: " OR ".join(f'ALARM("{name}")' for name in known)
        ),
        alarm_description="At least one alarm says that the pipeline does not do its job. It sends "
        "no message itself, because each of its alarms does.",
        tags=shared.tags,
        opts=pulumi.ResourceOptions(parent=shared.component),
    )
    return [composite.arn, *(alarm.arn for alarm in alarms.values())]


def max_age_hours(settings: Mapping[str, Any]) -> float:
    """Return the age in hours at which the alarms about ages ring."""
    return round(float(settings["limits"]["maxModelAgeDays"]) * HOURS_PER_DAY, 2)


def alarm_inputs(
    alarm: Alarm,
    pipeline: str,
    watched: Mapping[Dimension, pulumi.Input[str]],
    max_age_hours: float,
) -> dict[str, Any]:
    """Return the inputs of a MetricAlarm of the pipeline, except its actions and tags.

    `watched` has the values of the dimensions that AWS's metrics have.
    """
    dimensions: dict[str, pulumi.Input[str]] = {}
    if alarm.pattern is None:
        dimensions[alarm.dimension] = {PIPELINE: pipeline, **watched}[alarm.dimension]
    if alarm.outcome is not None:
        dimensions["Outcome"] = alarm.outcome
    periods, seconds = alarm.periods
    metric = {
        "namespace": _namespace(alarm, pipeline),
        "metric_name": alarm.metric,
        # CloudWatch shows no dimensions if there are none, and an empty block would differ from
        # that: each refresh would find a change.
        "dimensions": dimensions or None,
        "period": seconds,
    }
    statistic = "Sum" if alarm.kind == "event" else "Maximum"
    is_age = alarm.kind == "age"
    inputs: dict[str, Any] = {
        "alarm_description": f'{alarm.text} See "Alarms" in docs/operations.md.',
        # An age of exactly the limit is too old already.
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": max_age_hours if is_age else 1,
        "evaluation_periods": periods,
        "treat_missing_data": "breaching" if is_age else "notBreaching",
    }
    if not is_age:
        return {**inputs, **metric, "statistic": statistic}
    return {
        **inputs,
        "metric_queries": [
            {
                "id": "age",
                # An alarm uses older values in place of missing ones, so a measurement that has
                # stopped would be noticed late:
                # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
                "expression": f"FILL(measured, {NO_MEASUREMENT})",
                "label": f"hours, {NO_MEASUREMENT} without a measurement",
                "return_data": True,
            },
            {"id": "measured", "metric": {**metric, "stat": statistic}},
        ],
        # Otherwise a new alarm would ring if CloudWatch evaluated it before the measurement that
        # `pulumi up` makes has arrived:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html
        "warm_up_configuration": {
            "warm_up_period_duration_in_minutes": 90,
            "only_start_evaluating_after_warm_up_period_ends": True,
        },
    }


def _namespace(alarm: Alarm, pipeline: str) -> str:
    """Return the namespace of an alarm's metric.

    A metric filter can take dimensions only from the log records, and the records of Lambda do not
    name the pipeline. So each pipeline has a namespace for what its filters count.
    """
    if alarm.pattern is not None:
        return f"{METRICS_NAMESPACE}/{pipeline}"
    return NAMESPACES.get(alarm.dimension, METRICS_NAMESPACE)

"""Creates the alarms, and the SNS topic for alarms and run reports."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import pulumi_aws as aws
from pulumi import Input, Output

from . import iam
from .args import HOURS_PER_DAY, SECONDS_PER_HOUR
from .constants import (
    CLIENT_ERRORS,
    DATA_AGE_HOURS,
    GUIDE_PAGES,
    INACTIVE_RECOMMENDERS,
    LATENCY,
    METRICS_NAMESPACE,
    MODEL_AGE_HOURS,
    PIPELINE_DIMENSION,
    SERVER_ERRORS,
    UNDELIVERED_REPORTS,
    UNFINISHED_TRIALS,
)
from .context import PipelineContext
from .state_machine.asl import KILLED_ERRORS

NAMESPACE_BY_DIMENSION: Mapping[str, str] = {
    PIPELINE_DIMENSION: METRICS_NAMESPACE,
    "StateMachineArn": "AWS/States",
    "QueueName": "AWS/SQS",
    "CampaignArn": "AWS/Personalize",
}
"""Dimension -> the namespace of its metrics."""

EXPECTED_EXCEPTIONS = ("Throttled", "ServiceUnavailable", "RunRefused")
"""Exceptions that don't count as errors, because they're retried or are the result of a run."""
FUNCTION_ERRORS_PATTERN = (
    '{ ($.errorType = "*" && '
    + " && ".join(f'$.errorType != "{name}"' for name in EXPECTED_EXCEPTIONS)
    + ') || $.record.status = "timeout"'
    + "".join(f' || $.record.errorType = "{name}"' for name in KILLED_ERRORS)
    + " }"
)
"""Which log records count as function errors.

If an exception ends an invocation, Lambda's runtime logs its class as `errorType`. A killed
function logs nothing, so the pattern also matches Lambda's own record of the invocation:
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report

In that record, only timeouts and KILLED_ERRORS count, because an exception like RunRefused is
recorded as Runtime.Unknown (fatalerror.go in
https://github.com/aws/aws-lambda-runtime-interface-emulator)."""


class Alarm(NamedTuple):
    """An alarm that goes off if its metric reaches `threshold` in several periods in a row."""

    name: str
    """The end of the alarm's name. It must never change, because it identifies the alarm."""
    metric: str
    meaning: str
    what_to_do: str
    dimension: str = PIPELINE_DIMENSION
    pattern: str | None = None
    """Which log records to count. Only set for a metric from a log, which has no dimension."""
    threshold: float | None = 1
    """None means `limits.maxModelAgeDays` in hours. The alarm then goes off without data, too."""
    evaluation_periods: int = 1
    period_seconds: int = 5 * 60
    """Step Functions, SQS and Lambda publish metrics every minute, but `watch_pipeline` only every
    15 minutes."""
    statistic: str = "Sum"
    reports_recovery: bool = False
    """True if the problem lasts until somebody solves it. Then the end is worth a message, too."""
    campaign_arn: str = ""
    """The campaign to watch, if the dimension is `CampaignArn`."""


ALARMS = (
    Alarm(
        "run-failed",
        "ExecutionsFailed",
        "A run failed. The campaigns serve what they served before, unless the report says "
        "otherwise.",
        "Read the report with retrain watch -s STACK. It says what failed and what to do.",
        dimension="StateMachineArn",
    ),
    Alarm(
        "run-timed-out",
        "ExecutionsTimedOut",
        "A run took longer than all its deadlines together, and Step Functions ended it.",
        "Read the message about this run, which says what the campaigns serve. Start a run with "
        "retrain start -s STACK if the next one is too late.",
        dimension="StateMachineArn",
    ),
    Alarm(
        "start-failed",
        "ApproximateNumberOfMessagesVisible",
        "The schedule could not start a run for an hour. The run is missing.",
        "retrain doctor -s STACK says what is missing, and the message in the dead-letter queue "
        "names the error. Start a run with retrain start -s STACK, and delete the message.",
        dimension="QueueName",
        reports_recovery=True,
    ),
    Alarm(
        "model-too-old",
        MODEL_AGE_HOURS,
        "A campaign serves a model that is too old, or nothing has measured its age for hours. "
        "Users get recommendations without the newest items.",
        "This can wait until the morning. retrain history -s STACK shows what the last runs did, "
        "and retrain doctor -s STACK shows whether the schedule is enabled and whether something "
        "is missing.",
        threshold=None,
        evaluation_periods=3,
        period_seconds=SECONDS_PER_HOUR,
        reports_recovery=True,
    ),
    Alarm(
        "data-too-old",
        DATA_AGE_HOURS,
        "A dataset has got no new data for too long, or nothing has measured it for hours.",
        "This can wait until the morning. Check the job that writes the exports. If it works, "
        "retrain doctor -s STACK shows what is missing.",
        threshold=None,
        evaluation_periods=3,
        period_seconds=SECONDS_PER_HOUR,
        reports_recovery=True,
    ),
    Alarm(
        "trial-unfinished",
        UNFINISHED_TRIALS,
        "A campaign has a version on trial for more than 5 hours besides its bake, or cannot be "
        "read. The version may be served although no probe has judged it.",
        "Ask the campaign for recommendations. If they are bad, roll it back at once with retrain "
        "rollback -s STACK. retrain doctor -s STACK names the campaign.",
        evaluation_periods=2,
        period_seconds=15 * 60,
        reports_recovery=True,
    ),
    Alarm(
        "recommender-inactive",
        INACTIVE_RECOMMENDERS,
        "A recommender of the dataset group is not ACTIVE, so it answers no requests, or the "
        "recommenders cannot be listed.",
        "retrain status -s STACK names the recommender and its status. Start one that is INACTIVE "
        "with aws personalize start-recommender.",
        evaluation_periods=2,
        period_seconds=15 * 60,
        reports_recovery=True,
    ),
    Alarm(
        "report-undelivered",
        UNDELIVERED_REPORTS,
        "A message or an event with the report of a run could not be sent. The run itself is not "
        "affected.",
        "Read the report with retrain watch -s STACK. Check the SNS topic, its policy and its key.",
    ),
    Alarm(
        "function-error",
        "FunctionErrors",
        "A function ended with an error that is no result of a run, or it was killed because it "
        "took too long or needed too much memory.",
        "retrain doctor -s STACK names a function or a permission that was changed by hand. The "
        "dashboard lists the errors in the log of the functions.",
        pattern=FUNCTION_ERRORS_PATTERN,
    ),
)
"""The alarms of pipelines, in the order of `docs/emergencies.md`. `list_alarms()` leaves those out
whose metric a pipeline lacks."""
METRICS_OF_SOLUTIONS = (MODEL_AGE_HOURS, UNFINISHED_TRIALS)
"""A pipeline without solutions lacks these metrics, and has INACTIVE_RECOMMENDERS instead."""
_build_campaign_alarm = partial(
    Alarm,
    what_to_do="If a version is on trial, the run takes it back. Otherwise ask the campaign for "
    "recommendations, and roll it back with retrain rollback -s STACK if they are bad.",
    dimension="CampaignArn",
    evaluation_periods=2,
    reports_recovery=True,
)
BAKE_ALARMS = (
    _build_campaign_alarm(
        CLIENT_ERRORS, "4xxErrors", "A campaign refused 10 requests in 5 minutes.", threshold=10
    ),
    _build_campaign_alarm(
        SERVER_ERRORS, "5xxErrors", "A campaign failed 10 times in 5 minutes.", threshold=10
    ),
    _build_campaign_alarm(
        LATENCY,
        "Latency",
        "A campaign needed a second for each request.",
        statistic="Average",
        threshold=1000,
    ),
)
"""The alarms that watch a campaign during its bake. Their metrics still need a prefix, the name of
the API operation:
https://docs.aws.amazon.com/personalize/latest/dg/cloudwatch-metrics.html"""


def create_topic(context: PipelineContext) -> Output[str]:
    """Create the SNS topic for reports and alarms, and subscribe the email addresses to it.

    If the arguments name an existing topic, use that instead. Return the topic's ARN.
    """
    notifications = context.args.notifications
    existing_arn = notifications.topic_arn
    if existing_arn is None:
        topic_arn = _create_topic_with_policy(context)
    else:
        # No resource may be created before all arguments have been checked. The tags are known only
        # then, but subscriptions don't have tags, so their topic's ARN has to wait instead.
        topic_arn = context.tags.apply(lambda _: existing_arn)

    for address in dict.fromkeys(notifications.emails):
        # An unconfirmed subscription can't be deleted, but expires after 48 hours:
        # https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html
        aws.sns.TopicSubscription(
            f"{context.name}-{address}",
            topic=topic_arn,
            protocol="email",
            endpoint=address,
            opts=context.child_options,
        )
    return topic_arn


def _create_topic_with_policy(context: PipelineContext) -> Output[str]:
    """Create a topic to which CloudWatch alarms may publish, and return its ARN."""
    topic = aws.sns.Topic(
        context.name,
        # Email clients show it as the sender's name.
        display_name=context.name,
        # CloudWatch can't publish to a topic encrypted with alias/aws/sns:
        # https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
        kms_master_key_id=context.args.kms_key_arn,
        tags=context.tags,
        opts=context.child_options,
    )
    policy = aws.sns.TopicPolicy(
        context.name,
        arn=topic.arn,
        policy=Output.json_dumps(topic.arn.apply(iam.build_topic_policy)),
        opts=context.child_options,
    )

    # The policy's ARN is the topic's. Resources that use it are created after the policy, so every
    # alarm can publish from the start.
    return policy.arn


def create_alarms(
    context: PipelineContext,
    settings: Mapping[str, Any],
    *,
    log_group_name: Output[str],
    dimension_values: Mapping[str, Input[str]],
) -> list[Output[str]]:
    """Create the alarms, with a metric filter for each that counts log records.

    Return the alarms' ARNs.
    """
    topic_arn = settings["notifications"]["topicArn"]
    alarm_arns = []
    for alarm in list_alarms(settings):
        name = f"{context.name}-{alarm.name}"
        inputs = build_alarm_inputs(
            alarm, context.name, dimension_values, compute_max_age_hours(settings)
        )

        if alarm.pattern:
            _create_metric_filter(context, name, alarm, inputs["namespace"], log_group_name)
        if alarm.campaign_arn:
            # Runs find the alarm by its name, so it can't have Pulumi's random suffix.
            inputs["name"] = Output.concat(name, "-", settings["prefix"])

        created = aws.cloudwatch.MetricAlarm(
            name,
            **inputs,
            alarm_actions=[topic_arn],
            # For other alarms, OK only means that the problem hasn't occurred again.
            ok_actions=[topic_arn] if alarm.reports_recovery else None,
            tags=context.tags,
            opts=context.child_options,
        )
        alarm_arns.append(created.arn)

    return alarm_arns


def _create_metric_filter(
    context: PipelineContext,
    name: str,
    alarm: Alarm,
    namespace: str,
    log_group_name: Output[str],
) -> None:
    """Count the log records that match the alarm's pattern, as its metric."""
    aws.cloudwatch.LogMetricFilter(
        name,
        log_group_name=log_group_name,
        pattern=alarm.pattern,
        metric_transformation={"name": alarm.metric, "namespace": namespace, "value": "1"},
        opts=context.child_options,
    )


def list_alarms(settings: Mapping[str, Any]) -> list[Alarm]:
    """List a pipeline's alarms, including those for each campaign whose bake has `createAlarms`."""
    # Nothing publishes a metric of solutions or datasets that the pipeline doesn't have.
    missing_metrics = {INACTIVE_RECOMMENDERS}
    if not settings["solutions"]:
        missing_metrics = {*METRICS_OF_SOLUTIONS}
    if not settings["datasets"]:
        missing_metrics.add(DATA_AGE_HOURS)
    alarms = [alarm for alarm in ALARMS if alarm.metric not in missing_metrics]

    for solution in settings["solutions"]:
        for campaign in solution["campaigns"]:
            bake = campaign["bake"]
            if bake and bake["createAlarms"]:
                alarms += _list_bake_alarms(campaign["campaignArn"], campaign["probe"])
    return alarms


def _list_bake_alarms(campaign_arn: str, probe: Mapping[str, Any] | None) -> list[Alarm]:
    """List the alarms that watch a campaign during its bake.

    Their names contain the campaign's name, by which runs find them.
    """
    operation = "GetRecommendations"
    if probe and probe["inputList"]:
        operation = "GetPersonalizedRanking"

    campaign_name = campaign_arn.rpartition("/")[2]
    return [
        alarm._replace(
            name=f"bake-{campaign_name}-{alarm.name}",
            metric=f"{operation}{alarm.metric}",
            meaning=f"{campaign_arn}: {alarm.meaning}",
            campaign_arn=campaign_arn,
        )
        for alarm in BAKE_ALARMS
    ]


def compute_max_age_hours(settings: Mapping[str, Any]) -> float:
    """Return the age in hours at which the alarms about old models and old data go off."""
    return round(float(settings["limits"]["maxModelAgeDays"]) * HOURS_PER_DAY, 2)


def build_namespace(alarm: Alarm, pipeline_name: str) -> str:
    """Build the CloudWatch namespace of an alarm's metric."""
    namespace = NAMESPACE_BY_DIMENSION[alarm.dimension]
    if alarm.pattern is None:
        return namespace

    # A metric filter takes dimensions only from log records, and Lambda's records don't contain the
    # pipeline's name. So each pipeline has its own namespace for this metric.
    return f"{namespace}/{pipeline_name}"


def build_alarm_inputs(
    alarm: Alarm,
    pipeline_name: str,
    dimension_values: Mapping[str, Input[str]],
    max_age_hours: float,
) -> dict[str, Any]:
    """Build the inputs of a MetricAlarm, except its actions and tags."""
    dimension_value = alarm.campaign_arn or dimension_values[alarm.dimension]
    inputs: dict[str, Any] = {
        "alarm_description": f"{alarm.meaning} {alarm.what_to_do} "
        f"Guide: {GUIDE_PAGES}/emergencies.md#alarms",
        "namespace": build_namespace(alarm, pipeline_name),
        "metric_name": alarm.metric,
        "dimensions": {alarm.dimension: dimension_value},
        "statistic": alarm.statistic,
        "period": alarm.period_seconds,
        "evaluation_periods": alarm.evaluation_periods,
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": alarm.threshold,
        "treat_missing_data": "notBreaching",
    }

    if alarm.threshold is None:
        inputs |= _build_age_inputs(max_age_hours)

    if alarm.pattern is not None:
        # CloudWatch omits missing dimensions, so each refresh would take an empty mapping for a
        # change.
        inputs["dimensions"] = None
    return inputs


def _build_age_inputs(max_age_hours: float) -> dict[str, Any]:
    """Build the inputs in which an alarm about an age differs. It also goes off without data."""
    return {
        "statistic": "Maximum",
        "threshold": max_age_hours,
        "treat_missing_data": "breaching",
        # Without a warm-up, a new alarm would go off before the first measurement:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html
        "warm_up_configuration": {
            "warm_up_period_duration_in_minutes": 90,
            "only_start_evaluating_after_warm_up_period_ends": True,
        },
    }

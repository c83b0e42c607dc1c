"""The tables of alarms, and the topic that gets the alarms and the reports."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import pulumi
import pulumi_aws as aws

from . import iam
from .args import HOURS_PER_DAY
from .shared import Shared
from .state_machine.asl import KILLED_ERRORS

METRICS_NAMESPACE = "PersonalizeRetraining"
"""The namespace of the metrics that the functions write (`functions/metrics.py`)."""
PIPELINE: Literal["Pipeline"] = "Pipeline"
"""The dimension whose value is the name of the pipeline."""
Dimension = Literal["Pipeline", "StateMachineArn", "QueueName", "CampaignArn"]
NAMESPACES: Mapping[Dimension, str] = {
    "Pipeline": METRICS_NAMESPACE,
    "StateMachineArn": "AWS/States",
    "QueueName": "AWS/SQS",
    "CampaignArn": "AWS/Personalize",
}
"""Dimension -> the namespace of the metrics that have it."""
FIVE_MINUTES = 300
QUARTER_HOUR = 900
HOUR = 3600

EXPECTED_ERRORS = ("Throttled", "ServiceUnavailable", "RunRefused")
"""The exceptions of `functions/errors.py` that are retried, or that are a result of the run."""
FUNCTION_ERRORS_PATTERN = (
    '{ ($.errorType = "*" && '
    + " && ".join(f'$.errorType != "{name}"' for name in EXPECTED_ERRORS)
    + ') || $.record.status = "timeout"'
    + "".join(f' || $.record.errorType = "{name}"' for name in KILLED_ERRORS)
    + " }"
)
"""The log records that count as errors of a function.

If an exception ends an invocation, Lambda's runtime writes its class as `errorType`. A function
that is killed cannot write, so only Lambda's own record of the invocation shows it:
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report

Other names do not count there, because an exception like RunRefused is a Runtime.Unknown in that
record (fatalerror.go in https://github.com/aws/aws-lambda-runtime-interface-emulator)."""


class Alarm(NamedTuple):
    """One alarm. It goes off if the metric reaches the threshold in each of the last periods."""

    name: str
    """The end of the alarm's name. It must never change, because it identifies the alarm."""
    metric: str
    meaning: str
    what_to_do: str
    dimension: Dimension = "Pipeline"
    pattern: str | None = None
    """The pattern of the log records that the metric counts. The metric then has no dimension."""
    threshold: float | None = 1
    """None means an age: `limits.maxModelAgeDays` in hours. A missing age counts as too old."""
    periods: int = 1
    period_seconds: int = FIVE_MINUTES
    """Step Functions, SQS and Lambda publish each minute, and `watch_pipeline` measures every 15
    minutes."""
    statistic: str = "Sum"
    has_end: bool = False
    """True if the problem lasts until somebody solves it. The alarm then reports its end too."""
    campaign_arn: pulumi.Input[str] = ""
    """The value of the dimension if this is a campaign."""


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
        has_end=True,
    ),
    Alarm(
        "model-too-old",
        "ModelAgeHours",
        "A campaign serves a model that is too old, or nothing has measured its age for hours. "
        "Users get recommendations without the newest items.",
        "This can wait until the morning. retrain history -s STACK shows what the last runs did, "
        "and retrain doctor -s STACK shows whether the schedule is enabled and whether something "
        "is missing.",
        threshold=None,
        periods=3,
        period_seconds=HOUR,
        has_end=True,
    ),
    Alarm(
        "data-too-old",
        "DataAgeHours",
        "A dataset has got no new data for too long, or nothing has measured it for hours.",
        "This can wait until the morning. Check the job that writes the exports. If it works, "
        "retrain doctor -s STACK shows what is missing.",
        threshold=None,
        periods=3,
        period_seconds=HOUR,
        has_end=True,
    ),
    Alarm(
        "trial-unfinished",
        "UnfinishedTrials",
        "A campaign has a version on trial for more than 5 hours besides its bake, or cannot be "
        "read. The version may be served although no probe has judged it.",
        "Ask the campaign for recommendations. If they are bad, roll it back at once with retrain "
        "rollback -s STACK. retrain plan -s STACK names the campaign.",
        periods=2,
        period_seconds=QUARTER_HOUR,
        has_end=True,
    ),
    Alarm(
        "report-undelivered",
        "UndeliveredReports",
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
"""The alarms in the order of the docs. `docs/operations.md` explains each of them."""
OF_MODELS = ("ModelAgeHours", "UnfinishedTrials")
"""The metrics about solutions and campaigns."""
_of_campaign = partial(
    Alarm,
    what_to_do="If a version is on trial, the run takes it back. Otherwise ask the campaign for "
    "recommendations, and roll it back with retrain rollback -s STACK if they are bad.",
    dimension="CampaignArn",
    periods=2,
    has_end=True,
)
BAKE_ALARMS = (
    _of_campaign("4xx", "4xxErrors", "A campaign refused 10 requests in 5 minutes.", threshold=10),
    _of_campaign("5xx", "5xxErrors", "A campaign failed 10 times in 5 minutes.", threshold=10),
    _of_campaign(
        "latency",
        "Latency",
        "A campaign needed a second for each request.",
        statistic="Average",
        threshold=1000,
    ),
)
"""The alarms for the bake of a campaign. An operation of the API precedes the name of the metric:
https://docs.aws.amazon.com/personalize/latest/dg/cloudwatch-metrics.html"""


def create_topic(shared: Shared) -> pulumi.Output[str]:
    """Create the SNS topic and its e-mail subscriptions, and return the topic's ARN.

    If the arguments name an existing topic, only the subscriptions are created.
    """
    notifications = shared.args.notifications
    if notifications.topic_arn is None:
        topic_arn = _create_own_topic(shared)
    else:
        # Subscriptions have no tags, so the ARN makes them wait for the check of the arguments.
        topic_arn = pulumi.Output.all(notifications.topic_arn, shared.tags).apply(
            lambda both: both[0]
        )

    for address in dict.fromkeys(notifications.emails):
        # SNS cannot delete a subscription that is not confirmed, and forgets it after 48 hours:
        # https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html
        aws.sns.TopicSubscription(
            f"{shared.name}-{address}",
            topic=topic_arn,
            protocol="email",
            endpoint=address,
            opts=shared.child,
        )
    return topic_arn


def _create_own_topic(shared: Shared) -> pulumi.Output[str]:
    topic = aws.sns.Topic(
        shared.name,
        # Mail programs show it as the name of the sender.
        display_name=shared.name,
        # CloudWatch cannot publish to a topic that is encrypted with alias/aws/sns:
        # https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
        kms_master_key_id=shared.args.kms_key_arn,
        tags=shared.tags,
        opts=shared.child,
    )
    policy = aws.sns.TopicPolicy(
        shared.name,
        arn=topic.arn,
        policy=pulumi.Output.json_dumps(topic.arn.apply(iam.topic_policy)),
        opts=shared.child,
    )

    # An alarm with this ARN is created after the policy that lets it publish.
    return policy.arn


def create_alarms(
    shared: Shared,
    settings: Mapping[str, Any],
    *,
    log_group_name: pulumi.Output[str],
    dimension_values: Mapping[Dimension, pulumi.Input[str]],
) -> list[pulumi.Output[str]]:
    """Create the alarms and the log filter of one of them. Return the ARNs of the alarms."""
    topic_arn = settings["notifications"]["topicArn"]
    arns = []
    for alarm in alarms_of(settings):
        inputs = alarm_inputs(alarm, shared.name, dimension_values, max_age_hours(settings))

        if alarm.pattern is not None:
            aws.cloudwatch.LogMetricFilter(
                f"{shared.name}-{alarm.name}",
                log_group_name=log_group_name,
                pattern=alarm.pattern,
                metric_transformation={
                    "name": alarm.metric,
                    "namespace": inputs["namespace"],
                    "value": "1",
                },
                opts=shared.child,
            )

        if alarm.campaign_arn:
            # It isn't left to Pulumi, because runs find the alarm by this name.
            prefix = f"{shared.name}-{alarm.name}-"
            inputs["name"] = pulumi.Output.concat(prefix, settings["prefix"])
            inputs["alarm_description"] = pulumi.Output.concat(
                alarm.campaign_arn, ": ", inputs["alarm_description"]
            )

        created = aws.cloudwatch.MetricAlarm(
            f"{shared.name}-{alarm.name}",
            aws.cloudwatch.MetricAlarmArgs(
                **inputs,
                alarm_actions=[topic_arn],
                # Without an end, OK would only mean that it did not happen again.
                ok_actions=[topic_arn] if alarm.has_end else None,
                tags=shared.tags,
            ),
            opts=shared.child,
        )
        arns.append(created.arn)

    return arns


def alarms_of(settings: Mapping[str, Any]) -> list[Alarm]:
    """Return the alarms of a pipeline, with three for each campaign whose bake has `createAlarms`.

    A pipeline without solutions has no alarms about models. The name of an alarm contains the
    name of its campaign, by which `deploy_version` finds it.
    """
    alarms = [alarm for alarm in ALARMS if settings["solutions"] or alarm.metric not in OF_MODELS]

    campaigns = [item for solution in settings["solutions"] for item in solution["campaigns"]]
    for campaign in campaigns:
        bake = campaign["bake"]
        if not bake or not bake["createAlarms"]:
            continue

        arn = campaign["campaignArn"]
        probe = campaign["probe"]
        is_ranking = probe and probe["inputList"]
        operation = "GetPersonalizedRanking" if is_ranking else "GetRecommendations"
        alarms += [
            alarm._replace(
                name=f"bake-{arn.rpartition('/')[2]}-{alarm.name}",
                metric=f"{operation}{alarm.metric}",
                campaign_arn=arn,
            )
            for alarm in BAKE_ALARMS
        ]
    return alarms


def max_age_hours(settings: Mapping[str, Any]) -> float:
    """Return the age in hours at which the alarms about ages go off."""
    return round(float(settings["limits"]["maxModelAgeDays"]) * HOURS_PER_DAY, 2)


def alarm_inputs(
    alarm: Alarm,
    pipeline: str,
    dimension_values: Mapping[Dimension, pulumi.Input[str]],
    max_age_hours: float,
) -> dict[str, Any]:
    """Return the inputs of a MetricAlarm, except its actions and tags."""
    inputs: dict[str, Any] = {
        "alarm_description": f"{alarm.meaning} {alarm.what_to_do} "
        'See "Alarms" in docs/operations.md.',
        "namespace": NAMESPACES[alarm.dimension],
        "metric_name": alarm.metric,
        "dimensions": {alarm.dimension: alarm.campaign_arn or dimension_values[alarm.dimension]},
        "statistic": alarm.statistic,
        "period": alarm.period_seconds,
        "evaluation_periods": alarm.periods,
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": alarm.threshold,
        "treat_missing_data": "notBreaching",
    }

    if alarm.threshold is None:
        inputs |= {
            "statistic": "Maximum",
            "threshold": max_age_hours,
            "treat_missing_data": "breaching",
            # Otherwise a new alarm would go off before the first measurement:
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html
            "warm_up_configuration": {
                "warm_up_period_duration_in_minutes": 90,
                "only_start_evaluating_after_warm_up_period_ends": True,
            },
        }

    if alarm.pattern is not None:
        # A log filter takes dimensions only from the records, and Lambda's records do not name the
        # pipeline. So the metric of each pipeline has its own namespace.
        inputs["namespace"] += f"/{pipeline}"

        # CloudWatch returns no dimensions if there are none. If the input were an empty mapping,
        # each refresh would find a change.
        inputs["dimensions"] = None
    return inputs

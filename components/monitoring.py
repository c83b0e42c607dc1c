"""The topic of the messages, the alarms, the dashboard, and the rule that calls `close_run`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from . import iam
from .alarms import (
    ALARMS,
    UNHEALTHY,
    UNHEALTHY_DESCRIPTION,
    Watched,
    alarm_inputs,
    metric_namespace,
)
from .args import HOURS_PER_DAY, NotificationsArgs, RetrainingPipelineArgs, resolved
from .dashboard import DashboardView, dashboard_body
from .lambda_functions import StepFunction
from .naming import step_name
from .rules.arns import Home

UNREPORTED_STATUSES = ["FAILED", "TIMED_OUT", "ABORTED"]
"""The statuses of executions that may have ended without a report.

Most FAILED executions have sent a report, and `close_run` does nothing for them.
"""


@dataclass(frozen=True, kw_only=True)
class NotificationTopicArgs:
    """The arguments of Notifications."""

    notifications: NotificationsArgs
    kms_key_arn: pulumi.Input[str] | None
    """The key of the topic, or None for a topic without encryption at rest."""
    tags: pulumi.Output[Mapping[str, str]]
    """The tags of every resource."""


class Notifications(pulumi.ComponentResource):
    """The SNS topic of the reports and the alarms, and the subscriptions of the addresses.

    If the arguments name a topic of the user, only the subscriptions are created. The functions
    publish to the topic, so it is created before them.
    """

    topic_arn: pulumi.Output[str]
    """ARN of the topic of the pipeline or of the user."""

    def __init__(
        self, name: str, args: NotificationTopicArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:Notifications", name, {}, opts)
        topic_arn = args.notifications.topic_arn
        if topic_arn is None:
            self.topic_arn = self._create_topic(name, args)
        else:
            # Subscriptions have no tags, and have to wait for the check behind the tags as well.
            self.topic_arn = pulumi.Output.all(topic_arn, args.tags).apply(lambda both: both[0])
        for address in args.notifications.emails:
            # SNS cannot delete a subscription that is not confirmed, and forgets it after 48 hours:
            # https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html
            aws.sns.TopicSubscription(
                f"{name}-{address}",
                topic=self.topic_arn,
                protocol="email",
                endpoint=address,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"topic_arn": self.topic_arn})

    def _create_topic(self, name: str, args: NotificationTopicArgs) -> pulumi.Output[str]:
        """Create the topic and its policy, and return the ARN of the topic."""
        topic = aws.sns.Topic(
            name,
            # Mail programs show it as the name of the sender.
            display_name=name,
            # CloudWatch cannot publish to a topic with the key of AWS, alias/aws/sns:
            # https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
            kms_master_key_id=args.kms_key_arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        policy = aws.sns.TopicPolicy(
            name,
            arn=topic.arn,
            policy=pulumi.Output.json_dumps(topic.arn.apply(iam.topic_policy)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return policy.arn


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """The arguments of Monitoring."""

    pipeline: RetrainingPipelineArgs
    home: pulumi.Output[Home]
    tags: pulumi.Input[Mapping[str, str]]
    """The tags of every resource."""
    unique_name: pulumi.Output[str]
    """A name that no other pipeline of the account and region has. It begins with the name of the
    component. The dashboard has this name, and the name of the composite alarm begins with it."""
    topic_arn: pulumi.Output[str]
    """The topic that the alarms notify."""
    log_group_name: pulumi.Output[str]
    """The log group of the functions."""
    state_machine_arn: pulumi.Output[str]
    notifications: Mapping[str, object]
    """The settings about reports. `close_run` needs them if the state machine was deleted."""
    dead_letter_queue_name: pulumi.Output[str]
    close_run: StepFunction
    close_run_policy: aws.iam.RolePolicy
    """The policy with which `close_run` reads executions. It must exist before the first event."""
    first_measurement: pulumi.Resource
    """The first measurement of the ages. It must exist before the alarms about the ages."""


class Monitoring(pulumi.ComponentResource):
    """The alarms and the dashboard of a pipeline, and the rule that calls `close_run`."""

    def __init__(
        self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:Monitoring", name, {}, opts)
        self._call_close_run(name, args)
        self._count_log_records(name, args)
        alarms = self._create_alarms(name, args)
        unhealthy = self._create_composite_alarm(name, args, alarms)
        self._create_dashboard(name, args, [unhealthy.arn, *(alarm.arn for alarm in alarms)])
        self.register_outputs({})

    def _call_close_run(self, name: str, args: MonitoringArgs) -> None:
        """Create a rule that calls `close_run` after an execution that did not succeed.

        EventBridge does not guarantee that it delivers these events:
        https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
        """
        rule_name = step_name(name, "close_run")
        rule = aws.cloudwatch.EventRule(
            rule_name,
            description="Executions that may have ended without a report",
            event_pattern=pulumi.Output.json_dumps(
                {
                    "source": ["aws.states"],
                    "detail-type": ["Step Functions Execution Status Change"],
                    "detail": {
                        "stateMachineArn": [args.state_machine_arn],
                        "status": UNREPORTED_STATUSES,
                    },
                }
            ),
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        permission = aws.lambda_.Permission(
            rule_name,
            action="lambda:InvokeFunction",
            function=args.close_run.function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            rule_name,
            rule=rule.name,
            arn=args.close_run.function.arn,
            input_transformer=_close_run_input(name, args.notifications),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[permission, args.close_run_policy]
            ),
        )

    def _count_log_records(self, name: str, args: MonitoringArgs) -> None:
        """Create the filters that count the log records of the alarms with a pattern."""
        for alarm in ALARMS:
            if alarm.pattern is not None:
                aws.cloudwatch.LogMetricFilter(
                    f"{name}-{alarm.name}",
                    log_group_name=args.log_group_name,
                    pattern=alarm.pattern,
                    metric_transformation={
                        "name": alarm.metric,
                        "namespace": metric_namespace(alarm, _watched(name, args)),
                        "value": "1",
                    },
                    opts=pulumi.ResourceOptions(parent=self),
                )

    def _create_alarms(self, name: str, args: MonitoringArgs) -> list[aws.cloudwatch.MetricAlarm]:
        """Create an alarm for each row of ALARMS. It notifies the topic.

        An alarm about a state also notifies when it is over. After an event that would only mean
        that the event did not happen again.
        """
        # The topic is known once its policy lets alarms publish.
        actions = [args.topic_arn]
        return [
            aws.cloudwatch.MetricAlarm(
                f"{name}-{alarm.name}",
                aws.cloudwatch.MetricAlarmArgs(
                    **alarm_inputs(
                        alarm, _watched(name, args), max_age_hours=_max_age_hours(args.pipeline)
                    ),
                    alarm_actions=actions,
                    ok_actions=actions if alarm.is_state else None,
                    tags=args.tags,
                ),
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[args.first_measurement] if alarm.is_age else []
                ),
            )
            for alarm in ALARMS
        ]

    def _create_composite_alarm(
        self, name: str, args: MonitoringArgs, alarms: Sequence[aws.cloudwatch.MetricAlarm]
    ) -> aws.cloudwatch.CompositeAlarm:
        """Create the alarm that rings while one of the alarms with severity `unhealthy` rings."""
        names = [
            created.name
            for alarm, created in zip(ALARMS, alarms, strict=True)
            if alarm.severity == "unhealthy"
        ]
        rule = pulumi.Output.all(*names).apply(
            lambda known: " OR ".join(f'ALARM("{alarm_name}")' for alarm_name in known)
        )
        return aws.cloudwatch.CompositeAlarm(
            f"{name}-{UNHEALTHY}",
            # Pulumi adds no random suffix to this name, and two alarms cannot have the same name.
            alarm_name=pulumi.Output.concat(args.unique_name, "-", UNHEALTHY),
            alarm_rule=rule,
            alarm_description=UNHEALTHY_DESCRIPTION,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _create_dashboard(
        self, name: str, args: MonitoringArgs, alarm_arns: Sequence[pulumi.Output[str]]
    ) -> None:
        """Create the dashboard. Its name is unique, because PutDashboard replaces any other."""

        def body(values: Mapping[str, Any]) -> dict[str, object]:
            pipeline: RetrainingPipelineArgs = values["pipeline"]
            view = DashboardView(
                pipeline=name,
                home=Home(*values["home"]),
                state_machine_arn=values["state_machine_arn"],
                log_group=values["log_group"],
                alarm_arns=values["alarm_arns"],
                max_age_hours=_max_age_hours(pipeline),
                dataset_types=[*pipeline.datasets.configured()],
                solutions=[
                    str(solution.solution_arn).rpartition("/")[2] for solution in pipeline.solutions
                ],
            )
            return dashboard_body(view)

        known = pulumi.Output.all(
            pipeline=resolved(args.pipeline),
            home=args.home,
            state_machine_arn=args.state_machine_arn,
            log_group=args.log_group_name,
            alarm_arns=alarm_arns,
        )
        aws.cloudwatch.Dashboard(
            name,
            dashboard_name=args.unique_name,
            dashboard_body=pulumi.Output.json_dumps(known.apply(body)),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _watched(name: str, args: MonitoringArgs) -> Watched:
    """Return the resources that the alarms of the pipeline `name` watch."""
    return Watched(
        pipeline=name,
        state_machine_arn=args.state_machine_arn,
        dead_letter_queue_name=args.dead_letter_queue_name,
    )


def _max_age_hours(pipeline: RetrainingPipelineArgs) -> float:
    """Return the age in hours at which the alarms about ages ring."""
    return round(pipeline.max_model_age_days * HOURS_PER_DAY, 2)


def _close_run_input(
    name: str, notifications: Mapping[str, object]
) -> aws.cloudwatch.EventTargetInputTransformerArgs:
    """Return what `close_run` gets: the execution, and where to send its report.

    EventBridge puts the quotes around a text:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    fields = ("executionArn", "startDate", "stopDate")
    detail = ", ".join(f'"{field}": <{field}>' for field in fields)
    settings = pulumi.Output.json_dumps({"pipeline": name, "notifications": notifications})
    return aws.cloudwatch.EventTargetInputTransformerArgs(
        input_paths={field: f"$.detail.{field}" for field in fields},
        input_template=settings.apply(lambda text: f'{{"detail": {{{detail}}}, {text[1:]}'),
    )

"""The topic of the messages, and the rule that reports runs that ended without a report."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from . import iam
from .args import NotificationsArgs
from .lambda_functions import StepFunction
from .naming import step_name

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

    tags: pulumi.Input[Mapping[str, str]]
    """The tags of every resource."""
    state_machine_arn: pulumi.Output[str]
    notifications: Mapping[str, object]
    """The settings about reports, with which a run is reported whose state machine was deleted."""
    close_run: StepFunction
    close_run_policy: aws.iam.RolePolicy
    """The policy with which `close_run` reads executions. It must exist before the first event."""


class Monitoring(pulumi.ComponentResource):
    """A rule that calls `close_run` for each execution that failed, timed out or was aborted.

    EventBridge does not guarantee that it delivers these events:
    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """

    def __init__(
        self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:Monitoring", name, {}, opts)
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
        self.register_outputs({})


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

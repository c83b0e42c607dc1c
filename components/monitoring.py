"""The topic of the reports and the alarms, and the rule that calls `close_run`."""

import pulumi
import pulumi_aws as aws

from . import iam
from .lambda_functions import call_on_event
from .shared import Shared


def create_topic(shared: Shared) -> pulumi.Output[str]:
    """Create the SNS topic and the subscriptions of the addresses, and return the topic's ARN.

    If the arguments name a topic of the user, only the subscriptions are created.
    """
    notifications = shared.args.notifications
    if notifications.topic_arn is None:
        topic = aws.sns.Topic(
            shared.name,
            # Mail programs show it as the name of the sender.
            display_name=shared.name,
            # CloudWatch cannot publish to a topic with the key of AWS, alias/aws/sns:
            # https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
            kms_master_key_id=shared.args.kms_key_arn,
            tags=shared.tags,
            opts=pulumi.ResourceOptions(parent=shared.component),
        )
        policy = aws.sns.TopicPolicy(
            shared.name,
            arn=topic.arn,
            policy=pulumi.Output.json_dumps(topic.arn.apply(iam.topic_policy)),
            opts=pulumi.ResourceOptions(parent=shared.component),
        )
        # An alarm that has this ARN waits for the policy, so it may publish.
        topic_arn = policy.arn
    else:
        # Subscriptions have no tags, and have to wait for the check behind the tags as well.
        topic_arn = pulumi.Output.all(notifications.topic_arn, shared.tags).apply(
            lambda both: both[0]
        )
    for address in notifications.emails:
        # SNS cannot delete a subscription that is not confirmed, and forgets it after 48 hours:
        # https://docs.aws.amazon.com/sns/latest/dg/sns-delete-subscription-topic.html
        aws.sns.TopicSubscription(
            f"{shared.name}-{address}",
            topic=topic_arn,
            protocol="email",
            endpoint=address,
            opts=pulumi.ResourceOptions(parent=shared.component),
        )
    return topic_arn


def report_unreported_runs(
    shared: Shared,
    state_machine_arn: pulumi.Output[str],
    function: aws.lambda_.Function,
    notifications: object,
) -> None:
    """Create the rule that calls `close_run` after an execution that did not succeed.

    Most FAILED executions have sent a report, and `close_run` does nothing for them.
    `notifications` are the settings about reports. The function needs them if the state machine was
    deleted.
    """
    fields = ("executionArn", "startDate", "stopDate")
    call_on_event(
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
            "detail": {field: f"<{field}>" for field in fields},
            "pipeline": shared.name,
            "notifications": notifications,
        },
    )

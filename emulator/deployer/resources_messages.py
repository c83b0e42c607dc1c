"""The queues of SQS, and the topics of SNS with their policies and subscriptions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from emulator.deployer.rows import Resource, Row, Rows, TagCalls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws

NAME = r"[A-Za-z0-9_-]+"


def _set_attributes(operation: str, resource: Resource, aws: Aws) -> None:
    """Set the attributes of a topic or subscription, each with a call."""
    attributes = cast("Mapping[str, object]", resource.values.get("Attributes", {}))
    for name, value in attributes.items():
        attribute = {"AttributeName": name, "AttributeValue": value}
        aws.call("sns", operation, {**resource.values, **attribute})


ROWS: Rows = {
    # terraform-provider-aws, internal/service/sqs/queue.go
    "aws:sqs/queue:Queue": Row(
        service="sqs",
        operation="CreateQueue",
        inputs="name delaySeconds kmsDataKeyReusePeriodSeconds kmsMasterKeyId maxMessageSize "
        "messageRetentionSeconds policy receiveWaitTimeSeconds redriveAllowPolicy redrivePolicy "
        "sqsManagedSseEnabled visibilityTimeoutSeconds tags",
        api_names={
            "name": "QueueName",
            "maxMessageSize": "Attributes.MaximumMessageSize",
            "messageRetentionSeconds": "Attributes.MessageRetentionPeriod",
            "receiveWaitTimeSeconds": "Attributes.ReceiveMessageWaitTimeSeconds",
            "visibilityTimeoutSeconds": "Attributes.VisibilityTimeout",
        },
        within="Attributes",
        documents="policy redriveAllowPolicy redrivePolicy",
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
        name_pattern=NAME,
        longest_name=80,
        defaults={
            "delaySeconds": 0,
            "messageRetentionSeconds": 345600,
            "receiveWaitTimeSeconds": 0,
            "visibilityTimeoutSeconds": 30,
        },
        constants={"AttributeNames": ["All"]},
        id_parameter="QueueUrl",
        read="GetQueueAttributes",
        unreadable="name",
        outputs={"arn": "Attributes.QueueArn", "url": "QueueUrl"},
        update="SetQueueAttributes",
        unset={
            "kmsMasterKeyId": "",
            "policy": "",
            "redriveAllowPolicy": "",
            "redrivePolicy": "",
            "sqsManagedSseEnabled": False,
        },
        replacing="name",
        tag_calls=TagCalls("TagQueue", "UntagQueue", "ListQueueTags"),
        delete="DeleteQueue",
    ),
    # internal/service/sns/topic.go
    "aws:sns/topic:Topic": Row(
        service="sns",
        operation="CreateTopic",
        inputs="name deliveryPolicy displayName kmsMasterKeyId policy signatureVersion "
        "tracingConfig tags",
        within="Attributes",
        documents="deliveryPolicy policy",
        # https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
        name_pattern=NAME,
        longest_name=256,
        id_parameter="TopicArn",
        read="GetTopicAttributes",
        unreadable="name",
        outputs={
            "arn": "TopicArn",
            "beginningArchiveTime": "Attributes.BeginningArchiveTime",
            "owner": "Attributes.Owner",
        },
        update=partial(_set_attributes, "SetTopicAttributes"),
        unset={"deliveryPolicy": "", "displayName": "", "kmsMasterKeyId": ""},
        replacing="name",
        delete="DeleteTopic",
    ),
    # internal/service/sns/topic_policy.go. A policy is deleted with its topic.
    "aws:sns/topicPolicy:TopicPolicy": Row(
        service="sns",
        operation="SetTopicAttributes",
        inputs="arn policy",
        api_names={"arn": "TopicArn", "policy": "AttributeValue"},
        documents="policy",
        constants={"AttributeName": "Policy"},
        id="{TopicArn}".format_map,
        read="GetTopicAttributes",
        read_names={"policy": "Attributes.Policy"},
        unreadable="arn",
        outputs={"owner": "Attributes.Owner"},
        update="SetTopicAttributes",
        replacing="arn",
        delete=None,
    ),
    # internal/service/sns/topic_subscription.go
    "aws:sns/topicSubscription:TopicSubscription": Row(
        service="sns",
        operation="Subscribe",
        inputs="topic protocol endpoint filterPolicy filterPolicyScope rawMessageDelivery "
        "redrivePolicy",
        api_names={"topic": "TopicArn"},
        within="Attributes",
        documents="filterPolicy redrivePolicy",
        defaults={"rawMessageDelivery": False},
        constants={"ReturnSubscriptionArn": True},
        id_parameter="SubscriptionArn",
        read="GetSubscriptionAttributes",
        unreadable="topic protocol endpoint",
        outputs={
            "arn": "SubscriptionArn",
            "confirmationWasAuthenticated": "Attributes.ConfirmationWasAuthenticated",
            "ownerId": "Attributes.Owner",
            "pendingConfirmation": "Attributes.PendingConfirmation",
        },
        update=partial(_set_attributes, "SetSubscriptionAttributes"),
        # https://docs.aws.amazon.com/sns/latest/dg/message-filtering-policy-remove.html
        unset={"filterPolicy": "{}", "filterPolicyScope": "", "redrivePolicy": ""},
        replacing="topic protocol endpoint",
        delete="Unsubscribe",
    ),
}

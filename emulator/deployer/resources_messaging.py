"""SQS and SNS: queues, topics, their policies, and subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.rows import Created, Row, Rows
from emulator.deployer.translation import TAGS, Request, document, take, text

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws


def _queue(request: Request, aws: Aws) -> Created:
    outside = take(request, "QueueName", "tags")  # all else is an attribute
    url = aws.call("sqs", "CreateQueue", {**outside, "Attributes": request})["QueueUrl"]
    answer = aws.call("sqs", "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["All"]})
    attributes = answer["Attributes"]
    return Created(
        url,
        {
            "url": url,
            "arn": attributes["QueueArn"],
            "visibilityTimeoutSeconds": int(attributes["VisibilityTimeout"]),
            "messageRetentionSeconds": int(attributes["MessageRetentionPeriod"]),
        },
    )


def _queue_policy(request: Request, aws: Aws) -> Created:
    url = request.pop("QueueUrl")
    aws.call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": request})
    return Created(str(url))


def _topic(request: Request, aws: Aws) -> Created:
    outside = take(request, "Name", "Tags")  # all else is an attribute
    arn = aws.call("sns", "CreateTopic", {**outside, "Attributes": request})["TopicArn"]
    return Created(arn, {"arn": arn, "owner": aws.account, "beginningArchiveTime": ""})


def _topic_policy(request: Request, aws: Aws) -> Created:
    arn = request["TopicArn"]
    for name in request.keys() - {"TopicArn"}:
        aws.call(
            "sns",
            "SetTopicAttributes",
            {"TopicArn": arn, "AttributeName": name, "AttributeValue": request[name]},
        )
    return Created(str(arn), {"owner": aws.account})


def _subscription(request: Request, aws: Aws) -> Created:
    outside = take(request, "TopicArn", "Protocol", "Endpoint")
    answer = aws.call(
        "sns", "Subscribe", {**outside, "Attributes": request, "ReturnSubscriptionArn": True}
    )
    arn = answer["SubscriptionArn"]
    found = aws.call("sns", "GetSubscriptionAttributes", {"SubscriptionArn": arn})["Attributes"]
    return Created(
        arn,
        {
            "arn": arn,
            "ownerId": aws.account,
            "pendingConfirmation": found.get("PendingConfirmation") == "true",
            "confirmationWasAuthenticated": found.get("ConfirmationWasAuthenticated") == "true",
        },
    )


ROWS: Rows = {
    "aws:sqs/queue:Queue": Row(
        name=naming.QUEUE,
        shape={
            "name": "QueueName",
            "delaySeconds": ("DelaySeconds", text),
            "kmsDataKeyReusePeriodSeconds": ("KmsDataKeyReusePeriodSeconds", text),
            "kmsMasterKeyId": "KmsMasterKeyId",
            "maxMessageSize": ("MaximumMessageSize", text),
            "messageRetentionSeconds": ("MessageRetentionPeriod", text),
            "policy": ("Policy", document),
            "receiveWaitTimeSeconds": ("ReceiveMessageWaitTimeSeconds", text),
            "redriveAllowPolicy": ("RedriveAllowPolicy", document),
            "redrivePolicy": ("RedrivePolicy", document),
            "sqsManagedSseEnabled": ("SqsManagedSseEnabled", text),
            "visibilityTimeoutSeconds": ("VisibilityTimeout", text),
            "tags": "tags",
        },
        create=_queue,
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Row(
        shape={"queueUrl": "QueueUrl", "policy": ("Policy", document)},
        create=_queue_policy,
    ),
    "aws:sns/topic:Topic": Row(
        name=naming.TOPIC,
        shape={
            "name": "Name",
            "deliveryPolicy": ("DeliveryPolicy", document),
            "displayName": "DisplayName",
            "kmsMasterKeyId": "KmsMasterKeyId",
            "policy": ("Policy", document),
            "signatureVersion": ("SignatureVersion", text),
            "tracingConfig": "TracingConfig",
            "tags": ("Tags", TAGS),
        },
        create=_topic,
    ),
    "aws:sns/topicPolicy:TopicPolicy": Row(
        shape={"arn": "TopicArn", "policy": ("Policy", document)},
        create=_topic_policy,
    ),
    "aws:sns/topicSubscription:TopicSubscription": Row(
        shape={
            "topic": "TopicArn",
            "protocol": "Protocol",
            "endpoint": "Endpoint",
            "filterPolicy": ("FilterPolicy", document),
            "filterPolicyScope": "FilterPolicyScope",
            "rawMessageDelivery": ("RawMessageDelivery", text),
            "redrivePolicy": ("RedrivePolicy", document),
        },
        create=_subscription,
    ),
}

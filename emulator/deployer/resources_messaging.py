"""SQS and SNS: queues, topics, their policies, and subscriptions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.errors import GoneError
from emulator.deployer.rows import Change, Found, Patience, Place, Row, Rows, Tagging
from emulator.deployer.translation import DOCUMENT, TAGS, TEXT, Request, take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Answer, Aws

EMPTY_FILTER = "{}"
"""The value that removes the filter policy of a subscription.
https://docs.aws.amazon.com/sns/latest/dg/message-filtering-policy-remove.html"""


def _create_queue(request: Request, aws: Aws) -> str:
    outside = take(request, "QueueName", "tags")  # all else is an attribute
    return str(aws.call("sqs", "CreateQueue", {**outside, "Attributes": request})["QueueUrl"])


def _read_queue(place: Place, aws: Aws) -> Found:
    attributes = _queue_attributes(place.id, aws)
    tags = aws.call("sqs", "ListQueueTags", {"QueueUrl": place.id}).get("Tags", {})
    return Found(
        {**attributes, "QueueName": attributes["QueueArn"].rpartition(":")[2], "tags": tags},
        {"url": place.id, "arn": attributes["QueueArn"]},
    )


def _queue_attributes(url: object, aws: Aws) -> Mapping[str, str]:
    """Return the attributes of a queue that are set."""
    request = {"QueueUrl": url, "AttributeNames": ["All"]}
    attributes: Answer = aws.call("sqs", "GetQueueAttributes", request)["Attributes"]
    return {name: value for name, value in attributes.items() if value != ""}


def _update_queue(change: Change, aws: Aws) -> None:
    """Set the attributes. An empty text removes an attribute that has no default."""
    attributes = {name: change.new.get(name, "") for name in change.names - {"tags"}}
    if change.new.keys() & {"KmsMasterKeyId"}:
        # A queue has one kind of encryption, and the key replaces SQS's own:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
        attributes.pop("SqsManagedSseEnabled", None)
    _set_queue_attributes(change.place.id, attributes, aws)


def _set_queue_attributes(url: object, attributes: Mapping[str, object], aws: Aws) -> None:
    aws.call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": attributes})


def _put_queue_policy(request: Request, aws: Aws) -> str:
    _set_queue_attributes(request["QueueUrl"], {"Policy": request["Policy"]}, aws)
    return str(request["QueueUrl"])


def _read_queue_policy(place: Place, aws: Aws) -> Found:
    attributes = _queue_attributes(place.id, aws)
    if "Policy" not in attributes:
        raise GoneError(place.id)
    return Found({"QueueUrl": place.id, **attributes})


def _create_topic(request: Request, aws: Aws) -> str:
    outside = take(request, "Name", "Tags")  # all else is an attribute
    return str(aws.call("sns", "CreateTopic", {**outside, "Attributes": request})["TopicArn"])


def _topic_attributes(arn: str, aws: Aws) -> Mapping[str, str]:
    """Return the attributes of a topic that are set."""
    attributes: Answer = aws.call("sns", "GetTopicAttributes", {"TopicArn": arn})["Attributes"]
    return {name: value for name, value in attributes.items() if value != ""}


def _read_topic(place: Place, aws: Aws) -> Found:
    attributes = _topic_attributes(place.id, aws)
    tags = aws.call("sns", "ListTagsForResource", {"ResourceArn": place.id})["Tags"]
    return Found(
        {**attributes, "Name": place.id.rpartition(":")[2], "Tags": tags},
        {"arn": place.id, "owner": aws.account, "beginningArchiveTime": ""},
    )


def _update_topic(change: Change, aws: Aws) -> None:
    for name in sorted(change.names - {"Tags"}):
        _set_topic_attribute(change.place.id, name, change.new.get(name, ""), aws)


def _set_topic_attribute(arn: object, name: str, value: object, aws: Aws) -> None:
    attribute = {"AttributeName": name, "AttributeValue": value}
    aws.call("sns", "SetTopicAttributes", {"TopicArn": arn, **attribute})


def _put_topic_policy(request: Request, aws: Aws) -> str:
    _set_topic_attribute(request["TopicArn"], "Policy", request["Policy"], aws)
    return str(request["TopicArn"])


def _read_topic_policy(place: Place, aws: Aws) -> Found:
    policy = _topic_attributes(place.id, aws)["Policy"]
    return Found({"TopicArn": place.id, "Policy": policy}, {"owner": aws.account})


def _delete_topic_policy(place: Place, aws: Aws, _patience: Patience) -> None:
    """Set the policy that SNS gives to a new topic, because a topic always has a policy.

    https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
    """
    actions = [
        *("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission"),
        *("DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "Publish"),
    ]
    policy = {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in actions],
                "Resource": place.id,
                "Condition": {"StringEquals": {"AWS:SourceOwner": aws.account}},
            }
        ],
    }
    _set_topic_attribute(place.id, "Policy", json.dumps(policy), aws)


def _subscribe(request: Request, aws: Aws) -> str:
    outside = take(request, "TopicArn", "Protocol", "Endpoint")
    answer = aws.call(
        "sns", "Subscribe", {**outside, "Attributes": request, "ReturnSubscriptionArn": True}
    )
    return str(answer["SubscriptionArn"])


def _read_subscription(place: Place, aws: Aws) -> Found:
    arn = {"SubscriptionArn": place.id}
    attributes: Answer = aws.call("sns", "GetSubscriptionAttributes", arn)["Attributes"]
    found = {name: value for name, value in attributes.items() if value not in {"", EMPTY_FILTER}}
    return Found(
        found,
        {
            "arn": place.id,
            "ownerId": aws.account,
            "pendingConfirmation": found.get("PendingConfirmation") == "true",
            "confirmationWasAuthenticated": found.get("ConfirmationWasAuthenticated") == "true",
        },
    )


def _update_subscription(change: Change, aws: Aws) -> None:
    for name in sorted(change.names):
        removed = EMPTY_FILTER if name == "FilterPolicy" else ""
        attribute = {"AttributeName": name, "AttributeValue": change.new.get(name, removed)}
        subscription = {"SubscriptionArn": change.place.id}
        aws.call("sns", "SetSubscriptionAttributes", {**subscription, **attribute})


ROWS: Rows = {
    # terraform-provider-aws, internal/service/sqs/queue.go: ForceNew on name.
    "aws:sqs/queue:Queue": Row(
        name=naming.QUEUE,
        shape={
            "name": "QueueName",
            "delaySeconds": ("DelaySeconds", TEXT),
            "kmsDataKeyReusePeriodSeconds": ("KmsDataKeyReusePeriodSeconds", TEXT),
            "kmsMasterKeyId": "KmsMasterKeyId",
            "maxMessageSize": ("MaximumMessageSize", TEXT),
            "messageRetentionSeconds": ("MessageRetentionPeriod", TEXT),
            "policy": ("Policy", DOCUMENT),
            "receiveWaitTimeSeconds": ("ReceiveMessageWaitTimeSeconds", TEXT),
            "redriveAllowPolicy": ("RedriveAllowPolicy", DOCUMENT),
            "redrivePolicy": ("RedrivePolicy", DOCUMENT),
            "sqsManagedSseEnabled": ("SqsManagedSseEnabled", TEXT),
            "visibilityTimeoutSeconds": ("VisibilityTimeout", TEXT),
            "tags": "tags",
        },
        defaults={
            "delaySeconds": 0,
            "messageRetentionSeconds": 345600,
            "receiveWaitTimeSeconds": 0,
            "visibilityTimeoutSeconds": 30,
        },
        replaces=frozenset({"name"}),
        create=_create_queue,
        read=_read_queue,
        update=_update_queue,
        delete=lambda place, aws, _: aws.call("sqs", "DeleteQueue", {"QueueUrl": place.id}),
        tagging=Tagging("sqs", "QueueUrl", tag="TagQueue", untag="UntagQueue"),
        decided=frozenset({"url", "arn"}),
    ),
    # internal/service/sqs/queue_policy.go: ForceNew on queue_url.
    "aws:sqs/queuePolicy:QueuePolicy": Row(
        shape={"queueUrl": "QueueUrl", "policy": ("Policy", DOCUMENT)},
        replaces=frozenset({"queueUrl"}),
        create=_put_queue_policy,
        read=_read_queue_policy,
        update=lambda change, aws: _put_queue_policy(change.new, aws),
        delete=lambda place, aws, _: _set_queue_attributes(place.id, {"Policy": ""}, aws),
    ),
    # internal/service/sns/topic.go: ForceNew on name.
    "aws:sns/topic:Topic": Row(
        name=naming.TOPIC,
        shape={
            "name": "Name",
            "deliveryPolicy": ("DeliveryPolicy", DOCUMENT),
            "displayName": "DisplayName",
            "kmsMasterKeyId": "KmsMasterKeyId",
            "policy": ("Policy", DOCUMENT),
            "signatureVersion": ("SignatureVersion", TEXT),
            "tracingConfig": "TracingConfig",
            "tags": ("Tags", TAGS),
        },
        replaces=frozenset({"name"}),
        create=_create_topic,
        read=_read_topic,
        update=_update_topic,
        delete=lambda place, aws, _: aws.call("sns", "DeleteTopic", {"TopicArn": place.id}),
        tagging=Tagging("sns", "ResourceArn"),
        decided=frozenset({"arn", "owner", "beginningArchiveTime"}),
    ),
    # internal/service/sns/topic_policy.go: ForceNew on arn.
    "aws:sns/topicPolicy:TopicPolicy": Row(
        shape={"arn": "TopicArn", "policy": ("Policy", DOCUMENT)},
        replaces=frozenset({"arn"}),
        create=_put_topic_policy,
        read=_read_topic_policy,
        update=lambda change, aws: _put_topic_policy(change.new, aws),
        delete=_delete_topic_policy,
        decided=frozenset({"owner"}),
    ),
    # internal/service/sns/topic_subscription.go: ForceNew on topic_arn, protocol and endpoint.
    "aws:sns/topicSubscription:TopicSubscription": Row(
        shape={
            "topic": "TopicArn",
            "protocol": "Protocol",
            "endpoint": "Endpoint",
            "filterPolicy": ("FilterPolicy", DOCUMENT),
            "filterPolicyScope": "FilterPolicyScope",
            "rawMessageDelivery": ("RawMessageDelivery", TEXT),
            "redrivePolicy": ("RedrivePolicy", DOCUMENT),
        },
        defaults={"rawMessageDelivery": False},
        replaces=frozenset({"topic", "protocol", "endpoint"}),
        create=_subscribe,
        read=_read_subscription,
        update=_update_subscription,
        delete=lambda place, aws, _: aws.call("sns", "Unsubscribe", {"SubscriptionArn": place.id}),
        decided=frozenset(
            {"arn", "ownerId", "pendingConfirmation", "confirmationWasAuthenticated"}
        ),
    ),
}

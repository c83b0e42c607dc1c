"""The topics of SNS, their policies, and their subscriptions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.rows import (
    Change,
    DeletionLimit,
    Identity,
    Row,
    Rows,
    Snapshot,
    Tagging,
    delete_by_id,
)
from emulator.deployer.translation import (
    DOCUMENT,
    TAGS,
    TEXT,
    Request,
    omit_values,
    pick_values,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws

TOPIC_PARAMETERS = ("Name", "Tags")
"""The inputs that are parameters of CreateTopic. All other inputs are attributes of the topic."""
SUBSCRIPTION_PARAMETERS = ("TopicArn", "Protocol", "Endpoint")
"""The inputs that are parameters of Subscribe. All other inputs are attributes."""
NO_FILTER = "{}"
"""The value that removes the filter policy of a subscription:
https://docs.aws.amazon.com/sns/latest/dg/message-filtering-policy-remove.html."""
DEFAULT_ACTIONS = (
    *("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission"),
    *("DeleteTopic", "Subscribe", "ListSubscriptionsByTopic", "Publish"),
)
"""What the policy of a new topic allows to its account."""


def _create_topic(request: Request, aws: Aws) -> str:
    parameters = pick_values(request, *TOPIC_PARAMETERS)
    attributes = omit_values(request, *TOPIC_PARAMETERS)
    response = aws.call("sns", "CreateTopic", {**parameters, "Attributes": attributes})
    return str(response["TopicArn"])


def _topic_attributes(arn: str, aws: Aws) -> Mapping[str, str]:
    """Return the attributes of a topic that are set. The others are empty texts."""
    attributes = aws.call("sns", "GetTopicAttributes", {"TopicArn": arn})["Attributes"]
    return {name: value for name, value in attributes.items() if value != ""}


def _read_topic(identity: Identity, aws: Aws) -> Snapshot:
    attributes = _topic_attributes(identity.id, aws)
    tags = aws.call("sns", "ListTagsForResource", {"ResourceArn": identity.id})["Tags"]
    return Snapshot(
        {**attributes, "Name": identity.id.rpartition(":")[2], "Tags": tags},
        {"arn": identity.id, "owner": aws.account, "beginningArchiveTime": ""},
    )


def _update_topic(change: Change, aws: Aws) -> None:
    """Set the attributes. An empty text removes an attribute."""
    for name in sorted(change.changed):
        _set_topic_attribute(change.id, name, change.request.get(name, ""), aws)


def _set_topic_attribute(arn: object, name: str, value: object, aws: Aws) -> None:
    attribute = {"AttributeName": name, "AttributeValue": value}
    aws.call("sns", "SetTopicAttributes", {"TopicArn": arn, **attribute})


def _put_topic_policy(request: Request, aws: Aws) -> str:
    _set_topic_attribute(request["TopicArn"], "Policy", request["Policy"], aws)
    return str(request["TopicArn"])


def _read_topic_policy(identity: Identity, aws: Aws) -> Snapshot:
    policy = _topic_attributes(identity.id, aws)["Policy"]
    return Snapshot({"TopicArn": identity.id, "Policy": policy}, {"owner": aws.account})


def _reset_topic_policy(identity: Identity, aws: Aws, _limit: DeletionLimit) -> None:
    """Set the policy that SNS gives to a new topic, because a topic always has a policy.

    https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
    """
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in DEFAULT_ACTIONS],
        "Resource": identity.id,
        "Condition": {"StringEquals": {"AWS:SourceOwner": aws.account}},
    }
    policy = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    _set_topic_attribute(identity.id, "Policy", json.dumps(policy), aws)


def _subscribe(request: Request, aws: Aws) -> str:
    parameters = pick_values(request, *SUBSCRIPTION_PARAMETERS)
    attributes = omit_values(request, *SUBSCRIPTION_PARAMETERS)
    request = {**parameters, "Attributes": attributes, "ReturnSubscriptionArn": True}
    return str(aws.call("sns", "Subscribe", request)["SubscriptionArn"])


def _read_subscription(identity: Identity, aws: Aws) -> Snapshot:
    request = {"SubscriptionArn": identity.id}
    attributes = aws.call("sns", "GetSubscriptionAttributes", request)["Attributes"]
    values = {name: value for name, value in attributes.items() if value not in {"", NO_FILTER}}
    return Snapshot(
        values,
        {
            "arn": identity.id,
            "ownerId": aws.account,
            "pendingConfirmation": values.get("PendingConfirmation") == "true",
            "confirmationWasAuthenticated": values.get("ConfirmationWasAuthenticated") == "true",
        },
    )


def _update_subscription(change: Change, aws: Aws) -> None:
    for name in sorted(change.changed):
        removed = NO_FILTER if name == "FilterPolicy" else ""
        attribute = {"AttributeName": name, "AttributeValue": change.request.get(name, removed)}
        request = {"SubscriptionArn": change.id, **attribute}
        aws.call("sns", "SetSubscriptionAttributes", request)


ROWS: Rows = {
    # terraform-provider-aws, internal/service/sns/topic.go: ForceNew on name.
    "aws:sns/topic:Topic": Row(
        inputs={
            "name": "Name",
            "deliveryPolicy": ("DeliveryPolicy", DOCUMENT),
            "displayName": "DisplayName",
            "kmsMasterKeyId": "KmsMasterKeyId",
            "policy": ("Policy", DOCUMENT),
            "signatureVersion": ("SignatureVersion", TEXT),
            "tracingConfig": "TracingConfig",
            "tags": ("Tags", TAGS),
        },
        name_rule=naming.TOPIC,
        create=_create_topic,
        read=_read_topic,
        not_found_codes=frozenset({"NotFound", "NotFoundException"}),
        computed_outputs=frozenset({"arn", "owner", "beginningArchiveTime"}),
        update=_update_topic,
        replacing_inputs=frozenset({"name"}),
        tagging=Tagging("sns", "ResourceArn"),
        delete=delete_by_id("sns", "DeleteTopic", "TopicArn"),
    ),
    # internal/service/sns/topic_policy.go: ForceNew on arn.
    "aws:sns/topicPolicy:TopicPolicy": Row(
        inputs={"arn": "TopicArn", "policy": ("Policy", DOCUMENT)},
        create=_put_topic_policy,
        read=_read_topic_policy,
        not_found_codes=frozenset({"NotFound", "NotFoundException"}),
        computed_outputs=frozenset({"owner"}),
        update=lambda change, aws: _put_topic_policy(change.request, aws),
        replacing_inputs=frozenset({"arn"}),
        delete=_reset_topic_policy,
    ),
    # internal/service/sns/topic_subscription.go: ForceNew on topic_arn, protocol and endpoint.
    "aws:sns/topicSubscription:TopicSubscription": Row(
        inputs={
            "topic": "TopicArn",
            "protocol": "Protocol",
            "endpoint": "Endpoint",
            "filterPolicy": ("FilterPolicy", DOCUMENT),
            "filterPolicyScope": "FilterPolicyScope",
            "rawMessageDelivery": ("RawMessageDelivery", TEXT),
            "redrivePolicy": ("RedrivePolicy", DOCUMENT),
        },
        defaults={"rawMessageDelivery": False},
        create=_subscribe,
        read=_read_subscription,
        not_found_codes=frozenset({"NotFound", "NotFoundException"}),
        computed_outputs=frozenset(
            {"arn", "ownerId", "pendingConfirmation", "confirmationWasAuthenticated"}
        ),
        update=_update_subscription,
        replacing_inputs=frozenset({"topic", "protocol", "endpoint"}),
        delete=delete_by_id("sns", "Unsubscribe", "SubscriptionArn"),
    ),
}

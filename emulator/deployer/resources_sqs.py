"""SQS: queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.rows import Change, Found, Place, Row, Rows, Tagging
from emulator.deployer.translation import DOCUMENT, TEXT, Request, take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Answer, Aws


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
}

"""The queues of SQS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.rows import Change, Identity, Row, Rows, Snapshot, Tagging, delete_by_id
from emulator.deployer.translation import DOCUMENT, TEXT, Request, omit_values, pick_values

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws


NOT_ATTRIBUTES = ("QueueName", "tags")
"""The inputs that are parameters of CreateQueue. All other inputs are attributes of the queue."""


def _create(request: Request, aws: Aws) -> str:
    parameters = pick_values(request, *NOT_ATTRIBUTES)
    attributes = omit_values(request, *NOT_ATTRIBUTES)
    response = aws.call("sqs", "CreateQueue", {**parameters, "Attributes": attributes})
    return str(response["QueueUrl"])


def _read(identity: Identity, aws: Aws) -> Snapshot:
    """Return a queue. An attribute without a value is an empty text in the response."""
    queue = {"QueueUrl": identity.id}
    request = {**queue, "AttributeNames": ["All"]}
    attributes = aws.call("sqs", "GetQueueAttributes", request)["Attributes"]
    set_attributes = {name: value for name, value in attributes.items() if value != ""}
    arn = attributes["QueueArn"]
    tags = aws.call("sqs", "ListQueueTags", queue).get("Tags", {})
    return Snapshot(
        {**set_attributes, "QueueName": arn.rpartition(":")[2], "tags": tags},
        {"url": identity.id, "arn": arn},
    )


def _update(change: Change, aws: Aws) -> None:
    """Set the attributes. An empty text removes an attribute that has no default."""
    attributes = {name: change.request.get(name, "") for name in change.changed}
    if "KmsMasterKeyId" in change.request:
        # A queue has one kind of encryption, and the key replaces the encryption by SQS:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
        attributes.pop("SqsManagedSseEnabled", None)
    request = {"QueueUrl": change.id, "Attributes": attributes}
    aws.call("sqs", "SetQueueAttributes", request)


ROWS: Rows = {
    # terraform-provider-aws, internal/service/sqs/queue.go: ForceNew on name.
    "aws:sqs/queue:Queue": Row(
        inputs={
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
        name_rule=naming.QUEUE,
        defaults={
            "delaySeconds": 0,
            "messageRetentionSeconds": 345600,
            "receiveWaitTimeSeconds": 0,
            "visibilityTimeoutSeconds": 30,
        },
        create=_create,
        read=_read,
        not_found_codes=frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}),
        computed_outputs=frozenset({"url", "arn"}),
        update=_update,
        replacing_inputs=frozenset({"name"}),
        tagging=Tagging("sqs", "QueueUrl", tag_operation="TagQueue", untag_operation="UntagQueue"),
        delete=delete_by_id("sqs", "DeleteQueue", "QueueUrl"),
    ),
}

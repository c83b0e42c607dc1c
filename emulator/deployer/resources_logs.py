"""The log groups of CloudWatch Logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.errors import GoneError
from emulator.deployer.rows import Change, Identity, Row, Rows, Snapshot, Tagging, delete_by_id

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.translation import Request

KEEP_FOR_EVER = 0
"""The value of `retentionInDays` in Pulumi for logs that are never deleted."""


def _log_group_arn(name: str, aws: Aws) -> str:
    return aws.arn("logs", f"log-group:{name}")


def _create(request: Request, aws: Aws) -> str:
    aws.call("logs", "CreateLogGroup", request)
    return str(request["logGroupName"])


def _read(identity: Identity, aws: Aws) -> Snapshot:
    arn = _log_group_arn(identity.id, aws)
    group = _log_group(identity.id, aws)
    tags = aws.call("logs", "ListTagsForResource", {"resourceArn": arn})["tags"]
    return Snapshot(
        {"retentionInDays": KEEP_FOR_EVER, **group, "tags": tags},
        {"arn": arn, "logGroupClass": group.get("logGroupClass", "STANDARD")},
    )


def _log_group(name: str, aws: Aws) -> Response:
    """Return the description of a log group. Raises GoneError if it does not exist.

    The service only searches for a prefix of names.
    """
    for group in aws.list_items("logs", "DescribeLogGroups", {"logGroupNamePrefix": name}):
        if group["logGroupName"] == name:
            return group
    raise GoneError(name)


def _update(change: Change, aws: Aws) -> None:
    """Set or remove the retention and the key, if they have changed."""
    group = {"logGroupName": change.id}
    if "retentionInDays" in change.changed:
        retention = change.changed_values("retentionInDays")
        if KEEP_FOR_EVER in retention.values():
            aws.call("logs", "DeleteRetentionPolicy", group)
        else:
            aws.call("logs", "PutRetentionPolicy", {**group, **retention})
    if key := change.changed_values("kmsKeyId"):
        aws.call("logs", "AssociateKmsKey", {**group, **key})
    elif "kmsKeyId" in change.changed:
        aws.call("logs", "DisassociateKmsKey", group)


ROWS: Rows = {
    # terraform-provider-aws, internal/service/logs/group.go: ForceNew on name and log_group_class.
    "aws:cloudwatch/logGroup:LogGroup": Row(
        inputs={
            "name": "logGroupName",
            "kmsKeyId": "kmsKeyId",
            "logGroupClass": "logGroupClass",
            "retentionInDays": "retentionInDays",
            "tags": "tags",
        },
        name_rule=naming.LOG_GROUP,
        defaults={"retentionInDays": KEEP_FOR_EVER},
        create=_create,
        set_after_creation=frozenset({"retentionInDays"}),
        read=_read,
        computed_outputs=frozenset({"arn", "logGroupClass"}),
        update=_update,
        replacing_inputs=frozenset({"name", "logGroupClass"}),
        tagging=Tagging(
            "logs", "resourceArn", _log_group_arn, tags_parameter="tags", keys_parameter="tagKeys"
        ),
        delete=delete_by_id("logs", "DeleteLogGroup", "logGroupName"),
    ),
}

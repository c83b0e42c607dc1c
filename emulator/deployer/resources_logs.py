"""CloudWatch Logs: log groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.errors import GoneError
from emulator.deployer.rows import Change, Found, Place, Row, Rows, Tagging

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws
    from emulator.deployer.translation import Request

FOR_EVER = 0
"""Pulumi's value for a retention without an end."""


def _log_group_arn(name: str, aws: Aws) -> str:
    return aws.arn("logs", f"log-group:{name}")


def _create_log_group(request: Request, aws: Aws) -> str:
    aws.call("logs", "CreateLogGroup", request)
    return str(request["logGroupName"])


def _read_log_group(place: Place, aws: Aws) -> Found:
    arn = _log_group_arn(place.id, aws)
    for group in aws.pages("logs", "DescribeLogGroups", {"logGroupNamePrefix": place.id}):
        if group["logGroupName"] == place.id:
            break
    else:
        raise GoneError(place.id)
    tags = aws.call("logs", "ListTagsForResource", {"resourceArn": arn})["tags"]
    return Found(
        {"retentionInDays": FOR_EVER, **group, "tags": tags},
        {"arn": arn, "logGroupClass": group.get("logGroupClass", "STANDARD")},
    )


def _update_log_group(change: Change, aws: Aws) -> None:
    group = {"logGroupName": change.place.id}
    if "retentionInDays" in change.names:
        retention = change.of("retentionInDays")
        if FOR_EVER in retention.values():
            aws.call("logs", "DeleteRetentionPolicy", group)
        else:
            aws.call("logs", "PutRetentionPolicy", group | retention)
    if key := change.of("kmsKeyId"):
        aws.call("logs", "AssociateKmsKey", group | key)
    elif "kmsKeyId" in change.names:
        aws.call("logs", "DisassociateKmsKey", group)


ROWS: Rows = {
    # terraform-provider-aws, internal/service/logs/group.go: ForceNew on name and log_group_class.
    "aws:cloudwatch/logGroup:LogGroup": Row(
        name=naming.LOG_GROUP,
        shape={
            "name": "logGroupName",
            "kmsKeyId": "kmsKeyId",
            "logGroupClass": "logGroupClass",
            "retentionInDays": "retentionInDays",
            "tags": "tags",
        },
        defaults={"retentionInDays": FOR_EVER},
        replaces=frozenset({"name", "logGroupClass"}),
        create=_create_log_group,
        later=frozenset({"retentionInDays"}),
        read=_read_log_group,
        update=_update_log_group,
        delete=lambda place, aws, _: aws.call("logs", "DeleteLogGroup", {"logGroupName": place.id}),
        tagging=Tagging("logs", "resourceArn", _log_group_arn, tags="tags", keys="tagKeys"),
        decided=frozenset({"arn", "logGroupClass"}),
    ),
}

"""The calls of the rows that are more than one operation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from emulator.deployer.errors import GoneError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.rows import Resource
    from emulator.deployer.translation import Request


def read_function(function: Resource, aws: Aws) -> Response:
    """Return the configuration of a function with its tags, concurrency and latest version.

    The latest version is the last one. Before the first one is published, it is $LATEST.
    """
    response = aws.call("lambda", "GetFunction", function.values)
    versions = aws.call("lambda", "ListVersionsByFunction", {**function.values, "MaxItems": 10000})
    *_, latest = versions["Versions"]
    arn = response["Configuration"]["FunctionArn"]
    return {
        **response["Configuration"],
        **response.get("Concurrency", {}),
        "Tags": response.get("Tags", {}),
        "Version": latest["Version"],
        "QualifiedArn": f"{arn}:{latest['Version']}",
    }


def update_function(function: Resource, aws: Aws) -> None:
    """Set the inputs that have changed. Then publish a version, if the program wants versions."""
    publishes = function.values["Publish"]
    changes_of_code = function.changed & {"code", "codeSha256", "architectures"}
    values = {name: value for name, value in function.values.items() if name != "Publish"}

    if function.changed - {*changes_of_code, "publish"}:
        aws.call("lambda", "UpdateFunctionConfiguration", values)
    if changes_of_code:
        code = cast("Request", values["Code"])
        aws.call("lambda", "UpdateFunctionCode", {**values, **code})

    if publishes:
        aws.call("lambda", "PublishVersion", {"FunctionName": function.id})


def read_permission(permission: Resource, aws: Aws) -> Response:
    """Return nothing if the permission exists. AWS cannot change the statement of a permission."""
    policy = json.loads(aws.call("lambda", "GetPolicy", permission.values)["Policy"])
    if permission.id not in [statement["Sid"] for statement in policy["Statement"]]:
        raise GoneError(permission.id)
    return {}


def set_topic_attributes(topic: Resource, aws: Aws) -> None:
    """Set the attributes of a topic."""
    _set_attributes("SetTopicAttributes", topic, aws)


def set_subscription_attributes(subscription: Resource, aws: Aws) -> None:
    """Set the attributes of a subscription."""
    _set_attributes("SetSubscriptionAttributes", subscription, aws)


def _set_attributes(operation: str, resource: Resource, aws: Aws) -> None:
    """Set attributes of a resource of SNS, which takes only one in each call."""
    attributes = cast("Mapping[str, object]", resource.values.get("Attributes", {}))
    for name, value in attributes.items():
        attribute = {"AttributeName": name, "AttributeValue": value}
        aws.call("sns", operation, {**resource.values, **attribute})

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
    """Describe a function with its tags, its reserved concurrency and its latest version."""
    description = aws.call("lambda", "GetFunction", function.values)
    configuration = description["Configuration"]

    # Before the first version is published, the only one is $LATEST.
    listed = aws.call("lambda", "ListVersionsByFunction", {**function.values, "MaxItems": 10000})
    latest_version = listed["Versions"][-1]["Version"]
    return {
        **configuration,
        **description.get("Concurrency", {}),
        "Tags": description.get("Tags", {}),
        "Version": latest_version,
        "QualifiedArn": f"{configuration['FunctionArn']}:{latest_version}",
    }


def update_function(function: Resource, aws: Aws) -> None:
    """Set the inputs that have changed. Then publish a version, if the program wants versions."""
    changed_code = function.changed & {"code", "codeSha256", "architectures"}

    # Without Publish, because PublishVersion publishes both changes together.
    values = {name: value for name, value in function.values.items() if name != "Publish"}
    if function.changed - {*changed_code, "publish"}:
        aws.call("lambda", "UpdateFunctionConfiguration", values)
    if changed_code:
        code = cast("Request", values["Code"])
        aws.call("lambda", "UpdateFunctionCode", {**values, **code})

    if function.values["Publish"]:
        aws.call("lambda", "PublishVersion", {"FunctionName": function.id})


def read_permission(permission: Resource, aws: Aws) -> Response:
    """Check that a permission exists. AWS cannot change its statement, so nothing else is read."""
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

"""Reads and updates the resources for which a single operation of the AWS API isn't enough."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from emulator.deployer.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.resource_type import Resource
    from emulator.deployer.translation import ApiStructure


def read_function(function: Resource, aws: Aws) -> Response:
    """Return a Lambda function's configuration, tags, reserved concurrency and latest version."""
    response = aws.call("lambda", "GetFunction", function.parameters)
    configuration = response["Configuration"]

    list_parameters = {**function.parameters, "MaxItems": 10000}
    versions = aws.call("lambda", "ListVersionsByFunction", list_parameters)["Versions"]
    # If no version has been published yet, the list only contains $LATEST.
    latest_version = versions[-1]["Version"]

    return {
        **configuration,
        **response.get("Concurrency", {}),
        "Tags": response.get("Tags", {}),
        "Version": latest_version,
        "QualifiedArn": f"{configuration['FunctionArn']}:{latest_version}",
    }


def update_function(function: Resource, aws: Aws) -> None:
    """Update a function's configuration and code, then publish a version if `publish` is true."""
    changed_code_inputs = function.changed_inputs & {"code", "codeSha256", "architectures"}
    changed_configuration = function.changed_inputs - {*changed_code_inputs, "publish"}

    # With Publish, UpdateFunctionCode would publish a version itself. We call PublishVersion
    # instead, which also works if only the configuration has changed.
    parameters = {key: value for key, value in function.parameters.items() if key != "Publish"}
    if changed_configuration:
        aws.call("lambda", "UpdateFunctionConfiguration", parameters)
    if changed_code_inputs:
        code = cast("ApiStructure", parameters["Code"])
        aws.call("lambda", "UpdateFunctionCode", {**parameters, **code})

    if function.parameters["Publish"]:
        aws.call("lambda", "PublishVersion", {"FunctionName": function.id})


def read_permission(permission: Resource, aws: Aws) -> Response:
    """Check that a permission's statement still exists in the function's policy.

    The returned description is empty. AWS can't change a statement, so a refresh doesn't have to
    compare anything.

    Raises:
        NotFoundError: the statement no longer exists.
    """
    policy = json.loads(aws.call("lambda", "GetPolicy", permission.parameters)["Policy"])
    statement_ids = [statement["Sid"] for statement in policy["Statement"]]
    if permission.id not in statement_ids:
        raise NotFoundError(permission.id)
    return {}


def set_topic_attributes(topic: Resource, aws: Aws) -> None:
    """Set all attributes of an SNS topic."""
    _set_attributes("SetTopicAttributes", topic, aws)


def set_subscription_attributes(subscription: Resource, aws: Aws) -> None:
    """Set all attributes of an SNS subscription."""
    _set_attributes("SetSubscriptionAttributes", subscription, aws)


def _set_attributes(operation: str, resource: Resource, aws: Aws) -> None:
    """Set all attributes of an SNS resource. SNS accepts only one attribute per call."""
    attributes = cast("Mapping[str, object]", resource.parameters.get("Attributes", {}))
    for name, value in attributes.items():
        attribute = {"AttributeName": name, "AttributeValue": value}
        aws.call("sns", operation, {**resource.parameters, **attribute})

"""Reads and updates the resources for which a single operation of the AWS API isn't enough."""

import json

from emulator.deployer.aws import Response
from emulator.deployer.errors import NotFoundError
from emulator.deployer.resource_type import Resource


def read_function(function: Resource) -> Response:
    """Return a Lambda function's configuration, tags, reserved concurrency and latest version."""
    response = function.call("GetFunction")
    configuration = response["Configuration"]

    versions = function.call("ListVersionsByFunction", MaxItems=10000)["Versions"]
    # If no version has been published yet, the list only contains $LATEST.
    latest_version = versions[-1]["Version"]

    return {
        **configuration,
        **response.get("Concurrency", {}),
        "Tags": response.get("Tags", {}),
        "Version": latest_version,
        "QualifiedArn": f"{configuration['FunctionArn']}:{latest_version}",
    }


def update_function(function: Resource) -> None:
    """Update a function's configuration and code, then publish a version if `publish` is true."""
    changed_code_inputs = function.changed_inputs & {"code", "codeSha256", "architectures"}
    changed_configuration = function.changed_inputs - {*changed_code_inputs, "publish"}

    if changed_configuration:
        function.call("UpdateFunctionConfiguration")
    if changed_code_inputs:
        # UpdateFunctionCode could publish a version itself, but PublishVersion also works if only
        # the configuration has changed.
        function.call("UpdateFunctionCode", **function.parameters["Code"], Publish=False)

    if function.parameters["Publish"]:
        # The function's other parameters include a hash, which PublishVersion would check.
        function.aws.call("lambda", "PublishVersion", {"FunctionName": function.id})


def read_permission(permission: Resource) -> Response:
    """Check that a permission's statement still exists in the function's policy.

    The returned description is empty. AWS can't change a statement, so a refresh doesn't have to
    compare anything.

    Raises:
        NotFoundError: the statement no longer exists.
    """
    policy = json.loads(permission.call("GetPolicy")["Policy"])
    statement_ids = [statement["Sid"] for statement in policy["Statement"]]
    if permission.id not in statement_ids:
        raise NotFoundError(permission.id)
    return {}


def set_attributes(operation: str, resource: Resource) -> None:
    """Set all attributes of an SNS resource. SNS accepts only one attribute per call."""
    for name, value in resource.parameters.get("Attributes", {}).items():
        resource.call(operation, AttributeName=name, AttributeValue=value)

"""The calls of the rows that are more than one operation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from emulator.deployer.errors import DeploymentError, GoneError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.rows import Resource
    from emulator.deployer.translation import Request

DELETE_SECONDS = 300.0
"""The longest wait for a deletion if the program sets no `custom_timeouts`.
terraform-provider-aws, internal/service/sfn/state_machine.go: schema.DefaultTimeout."""
POLL_SECONDS = 0.5
"""The time between two requests while a deletion is under way."""


def read_function(function: Resource, aws: Aws) -> Response:
    """Return the configuration of a function with its tags, and with its latest version.

    The latest version is the last one. Before the first one is published, it is $LATEST.
    """
    response = aws.call("lambda", "GetFunction", function.values)
    versions = aws.call("lambda", "ListVersionsByFunction", {**function.values, "MaxItems": 10000})
    *_, latest = versions["Versions"]
    arn = response["Configuration"]["FunctionArn"]
    return {
        **response["Configuration"],
        "Tags": response.get("Tags", {}),
        "Version": latest["Version"],
        "QualifiedArn": f"{arn}:{latest['Version']}",
    }


def update_function(function: Resource, aws: Aws) -> None:
    """Set the inputs that have changed. Then publish a version, if the program wants versions."""
    publishes = function.values["Publish"]
    values = {name: value for name, value in function.values.items() if name != "Publish"}
    if function.changed - {"code", "architectures", "publish"}:
        aws.call("lambda", "UpdateFunctionConfiguration", values)
    if function.changed & {"code", "architectures"}:
        code = cast("Request", values["Code"])
        aws.call("lambda", "UpdateFunctionCode", {**values, **code})
    if publishes:
        aws.call("lambda", "PublishVersion", {"FunctionName": function.id})


def delete_state_machine(machine: Resource, aws: Aws) -> None:
    """Delete a state machine, and wait until it does not exist any more.

    Its running executions end at their next state, and Step Functions waits for them. Raises
    DeploymentError if that takes too long.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    seconds = machine.delete_seconds or DELETE_SECONDS
    deadline = time.monotonic() + seconds
    aws.call("stepfunctions", "DeleteStateMachine", machine.values)
    while time.monotonic() < deadline:
        try:
            aws.call("stepfunctions", "DescribeStateMachine", machine.values)
        except GoneError:
            return
        time.sleep(POLL_SECONDS)
    raise DeploymentError(
        f"{machine.id} is still DELETING after {seconds:g} seconds, because executions of it are "
        "running and have not reached their next state; stop them, or give the state machine "
        "custom_timeouts with a longer delete"
    )


def set_topic_attributes(topic: Resource, aws: Aws) -> None:
    """Set the attributes of a topic, each with a call."""
    attributes = cast("Mapping[str, object]", topic.values.get("Attributes", {}))
    for name, value in attributes.items():
        attribute = {"AttributeName": name, "AttributeValue": value}
        aws.call("sns", "SetTopicAttributes", {**topic.values, **attribute})

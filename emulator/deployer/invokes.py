"""Runs the functions of the AWS provider that a program can call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from emulator.deployer.aws import Aws
    from emulator.deployer.rows import Outputs


def _caller_identity(aws: Aws) -> Outputs:
    """Return the result of `aws.get_caller_identity()`."""
    caller = aws.call("sts", "GetCallerIdentity", {})
    return {
        "id": caller["Account"],
        "accountId": caller["Account"],
        "arn": caller["Arn"],
        "userId": caller["UserId"],
    }


def _region(aws: Aws) -> Outputs:
    """Return the result of `aws.get_region()`."""
    return {
        "id": aws.region,
        "region": aws.region,
        "name": aws.region,
        "description": aws.region,
        "endpoint": f"ec2.{aws.region}.amazonaws.com",
    }


INVOKES: Mapping[str, Callable[[Aws], Outputs]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getRegion:getRegion": _region,
}
"""Pulumi's token of a function of the provider -> its implementation."""


def invoke(token: str, arguments: Mapping[str, object], aws: Aws) -> Outputs:
    """Return the result of a function of the provider.

    Raises DeploymentError for an unknown function, and for any argument.
    """
    if token not in INVOKES:
        raise DeploymentError(f"{token}: this invoke is not supported by the emulator's deployer")
    if arguments:
        names = ", ".join(sorted(arguments))
        raise DeploymentError(f"{token}: {names}: not supported by the emulator's deployer")
    return INVOKES[token](aws)

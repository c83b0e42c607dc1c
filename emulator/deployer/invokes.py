"""Runs the functions of the AWS provider that a program can call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws
    from emulator.deployer.rows import Outputs


def invoke(token: str, arguments: Mapping[str, object], aws: Aws) -> Outputs:
    """Return the result of a function of the provider.

    Raises DeploymentError for an unknown function, and for any argument.
    """
    root = f"arn:{aws.partition}:iam::{aws.account}:root"
    results: Mapping[str, Outputs] = {
        "aws:index/getCallerIdentity:getCallerIdentity": {
            "id": aws.account,
            "accountId": aws.account,
            "arn": root,
            "userId": aws.account,
        },
        "aws:index/getRegion:getRegion": {
            "id": aws.region,
            "region": aws.region,
            "name": aws.region,
            "description": aws.region,
            "endpoint": f"ec2.{aws.region}.amazonaws.com",
        },
    }
    if token not in results:
        raise DeploymentError(f"{token} is not supported by the emulator")
    if arguments:
        names = ", ".join(sorted(arguments))
        raise DeploymentError(f"{token}: {names} is not supported by the emulator")
    return results[token]

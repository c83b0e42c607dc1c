"""Checks whether the pipeline is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.account.pulumi_cli import NotDeployedError
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.findings import Account, Level


def check_deployment(account: Account) -> Iterator[Finding]:
    """Check that the pipeline was found, and that its state machine can run."""
    pipeline = account.pipeline
    if pipeline.error is not None:
        # A pipeline that was deployed and can't be read may have lost any of its parts.
        level: Level = "warn" if isinstance(pipeline.error, NotDeployedError) else "missing"
        yield Finding(level, pipeline.error.text, pipeline.error.command)

    if pipeline.target is not None:
        name = pipeline.target.name
        status = pipeline.target.state_machine["status"]
        if status == "ACTIVE":
            yield Finding("ok", f"{name} is deployed")
        else:
            yield Finding("missing", f"{name} is {status}", pipeline.deploy_command)

"""Checks whether the pipeline is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.account.pulumi_cli import NotDeployedError
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.findings import Account, Level


def check_deployment(account: Account) -> Iterator[Finding]:
    """Check that the deployed pipeline was found, and that its state machine is active."""
    pipeline = account.pipeline
    error = pipeline.lookup_error
    if error is not None:
        # A pipeline that was never deployed is fine. Any other error may mean that resources of a
        # deployed pipeline are gone.
        level: Level = "warn" if isinstance(error, NotDeployedError) else "missing"
        yield Finding(level, error.text, error.command)

    if pipeline.target is not None:
        machine_name = pipeline.target.name
        status = pipeline.target.state_machine["status"]
        if status == "ACTIVE":
            yield Finding("ok", f"{machine_name} is deployed")
        else:
            yield Finding("missing", f"{machine_name} is {status}", pipeline.deploy_command)

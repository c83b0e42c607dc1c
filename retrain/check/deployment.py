"""Checks whether the pipeline is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.account.pulumi_cli import NotDeployedError
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.account.errors import OperatorError
    from retrain.account.target import Target
    from retrain.check.examined_pipeline import ExaminedPipeline


def check_deployment(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check that the deployed pipeline was found, and that its state machine is active."""
    if pipeline.lookup_error is not None:
        yield _explain_lookup_error(pipeline.lookup_error)
    if pipeline.target is not None:
        yield _check_state_machine(pipeline.target, pipeline.deploy_command)


def _explain_lookup_error(error: OperatorError) -> Finding:
    """Explain why the deployed pipeline wasn't found."""
    if isinstance(error, NotDeployedError):
        # That's fine before the first deployment.
        return Finding("warn", error.text, error.command)
    # Any other error may mean that resources of a deployed pipeline are gone.
    return Finding("missing", error.text, error.command)


def _check_state_machine(target: Target, deploy_command: str) -> Finding:
    """Check that the state machine can run. It can't while it's being deleted, for example."""
    status = target.state_machine["status"]
    if status == "ACTIVE":
        return Finding("ok", f"{target.name} is deployed")
    return Finding("missing", f"{target.name} is {status}", deploy_command)

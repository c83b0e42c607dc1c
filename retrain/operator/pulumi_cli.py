"""Reads the outputs of a stack with the Pulumi CLI."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, cast

from retrain.operator.errors import OperatorError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_DIR = Path(__file__).resolve().parents[2]
"""The folder with Pulumi.yaml and the files of the stacks."""
CLI_SECONDS = 120
"""A backend that is far away may take a while. The CLI asks no questions in the meantime."""
WITHOUT_CLI = "or name the state machine with --state-machine-arn"
ERROR_PREFIX = "error: "
"""The beginning of the line with which the CLI says why it failed."""


def stack_outputs(stack: str, project_dir: Path = PROJECT_DIR) -> Mapping[str, object]:
    """Return the outputs of a stack. They are empty if the stack is not deployed."""
    return cast(
        "Mapping[str, object]", json.loads(_run("stack", "output", stack=stack, cwd=project_dir))
    )


def _run(*command: str, stack: str, cwd: Path) -> str:
    """Return what a command of the CLI prints as JSON.

    Raises OperatorError if the CLI is missing or fails. Its message is the reason that the CLI
    gives.
    """
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise OperatorError(
            "the Pulumi CLI is not on the PATH, so the outputs of the stack cannot be read; "
            f"install it, {WITHOUT_CLI}"
        )
    arguments = [pulumi, *command, "--json", "--stack", stack, "--non-interactive"]
    try:
        completed = subprocess.run(  # noqa: S603  # the Pulumi CLI on the PATH
            [*arguments, "--color", "never"],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=CLI_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise OperatorError(
            f"the Pulumi CLI cannot read stack {stack}: {_reason(error.stderr)}; check --stack "
            f"and `pulumi whoami`, {WITHOUT_CLI}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise OperatorError(
            f"the Pulumi CLI has not printed the outputs of stack {stack} within {CLI_SECONDS} "
            f"seconds; try again, {WITHOUT_CLI}"
        ) from error
    return completed.stdout


def _reason(stderr: str) -> str:
    """Return the error in what the CLI has written, or everything that it has written."""
    lines = [line for line in stderr.splitlines() if line.startswith(ERROR_PREFIX)]
    return (
        one_line(lines[-1].removeprefix(ERROR_PREFIX) if lines else stderr) or "it gives no reason"
    )

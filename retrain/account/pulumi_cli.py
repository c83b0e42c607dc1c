"""Reads the outputs of a stack with the Pulumi CLI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, cast

from retrain.account.errors import OperatorError, one_line
from retrain.stack_files import missing_file_message, stack_file

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_DIR = Path(__file__).resolve().parents[2]
"""The folder with Pulumi.yaml and the files of the stacks."""
DEFAULT_STACK = "dev"
"""The stack of the commands that name none."""
CLI_SECONDS = 120
"""A backend that is far away may take a while. The CLI asks no questions in the meantime."""
WITHOUT_CLI = "or name the state machine with --state-machine-arn"
ERROR_PREFIX = "error: "
"""The beginning of the line with which the CLI says why it failed."""
UNKNOWN_STACK = "no stack named"
"""The beginning of the reason of the CLI if its backend has no such stack."""
NOT_LOGGED_IN = "PULUMI_ACCESS_TOKEN must be set"
"""The beginning of the reason of the CLI if nobody has logged in."""


class StackNotCreatedError(OperatorError):
    """A stack has a file, but the backend of the Pulumi CLI does not know the stack."""


def deploy_command(stack: str) -> str:
    """Return the command that deploys a stack."""
    return f"pulumi up --stack {stack}"


def create_command(stack: str) -> str:
    """Return the command that creates a stack and deploys it."""
    return f"pulumi stack init {stack} && {deploy_command(stack)}"


def stack_outputs(stack: str) -> Mapping[str, object]:
    """Return the outputs of a stack. They are empty if the stack is not deployed."""
    return cast(
        "Mapping[str, object]", json.loads(_run("stack", "output", stack=stack, cwd=PROJECT_DIR))
    )


def stack_text(stack: str) -> str:
    """Return a stack in a message. A command that names no stack uses the default stack."""
    return f"stack {stack}{' (the default; -s names another)' if stack == DEFAULT_STACK else ''}"


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
        raise _cli_error(stack, _reason(error.stderr), cwd) from error
    except subprocess.TimeoutExpired as error:
        raise OperatorError(
            f"the Pulumi CLI has not printed the outputs of {stack_text(stack)} within "
            f"{CLI_SECONDS} seconds; try again, {WITHOUT_CLI}"
        ) from error
    return completed.stdout


def _cli_error(stack: str, reason: str, project_dir: Path) -> OperatorError:
    """Return the error for the reason with which the CLI cannot read a stack."""
    if reason.startswith(NOT_LOGGED_IN):
        return OperatorError(
            f"you are not logged in to Pulumi, so the outputs of stack {stack} cannot be read; log "
            f"in with `pulumi login`, {WITHOUT_CLI}"
        )
    if not reason.startswith(UNKNOWN_STACK):
        return OperatorError(
            f"the Pulumi CLI cannot read {stack_text(stack)}: {reason}; check --stack and `pulumi "
            f"whoami`, {WITHOUT_CLI}"
        )
    name = stack.rpartition("/")[2]  # a stack may be named with its organization and project
    if not os.path.lexists(stack_file(project_dir, name)):
        return OperatorError(missing_file_message(project_dir, name))
    return StackNotCreatedError(
        f"{stack_text(stack)} is not created yet, or it is in another backend than `pulumi whoami "
        f"-v` prints; create and deploy it with `{create_command(stack)}`"
    )


def _reason(stderr: str) -> str:
    """Return the error in what the CLI has written, or everything that it has written."""
    lines = [line for line in stderr.splitlines() if line.startswith(ERROR_PREFIX)]
    return (
        one_line(lines[-1].removeprefix(ERROR_PREFIX) if lines else stderr) or "it gives no reason"
    )

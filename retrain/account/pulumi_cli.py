"""Calls the Pulumi CLI to read a stack's outputs, config and state, or to preview an update.

Each error message ends with a *hint*: what the operator can do if the CLI can't be used.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain import FOLDER, IS_INSTALLED
from retrain.account.errors import OperatorError, join_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_DIR = Path.cwd() if IS_INSTALLED else FOLDER
"""The folder with Pulumi.yaml and the stack files."""
STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""A stack name that the Pulumi CLI accepts, without the organization and the project
(https://www.pulumi.com/docs/iac/concepts/stacks/#create-a-stack)."""
READ_TIMEOUT = 120
"""Seconds. A remote backend may be slow to respond."""
PREVIEW_TIMEOUT = 600
"""Seconds. A preview runs the whole program, and a refresh reads every resource."""
MACHINE_ARN_HINT = "or name the state machine with --state-machine-arn"
ERROR_LINE = re.compile(r"^error: (.*)$", re.MULTILINE)
"""A line of stderr in which the CLI says why it failed."""


class NotDeployedError(OperatorError):
    """The stack was never deployed or has been destroyed, according to the Pulumi CLI."""


def build_stack_file_path(stack: str) -> Path:
    """Build the path of a stack's file, without checking that the file exists.

    Raises OperatorError if the CLI wouldn't accept the stack's name.
    """
    if not STACK_NAME.fullmatch(stack):
        raise OperatorError(
            f"--stack {stack!r}: a stack's name has 1 to 100 letters, digits, hyphens, underscores "
            "and periods; choose another name, for example prod"
        )
    return PROJECT_DIR / f"Pulumi.{stack}.yaml"


def list_stacks() -> list[str]:
    """List the names of all stacks that have a file, sorted."""
    file_names = [path.name for path in PROJECT_DIR.glob("Pulumi.*.yaml")]
    return sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in file_names)


def build_missing_file_error(file: Path) -> OperatorError:
    """Build the error for a missing stack file, with a hint that names the existing ones."""
    stack_names = list_stacks()
    hint = "this folder has no stack files, so write this file first"
    if stack_names:
        hint = f"name one of the stacks of this folder: {', '.join(stack_names)}"
    return OperatorError(f"{file}: does not exist; {hint}")


def format_pulumi_command(stack: str | None, *words: str) -> str:
    """Format a Pulumi command that we suggest to the operator.

    If `stack` is None, the CLI uses the stack that is selected in the current folder.
    """
    command = ["pulumi", *words]
    if stack is not None:
        command += ["--stack", stack]
    return " ".join(command)


def describe_stack(stack: str) -> str:
    """Describe a stack in a message. For the default stack, mention how to choose another one."""
    if stack == "dev":
        # This is the default, so the operator may not know about the option.
        return f"stack {stack} (-s names another)"
    return f"stack {stack}"


def read_outputs(stack: str) -> Mapping[str, object]:
    """Read the outputs of a stack, which are empty before the first deployment."""
    return _read_json("stack", "output", "--json", stack=stack)


def read_resolved_config(stack: str) -> dict[str, object]:
    """Read the config of a stack, including the values that it imports from ESC environments.

    Each secret becomes an encrypted value without content, because the CLI doesn't print secrets.
    """
    entries = _read_json(
        "config",
        "--open",
        "--json",
        stack=stack,
        hint="or copy the values of the environment into the stack's file",
    )

    return {
        key: {"secure": ""} if entry["secret"] else entry["value"] for key, entry in entries.items()
    }


def preview(stack: str, *, refresh: bool, env: Mapping[str, str]) -> dict[str, Any]:
    """Run `pulumi preview`, and parse its JSON output.

    If the preview fails midway, for example because AWS denies a read, the plan is incomplete, and
    its `diagnostics` contain the errors.

    `env` is added to this process's environment variables.

    Raises OperatorError if the CLI printed no plan at all.
    """
    command = ["preview", "--json"]
    if refresh:
        command.append("--refresh")

    completed = _run_pulumi(
        *command,
        stack=stack,
        hint="or see what `pulumi preview --refresh` says",
        timeout=PREVIEW_TIMEOUT,
        env={**os.environ, **env},
    )
    document = _parse_json_output(completed)
    if document is not None:
        severities = {item["severity"] for item in document.get("diagnostics", ())}
        if completed.returncode == 0 or "error" in severities:
            return document

    # If the CLI fails before planning, the reason is only in stderr, even if stdout has some JSON.
    raise OperatorError(_extract_error(completed))


def read_state(stack: str) -> dict[str, Any]:
    """Read the state of a stack: its resources, as they were after the last Pulumi operation."""
    exported = _read_json("stack", "export", stack=stack)
    deployment: dict[str, Any] = exported["deployment"]
    return deployment


def _read_json(*command: str, stack: str, hint: str = MACHINE_ARN_HINT) -> dict[str, Any]:
    """Run a Pulumi command that reads a stack, and parse its JSON output.

    Raises OperatorError if the command fails, or if its output isn't JSON.
    """
    completed = _run_pulumi(*command, stack=stack, hint=hint, timeout=READ_TIMEOUT)
    document = _parse_json_output(completed)
    if completed.returncode == 0 and document is not None:
        return document

    reason = _extract_error(completed)
    if reason.startswith("no stack named"):
        raise _explain_unknown_stack(stack)
    raise OperatorError(
        f"the Pulumi CLI cannot read {describe_stack(stack)}: {reason}; "
        f"check --stack and `pulumi whoami`, log in with `pulumi login`, {hint}"
    )


def _explain_unknown_stack(stack: str) -> OperatorError:
    """Build the error for a stack that is misspelled, or that the backend doesn't have yet."""
    # `stack` may be fully qualified: organization/project/stack.
    file = build_stack_file_path(stack.rpartition("/")[2])
    if not os.path.lexists(file):
        return build_missing_file_error(file)

    return NotDeployedError(
        f"{describe_stack(stack)} is not created yet, or it is in another backend than `pulumi "
        "whoami -v` prints; create and deploy it",
        f"pulumi stack init {stack} && {format_pulumi_command(stack, 'up')}",
    )


def _run_pulumi(
    *command: str,
    stack: str,
    hint: str,
    timeout: float,
    env: Mapping[str, str] = os.environ,
) -> subprocess.CompletedProcess[str]:
    """Run a Pulumi command on a stack, and capture its output, whatever its exit code.

    Raises OperatorError if the CLI can't be started, or doesn't finish in time.
    """
    pulumi = _find_cli(stack, hint)
    # The output is captured, so the operator wouldn't see a prompt.
    options = ("--stack", stack, "--non-interactive", "--color", "never")

    try:
        return subprocess.run(  # noqa: S603  # the Pulumi CLI on the PATH
            [pulumi, *command, *options],
            cwd=PROJECT_DIR,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OperatorError(
            f"the Pulumi CLI has not read {describe_stack(stack)} within {timeout} seconds; try "
            f"again, {hint}"
        ) from error


def _find_cli(stack: str, hint: str) -> str:
    """Find the path of the Pulumi CLI.

    Raises OperatorError if the CLI isn't installed, or if the folder isn't a Pulumi project.
    """
    if not (PROJECT_DIR / "Pulumi.yaml").exists():
        raise OperatorError(
            f"{PROJECT_DIR} has no Pulumi.yaml; run the command in the folder of the project, or "
            "create the project with `retrain adopt --dataset-group-arn ARN --stack STACK`, "
            f"{hint}"
        )

    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise OperatorError(
            f"the Pulumi CLI is not on the PATH, so {describe_stack(stack)} cannot be read; "
            f"install it (https://www.pulumi.com/docs/install/), {hint}"
        )
    return pulumi


def _parse_json_output(completed: subprocess.CompletedProcess[str]) -> dict[str, Any] | None:
    """Parse a command's stdout as JSON, or return None if it isn't JSON.

    That may happen, because the `pulumi` on the PATH could be any program.
    """
    with suppress(ValueError):
        document: dict[str, Any] = json.loads(completed.stdout)
        return document
    return None


def _extract_error(completed: subprocess.CompletedProcess[str]) -> str:
    """Extract the CLI's last error message from stderr. If there's none, return all of stderr."""
    errors = ERROR_LINE.findall(completed.stderr) or [completed.stderr]
    return join_lines(errors[-1]) or "it gives no reason"

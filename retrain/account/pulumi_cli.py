"""Reads the outputs and the config of a stack with the Pulumi CLI."""

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
from retrain.account.errors import OperatorError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_DIR = Path.cwd() if IS_INSTALLED else FOLDER
"""The folder with Pulumi.yaml and the files of the stacks."""
STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""The names that the Pulumi CLI accepts, without organization and project
(https://www.pulumi.com/docs/iac/concepts/stacks/#create-a-stack)."""
CLI_SECONDS = 120
"""A backend that is far away may take a while. The CLI asks no questions in the meantime."""
PREVIEW_SECONDS = 600
"""A preview runs the program, and a refresh reads every resource."""
NAME_MACHINE = "or name the state machine with --state-machine-arn"
REASON = re.compile(r"^error: (.*)$", re.MULTILINE)
"""The lines with which the CLI says why it failed."""


class NotDeployedError(OperatorError):
    """A stack was never created or deployed, or was destroyed, as the Pulumi CLI says."""


def stack_file_of(stack: str) -> Path:
    """Return the path of a stack's file. Raise OperatorError if no stack can have this name."""
    if not STACK_NAME.fullmatch(stack):
        raise OperatorError(
            f"--stack {stack!r}: a stack's name has 1 to 100 letters, digits, hyphens, underscores "
            "and periods; choose another name, for example prod"
        )
    return PROJECT_DIR / f"Pulumi.{stack}.yaml"


def list_stacks() -> list[str]:
    """List the stacks that have a file."""
    file_names = [path.name for path in PROJECT_DIR.glob("Pulumi.*.yaml")]
    return sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in file_names)


def build_missing_file_error(file: Path) -> OperatorError:
    """Explain that a stack has no file, and which stacks have one."""
    stack_names = list_stacks()
    hint = "this folder has no stack files, so write this file first"
    if stack_names:
        hint = f"name one of the stacks of this folder: {', '.join(stack_names)}"
    return OperatorError(f"{file}: does not exist; {hint}")


def pulumi_command(stack: str | None, *words: str) -> str:
    """Write a command of the Pulumi CLI for a stack.

    Without a name of the stack, the CLI takes the one that is selected in the folder.
    """
    command = ["pulumi", *words]
    if stack is not None:
        command += ["--stack", stack]
    return " ".join(command)


def describe_stack(stack: str) -> str:
    """Name a stack in a message. The user may not have named the default stack."""
    if stack == "dev":
        return f"stack {stack} (-s names another)"
    return f"stack {stack}"


def read_outputs(stack: str) -> Mapping[str, object]:
    """Read the outputs of a stack. They are empty if the stack is not deployed."""
    return _read("stack", "output", "--json", stack=stack, way_out=NAME_MACHINE)


def read_resolved_config(stack: str) -> dict[str, object]:
    """Read the config of a stack with the values of its ESC environments. It needs no account.

    The CLI prints no secrets, so each of them is an encrypted value without text.
    """
    entries = _read(
        *("config", "--open", "--json"),
        stack=stack,
        way_out="or copy the values of the environment into the stack's file",
    )

    config: dict[str, object] = {}
    for key, entry in entries.items():
        config[key] = entry["value"]
        if entry["secret"]:
            config[key] = {"secure": ""}
    return config


def preview(stack: str, *, refresh: bool, variables: Mapping[str, str]) -> dict[str, Any]:
    """Ask what `pulumi up` would do, and return the CLI's document. Nothing is changed.

    If a read is denied, for example, the document has `diagnostics` with errors, and no whole plan.
    The CLI gets `variables` besides those of this process. Raises OperatorError if there is no
    document.
    """
    command = ["preview", "--json"]
    if refresh:
        command.append("--refresh")

    completed = _run(
        *command,
        stack=stack,
        way_out="or see what `pulumi preview --refresh` says",
        seconds=PREVIEW_SECONDS,
        variables=variables,
    )
    document = _parse_output(completed)
    if document is not None:
        severities = {item["severity"] for item in document.get("diagnostics", ())}
        if completed.returncode == 0 or "error" in severities:
            return document

    # Before the plan, the CLI writes its reason to stderr, beside an incomplete document or none.
    raise OperatorError(_find_reason(completed))


def read_state(stack: str) -> dict[str, Any]:
    """Read the state of a stack: its resources as the last operation has left them."""
    exported = _read("stack", "export", stack=stack, way_out=NAME_MACHINE)
    deployment: dict[str, Any] = exported["deployment"]
    return deployment


def _read(*command: str, stack: str, way_out: str) -> dict[str, Any]:
    """Read the document that a command of the CLI prints. Raise OperatorError if it fails."""
    completed = _run(
        *command,
        stack=stack,
        way_out=way_out,
        seconds=CLI_SECONDS,
        variables={},
    )
    document = _parse_output(completed)
    if completed.returncode == 0 and document is not None:
        return document

    reason = _find_reason(completed)
    if reason.startswith("no stack named"):
        raise _explain_unknown_stack(stack)
    raise OperatorError(
        f"the Pulumi CLI cannot read {describe_stack(stack)}: {reason}; "
        f"check --stack and `pulumi whoami`, log in with `pulumi login`, {way_out}"
    )


def _explain_unknown_stack(stack: str) -> OperatorError:
    """Explain that the CLI's backend does not know a stack, whose name may be misspelled."""
    # The name may contain the organization and the project.
    file = stack_file_of(stack.rpartition("/")[2])
    if not os.path.lexists(file):
        return build_missing_file_error(file)

    return NotDeployedError(
        f"{describe_stack(stack)} is not created yet, or it is in another backend than `pulumi "
        "whoami -v` prints; create and deploy it",
        f"pulumi stack init {stack} && {pulumi_command(stack, 'up')}",
    )


def _run(
    *command: str,
    stack: str,
    way_out: str,
    seconds: float,
    variables: Mapping[str, str],
) -> subprocess.CompletedProcess[str]:
    """Run a command of the CLI on a stack. Raise OperatorError if it does not run to its end."""
    pulumi = _find_cli(stack, way_out)
    options = ("--stack", stack, "--non-interactive", "--color", "never")

    try:
        return subprocess.run(  # noqa: S603  # the Pulumi CLI on the PATH
            [pulumi, *command, *options],
            cwd=PROJECT_DIR,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OperatorError(
            f"the Pulumi CLI has not read {describe_stack(stack)} within {seconds} seconds; try "
            f"again, {way_out}"
        ) from error


def _find_cli(stack: str, way_out: str) -> str:
    """Find the Pulumi CLI. Raise OperatorError if it's missing, or has no project to work on."""
    if not (PROJECT_DIR / "Pulumi.yaml").exists():
        raise OperatorError(
            f"{PROJECT_DIR} has no Pulumi.yaml; run the command in the folder of the project, or "
            "create the project with `retrain adopt --dataset-group-arn ARN --stack STACK`, "
            f"{way_out}"
        )

    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise OperatorError(
            f"the Pulumi CLI is not on the PATH, so {describe_stack(stack)} cannot be read; "
            f"install it (https://www.pulumi.com/docs/install/), {way_out}"
        )
    return pulumi


def _parse_output(completed: subprocess.CompletedProcess[str]) -> dict[str, Any] | None:
    """Parse the document on stdout, or return None if the program on the PATH prints none."""
    with suppress(ValueError):
        document: dict[str, Any] = json.loads(completed.stdout)
        return document
    return None


def _find_reason(completed: subprocess.CompletedProcess[str]) -> str:
    """Find why the CLI failed, in its last error."""
    errors = REASON.findall(completed.stderr) or [completed.stderr]
    return one_line(errors[-1]) or "it gives no reason"

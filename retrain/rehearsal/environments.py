"""Resolves the environments of Pulumi ESC that a stack imports, with the Pulumi CLI."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from emulator.deployer.configuration import read_mapping
from retrain.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLI_SECONDS = 120
COPY_VALUES = "or copy the values into a stack file without environment"


@contextmanager
def without_environments(project_dir: Path, stack: str) -> Iterator[Path]:
    """Yield the folder of a project in which the stack's file imports no environment.

    If the stack imports none, the folder is `project_dir`. Otherwise it is a temporary folder with
    the config that the Pulumi CLI prints. The CLI does not print secrets, so a secret is written
    as an encrypted value. The deployer refuses encrypted values among the settings of a pipeline.

    Raises RehearsalError, and DeploymentError if a file cannot be read.
    """
    stack_file = project_dir / f"Pulumi.{stack}.yaml"
    if not stack_file.is_file() or "environment" not in read_mapping(stack_file):
        yield project_dir
        return
    config = {
        key: {"secure": ""} if entry["secret"] else entry["value"]
        for key, entry in _resolved_config(stack_file, stack).items()
    }
    project = read_mapping(project_dir / "Pulumi.yaml")
    main = project_dir.resolve() / str(project.get("main", "."))
    with tempfile.TemporaryDirectory(prefix="stack-") as folder:
        copy = Path(folder)
        (copy / "Pulumi.yaml").write_text(json.dumps({**project, "main": str(main)}))
        (copy / stack_file.name).write_text(json.dumps({"config": config}))
        yield copy


def _resolved_config(stack_file: Path, stack: str) -> Mapping[str, Mapping[str, object]]:
    """Return the stack's whole config, with the values of its environments, from the Pulumi CLI.

    Each key has an object with the `value` and with `secret`, which is True or False. Raises
    RehearsalError if the CLI is missing or fails.
    """
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        problem = "imports an environment, which only the Pulumi CLI can read"
        way_out = f"install it and run pulumi login, {COPY_VALUES}"
        raise RehearsalError(f"{stack_file}: {problem}; {way_out}")
    command = [pulumi, "config", "--json", "--open", "--stack", stack, "--non-interactive"]
    try:
        completed = subprocess.run(  # noqa: S603  # the Pulumi CLI on the PATH
            [*command, "--color", "never"],
            cwd=stack_file.parent,
            capture_output=True,
            text=True,
            timeout=CLI_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        problem = f"the Pulumi CLI cannot read the config: {error.stderr.strip()}"
        raise RehearsalError(f"{stack_file}: {problem}; run pulumi login, {COPY_VALUES}") from error
    except subprocess.TimeoutExpired as error:
        problem = f"the Pulumi CLI has not printed the config within {CLI_SECONDS} seconds"
        raise RehearsalError(
            f"{stack_file}: {problem}; start the command again, {COPY_VALUES}"
        ) from error
    return cast("Mapping[str, Mapping[str, object]]", json.loads(completed.stdout))

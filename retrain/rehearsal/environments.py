"""Resolves the environments of Pulumi ESC that a stack imports, with the Pulumi CLI."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from emulator.deployer import yaml_files
from retrain.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLI_SECONDS = 120
ALTERNATIVE = "or copy the values into a stack file without environment"


@contextmanager
def without_environments(project_dir: Path, stack: str) -> Iterator[Path]:
    """Yield the folder of a project in which the stack's file imports no environment.

    This is `project_dir` itself if the stack imports none. Otherwise it is a temporary folder with
    the config that the Pulumi CLI prints. The CLI does not print secrets, so a secret is written
    as an encrypted value. The deployer refuses such a value in the settings of this project.

    Raises RehearsalError, and DeploymentError if a file cannot be read.
    """
    file = project_dir / f"Pulumi.{stack}.yaml"
    if not file.is_file() or "environment" not in _read(file):
        yield project_dir
        return
    config = {
        key: {"secure": ""} if entry["secret"] else entry["value"]
        for key, entry in _config(file, stack).items()
    }
    project = _read(project_dir / "Pulumi.yaml")
    main = project_dir.resolve() / str(project.get("main", "."))
    with tempfile.TemporaryDirectory(prefix="stack-") as folder:
        copy = Path(folder)
        (copy / "Pulumi.yaml").write_text(json.dumps({**project, "main": str(main)}))
        (copy / file.name).write_text(json.dumps({"config": config}))
        yield copy


def _config(file: Path, stack: str) -> Mapping[str, Mapping[str, object]]:
    """Return the stack's whole config as the CLI prints it: each key has `value` and `secret`."""
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        problem = "imports an environment, which only the Pulumi CLI can read"
        raise RehearsalError(f"{file}: {problem}; install it and run pulumi login, {ALTERNATIVE}")
    command = [pulumi, "config", "--json", "--open", "--stack", stack, "--non-interactive"]
    try:
        completed = subprocess.run(  # noqa: S603  # the Pulumi CLI on the PATH
            [*command, "--color", "never"],
            cwd=file.parent,
            capture_output=True,
            text=True,
            timeout=CLI_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        problem = f"the Pulumi CLI cannot read its config: {error.stderr.strip()}"
        raise RehearsalError(f"{file}: {problem}; run pulumi login, {ALTERNATIVE}") from error
    except subprocess.TimeoutExpired as error:
        problem = f"the Pulumi CLI has not printed its config within {CLI_SECONDS} seconds"
        raise RehearsalError(f"{file}: {problem}; try it again, {ALTERNATIVE}") from error
    return cast("Mapping[str, Mapping[str, object]]", json.loads(completed.stdout))


def _read(file: Path) -> Mapping[str, object]:
    document = yaml_files.read(file)
    return document if isinstance(document, dict) else {}

"""Asks the Pulumi CLI for the config of a stack that imports environments of Pulumi ESC."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from emulator.deployer import yaml_files
from retrain.rehearsal.data.world import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE_SECONDS = 120
BY_HAND = "or copy the values into a stack file without environment"


@contextmanager
def resolved(project_dir: Path, stack: str) -> Iterator[Path]:
    """Yield a folder with the project in which the stack's file has no environment.

    This is `project_dir` itself if the stack imports no environment. Otherwise it is a temporary
    folder with the config that the Pulumi CLI prints. The CLI does not print secrets, so they are
    encrypted values there, which the reader of the file refuses or leaves out.

    Raises RehearsalError, and DeploymentError for a file that cannot be read.
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
        message = "imports an environment, which only the Pulumi CLI can read"
        raise RehearsalError(f"{file}: {message}; install it and run pulumi login, {BY_HAND}")
    command = [pulumi, "config", "--json", "--open", "--stack", stack, "--non-interactive"]
    try:
        done = subprocess.run(  # noqa: S603  # the Pulumi CLI on the PATH
            [*command, "--color", "never"],
            cwd=file.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        message = f"the Pulumi CLI cannot read its config: {error.stderr.strip()}"
        raise RehearsalError(f"{file}: {message}; run pulumi login, {BY_HAND}") from error
    except subprocess.TimeoutExpired as error:
        message = f"the Pulumi CLI has not printed its config within {PATIENCE_SECONDS} seconds"
        raise RehearsalError(f"{file}: {message}; try it again, {BY_HAND}") from error
    return cast("Mapping[str, Mapping[str, object]]", json.loads(done.stdout))


def _read(file: Path) -> Mapping[str, object]:
    document = yaml_files.read(file)
    return document if isinstance(document, dict) else {}

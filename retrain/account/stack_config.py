"""Reads the config of a stack: the arguments of its pipeline, before and after it is deployed."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from components import settings
from retrain.account.errors import OperatorError
from retrain.account.project_files import read_mapping, read_project
from retrain.account.pulumi_cli import build_missing_file_error, read_resolved_config, stack_file_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.args import RetrainingPipelineArgs


@contextmanager
def readable_project(stack: str) -> Iterator[Path]:
    """Yield the folder of the project, in which the stack's file imports no environment.

    If the stack imports one, only the CLI can read it. Then the folder is a temporary one with the
    config that the CLI prints, in which secrets stay encrypted.
    """
    stack_file = stack_file_of(stack)
    if not os.path.lexists(stack_file):
        raise build_missing_file_error(stack_file)
    if "environment" not in read_mapping(stack_file):
        yield stack_file.parent
        return

    with tempfile.TemporaryDirectory(prefix="stack-") as folder:
        resolved_dir = Path(folder)
        _write_resolved_project(resolved_dir, stack_file, stack)
        yield resolved_dir


def _write_resolved_project(resolved_dir: Path, stack_file: Path, stack: str) -> None:
    """Write a project with the same program, and with the values of the stack's environments."""
    project_dir = stack_file.parent
    project = read_mapping(project_dir / "Pulumi.yaml")
    program = project_dir.resolve() / str(project.get("main", "."))
    project_text = json.dumps({**project, "main": str(program)})
    (resolved_dir / "Pulumi.yaml").write_text(project_text)

    stack_text = json.dumps({"config": read_resolved_config(stack)})
    (resolved_dir / stack_file.name).write_text(stack_text)


def read_args(stack: str) -> RetrainingPipelineArgs:
    """Read the arguments in the file of a stack, as `pulumi preview` reads them.

    Raises OperatorError if the file is missing or has problems.
    """
    with readable_project(stack) as folder:
        project = read_project(folder, stack, {})
    try:
        return settings.parse_stack_config(project.name, stack, project.config)
    except pulumi.RunError as error:
        raise OperatorError(str(error)) from error

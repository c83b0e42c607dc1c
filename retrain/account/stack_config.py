"""Reads a stack's config into the pipeline's arguments, whether or not the stack is deployed."""

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
from retrain.account.pulumi_cli import (
    build_missing_file_error,
    build_stack_file_path,
    read_resolved_config,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.args import RetrainingPipelineArgs


@contextmanager
def open_readable_project(stack: str) -> Iterator[Path]:
    """Yield a project folder that can be read without the CLI.

    Usually, that's the project's own folder. But if the stack's file imports an ESC environment,
    which only the CLI can resolve, it's a temporary folder with the resolved config. The values of
    secrets are left out.
    """
    stack_file = build_stack_file_path(stack)
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
    """Write a copy of the project that has the resolved config, and runs the original program."""
    project_dir = stack_file.parent
    project = read_mapping(project_dir / "Pulumi.yaml")
    program = project_dir.resolve() / str(project.get("main", "."))
    # Every JSON document is also YAML.
    project_text = json.dumps({**project, "main": str(program)})
    (resolved_dir / "Pulumi.yaml").write_text(project_text)

    stack_text = json.dumps({"config": read_resolved_config(stack)})
    (resolved_dir / stack_file.name).write_text(stack_text)


def read_args(stack: str) -> RetrainingPipelineArgs:
    """Read the pipeline's arguments from a stack's config, just like `pulumi preview` would.

    Raises OperatorError if the stack file is missing or invalid.
    """
    with open_readable_project(stack) as folder:
        project = read_project(folder, stack, {})
    try:
        return settings.parse_stack_config(project.name, stack, project.config)
    except pulumi.RunError as error:
        raise OperatorError(str(error)) from error

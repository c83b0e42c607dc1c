"""Finds the files of a project's stacks, and says what to do about a stack that has none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""The names that the Pulumi CLI accepts, without organization and project
(https://www.pulumi.com/docs/iac/concepts/stacks/#create-a-stack)."""


def stack_file(project_dir: Path, stack: str) -> Path:
    """Return the path of a stack's file."""
    return project_dir / f"Pulumi.{stack}.yaml"


def stacks_hint(project_dir: Path) -> str:
    """Return what to do about a stack that has no file."""
    files = project_dir.glob("Pulumi.*.yaml")
    names = sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in files)
    return (
        f"name one of the stacks of this folder: {', '.join(names)}"
        if names
        else "this folder has no stack files, so write this file first"
    )


def missing_file_message(project_dir: Path, stack: str) -> str:
    """Return a message about a stack that has no file."""
    return f"{stack_file(project_dir, stack)}: does not exist; {stacks_hint(project_dir)}"

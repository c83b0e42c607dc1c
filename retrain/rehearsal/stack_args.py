"""Reads the arguments of a pipeline from a stack's file. No account and no emulator is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components import settings
from emulator.deployer.configuration import read_project
from emulator.deployer.errors import DeploymentError
from retrain.rehearsal.environments import without_environments
from retrain.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from pathlib import Path

    from components.args import RetrainingPipelineArgs


def read_stack_args(project_dir: Path, stack: str) -> RetrainingPipelineArgs:
    """Return the arguments in the file of a stack, as `pulumi preview` reads them.

    If the file imports environments of Pulumi ESC, the Pulumi CLI resolves them. Raises
    RehearsalError if the file has problems.
    """
    try:
        with without_environments(project_dir, stack) as folder:
            project = read_project(folder, stack, {})
        return settings.parse_stack(project.name, stack, project.config)
    except (pulumi.RunError, DeploymentError) as error:
        raise RehearsalError(str(error)) from error

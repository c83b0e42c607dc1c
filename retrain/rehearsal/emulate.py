"""Runs an AWS on this machine with the resources that a stack names, so that `pulumi up` works."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from emulator import running
from retrain.rehearsal.commands import (
    ERRORS,
    PROJECT_DIR,
    TIMINGS,
    print_error,
    until_interrupted,
)
from retrain.rehearsal.data.exports import write_newer_exports
from retrain.rehearsal.data.resources import create_resources
from retrain.rehearsal.screens import print_progress
from retrain.rehearsal.shell import export_lines
from retrain.rehearsal.stacks import open_stack

if TYPE_CHECKING:
    from pathlib import Path

PROVIDER = PROJECT_DIR / "emulator" / "deployer" / "plugin"
"""The folder of the emulator's AWS provider. The Pulumi CLI finds it on the PATH."""


def emulate(
    stack_name: str,
    *,
    port: int = 4566,
    data_dir: Path | None = None,
    project_dir: Path = PROJECT_DIR,
) -> int:
    """Run the emulator until it is interrupted. Return the exit code of the command.

    `data_dir` contains CSV files to use instead of the sample data (`data/custom_data.py`).
    """
    console = Console(soft_wrap=True)
    try:
        with open_stack(project_dir, stack_name, data_dir) as stack:
            account, region = stack.home.account, stack.home.region
            with running(port=port, account=account, region=region, timings=TIMINGS) as emulator:
                report = partial(print_progress, console)
                group_arn = create_resources(emulator, stack.args, report, stack.data)
                today = datetime.now(UTC).date().isoformat()
                write_newer_exports(emulator, stack.args, stack.data, day=today)
                with until_interrupted(emulator):
                    instructions = _instructions(stack_name, group_arn, emulator.exports)
                    console.print(instructions, highlight=False, markup=False)
                return 0
    except ERRORS as error:
        return print_error(error)


def _instructions(stack_name: str, group_arn: str, aws_variables: dict[str, str]) -> str:
    """Return how to use the emulator from another shell, with the variables to set there."""
    new_stack = "prod" if stack_name != "prod" else "adopted"
    variables = {**aws_variables, "PATH": f'"{PROVIDER}{os.pathsep}$PATH"'}
    return (
        f"\nThe emulator has everything that stack {stack_name} names, and newer exports for the "
        "next run.\nIt runs until you press Ctrl-C. In another shell, set these variables for "
        f"boto3, the AWS CLI\nand Pulumi:\n\n{export_lines(variables)}\n\n"
        f"Then deploy with `pulumi up -s {stack_name}`. The commands of docs/operations.md work "
        f"there\ntoo, with STACK={stack_name} in their first line.\n\n"
        "Or write the file of a new stack for the dataset group:\n\n"
        f"retrain adopt --stack {new_stack} --dataset-group-arn {group_arn}\n\n"
        "docs/rehearsal.md goes on from there to a running pipeline.\n"
    )

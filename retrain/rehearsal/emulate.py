"""Runs an AWS on this machine with everything that a stack names, so that `pulumi up` works."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console

from emulator import running
from retrain.rehearsal.data.world import prepare, put_newer_exports
from retrain.rehearsal.keeping import until_interrupted
from retrain.rehearsal.rehearse import ERRORS, PROJECT, TIMINGS, complain, home_of, opened

if TYPE_CHECKING:
    from pathlib import Path

PROVIDER = PROJECT / "emulator" / "deployer" / "plugin"
"""The folder of the emulator's AWS provider, which the Pulumi CLI finds on the PATH."""


def emulate(
    stack: str, *, port: int = 4566, data_dir: Path | None = None, project_dir: Path = PROJECT
) -> int:
    """Run the emulator until it is interrupted. Return the exit code of the command.

    `data_dir` holds CSV files to use instead of the sample data (`data/own_data.py`).
    """
    console = Console(soft_wrap=True)

    def report(text: str) -> None:
        console.print(text, style="dim", highlight=False, markup=False)

    try:
        with opened(project_dir, stack, data_dir) as (_, args, data):
            home = home_of(args)
            with running(
                port=port, account=home.account, region=home.region, timings=TIMINGS
            ) as emulator:
                prepare(emulator, args, report, data)
                today = datetime.now(UTC).date().isoformat()
                put_newer_exports(emulator, args, data, day=today)
                with until_interrupted(emulator):
                    console.print(
                        _how_to(stack, emulator.exports),
                        highlight=False,
                        markup=False,
                    )
                return 0
    except ERRORS as error:
        return complain(error)


def _how_to(stack: str, exports: dict[str, str]) -> str:
    variables = {**exports, "PATH": f'"{PROVIDER}{os.pathsep}$PATH"'}
    lines = "\n".join(f"export {name}={value}" for name, value in variables.items())
    return (
        f"\nEverything that stack {stack} names is here, and a newer export for the next run. "
        "The emulator\nstays up until Ctrl-C. In another shell, for boto3, the AWS CLI and "
        f"Pulumi:\n\n{lines}\n\nThen `pulumi up -s {stack}` deploys to it.\n"
    )

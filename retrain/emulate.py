"""An AWS on this machine with everything that a stack names, for a `pulumi up` of one's own."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from emulator import EmulatorError, running
from emulator.data_sets import SampleData
from emulator.deployer import DeploymentError
from emulator.own_data import own_data
from emulator.rehearsal import RehearsalError, prepare, put_newer_exports
from retrain import changes
from retrain.environments import resolved
from retrain.keeping import until_interrupted
from retrain.rehearse import FAILED, PROJECT, TIMINGS, UNUSABLE, complain, home_of, settings_of
from retrain.stage import FailedError
from retrain.surroundings import warnings_once, without_the_callers_settings

if TYPE_CHECKING:
    from pathlib import Path

PROVIDER = PROJECT / "emulator" / "deployer" / "plugin"
"""The folder of the emulator's AWS provider, which the Pulumi CLI finds on the PATH."""


def emulate(
    stack: str, *, port: int = 4566, data_dir: Path | None = None, project_dir: Path = PROJECT
) -> int:
    """Run the emulator until it is interrupted; return the exit code that the command promises.

    `data_dir` holds CSV files to use instead of the sample data (`emulator.own_data`).
    """
    console = Console(soft_wrap=True)

    def say(text: str) -> None:
        console.print(text, style="dim", highlight=False, markup=False)

    try:
        with (
            resolved(project_dir, stack) as folder,
            without_the_callers_settings(),
            warnings_once(),
        ):
            args, _ = settings_of(folder, stack, changes.nothing)
            keys = [key for key, _ in args.datasets.configured()]
            data = own_data(data_dir, keys) if data_dir else SampleData()
            home = home_of(args)
            with running(
                port=port, account=home.account, region=home.region, timings=TIMINGS
            ) as emulator:
                prepare(emulator, args, say, data)
                today = datetime.now(UTC).date().isoformat()
                put_newer_exports(emulator, args, data, day=today)
                with until_interrupted(emulator):
                    console.print(_how_to(stack, emulator.exports), highlight=False, markup=False)
                return 0
    except (pulumi.RunError, DeploymentError, EmulatorError, RehearsalError) as error:
        return complain(error, UNUSABLE)
    except (BotoCoreError, ClientError, FailedError) as error:
        return complain(error, FAILED)


def _how_to(stack: str, exports: dict[str, str]) -> str:
    variables = {**exports, "PATH": f'"{PROVIDER}{os.pathsep}$PATH"'}
    lines = "\n".join(f"export {name}={value}" for name, value in variables.items())
    return (
        f"\nEverything that stack {stack} names is here, and a newer export for the next run. "
        "The emulator\nstays up until Ctrl-C. In another shell, for boto3, the AWS CLI and "
        f"Pulumi:\n\n{lines}\n\nThen `pulumi up -s {stack}` deploys to it.\n"
    )

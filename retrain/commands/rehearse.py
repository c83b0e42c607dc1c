"""The command `rehearse`."""

from typing import Annotated

import typer

from retrain.commands.emulator_libraries import require_emulator
from retrain.commands.options import DataOption, JsonOption, StackOption
from retrain.options import parse_scenario
from retrain.rehearsal.scenarios import SCENARIOS, Name


def rehearse(
    stack: StackOption = "dev",
    *,
    scenario: Annotated[
        list[Name] | None,
        typer.Option(
            metavar="NAME",
            parser=parse_scenario,
            help=f"The scenario to play. Repeat the option for several. {Name.HAPPY_PATH} (the "
            f"default) is a run that succeeds. {Name.ALL} plays everything. In the others "
            f"something goes wrong: {', '.join(row.name for row in SCENARIOS)}.",
        ),
    ] = None,
    data: DataOption = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keep the emulator running until Ctrl-C, and print the variables with which the "
            "AWS CLI and boto3 use it.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Deploy a stack to an emulator of AWS on this machine, and run its pipeline there.

    The schedule starts the run, or the command does if the stack is paused.

    Each scenario starts another run.

    Exit code 0: every campaign serves its new version, and every scenario ended as designed.
    Exit code 1: a campaign does not serve its new version, or a scenario ended differently.
    Exit code 2: the stack cannot be rehearsed.
    """
    require_emulator()
    from retrain.rehearsal.rehearse import rehearse as run_rehearsal  # noqa: PLC0415  # emulator

    names = scenario or [Name.HAPPY_PATH]
    raise typer.Exit(run_rehearsal(stack, scenarios=names, keep=keep, as_json=json, data_dir=data))

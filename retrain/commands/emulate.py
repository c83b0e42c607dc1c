"""The command `emulate`."""

from typing import Annotated

import typer

from retrain.commands.emulator_libraries import require_emulator
from retrain.commands.options import DataOption, StackOption
from retrain.options import parse_port


def emulate(
    stack: StackOption = "dev",
    *,
    data: DataOption = None,
    port: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            parser=parse_port,
            help="The port on 127.0.0.1. 0 takes a free port.",
        ),
    ] = 4566,
) -> None:
    """Run an emulator of AWS with all resources that a stack names, but without the stack.

    The command prints the variables for `pulumi up`, the AWS CLI and boto3.

    It runs until Ctrl-C.

    Exit code 0: the command was interrupted.
    Exit code 1: the emulator died.
    Exit code 2: the stack cannot be emulated.
    """
    require_emulator()
    from retrain.rehearsal.emulate import emulate as run_emulator  # noqa: PLC0415  # emulator

    raise typer.Exit(run_emulator(stack, port=port, data_dir=data))

"""The commands and their options. Each command is a function in the module of its name."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from retrain.options import parse_folder, parse_port, parse_scenario
from retrain.rehearsal.scenarios import SCENARIOS, Name

PROGRAM = "retrain"
COMMANDS = ("rehearse", "emulate")
EXIT_FAILED = 1
EXIT_UNUSABLE = 2
EMULATOR_LIBRARIES = ("awslambdaric", "hypercorn", "implicit", "ministack", "moto")
"""Only the development requirements contain these."""

DataDir: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="A folder with your own CSV files in UTF-8, instead of the sample data. "
        "interactions.csv needs USER_ID, ITEM_ID, TIMESTAMP (seconds since 1970) and at least "
        "1250 rows. Each other dataset of the stack needs a file: items.csv with ITEM_ID, "
        "users.csv with USER_ID, actions.csv with ACTION_ID, actionInteractions.csv with USER_ID, "
        "ACTION_ID, EVENT_TYPE, TIMESTAMP. Further columns are added to the schema. TITLE and "
        "GENRES of the items are shown.",
        metavar="FOLDER",
        parser=parse_folder,
    ),
]

app = typer.Typer(
    help="Operate the pipelines that retrain Amazon Personalize.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments. Return the exit code.

    A mistake in the arguments is a message of one line. Without arguments, print the help.
    """
    try:
        exit_code: int | None = app(
            list(arguments) or ["--help"], prog_name=PROGRAM, standalone_mode=False
        )
    except typer.BadParameter as error:
        typer.echo(error.format_message(), err=True)
        return EXIT_UNUSABLE
    except typer.TyperException as error:
        command = " ".join([PROGRAM, *(word for word in arguments[:1] if word in COMMANDS)])
        message = error.format_message().rstrip(".")
        typer.echo(f"{message}; `{command} --help` shows what is possible", err=True)
        return EXIT_UNUSABLE
    except OSError as error:  # the output cannot be written
        typer.echo(f"{error}; check where the output goes", err=True)
        return EXIT_FAILED
    return EXIT_UNUSABLE if not arguments else exit_code or 0


@app.callback()
def retrain() -> None:
    """Operate the pipelines that retrain Amazon Personalize."""


@app.command()
def rehearse(
    stack: Annotated[
        str, typer.Option(help="The stack, whose file is Pulumi.<stack>.yaml.")
    ] = "dev",
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
    data: DataDir = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keep the emulator running until Ctrl-C, and print the variables with which the "
            "AWS CLI and boto3 use it.",
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print only the result, as a JSON document.")
    ] = False,
) -> None:
    """Deploy a stack to an AWS that runs on this machine, and run its pipeline there.

    The schedule starts the run, or the command does if the stack is paused.

    Each scenario starts another run.

    Exit code 0: every campaign serves its new version, and every scenario ended as designed.
    Exit code 1: a campaign does not serve its new version, or a scenario ended otherwise.
    Exit code 2: the stack cannot be rehearsed.
    """
    _require_emulator()
    from retrain.rehearsal.rehearse import rehearse as run_rehearsal  # noqa: PLC0415  # emulator

    names = scenario or [Name.HAPPY_PATH]
    raise typer.Exit(run_rehearsal(stack, scenarios=names, keep=keep, as_json=json, data_dir=data))


@app.command()
def emulate(
    stack: Annotated[
        str, typer.Option(help="The stack, whose file is Pulumi.<stack>.yaml.")
    ] = "dev",
    *,
    data: DataDir = None,
    port: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            parser=parse_port,
            help="The port on 127.0.0.1. 0 takes a free port.",
        ),
    ] = 4566,
) -> None:
    """Run an AWS on this machine with all resources that a stack names, but without the stack.

    The command prints the variables for `pulumi up`, the AWS CLI and boto3.

    It runs until Ctrl-C.

    Exit code 0: the command was interrupted.
    Exit code 1: the emulator died.
    Exit code 2: the stack cannot be emulated.
    """
    _require_emulator()
    from retrain.rehearsal.emulate import emulate as run_emulator  # noqa: PLC0415  # emulator

    raise typer.Exit(run_emulator(stack, port=port, data_dir=data))


def _require_emulator() -> None:
    """Exit with code 2 if a library of the emulator is missing."""
    missing = [library for library in EMULATOR_LIBRARIES if find_spec(library) is None]
    if missing:
        typer.echo(
            f"this command needs {', '.join(missing)}, which the development requirements "
            "install: pip install --require-hashes -r requirements.txt -r requirements-dev.txt",
            err=True,
        )
        raise typer.Exit(EXIT_UNUSABLE)

"""The commands that need no account. They only import the emulator when they are called."""

from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from retrain import IS_INSTALLED
from retrain.account.errors import OperatorError
from retrain.options import JsonOption, StackOption, command
from retrain.rehearsal.scenarios import SCENARIOS, Name

EMULATOR_LIBRARIES = ("awslambdaric", "hypercorn", "implicit", "ministack")
"""Libraries that only the emulator needs."""
LAST_PORT = 65535


def _parse_port(value: str | int) -> int:
    """Return the number of a port. Raise BadParameter for a text that is not a port.

    `value` is text, or a number if the option has its default.
    """
    text = str(value)
    if not (text.isascii() and text.isdecimal() and int(text) <= LAST_PORT):
        raise typer.BadParameter(
            f"{text!r} is not a port; write a number from 1 to {LAST_PORT}, or 0 for a free port"
        )
    return int(text)


def _parse_scenario(text: str) -> Name:
    """Return the scenario with this name. Raise BadParameter if there is none."""
    names = [str(name) for name in Name]
    if text not in names:
        close = get_close_matches(text, names, n=1)
        guess = f"did you mean {close[0]!r}? " if close else ""
        raise typer.BadParameter(f"{text!r} is unknown; {guess}name one of {', '.join(names)}")
    return Name(text)


def _parse_folder(text: str) -> Path:
    """Return the path of a folder. Raise BadParameter if there is no such folder."""
    folder = Path(text)
    try:
        is_folder = bool(text) and folder.is_dir()
    except (OSError, ValueError):  # no permission, or a text that cannot be a path
        is_folder = False
    if not is_folder:
        raise typer.BadParameter(
            f"{text!r} is not a folder that can be read; name the folder that contains "
            "interactions.csv"
        )
    return folder


DataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="A folder with your own CSV files in UTF-8, instead of the sample data. "
        "interactions.csv needs USER_ID, ITEM_ID, TIMESTAMP (seconds since 1970) and at least "
        "1250 rows. Each other dataset of the stack needs a file: items.csv with ITEM_ID, "
        "users.csv with USER_ID, actions.csv with ACTION_ID, actionInteractions.csv with USER_ID, "
        "ACTION_ID, EVENT_TYPE, TIMESTAMP. Further columns are added to the schema. TITLE and "
        "GENRES of the items are shown.",
        metavar="FOLDER",
        parser=_parse_folder,
    ),
]


@command
def rehearse(
    stack: StackOption = "dev",
    *,
    scenario: Annotated[
        list[Name] | None,
        typer.Option(
            metavar="NAME",
            parser=_parse_scenario,
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
    as_json: JsonOption = False,
) -> int:
    """Deploy a stack to an emulator of AWS on this machine, and run its pipeline there.

    For example: retrain rehearse --stack prod --scenario worse-model

    The schedule starts the run, or the command does if the stack is paused.

    Each scenario starts another run.

    Exit code 0: every campaign serves its new version, and every scenario ended as designed.
    Exit code 1: a campaign does not serve its new version, or a scenario ended differently.
    Exit code 2: the stack cannot be rehearsed.
    """
    _require_emulator()
    from retrain.rehearsal.rehearse import rehearse as run_rehearsal  # noqa: PLC0415  # emulator

    names = scenario or [Name.HAPPY_PATH]
    return run_rehearsal(stack, scenarios=names, keep=keep, as_json=as_json, data_dir=data)


@command
def emulate(
    stack: StackOption = "dev",
    *,
    data: DataOption = None,
    port: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            parser=_parse_port,
            help="The port on 127.0.0.1. 0 takes a free port.",
        ),
    ] = 4566,
) -> int:
    """Run an emulator of AWS with all resources that a stack names, but without the stack.

    For example: retrain emulate --stack prod

    The command prints the variables for `pulumi up`, the AWS CLI and boto3.

    It runs until Ctrl-C.

    Exit code 0: the command was interrupted.
    Exit code 1: the emulator died.
    Exit code 2: the stack cannot be emulated.
    """
    _require_emulator()
    from retrain.rehearsal.emulate import emulate as run_emulator  # noqa: PLC0415  # emulator

    return run_emulator(stack, port=port, data_dir=data)


def _require_emulator() -> None:
    """Raise OperatorError if a library of the emulator is missing."""
    missing = [library for library in EMULATOR_LIBRARIES if find_spec(library) is None]
    if missing:
        packages = (
            "'personalize-retraining[emulator]'"
            if IS_INSTALLED
            else "--require-hashes -r requirements.txt -r requirements-dev.txt"
        )
        raise OperatorError(
            f"this command needs {', '.join(missing)}; install them with pip install {packages}"
        )

"""The commands and their options; what they do is in the module of the same name."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from retrain.rehearsal.scenarios import Name

EMULATORS = ("awslambdaric", "hypercorn", "implicit", "ministack", "moto")
"""What the emulator is made of; only the development requirements have these."""

WRONG = [str(each) for each in Name if each not in (Name.HAPPY_PATH, Name.ALL)]

Data: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="A folder with CSV files of your own, in UTF-8, instead of the sample data: "
        "interactions.csv with USER_ID, ITEM_ID, TIMESTAMP (seconds since 1970) and 1250 rows "
        "or more; and for those datasets that the stack has, items.csv with ITEM_ID, users.csv "
        "with USER_ID, actions.csv with ACTION_ID, actionInteractions.csv with USER_ID, "
        "ACTION_ID, EVENT_TYPE, TIMESTAMP. Other columns become part of the schema; TITLE and "
        "GENRES of items are shown.",
        exists=True,
        file_okay=False,
    ),
]

app = typer.Typer(
    help="Operate the pipelines that retrain Amazon Personalize.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def retrain() -> None:
    """Operate the pipelines that retrain Amazon Personalize."""


@app.command()
def rehearse(
    stack: Annotated[str, typer.Option(help="Whose Pulumi.<stack>.yaml to rehearse.")] = "dev",
    *,
    scenario: Annotated[
        list[Name] | None,
        typer.Option(
            metavar="NAME",
            help=f"What to rehearse, may be given more than once: {Name.HAPPY_PATH} (the default), "
            f"{Name.ALL}, or one thing that goes wrong: {', '.join(WRONG)}.",
        ),
    ] = None,
    data: Data = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Leave the emulator up afterwards, until Ctrl-C, and print the exports with which "
            "the AWS CLI and boto3 talk to it.",
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")
    ] = False,
) -> None:
    """Deploy a stack to an AWS that runs on this machine, and retrain it there.

    The run is started as the schedule does it; if the stack is paused, by hand.
    A scenario lets something go wrong afterwards.

    Exit code 0: every campaign serves its new version, and every scenario
    ended as designed: what was to be prevented was.
    Exit code 1: one does not, or it was not.
    Exit code 2: the stack cannot be rehearsed.
    """
    _require_emulator()
    from retrain.rehearsal import rehearse as rehearsal  # noqa: PLC0415  # needs the emulator

    names = scenario or [Name.HAPPY_PATH]
    raise typer.Exit(
        rehearsal.rehearse(stack, scenarios=names, keep=keep, as_json=json, data_dir=data)
    )


@app.command()
def emulate(
    stack: Annotated[str, typer.Option(help="Whose Pulumi.<stack>.yaml to read.")] = "dev",
    *,
    data: Data = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 for a free one.")] = 4566,
) -> None:
    """Run an AWS on this machine that has everything that a stack names, and deploy nothing.

    The command prints the exports with which `pulumi up` deploys the stack there, and runs until
    Ctrl-C.

    Exit code 0: the command was interrupted.
    Exit code 1: the emulator died.
    Exit code 2: the emulator cannot play the stack.
    """
    _require_emulator()
    from retrain.rehearsal import emulate as emulating  # noqa: PLC0415  # needs the emulator

    raise typer.Exit(emulating.emulate(stack, port=port, data_dir=data))


def _require_emulator() -> None:
    """Exit with code 2 if the emulator's libraries are missing."""
    if missing := [each for each in EMULATORS if find_spec(each) is None]:
        typer.echo(
            "this command needs the development requirements, and there is no "
            f"{', '.join(missing)}: pip install --require-hashes -r requirements.txt "
            "-r requirements-dev.txt",
            err=True,
        )
        raise typer.Exit(2)

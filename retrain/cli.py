"""The commands and their options; what they do is in the module of the same name."""

from pathlib import Path
from typing import Annotated

import typer

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
    data: Annotated[
        Path | None,
        typer.Option(
            help="A folder with CSV files of your own instead of the sample data: "
            "interactions.csv, and one for each other dataset of the stack.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the emulator up afterwards, until Ctrl-C.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")
    ] = False,
) -> None:
    """Deploy a stack to an AWS that runs on this machine, and retrain it there once.

    Exit code 0: every campaign serves its new version. 1: one does not. 2: the stack cannot be
    rehearsed.
    """
    try:
        from retrain import rehearse as rehearsal  # noqa: PLC0415  # the emulator is heavy
    except ImportError as error:
        typer.echo(
            f"a rehearsal needs the development requirements, and {error.name} is missing: "
            "pip install --require-hashes -r requirements.txt -r requirements-dev.txt",
            err=True,
        )
        raise typer.Exit(2) from error
    raise typer.Exit(rehearsal.rehearse(stack, keep=keep, as_json=json, data_dir=data))

"""The command line: its commands, and how their errors become a line and an exit code."""

import os
import sys
import tomllib
from collections.abc import Container, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, TextIO

import typer

from retrain import FOLDER, IS_INSTALLED
from retrain.account.errors import (
    AWS_ERRORS,
    EXIT_CLOSED_OUTPUT,
    EXIT_FAILED,
    EXIT_UNUSABLE,
    OperatorError,
    aws_error,
)
from retrain.account.output import print_message
from retrain.options import commands

PROGRAM = "retrain"
ACCOUNT_COMMANDS = {
    "doctor": "retrain.check.doctor",
    "adopt": "retrain.act.adopt",
    "plan": "retrain.look.plan",
    "start": "retrain.act.start",
    "watch": "retrain.look.watch",
    "stop": "retrain.act.stop",
    "history": "retrain.look.history",
    "rollback": "retrain.act.rollback",
    "approve": "retrain.act.approve",
    "test-alarm": "retrain.act.alarm_test",
}
LOCAL_COMMANDS = dict.fromkeys(("rehearse", "emulate"), "retrain.rehearsal.local_commands")
PANELS = {"A pipeline in an AWS account": ACCOUNT_COMMANDS, "On this machine": LOCAL_COMMANDS}
"""The module of each command, by the panels of the help."""
MODULES = ACCOUNT_COMMANDS | LOCAL_COMMANDS


def program(names: Container[str] = MODULES) -> typer.Typer:
    """Return the program with these commands. Only their modules are imported."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.callback()(retrain)
    for panel, modules in PANELS.items():
        for name, module in modules.items():
            if name in names:
                import_module(module)
                app.command(name, rich_help_panel=panel)(commands[name])
    return app


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments. Return the exit code.

    A mistake in the arguments is a message of one line, and so is every error that a command
    expects. Without arguments, print the help.

    Raises SystemExit after a signal.
    """
    try:
        exit_code = _run(arguments)
    except SystemExit as ended:
        if ended.code != EXIT_FAILED:
            _print_interruption(arguments)
            raise
        # Typer and Rich end the program like this if nobody reads the output.
        exit_code = EXIT_CLOSED_OUTPUT
    except BrokenPipeError:  # nobody reads the error message
        exit_code = EXIT_CLOSED_OUTPUT
    for stream in filter(None, (sys.stdout, sys.stderr)):
        exit_code = _flush(stream) or exit_code
    return exit_code


def _run(arguments: Sequence[str]) -> int:
    """Run a command. Print the errors that commands expect, and return the exit code."""
    try:
        app = program(arguments[:1] if _is_command(arguments) else MODULES)
        exit_code: int | None = app(
            list(arguments) or ["--help"], prog_name=PROGRAM, standalone_mode=False
        )
    except typer.BadParameter as error:
        print_message(f"{error.format_message()}{_help_of_missing(error)}")
        return EXIT_UNUSABLE
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        print_message(f"{message}; `{_command_of(arguments)} --help` shows what is possible")
        return EXIT_UNUSABLE
    except OperatorError as error:
        return _print_error(error)
    except AWS_ERRORS as error:
        return _print_error(aws_error(error))
    except OSError as error:
        return _print_output_error(error)
    return EXIT_UNUSABLE if not arguments else exit_code or 0


def _help_of_missing(error: typer.BadParameter) -> str:
    """Return the help of an option that is missing, or nothing if its value is wrong."""
    is_missing = error.format_message().startswith("Missing option")
    return f" {getattr(error.param, 'help', '')}" if is_missing else ""


def _flush(stream: TextIO) -> int:
    """Write what a stream has buffered. Return 0, or the exit code if it cannot be written.

    Then the rest is thrown away. Otherwise Python would try again at its end, and complain.
    """
    try:
        stream.flush()
    except OSError as error:
        with Path(os.devnull).open("wb") as devnull:
            os.dup2(devnull.fileno(), stream.fileno())
        if isinstance(error, BrokenPipeError):
            return EXIT_CLOSED_OUTPUT
        return _print_output_error(error)
    return 0


def _print_output_error(error: OSError) -> int:
    """Print why the output cannot be written. Return the exit code."""
    print_message(f"{error}; check where the output goes")
    return EXIT_FAILED


def _print_interruption(arguments: Sequence[str]) -> None:
    """Print that a signal has ended the command, below the ^C that a terminal shows."""
    is_local = not LOCAL_COMMANDS.keys().isdisjoint(arguments[:1])
    rest = "" if is_local else "; AWS goes on with what it was asked for"
    start = "\n" if sys.stderr.isatty() else ""
    typer.echo(f"{start}interrupted{rest}", err=True)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # Typer calls it with the value
    """Print the version of the package, and end the program, if the option asks for it."""
    if is_asked:
        typer.echo(f"{PROGRAM} {_version()}")
        raise typer.Exit


def _version() -> str:
    """Return the version of the package, which is that of pyproject.toml."""
    if IS_INSTALLED:
        return metadata.version("personalize-retraining")
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def retrain(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Operate the pipelines that retrain Amazon Personalize."""


def _command_of(arguments: Sequence[str]) -> str:
    """Return the program with the command that the arguments name, if it exists."""
    return " ".join([PROGRAM, *(arguments[:1] if _is_command(arguments) else ())])


def _is_command(arguments: Sequence[str]) -> bool:
    """Return True if the arguments begin with the name of a command."""
    return not MODULES.keys().isdisjoint(arguments[:1])


def _print_error(error: OperatorError) -> int:
    """Print the message of an error. Return its exit code."""
    print_message(str(error))
    return error.exit_code

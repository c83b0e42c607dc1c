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
    FailedError,
    OperatorError,
    aws_error,
)
from retrain.account.output import print_message
from retrain.options import commands

PROGRAM = "retrain"
ACCOUNT_COMMANDS = {
    "status": "retrain.look.status",
    "doctor": "retrain.check.doctor",
    "adopt": "retrain.act.adopt",
    "plan": "retrain.look.plan",
    "start": "retrain.act.start",
    "watch": "retrain.look.watch",
    "stop": "retrain.act.stop",
    "history": "retrain.look.history",
    "pause": "retrain.act.pause",
    "resume": "retrain.act.pause",
    "rollback": "retrain.act.rollback",
    "pin": "retrain.act.pin",
    "unpin": "retrain.act.pin",
    "approve": "retrain.act.approve",
    "test-alarm": "retrain.act.alarm_test",
}
LOCAL_COMMANDS = dict.fromkeys(("rehearse", "emulate"), "retrain.rehearsal.local_commands")
PANELS = {"A pipeline in an AWS account": ACCOUNT_COMMANDS, "On this machine": LOCAL_COMMANDS}
"""The module of each command, by the panels of the help."""
MODULES = ACCOUNT_COMMANDS | LOCAL_COMMANDS


COMPLETE = f"_{PROGRAM.upper()}_COMPLETE"
"""The variable that Typer's script for a shell sets to complete a command line."""
TYPED = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""The variables with the command line: in bash, and in zsh and fish."""


def program(names: Container[str] = MODULES) -> typer.Typer:
    """Return the program with these commands. Only their modules are imported.

    A shell that completes a command line has no time for the other modules, but needs the names of
    their commands.
    """
    settings = {"help_option_names": ["--help", "-h"]}
    app = typer.Typer(pretty_exceptions_enable=False, context_settings=settings)
    app.callback()(retrain)
    for panel, modules in PANELS.items():
        for name, module in modules.items():
            if name in names:
                import_module(module)
                app.command(name, rich_help_panel=panel)(commands[name])
            elif COMPLETE in os.environ:
                app.command(name)(lambda: None)
    return app


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments. Return the exit code.

    A mistake in the arguments is a message of one line, and so is every error that a command
    expects. Without arguments, print the help. Raises SystemExit after a signal.
    """
    words = arguments
    if COMPLETE in os.environ:
        words = " ".join(os.environ.get(name, "") for name in TYPED).split()[1:]
    named = [name for name in words[:1] if name in MODULES]
    try:
        exit_code = _run(arguments, named)
    except SystemExit as ended:
        if not ended.code:  # Typer has completed a command line, or installed the completion.
            raise
        if ended.code != EXIT_FAILED:
            # A terminal shows ^C in the present line.
            start = "\n" if sys.stderr.isatty() else ""
            rest = (
                "" if LOCAL_COMMANDS.keys() & named else "; AWS goes on with what it was asked for"
            )
            typer.echo(f"{start}interrupted{rest}", err=True)
            raise
        # Typer and Rich end the program like this if nobody reads the output.
        exit_code = EXIT_CLOSED_OUTPUT
    except BrokenPipeError:
        exit_code = EXIT_CLOSED_OUTPUT
    for stream in filter(None, (sys.stdout, sys.stderr)):
        exit_code = _flush(stream) or exit_code
    return exit_code


def _run(arguments: Sequence[str], named: Sequence[str]) -> int:
    """Run a command. Print the errors that commands expect, and return the exit code."""
    try:
        names = named if COMPLETE in os.environ else named or MODULES
        exit_code: int | None = program(names)(
            list(arguments) or ["--help"], prog_name=PROGRAM, standalone_mode=False
        )
    except BrokenPipeError:
        raise
    except (typer.TyperException, OperatorError, *AWS_ERRORS, OSError) as error:
        explained = _explained(error, " ".join([PROGRAM, *named]))
        print_message(str(explained))
        return explained.exit_code
    return EXIT_UNUSABLE if not arguments else exit_code or 0


def _explained(error: Exception, command: str) -> OperatorError:
    """Return an error whose message is one line that also says what to do."""
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, AWS_ERRORS):
        return aws_error(error)
    if not isinstance(error, typer.TyperException):
        cause = "the permissions of this path" if error.filename else "where the output goes"  # type: ignore[attr-defined]
        return FailedError(f"{error}; check {cause}")
    message = error.format_message().replace("Value error, ", "")  # the name of a Python class
    if not isinstance(error, typer.BadParameter):
        return OperatorError(f"{message.rstrip('.')}; `{command} --help` shows what is possible")
    is_missing = message.startswith("Missing option")
    return OperatorError(f"{message} {getattr(error.param, 'help', '')}" if is_missing else message)


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
        print_message(f"{error}; check where the output goes")
        return EXIT_FAILED
    return 0


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # Typer calls it with the value
    """Print the version in pyproject.toml, and end the program, if the option asks for it."""
    if is_asked:
        if IS_INSTALLED:
            version = metadata.version("personalize-retraining")
        else:
            text = (FOLDER / "pyproject.toml").read_text(encoding="utf-8")
            version = tomllib.loads(text)["project"]["version"]
        typer.echo(f"{PROGRAM} {version}")
        raise typer.Exit


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

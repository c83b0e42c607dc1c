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
    explain_aws_error,
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

COMPLETION_VARIABLE = f"_{PROGRAM.upper()}_COMPLETE"
"""The variable that Typer's script for a shell sets to complete a command line."""
COMMAND_LINE_VARIABLES = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""The variables with the command line to complete: in bash, and in zsh and fish."""


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments. Return the exit code.

    A mistake in the arguments is a message of one line, and so is every error that a command
    expects. Without arguments, print the help. Raises SystemExit after a signal.
    """
    command_name = _find_command(arguments)
    try:
        exit_code = _run(arguments, command_name)
    except SystemExit as ended:
        if not ended.code:  # Typer has completed a command line, or installed the completion.
            raise
        if ended.code != EXIT_FAILED:
            _print_interruption(command_name)
            raise
        # Typer and Rich end the program like this if nobody reads the output.
        exit_code = EXIT_CLOSED_OUTPUT
    except BrokenPipeError:
        exit_code = EXIT_CLOSED_OUTPUT

    for stream in (sys.stdout, sys.stderr):
        # A stream that was closed before the start is None, although its type doesn't say so.
        if stream:
            exit_code = _flush(stream) or exit_code
    return exit_code


def _find_command(arguments: Sequence[str]) -> str | None:
    """Find the name of the command that is called, or whose command line a shell completes."""
    words = arguments
    if COMPLETION_VARIABLE in os.environ:
        command_line = " ".join(os.environ.get(name, "") for name in COMMAND_LINE_VARIABLES)
        words = command_line.split()[1:]

    if words and words[0] in MODULES:
        return words[0]
    return None


def _run(arguments: Sequence[str], command_name: str | None) -> int:
    """Run a command, or print an error that commands expect. Return the exit code."""
    imported_names: Container[str | None] = {command_name}
    if command_name is None and COMPLETION_VARIABLE not in os.environ:
        # The help needs all commands, and so does the suggestion after a misspelled name.
        imported_names = MODULES

    try:
        program = build_program(imported_names)
        exit_code: int | None = program(
            list(arguments) or ["--help"], prog_name=PROGRAM, standalone_mode=False
        )
    except BrokenPipeError:
        raise
    except (typer.TyperException, OperatorError, *AWS_ERRORS, OSError) as error:
        explained = _explain(error, command_name)
        print_message(str(explained))
        return explained.exit_code

    if not arguments:
        return EXIT_UNUSABLE
    return exit_code or 0


def build_program(imported_names: Container[str | None] = MODULES) -> typer.Typer:
    """Build the program with these commands, whose modules are imported.

    A shell that completes a command line has no time to import the other modules, but needs the
    names of their commands.
    """
    settings = {"help_option_names": ["--help", "-h"]}
    app = typer.Typer(pretty_exceptions_enable=False, context_settings=settings)
    app.callback()(retrain)

    for panel, modules in PANELS.items():
        for name, module in modules.items():
            if name in imported_names:
                import_module(module)
                app.command(name, rich_help_panel=panel)(commands[name])
            elif COMPLETION_VARIABLE in os.environ:
                app.command(name)(lambda: None)
    return app


def _print_interruption(command_name: str | None) -> None:
    """Say that the command was interrupted, but that AWS goes on."""
    message = "interrupted"
    if command_name not in LOCAL_COMMANDS:
        message += "; AWS goes on with what it was asked for"
    if sys.stderr.isatty():
        # A terminal shows ^C in the present line.
        message = f"\n{message}"
    typer.echo(message, err=True)


def _explain(error: Exception, command_name: str | None) -> OperatorError:
    """Turn an error into one whose message is one line that also says what to do."""
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, AWS_ERRORS):
        return explain_aws_error(error)
    if isinstance(error, typer.TyperException):
        return _explain_mistake(error, command_name)

    cause = "where the output goes"
    if isinstance(error, OSError) and error.filename:
        cause = "the permissions of this path"
    return FailedError(f"{error}; check {cause}")


def _explain_mistake(error: typer.TyperException, command_name: str | None) -> OperatorError:
    """Explain a mistake in the arguments, with the help of the option that is missing."""
    message = error.format_message().replace("Value error, ", "")  # the name of a Python class
    if not isinstance(error, typer.BadParameter):
        help_command = " ".join(filter(None, [PROGRAM, command_name, "--help"]))
        return OperatorError(f"{message.rstrip('.')}; `{help_command}` shows what is possible")
    if message.startswith("Missing option"):
        return OperatorError(f"{message} {getattr(error.param, 'help', '')}")
    return OperatorError(message)


def _flush(stream: TextIO) -> int:
    """Write what a stream has buffered. Return 0, or the exit code if it cannot be written."""
    try:
        stream.flush()
    except OSError as error:
        # Throw the rest away, or else Python would try again at its end, and complain.
        with Path(os.devnull).open("wb") as devnull:
            os.dup2(devnull.fileno(), stream.fileno())
        if isinstance(error, BrokenPipeError):
            return EXIT_CLOSED_OUTPUT

        print_message(f"{error}; check where the output goes")
        return EXIT_FAILED
    return 0


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # Typer calls it with the value
    """Print the version in pyproject.toml, and end the program, if the option asks for it."""
    if not is_asked:
        return

    if IS_INSTALLED:
        version = metadata.version("personalize-retraining")
    else:
        project_file = (FOLDER / "pyproject.toml").read_text(encoding="utf-8")
        version = tomllib.loads(project_file)["project"]["version"]
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

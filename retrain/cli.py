"""Parses the command line, runs a command, and turns its errors into a message and an exit code.

We only import the module of the command that runs, because importing all of them takes too long.
"""

import os
import sys
import tomllib
from collections.abc import Container, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated

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

PROGRAM_NAME = "retrain"
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
"""Panel of the help text -> its commands -> the modules that define them."""
MODULES = ACCOUNT_COMMANDS | LOCAL_COMMANDS
"""Command -> the module that defines it."""

COMPLETION_VARIABLE = f"_{PROGRAM_NAME.upper()}_COMPLETE"
"""The environment variable that Typer's shell script sets to request a completion."""
COMMAND_LINE_VARIABLES = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""The environment variables with the command line to complete: bash sets the first one, zsh and
fish the second one."""


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code. Without arguments, print the help.

    Invalid arguments and expected errors only result in a one-line message, without a traceback.

    Raises:
        SystemExit: a signal interrupted the command, or Typer printed or installed a completion.
    """
    command_name = _find_command(arguments)
    try:
        return _run(arguments, command_name)
    except BrokenPipeError:
        pass
    except SystemExit as error:
        if not error.code:
            # Typer printed completions, or installed its completion script.
            raise
        if error.code != EXIT_FAILED:
            # Ctrl-C or another signal interrupted the command.
            _print_interruption(command_name)
            raise

    # The program that reads our output has ended. In that case, Rich exits with EXIT_FAILED.
    _discard_output()
    return EXIT_CLOSED_OUTPUT


def _find_command(arguments: Sequence[str]) -> str | None:
    """Find the name of the command, either in the arguments or in the command line to complete.

    Returns None if there's no such command.
    """
    words = arguments
    if COMPLETION_VARIABLE in os.environ:
        command_line = " ".join(os.environ.get(name, "") for name in COMMAND_LINE_VARIABLES)
        words = command_line.split()[1:]

    if words and words[0] in MODULES:
        return words[0]
    return None


def _run(arguments: Sequence[str], command_name: str | None) -> int:
    """Run a command and return its exit code. If an expected error ends it, print the message."""
    imported_names: Container[str | None] = {command_name}
    if command_name is None and COMPLETION_VARIABLE not in os.environ:
        # The help lists all commands, and for a misspelled one, Typer suggests a similar name.
        imported_names = MODULES

    try:
        program = build_program(imported_names)
        exit_code: int | None = program(
            list(arguments) or ["--help"], prog_name=PROGRAM_NAME, standalone_mode=False
        )
        # Python would only flush the buffer on exit, when it's too late to handle an error. If the
        # shell closed the stream before Python started, there is none.
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (typer.TyperException, OperatorError, *AWS_ERRORS, OSError) as error:
        explained_error = _explain_error(error, command_name)
        print_message(str(explained_error))
        return explained_error.exit_code

    # Without arguments, only the help was printed, because there was no command to run.
    if not arguments:
        return EXIT_UNUSABLE
    return exit_code or 0


def build_program(imported_names: Container[str | None] = MODULES) -> typer.Typer:
    """Build the Typer program with the named commands, and import their modules.

    For a completion, the other commands are added as stubs, because the shell needs their names.
    Importing their modules, too, would make the operator wait after each press of the tab key.
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
    """Print that the command was interrupted, but that AWS still carries out earlier requests."""
    message = "interrupted"
    if command_name not in LOCAL_COMMANDS:
        message += "; AWS goes on with what it was asked for"
    if sys.stderr.isatty():
        # The terminal has echoed ^C into the current line.
        message = f"\n{message}"
    typer.echo(message, err=True)


def _explain_error(error: Exception, command_name: str | None) -> OperatorError:
    """Turn an expected error into an OperatorError, whose message tells the operator what to do."""
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, AWS_ERRORS):
        return explain_aws_error(error)
    if isinstance(error, typer.TyperException):
        return _explain_usage_error(error, command_name)

    suspect = "where the output goes"
    if isinstance(error, OSError) and error.filename:
        suspect = "the permissions of this path"
    return FailedError(f"{error}; check {suspect}")


def _explain_usage_error(error: typer.TyperException, command_name: str | None) -> OperatorError:
    """Turn Typer's error about invalid arguments into an OperatorError with a hint.

    If a required option is missing, the hint is the help text of that option.
    """
    # ValueError is a Python class, so its name means nothing to the operator.
    message = error.format_message().replace("Value error, ", "")
    if not isinstance(error, typer.BadParameter):
        help_command = " ".join(filter(None, [PROGRAM_NAME, command_name, "--help"]))
        return OperatorError(f"{message.rstrip('.')}; `{help_command}` shows what is possible")
    if message.startswith("Missing option"):
        return OperatorError(f"{message} {getattr(error.param, 'help', '')}")
    return OperatorError(message)


def _discard_output() -> None:
    """Redirect stdout, so that Python doesn't print an error when it flushes the buffer on exit."""
    with Path(os.devnull).open("wb") as devnull:
        os.dup2(devnull.fileno(), sys.stdout.fileno())


def _print_version(is_requested: bool) -> None:  # noqa: FBT001  # Typer passes the option's value
    """Print the version and exit, if the operator passed `--version`."""
    if not is_requested:
        return

    if IS_INSTALLED:
        version = metadata.version("personalize-retraining")
    else:
        project_file = (FOLDER / "pyproject.toml").read_text(encoding="utf-8")
        version = tomllib.loads(project_file)["project"]["version"]
    typer.echo(f"{PROGRAM_NAME} {version}")
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

"""The command line: its commands, and how their errors become a line and an exit code."""

from collections.abc import Sequence

import typer

from retrain.commands import options
from retrain.commands.adopt import adopt
from retrain.commands.approve import approve, reject
from retrain.commands.doctor import doctor
from retrain.commands.emulate import emulate
from retrain.commands.history import history
from retrain.commands.plan import plan
from retrain.commands.rehearse import rehearse
from retrain.commands.rollback import rollback
from retrain.commands.start import start
from retrain.commands.stop import stop
from retrain.commands.test_alarm import test_alarm
from retrain.commands.watch import watch
from retrain.operator.errors import (
    AWS_ERRORS,
    EXIT_FAILED,
    EXIT_UNUSABLE,
    OperatorError,
    aws_error,
)

PROGRAM = "retrain"
COMMANDS = {
    options.ACCOUNT_COMMANDS: (
        doctor,
        adopt,
        plan,
        start,
        watch,
        stop,
        history,
        rollback,
        approve,
        reject,
        test_alarm,
    ),
    options.LOCAL_COMMANDS: (rehearse, emulate),
}
"""The commands by the panels of the help in which they are listed."""

app = typer.Typer(
    help="Operate the pipelines that retrain Amazon Personalize.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments. Return the exit code.

    A mistake in the arguments is a message of one line, and so is every error that a command
    expects. Without arguments, print the help.
    """
    try:
        exit_code: int | None = app(
            list(arguments) or ["--help"], prog_name=PROGRAM, standalone_mode=False
        )
    except typer.BadParameter as error:
        typer.echo(error.format_message(), err=True)
        return EXIT_UNUSABLE
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        typer.echo(f"{message}; `{_command_of(arguments)} --help` shows what is possible", err=True)
        return EXIT_UNUSABLE
    except OperatorError as error:
        return _print_error(error)
    except AWS_ERRORS as error:
        return _print_error(aws_error(error))
    except OSError as error:  # the output cannot be written
        typer.echo(f"{error}; check where the output goes", err=True)
        return EXIT_FAILED
    return EXIT_UNUSABLE if not arguments else exit_code or 0


@app.callback()
def retrain() -> None:
    """Operate the pipelines that retrain Amazon Personalize."""


def _command_of(arguments: Sequence[str]) -> str:
    """Return the program with the command that the arguments name, if it exists."""
    names = {command.__name__.replace("_", "-") for row in COMMANDS.values() for command in row}
    return " ".join([PROGRAM, *(word for word in arguments[:1] if word in names)])


def _print_error(error: OperatorError) -> int:
    """Print the message of an error. Return its exit code."""
    typer.echo(str(error), err=True)
    return error.exit_code

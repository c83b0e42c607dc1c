"""Prints results to stdout, and messages and questions to stderr."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from functools import partial
from operator import methodcaller
from typing import Literal

import typer
from rich.console import Console
from rich.text import Text

from retrain.account.errors import FailedError, OperatorError

UNLIMITED_WIDTH = 1_000_000
"""The console width for a file or a pipe. It exceeds every line, so that no line is wrapped."""
DEFAULT_WIDTH = 80
"""The console width for a terminal that reports zero columns, for example because of COLUMNS=0."""
INDENT = "  "
"""The indentation of a line that is a command. We don't wrap these lines."""
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
COMMAND = re.compile("`[^`]*`")


def result_console() -> Console:
    """Create the console for results, which go to stdout."""
    return _create_console(is_stderr=False)


def message_console() -> Console:
    """Create the console for progress and messages, which go to stderr."""
    return _create_console(is_stderr=True)


def _create_console(*, is_stderr: bool) -> Console:
    """Create a console that prints text without markup, and only wraps lines on a terminal.

    FORCE_COLOR makes Rich treat even a pipe as a terminal, whose width it has to guess. In that
    case, we keep the colors, but we don't wrap lines unless COLUMNS sets the width.
    """
    create = partial(Console, stderr=is_stderr, markup=False, emoji=False, highlight=False)
    console = create()
    if console.is_terminal and (console.file.isatty() or "COLUMNS" in os.environ):
        console.width = console.width or DEFAULT_WIDTH
        return console

    colors: Literal["standard"] | None = None
    if console.color_system:
        colors = "standard"
    return create(force_terminal=False, color_system=colors, width=UNLIMITED_WIDTH)


def print_result(result: str) -> None:
    """Print a result to stdout, without interpreting markup."""
    _print(result_console(), result)


def print_json(document: object) -> None:
    """Print a result to stdout as JSON, with times in ISO 8601."""
    # Times are the only values in our documents that json can't serialize itself.
    format_time = methodcaller("isoformat")
    typer.echo(json.dumps(document, indent=2, default=format_time, ensure_ascii=False))


def print_message(message: str) -> None:
    """Print a message to stderr, without interpreting markup."""
    _print(message_console(), message)


def print_progress(line: str) -> None:
    """Print a dimmed progress line to stderr."""
    message_console().print(Text(line, "dim"), soft_wrap=True)


def print_command(purpose: str, command: str) -> None:
    """Print a suggested command to stderr, on a separate line so that it's easy to copy."""
    print_message(f"{purpose}:")
    message_console().print(textwrap.indent(command, INDENT), soft_wrap=True)


def _print(console: Console, text: str, *, end: str = "\n") -> None:
    """Print text, and wrap its lines if the console is a terminal."""
    lines = text.split("\n")
    if console.is_terminal:
        lines = wrap_text(text, console.width)
    console.print("\n".join(lines), soft_wrap=True, end=end)


def wrap_text(text: str, width: int) -> list[str]:
    """Wrap text between words, but never inside a command, so that it can still be pasted.

    Commands are in backticks or on indented lines. A line that contains a command may therefore
    exceed the width.
    """
    wrapped_lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith(INDENT):
            wrapped_lines.append(line)
        else:
            wrapped_lines += _wrap_line(line, width)
    return wrapped_lines


def _wrap_line(line: str, width: int) -> list[str]:
    """Wrap a single line between words, but not inside commands in backticks."""
    # textwrap doesn't break lines at no-break spaces, so temporarily use these inside commands.
    unbreakable = COMMAND.sub(lambda command: command[0].replace(" ", NO_BREAK_SPACE), line)
    parts = textwrap.wrap(unbreakable, width, break_long_words=False, break_on_hyphens=False)
    # textwrap returns an empty list for an empty line, so we'd lose the line.
    return [part.replace(NO_BREAK_SPACE, " ") for part in parts or [""]]


def confirm(question: str, otherwise: str, *, yes: bool) -> None:
    """Ask the operator for confirmation, unless `--yes` was given.

    Raises:
        FailedError: the operator declined. `otherwise` is the error's message.
        OperatorError: stdin isn't a terminal, so nobody can answer.
    """
    if yes:
        return

    if not (sys.stdin and sys.stdin.isatty()):
        raise OperatorError(f"{question} nobody can answer without a terminal; add --yes")
    _print(message_console(), f"{question} [y/N]", end=" ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise FailedError(otherwise)

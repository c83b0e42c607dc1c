"""Prints results to stdout, messages to stderr, and asks questions."""

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

UNLIMITED = 1_000_000
"""The columns of an output that is no terminal. No line is as long as this."""
DEFAULT_WIDTH = 80
"""The columns of a terminal that says it has none, as with COLUMNS=0."""
INDENT = "  "
"""The indent of a line with a command, which is never broken."""
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
COMMAND = re.compile("`[^`]*`")


def result_console() -> Console:
    """Create the console for results, which go to stdout."""
    return _create_console(is_stderr=False)


def message_console() -> Console:
    """Create the console for progress and messages, which go to stderr."""
    return _create_console(is_stderr=True)


def _create_console(*, is_stderr: bool) -> Console:
    """Create a console that prints texts as they are. A file or a pipe has lines of any length.

    Rich uses no colours if NO_COLOR is set, and none without a terminal unless FORCE_COLOR is set.
    A pipe with FORCE_COLOR counts as a terminal only if COLUMNS says how wide it is.
    """
    create = partial(Console, stderr=is_stderr, markup=False, emoji=False, highlight=False)
    console = create()
    if console.is_terminal and (console.file.isatty() or "COLUMNS" in os.environ):
        console.width = console.width or DEFAULT_WIDTH
        return console

    colors: Literal["standard"] | None = None
    if console.color_system:
        colors = "standard"
    return create(force_terminal=False, color_system=colors, width=UNLIMITED)


def print_result(result: str) -> None:
    """Print a result to stdout. A text is printed as it is, without markup."""
    _print(result_console(), result)


def print_json(document: object) -> None:
    """Print a result to stdout as JSON, in the order of its keys. Times are ISO 8601."""
    # No document has anything but times that JSON doesn't know.
    to_text = methodcaller("isoformat")
    typer.echo(json.dumps(document, indent=2, default=to_text, ensure_ascii=False))


def print_message(message: str) -> None:
    """Print a message to stderr. A text is printed as it is, without markup."""
    _print(message_console(), message)


def print_progress(line: str) -> None:
    """Print a line about the progress to stderr."""
    message_console().print(Text(line, "dim"), soft_wrap=True)


def print_command(purpose: str, command: str) -> None:
    """Print a command to stderr on lines of its own, from which it can be copied."""
    print_message(f"{purpose}:")
    message_console().print(textwrap.indent(command, INDENT), soft_wrap=True)


def _print(console: Console, text: str, *, end: str = "\n") -> None:
    """Print a text. A terminal breaks its lines between words, but not within a command."""
    lines = text.split("\n")
    if console.is_terminal:
        lines = wrap_text(text, console.width)
    console.print("\n".join(lines), soft_wrap=True, end=end)


def wrap_text(text: str, width: int) -> list[str]:
    """Break a text into lines of at most this width, but never within a word or a command.

    A command is in backticks, or on an indented line of its own.
    """
    wrapped_lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith(INDENT):
            wrapped_lines.append(line)
        else:
            wrapped_lines += _wrap_line(line, width)
    return wrapped_lines


def _wrap_line(line: str, width: int) -> list[str]:
    unbreakable = COMMAND.sub(lambda command: command[0].replace(" ", NO_BREAK_SPACE), line)
    parts = textwrap.wrap(unbreakable, width, break_long_words=False, break_on_hyphens=False)
    # An empty line has no parts, but must not get lost.
    return [part.replace(NO_BREAK_SPACE, " ") for part in parts or [""]]


def confirm(question: str, otherwise: str, *, yes: bool) -> None:
    """Ask a question unless `yes` is set. Raise FailedError, which says `otherwise`, after a no.

    Raises OperatorError if nobody can answer.
    """
    if yes:
        return

    if not (sys.stdin and sys.stdin.isatty()):
        raise OperatorError(f"{question} nobody can answer without a terminal; add --yes")
    _print(message_console(), f"{question} [y/N]", end=" ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise FailedError(otherwise)

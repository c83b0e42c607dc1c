"""Prints results to stdout, messages to stderr, and asks questions."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from retrain.operator.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rich.console import RenderableType


def print_result(result: RenderableType) -> None:
    """Print a result to stdout. A text is printed as it is, without markup."""
    console = Console()
    console.print(result, markup=False, highlight=False, soft_wrap=not _is_wrapped(console, result))


def print_lines(lines: Iterable[Text]) -> None:
    """Print lines to stdout. A terminal cuts the lines that are too long for it."""
    console = Console()
    for line in lines:
        console.print(line, soft_wrap=not console.is_terminal, no_wrap=True, overflow="ellipsis")


def print_json(document: object) -> None:
    """Print a result to stdout as JSON, in the order of its keys. Times are ISO 8601."""
    sys.stdout.write(f"{json.dumps(document, indent=2, default=_iso, ensure_ascii=False)}\n")


def _iso(time: datetime) -> str:
    """Return a time in ISO 8601. No document contains anything else that JSON does not know."""
    return time.isoformat()


def message_console() -> Console:
    """Return a console for progress and messages, which go to stderr.

    Rich uses no colours if NO_COLOR is set, and neither colours nor bars without a terminal.
    """
    return Console(stderr=True)


def print_message(message: RenderableType) -> None:
    """Print a message to stderr. A text is printed as it is, without markup."""
    _print_message(message, end="\n")


def print_command(purpose: str, command: str) -> None:
    """Print a command to stderr on a line of its own, from which it can be copied."""
    print_message(f"{purpose}:")
    message_console().print(f"  {command}", markup=False, highlight=False, soft_wrap=True)


def _print_message(message: RenderableType, *, end: str) -> None:
    """Print a message to stderr, with these characters at its end."""
    console = message_console()
    is_soft = not _is_wrapped(console, message)
    console.print(message, markup=False, highlight=False, soft_wrap=is_soft, end=end)


def _is_wrapped(console: Console, message: RenderableType) -> bool:
    """Return True if lines that are too long are broken between words.

    This happens only in a terminal, and not to a text with a command, which could not be copied
    any more. Anything but a text, for example a table, is laid out by Rich.
    """
    if not isinstance(message, str | Text):
        return True
    return console.is_terminal and "`" not in str(message)


def confirm(question: str, *, yes: bool) -> bool:
    """Ask a question that is answered with yes or no. Return True at once if `yes` is set.

    Raises OperatorError if nobody can answer.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise OperatorError(f"{question} nobody can answer without a terminal; add --yes")
    _print_message(f"{question} [y/N]", end=" ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")

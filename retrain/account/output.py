"""Prints results to stdout, messages to stderr, and asks questions."""

from __future__ import annotations

import json
import os
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.text import Text

from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from rich.console import RenderableType

TRAILING_SPACES = re.compile(r" +((?:\x1b\[[0-9;]*m)*)$", re.MULTILINE)
"""The spaces at the end of a line, also before the codes that end a colour."""
UNLIMITED = 1_000_000
"""The columns of an output that is no terminal. No line is as long as this."""

WRAPPED_INDENT = 2
"""The spaces by which the rest of a wrapped line is indented."""
COLUMN_GAP = re.compile(r" {2,}")
"""The spaces between two columns of a line."""


def result_console() -> Console:
    """Return the console for results, which go to stdout."""
    return _console(is_stderr=False)


def message_console() -> Console:
    """Return the console for progress and messages, which go to stderr."""
    return _console(is_stderr=True)


def _console(*, is_stderr: bool) -> Console:
    """Return a console that prints texts as they are. A file or a pipe has lines of any length.

    Rich uses no colours if NO_COLOR is set, and none without a terminal unless FORCE_COLOR is set.
    A pipe with FORCE_COLOR counts as a terminal only if COLUMNS says how wide it is.
    """
    make = partial(Console, stderr=is_stderr, markup=False, emoji=False, highlight=False)
    console = make()
    if console.is_terminal and (console.file.isatty() or "COLUMNS" in os.environ):
        return console
    colors: Literal["standard"] | None = "standard" if console.color_system else None
    return make(force_terminal=False, color_system=colors, width=UNLIMITED)


def print_result(result: RenderableType) -> None:
    """Print a result to stdout. A text is printed as it is, without markup."""
    _print(result_console(), result)


def print_lines(lines: Iterable[Text]) -> None:
    """Print lines to stdout. A terminal wraps the lines that are too long for it.

    The rest of a wrapped line is indented. A line with a command is not wrapped.
    """
    console = result_console()
    for line in lines:
        text = line.plain
        if not console.is_terminal or "`" in text:
            console.print(line, soft_wrap=True)
            continue
        indent = len(text) - len(text.lstrip(" "))
        width = console.width - indent - WRAPPED_INDENT
        for number, part in enumerate(_wrapped(line[indent:], console, width)):
            console.print(Text(" " * (indent + WRAPPED_INDENT * bool(number))) + part)


def _wrapped(line: Text, console: Console, width: int) -> Iterator[Text]:
    """Yield the parts of a line. It is wrapped between columns, or else between words."""
    parts = [Text()]
    for column in line.divide([gap.end() for gap in COLUMN_GAP.finditer(line.plain)]):
        if parts[-1] and len(parts[-1]) + len(column.plain.rstrip()) > width:
            parts.append(Text())
        parts[-1].append_text(column)
    for part in parts:
        yield from part.wrap(console, width)


def print_json(document: object) -> None:
    """Print a result to stdout as JSON, in the order of its keys. Times are ISO 8601."""
    sys.stdout.write(f"{json.dumps(document, indent=2, default=_iso, ensure_ascii=False)}\n")


def _iso(time: datetime) -> str:
    """Return a time in ISO 8601. No document contains anything else that JSON does not know."""
    return time.isoformat()


def print_message(message: RenderableType) -> None:
    """Print a message to stderr. A text is printed as it is, without markup."""
    _print(message_console(), message)


def print_command(purpose: str, command: str) -> None:
    """Print a command to stderr on a line of its own, from which it can be copied."""
    print_message(f"{purpose}:")
    message_console().print(f"  {command}", soft_wrap=True)


def _print(console: Console, content: RenderableType, *, end: str = "\n") -> None:
    """Print a text or a table, with these characters at its end.

    A terminal breaks the lines of a text between words, but not if the text contains a command,
    which could not be copied any more. Rich fills the cells of a table with spaces, which only a
    terminal needs.
    """
    if isinstance(content, str | Text):
        console.print(content, soft_wrap="`" in str(content), end=end)
    elif not console.is_terminal:
        with console.capture() as capture:
            console.print(content, end=end)
        console.file.write(TRAILING_SPACES.sub(r"\1", capture.get()))
    else:
        console.print(content, end=end)


def confirm(question: str, *, yes: bool) -> bool:
    """Ask a question that is answered with yes or no. Return True at once if `yes` is set.

    Raises OperatorError if nobody can answer.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise OperatorError(f"{question} nobody can answer without a terminal; add --yes")
    _print(message_console(), f"{question} [y/N]", end=" ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")

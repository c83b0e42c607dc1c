"""Renders lines in aligned columns, and wraps them between words if stdout is a terminal."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from retrain.account.output import UNLIMITED_WIDTH, result_console, wrap_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

INDENT = " " * 4
GAP = " " * 2
MIN_TEXT_WIDTH = 16
"""The minimum width of a wrapped text, even if a line gets too long for the terminal."""
MAX_LABEL_WIDTH = 30
"""The longest label that determines where all texts begin. On a terminal, the label of a job that's
longer is shortened. Any other one moves only its own text."""
BAR_WIDTH = 12
TIME_WIDTH = len("1 h 30 min, until ~05:10")
STYLES = {
    **dict.fromkeys(("WRITTEN", "DEPLOYED", "TRAINED", "IMPORTED", "SUCCEEDED", "ACTIVE"), "green"),
    **dict.fromkeys(("AWAITING_APPROVAL", "RUNNING"), "cyan"),
    **dict.fromkeys(("REJECTED", "SKIPPED"), "yellow"),
    **dict.fromkeys(("ROLLED_BACK", "FAILED", "TIMED_OUT", "ABORTED"), "red"),
}
"""The outcome of a run or a job, or the status of an execution -> its colour."""


class Line(NamedTuple):
    """A line of a screen, as columns that are not yet aligned with those of other lines."""

    depth: int
    """The level of indentation."""
    label: str
    text: str = ""
    style: str = ""
    """The style of the text."""
    time: str = ""
    """How long it took or will take, in words. A line with a time is never wrapped."""
    share: float | None = None
    """The share of a job that's done, from 0 to 1, which a terminal draws as a bar."""
    label_style: str = ""


def print_lines(lines: Iterable[Line]) -> None:
    """Print lines to stdout. They're only wrapped if it's a terminal."""
    console = result_console()
    for text in render_lines(lines, console.width):
        console.print(text, soft_wrap=True)


class _Columns(NamedTuple):
    """The column widths that all lines of the same depth share."""

    label_width: int
    text_width: int
    """The longest text of the lines with a time, which are never wrapped."""

    @property
    def width_with_bars(self) -> int:
        """The width that a line needs if it has a bar and a time."""
        return self.label_width + BAR_WIDTH + self.text_width + TIME_WIDTH + 3 * len(GAP)


def render_lines(
    lines: Iterable[Line], width: int = UNLIMITED_WIDTH, *, has_bars: bool = False
) -> Iterator[Text]:
    """Render lines, and align the columns of those that have the same depth.

    A text that's too long is wrapped between words, but never within a command. A line with a time
    can't be wrapped. If it's too long, its bar is left out, and a job's label is shortened.
    """
    all_lines = list(lines)
    columns_by_depth = _fit_all_columns(all_lines, is_terminal=width < UNLIMITED_WIDTH)

    for line in all_lines:
        columns = columns_by_depth[line.depth]
        has_room = len(INDENT) * line.depth + columns.width_with_bars <= width
        head = _render_head(line, columns, has_bars=has_bars and has_room)
        if line.time:
            head.append(line.text.ljust(columns.text_width), line.style)
            yield head.append(GAP + line.time, "dim")
        else:
            yield from _add_wrapped_text(head, line, width)


def _fit_all_columns(all_lines: Iterable[Line], *, is_terminal: bool) -> dict[int, _Columns]:
    """Map each depth to the columns of its lines."""
    lines_by_depth: dict[int, list[Line]] = defaultdict(list)
    for line in all_lines:
        lines_by_depth[line.depth].append(line)

    # A file or a pipe has room for every job's label.
    max_job_width = MAX_LABEL_WIDTH if is_terminal else None
    return {depth: _fit_columns(lines, max_job_width) for depth, lines in lines_by_depth.items()}


def _fit_columns(lines: Sequence[Line], max_job_width: int | None) -> _Columns:
    """Fit the columns to the lines of one depth. Only a job's label may exceed MAX_LABEL_WIDTH."""
    job_labels = [line.label[:max_job_width] for line in lines if line.share is not None]
    other_labels = [line.label[:MAX_LABEL_WIDTH] for line in lines if line.time or line.text]

    label_width = max(map(len, [*job_labels, *other_labels]), default=0)
    text_width = max((len(line.text) for line in lines if line.time), default=0)
    return _Columns(label_width, text_width)


def _render_head(line: Line, columns: _Columns, *, has_bars: bool) -> Text:
    """Render what precedes the text of a line: indentation, label and bar."""
    label = line.label
    if line.share is not None:
        label = shorten(label, columns.label_width)

    head = Text(INDENT * line.depth)
    head.append(label.ljust(columns.label_width), line.label_style)
    if columns.label_width:
        head.append(GAP)
    if has_bars and line.share is not None:
        bar = "━" * int(BAR_WIDTH * line.share)
        head.append(bar.ljust(BAR_WIDTH) + GAP, "green")
    return head


def _add_wrapped_text(head: Text, line: Line, width: int) -> Iterator[Text]:
    """Yield the first part of a wrapped text beside its label, and the others indented below."""
    indentation = " " * len(head)
    for part in wrap_text(line.text, max(width - len(head), MIN_TEXT_WIDTH)):
        head.append(part, line.style)
        head.rstrip()
        yield head
        head = Text(indentation)


def shorten(text: str, width: int) -> str:
    """Shorten a text that's too long.

    First its S3 bucket is left out. If that isn't enough, it's cut in the middle, because names
    differ at both ends.
    """
    if len(text) > width:
        text = re.sub("s3://[^/]+/", "", text)
    if len(text) <= width:
        return text

    end_width = (width - 1) // 2
    start_width = width - 1 - end_width
    return f"{text[:start_width]}…{text[-end_width:]}"

"""Renders lines in aligned columns, and wraps them between words if stdout is a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from retrain.account.output import UNLIMITED_WIDTH, result_console, wrap_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

INDENT = " " * 4
GAP = " " * 2
MIN_WIDTH = 16
"""The minimum width of a column, even if a line gets too long for the terminal."""
MAX_LABEL_WIDTH = 30
"""The longest label that determines where all texts begin. A longer one moves only its own text."""
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
    has_bars: bool


def render_lines(
    lines: Iterable[Line], width: int = UNLIMITED_WIDTH, *, has_bars: bool = False
) -> Iterator[Text]:
    """Render lines, and align the columns of those that have the same depth.

    A text that's too long is wrapped between words, but never within a command. A line with a time
    can't be wrapped. If it's too long, its bar is left out, and a job's label is shortened.
    """
    all_lines = list(lines)
    columns_by_depth = _fit_all_columns(all_lines, width, has_bars=has_bars)

    for line in all_lines:
        columns = columns_by_depth[line.depth]
        head = _render_head(line, columns)
        if line.time:
            yield _add_text_and_time(head, line, columns, width)
        else:
            yield from _add_wrapped_text(head, line, width)


def _fit_all_columns(
    all_lines: Sequence[Line], width: int, *, has_bars: bool
) -> dict[int, _Columns]:
    columns_by_depth = {}
    for depth in {line.depth for line in all_lines}:
        lines = [line for line in all_lines if line.depth == depth]
        columns_by_depth[depth] = _fit_columns(
            lines, width - len(INDENT) * depth, has_bars=has_bars
        )
    return columns_by_depth


def _fit_columns(lines: Sequence[Line], width: int, *, has_bars: bool) -> _Columns:
    """Fit the columns of the lines of one depth into the width that their indentation leaves."""
    label_width = max(map(_measure_label, lines))
    text_width = max((len(line.text) for line in lines if line.time), default=0)
    # While a run is being followed, its times get longer, which mustn't shift the other columns.
    time_width = max(TIME_WIDTH, *(len(line.time) for line in lines))

    room = width - text_width - time_width - 2 * len(GAP)
    return _Columns(
        label_width=min(label_width, max(room, MIN_WIDTH)),
        text_width=text_width,
        has_bars=has_bars and label_width + BAR_WIDTH + len(GAP) <= room,
    )


def _measure_label(line: Line) -> int:
    """Return the width that the label needs in its column."""
    if line.time:
        return len(line.label)
    # A text without a time can be wrapped. Still, a single long label shouldn't narrow all texts.
    if line.text:
        return min(len(line.label), MAX_LABEL_WIDTH)
    return 0


def _render_head(line: Line, columns: _Columns) -> Text:
    """Render what precedes the text of a line: indentation, label and bar."""
    label = line.label
    if line.share is not None:
        label = shorten(label, columns.label_width)

    head = Text(INDENT * line.depth)
    head.append(label.ljust(columns.label_width), line.label_style)
    if columns.label_width:
        head.append(GAP)

    if columns.has_bars and line.share is not None:
        head.append(_draw_bar(line.share) + GAP, "green")
    return head


def _draw_bar(share: float) -> str:
    done = "━" * int(BAR_WIDTH * share)
    return done.ljust(BAR_WIDTH)


def _add_text_and_time(head: Text, line: Line, columns: _Columns, width: int) -> Text:
    # If the line is too long, give up the alignment, so that the terminal doesn't break it.
    text_width = min(columns.text_width, width - len(head) - len(GAP + line.time))
    head.append(line.text.ljust(text_width), line.style)
    return head.append(GAP + line.time, "dim")


def _add_wrapped_text(head: Text, line: Line, width: int) -> Iterator[Text]:
    """Yield the first part of a wrapped text beside its label, and the others indented below."""
    indentation = " " * len(head)
    for part in wrap_text(line.text, max(width - len(head), MIN_WIDTH)):
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

"""The lines of a screen: aligned in columns, and wrapped only in a terminal and between words."""

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
"""The narrowest column, even if a line then is longer than the terminal is wide."""
MAX_LABEL_WIDTH = 30
"""The widest label that moves the texts of other lines. A longer one moves only its own text."""
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
    """A line of a screen."""

    depth: int
    label: str
    text: str = ""
    style: str = ""
    """The style of the text."""
    time: str = ""
    """How long it took or will take, in words."""
    share: float | None = None
    """The share of a job that is done. A terminal draws a bar."""
    label_style: str = ""


def print_lines(lines: Iterable[Line]) -> None:
    """Print lines to stdout. The console of a file or a pipe is wide enough for any line."""
    console = result_console()
    for text in render_lines(lines, console.width):
        console.print(text, soft_wrap=True)


class _Columns(NamedTuple):
    """The columns of all lines of one depth."""

    label_width: int
    text_width: int
    has_bars: bool


def render_lines(
    lines: Iterable[Line], width: int = UNLIMITED_WIDTH, *, has_bars: bool = False
) -> Iterator[Text]:
    """Yield the lines as texts, in which all lines of one depth have the same columns.

    A text that is too long is wrapped between words, but not within a command. A job's line can't
    be wrapped: it has a bar only if there is room, and a label that is too long is shortened.
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
    """Fit the columns of one depth into the width beside its indent."""
    label_width = max(map(_needed_label_width, lines))
    text_width = max((len(line.text) for line in lines if line.time), default=0)
    # While a run is followed, its times grow, and the other columns must not change with them.
    time_width = max(TIME_WIDTH, *(len(line.time) for line in lines))

    room = width - text_width - time_width - 2 * len(GAP)
    return _Columns(
        label_width=min(label_width, max(room, MIN_WIDTH)),
        text_width=text_width,
        has_bars=has_bars and label_width + BAR_WIDTH + len(GAP) <= room,
    )


def _needed_label_width(line: Line) -> int:
    if line.time:
        return len(line.label)
    # A text without a time may be wrapped, so one long label must not narrow all texts.
    if line.text:
        return min(len(line.label), MAX_LABEL_WIDTH)
    return 0


def _render_head(line: Line, columns: _Columns) -> Text:
    """Render what stands before the text of a line: its label, and the bar of a job."""
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
    # A line that is too long leaves its column, so that the terminal doesn't break it.
    text_width = min(columns.text_width, width - len(head) - len(GAP + line.time))
    head.append(line.text.ljust(text_width), line.style)
    return head.append(GAP + line.time, "dim")


def _add_wrapped_text(head: Text, line: Line, width: int) -> Iterator[Text]:
    """Yield the beginning of a text beside its label, and the rest below that beginning."""
    below_text = " " * len(head)
    for part in wrap_text(line.text, max(width - len(head), MIN_WIDTH)):
        head.append(part, line.style)
        head.rstrip()
        yield head
        head = Text(below_text)


def shorten(text: str, width: int) -> str:
    """Cut a text in the middle if it is too long, because names differ at both ends.

    If it has an S3 bucket, that is left out first.
    """
    if len(text) > width:
        text = re.sub("s3://[^/]+/", "", text)
    if len(text) <= width:
        return text

    end_width = (width - 1) // 2
    start_width = width - 1 - end_width
    return f"{text[:start_width]}…{text[-end_width:]}"

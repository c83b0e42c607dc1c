"""The lines of a screen: aligned in columns, and wrapped only in a terminal and between words."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from retrain.account.output import result_console, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

INDENT = " " * 4
GAP = " " * 2
MIN_LABEL_WIDTH = 16
MAX_LABEL_WIDTH = 30
"""The widest label beside which a text is wrapped. A longer one moves only its own text."""
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
    """Print lines to stdout. A file or a pipe gets lines of any length."""
    console = result_console()
    width = None
    if console.is_terminal:
        width = console.width
        lines = shorten_jobs([*lines], width)

    for text in render_lines(lines, width):
        console.print(text, soft_wrap=True)


def shorten_jobs(lines: Sequence[Line], width: int) -> list[Line]:
    """Shorten the labels of jobs, because a terminal would break a longer line within an id."""
    jobs = [line for line in lines if line.share is not None]
    text_width = max((len(job.text) for job in jobs), default=0)
    # While a run is followed, its times grow, and the labels must not change with them.
    time_width = max([TIME_WIDTH, *(len(job.time) for job in jobs)])
    room = max(width - len(INDENT) - text_width - time_width - 2 * len(GAP), MIN_LABEL_WIDTH)

    return [
        line if line.share is None else line._replace(label=shorten(line.label, room))
        for line in lines
    ]


@dataclass
class _Columns:
    """The widths of the label and the text in all lines of one depth."""

    label: int = 0
    text: int = 0

    def make_room(self, line: Line) -> None:
        """Widen the columns for a line."""
        if line.time:
            self.text = max(self.text, len(line.text))

        label_width = len(line.label)
        if not line.time:
            # Such a text may be wrapped, so it moves to the right only a little.
            label_width = min(label_width, MAX_LABEL_WIDTH)
        if line.text:
            self.label = max(self.label, label_width)


def render_lines(
    lines: Iterable[Line], width: int | None = None, *, has_bars: bool = False
) -> Iterator[Text]:
    """Yield the lines as texts, in which all lines of one depth have the same columns.

    A text that is longer than `width` is wrapped between words, but not within a command. Jobs
    have bars only if there is room.
    """
    shown = list(lines)
    columns_by_depth = defaultdict[int, _Columns](_Columns)
    for line in shown:
        columns_by_depth[line.depth].make_room(line)

    for line in shown:
        columns = columns_by_depth[line.depth]
        head = _render_label(line, columns)
        if has_bars and line.share is not None and _has_room_for_bar(head, columns, width):
            head.append(_draw_bar(line.share) + GAP, "green")
        yield from _render_text(line, head, columns, width)


def _render_label(line: Line, columns: _Columns) -> Text:
    head = Text(INDENT * line.depth)
    if not line.text:
        return head.append(line.label, line.label_style)

    head.append(line.label.ljust(columns.label), line.label_style)
    if columns.label:
        head.append(GAP)
    return head


def _has_room_for_bar(head: Text, columns: _Columns, width: int | None) -> bool:
    needed = len(head) + BAR_WIDTH + columns.text + TIME_WIDTH + 2 * len(GAP)
    return width is None or needed <= width


def _draw_bar(share: float) -> str:
    done = "━" * int(BAR_WIDTH * share)
    return done.ljust(BAR_WIDTH)


def _render_text(line: Line, head: Text, columns: _Columns, width: int | None) -> Iterator[Text]:
    """Yield the text of a line beside its label, and the rest below the beginning of the text."""
    if line.time:
        head.append(line.text.ljust(columns.text), line.style)
        head.append(GAP + line.time, "dim")
        yield head
        return

    below_text = INDENT * line.depth
    if columns.label:
        below_text += " " * columns.label + GAP
    room = None
    if width is not None:
        room = max(width - len(below_text), BAR_WIDTH)

    for part in wrapped(line.text, room):
        head.append(part, line.style)
        head.rstrip()
        yield head
        head = Text(below_text)


def shorten(text: str, width: int) -> str:
    """Cut a text in the middle if it is too long. Its bucket is left out first."""
    if len(text) > width:
        text = re.sub("s3://[^/]+/", "", text)
    if len(text) <= width:
        return text

    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[-end:]}"

"""The lines of a screen: aligned in columns, and wrapped only in a terminal and between words."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from retrain.account.output import result_console, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

INDENT, GAP = " " * 4, " " * 2
MIN_LABEL_WIDTH = 16
MAX_LABEL_WIDTH = 30
"""The widest label beside which a text is wrapped. A longer one moves only its own text."""
BAR_WIDTH, TIME_WIDTH = 12, len("1 h 30 min, until ~05:10")
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
        lines = with_short_jobs([*lines], width)

    for text in rendered(lines, width):
        console.print(text, soft_wrap=True)


def with_short_jobs(lines: Sequence[Line], width: int) -> list[Line]:
    """Shorten the labels of jobs, because a terminal would break a longer line within an id."""
    jobs = [line for line in lines if line.share is not None]
    text_width = max((len(job.text) for job in jobs), default=0)
    # While a run is followed, its times grow, and the labels must not change with them.
    time_width = max([TIME_WIDTH, *(len(job.time) for job in jobs)])
    room = max(width - len(INDENT) - text_width - time_width - 2 * len(GAP), MIN_LABEL_WIDTH)

    return [
        line if line.share is None else line._replace(label=shortened(line.label, room))
        for line in lines
    ]


def rendered(
    lines: Iterable[Line], width: int | None = None, *, has_bars: bool = False
) -> Iterator[Text]:
    """Yield the lines as texts, in which all lines of one depth have the same columns.

    A text that is longer than `width` is wrapped between words, but not within a command. Jobs
    have bars only if there is room.
    """
    shown = list(lines)
    label_widths, text_widths = defaultdict[int, int](int), defaultdict[int, int](int)
    for line in shown:
        if line.text:
            length = len(line.label) if line.time else min(len(line.label), MAX_LABEL_WIDTH)
            label_widths[line.depth] = max(label_widths[line.depth], length)
        if line.time:
            text_widths[line.depth] = max(text_widths[line.depth], len(line.text))
    for line in shown:
        indent = INDENT * line.depth
        column = label_widths[line.depth]
        hanging = indent + (" " * column + GAP if column else "")
        label = f"{line.label:<{column}}" if line.text else line.label
        head = Text.assemble(indent, (label, line.label_style), GAP if label and line.text else "")
        needed = len(head) + BAR_WIDTH + text_widths[line.depth] + TIME_WIDTH + 2 * len(GAP)
        if has_bars and line.share is not None and needed <= (width or needed):
            done = int(BAR_WIDTH * line.share)
            head.append_text(Text("━" * done + " " * (BAR_WIDTH - done) + GAP, "green"))
        if line.time:
            head.append(f"{line.text:<{text_widths[line.depth]}}", line.style)
            head.append(GAP + line.time, "dim")
            yield head
            continue
        room = None if width is None else max(width - len(hanging), BAR_WIDTH)
        for number, fitting in enumerate(wrapped(line.text, room)):
            text = Text(hanging) if number else head
            text.append(fitting, line.style)
            text.rstrip()
            yield text


def shortened(text: str, width: int) -> str:
    """Return a text that is cut in the middle if it is too long. Its bucket is left out first."""
    text = text if len(text) <= width else re.sub("s3://[^/]+/", "", text)
    end = (width - 1) // 2
    return text if len(text) <= width else f"{text[: width - 1 - end]}…{text[-end:]}"

"""The lines of a screen: aligned in columns, and wrapped only in a terminal and between words."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from retrain.account.output import result_console, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INDENT, GAP = " " * 4, " " * 2
MAX_LABEL_WIDTH = 30
"""The widest label beside which a text is wrapped. A longer one moves only its own text."""
BAR_WIDTH, TIME_WIDTH = 12, len("1 h 30 min, until ~05:10")
STYLES = {
    **dict.fromkeys(("DEPLOYED", "TRAINED", "IMPORTED", "SUCCEEDED", "ACTIVE"), "green"),
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
    for text in rendered(lines, console.width if console.is_terminal else None):
        console.print(text, soft_wrap=True)


def rendered(
    lines: Iterable[Line], width: int | None = None, *, has_bars: bool = False
) -> Iterator[Text]:
    """Yield the lines as texts, in which all lines of one depth have the same columns.

    A text that is longer than `width` is wrapped between words, but not within a command. Jobs
    have bars only if there is room.
    """
    rows, labels, texts = list(lines), defaultdict[int, int](int), defaultdict[int, int](int)
    for row in rows:
        if row.text:
            length = len(row.label) if row.time else min(len(row.label), MAX_LABEL_WIDTH)
            labels[row.depth] = max(labels[row.depth], length)
            texts[row.depth] = max(texts[row.depth], len(row.text) if row.time else 0)
    for row in rows:
        indent = INDENT * row.depth
        column = labels[row.depth]
        hanging = indent + (" " * column + GAP if column else "")
        label = f"{row.label:<{column}}" if row.text else row.label
        head = Text.assemble(indent, (label, row.label_style), GAP if label and row.text else "")
        needed = len(head) + BAR_WIDTH + texts[row.depth] + TIME_WIDTH + 2 * len(GAP)
        if has_bars and row.share is not None and needed <= (width or needed):
            done = int(BAR_WIDTH * row.share)
            head.append_text(Text("━" * done + " " * (BAR_WIDTH - done) + GAP, "green"))
        if row.time:
            head.append(f"{row.text:<{texts[row.depth]}}", row.style)
            head.append(GAP + row.time, "dim")
            yield head
            continue
        room = None if width is None else max(width - len(hanging), BAR_WIDTH)
        for number, part in enumerate(wrapped(row.text, room)):
            text = Text(hanging) if number else head
            text.append(part, row.style)
            text.rstrip()
            yield text


def shortened(text: str, width: int) -> str:
    """Return a text that is cut in the middle if it is too long."""
    end = (width - 1) // 2
    return text if len(text) <= width else f"{text[: width - 1 - end]}…{text[-end:]}"

"""Writes durations, sizes, shares and names as a person reads them. All functions are pure."""

import re
from collections.abc import Sequence

SECONDS_PER_MINUTE, MINUTES_PER_HOUR, HOURS_PER_DAY = 60, 60, 24
UNITS = ("bytes", "KB", "MB", "GB", "TB")
THOUSAND = 1000
PERSONALIZE_ARN = re.compile(r"arn:[a-z-]+:personalize:[a-z0-9-]+:\d{12}:")
UNREADABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
    r"\ud800-\udfff\ufffe\uffff]"
)
"""Characters that SNS refuses (https://aws.amazon.com/sns/faqs/), and characters that change the
direction of a line, so that a person would read another text."""


def duration(seconds: float) -> str:
    """Return a duration in whole minutes, for example `3 h 12 min`, or in days if it is long.

    `retrain history` shows the same number of minutes (`retrain/operator/texts.py`).
    """
    if seconds < SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / SECONDS_PER_MINUTE), MINUTES_PER_HOUR)
    if hours >= 2 * HOURS_PER_DAY:
        return f"{hours // HOURS_PER_DAY} days"
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(count: int) -> str:
    """Return a number of bytes with a unit, for example `1.2 GB`."""
    number, unit = float(count), 0
    while number >= THOUSAND and unit < len(UNITS) - 1:
        number, unit = number / THOUSAND, unit + 1
    return f"{number:.3g} {UNITS[unit]}" if unit else f"{count} {UNITS[0]}"


def change(share: float) -> str:
    """Return a change in per cent with its sign, for example `+7.1%`."""
    return f"{share * 100:+.1f}%"


def share_of_change(new: float | None, live: float | None) -> float | None:
    """Return the change as a share of the live value. There is none if the live value is 0."""
    return None if new is None or not live else round((new - live) / abs(live), 6)


def metric_change(new: float | None, live: float | None) -> str:
    """Return a metric before and after, for example `0.4 -> 0.42 (+5.0%)`."""
    before, after = ("none" if value is None else f"{value:.4g}" for value in (live, new))
    share = share_of_change(new, live)
    return f"{before} -> {after}" + (f" ({change(share)})" if share is not None else "")


def short_name(arn: str) -> str:
    """Return the last part of an ARN, which is the name of a resource or the id of a version."""
    return arn.rpartition("/")[2]


def with_short_arns(text: str) -> str:
    """Return a text in which the ARNs of Personalize begin with the type of the resource."""
    return PERSONALIZE_ARN.sub("", text)


def readable(text: str) -> str:
    """Return a text in which `?` stands for each character that a message must not contain."""
    return UNREADABLE.sub("?", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return a text with single spaces instead of its line breaks and other white space."""
    return " ".join(text.split())


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, for example `1 campaign` or `2 campaigns`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return names as a list in a sentence. After `most` names, the others are counted."""
    shown = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"

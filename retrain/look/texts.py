"""Writes times, durations and sizes for people."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

SECONDS_PER_MINUTE = 60
MINUTES_PER_HOUR = 60
BYTES_PER_UNIT = 1000


def duration_text(seconds: float) -> str:
    """Return a duration like `45 s`, `12 min` or `2 h 31 min`."""
    if seconds < SECONDS_PER_MINUTE:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / SECONDS_PER_MINUTE)
    hours, rest = divmod(minutes, MINUTES_PER_HOUR)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def time_text(time: datetime) -> str:
    """Return a time in UTC to the minute, like `2026-11-29 03:00`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def clock_text(time: datetime, now: datetime) -> str:
    """Return the hour and minute of a time in UTC, with the day if it is not today."""
    time, now = time.astimezone(UTC), now.astimezone(UTC)
    return f"{time:%H:%M}" if time.date() == now.date() else f"{time:%d %b %H:%M}"


def size_text(size: int) -> str:
    """Return a number of bytes like `912 B` or `1.4 GB`."""
    value, units = float(size), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while value >= BYTES_PER_UNIT and unit != "TB":
        value, unit = value / BYTES_PER_UNIT, next(units)
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def count_text(count: int, noun: str) -> str:
    """Return a number with its noun, like `1 import` or `2 imports`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def list_text(items: Sequence[str]) -> str:
    """Return items as in a sentence, like `a`, `a and b` or `a, b and c`."""
    return " and ".join([*filter(None, [", ".join(items[:-1])]), *items[-1:]])

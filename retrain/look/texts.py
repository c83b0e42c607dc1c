"""Writes times, durations and sizes for people."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from functions.words import count_text, duration_text, list_text, size_text, time_text

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["clock_text", "count_text", "duration_text", "list_text", "size_text", "time_text"]


def clock_text(time: datetime, now: datetime) -> str:
    """Return the hour and minute of a time in UTC, with the day if it is not today."""
    time, now = time.astimezone(UTC), now.astimezone(UTC)
    return f"{time:%H:%M}" if time.date() == now.date() else f"{time:%d %b %H:%M}"

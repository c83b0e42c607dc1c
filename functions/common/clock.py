"""Tells the time and sleeps. Tests replace this module with their own clock."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def sleep(seconds: float) -> None:
    """Wait for a number of seconds."""
    time.sleep(seconds)

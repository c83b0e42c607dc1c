"""The time, in one place, so that tests and replays can bring their own."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Give the current time in UTC."""
    return datetime.now(UTC)


def sleep(seconds: float) -> None:
    """Hold this invocation for so many seconds."""
    time.sleep(seconds)

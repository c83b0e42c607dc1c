"""The current time, in one module, so that tests can replace it."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def sleep(seconds: float) -> None:
    """Wait for this number of seconds."""
    time.sleep(seconds)

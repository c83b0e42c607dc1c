"""Waits for something in the emulator."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.1


def wait_until(is_done: Callable[[], bool], *, seconds: float) -> bool:
    """Call `is_done` until it returns True. Return False if it has not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True

"""A clock that takes no real time. It stands still while a thread can run, and then it jumps."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from emulator.virtual.turns import StuckError, Thread, Turns, Unwind

__all__ = ["Event", "LimitReached", "StuckError", "Thread", "Unwind", "VirtualClock"]

DEFAULT_START = datetime(2026, 11, 29, 3, tzinfo=UTC)


class LimitReached(BaseException):
    """A thread has slept until the end of its `VirtualClock.limit`.

    `except Exception` does not catch it.
    """


class VirtualClock(Turns):
    """Virtual time, shared by all threads that wait. `Turns` decides which thread runs when.

    Time is exact to the microsecond, and sleeping does not add up rounding errors. All random
    numbers come from `random`, so the same program with the same `seed` always does the same
    things at the same times.
    """

    def __init__(
        self, start: datetime = DEFAULT_START, *, seed: int = 0, patience: float = 30
    ) -> None:
        super().__init__(patience)
        self.random = random.Random(seed)  # noqa: S311  # reproducible on purpose
        self._start = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the virtual time, in UTC."""
        return self._start + timedelta(microseconds=self.elapsed)

    def time(self) -> float:
        """Return the virtual time in seconds since 1970, like `time.time`."""
        return self.now().timestamp()

    def let_others_run(self) -> None:
        """Let every other thread run that can run now. No time passes."""
        self.sleep(0)

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds` of virtual time, while other threads run.

        Raises:
            LimitReached: The thread's `limit` ends during the sleep. It is raised at that time.
        """
        until, limit = self.time_after(seconds), self.running.limit
        if limit is None or until < limit:
            self.wait(until)
        else:
            self.wait(limit)
            raise LimitReached

    def time_after(self, seconds: float) -> int:
        """Return the value that `elapsed` will have after `seconds`. It is never in the past."""
        return self.elapsed + max(0, round(seconds * 1_000_000))

    @contextmanager
    def limit(self, seconds: float) -> Iterator[Callable[[], float]]:
        """Limit the virtual time that the running thread may spend in the block.

        Yield a function that returns the remaining seconds. A sleep that is too long ends at the
        limit with LimitReached.
        """
        thread, end = self.running, self.time_after(seconds)
        outer_limit, thread.limit = thread.limit, end
        try:
            yield lambda: (end - self.elapsed) / 1_000_000
        finally:
            thread.limit = outer_limit


class Event:
    """A `threading.Event` on a virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._is_set = False
        self._waiters: deque[Thread] = deque()

    def is_set(self) -> bool:
        """Return True if the event is set."""
        return self._is_set

    def set(self) -> None:
        """Set the event. All threads that wait for it become ready to run."""
        self._is_set = True
        self._clock.wake(self._waiters)

    def clear(self) -> None:
        """Reset the event."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set, at most `timeout` virtual seconds.

        Return True if the event was set, and False after the timeout.
        """
        until = None if timeout is None else self._clock.time_after(timeout)
        return self._is_set or self._clock.wait(until, self._waiters)

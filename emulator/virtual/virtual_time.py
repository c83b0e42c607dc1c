"""A clock that takes no real time: it stands still while anything can run, and then jumps."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from emulator.virtual.turns import StuckError, Thread, Turns, Unwind

__all__ = ["Event", "LimitReached", "StuckError", "Thread", "Unwind", "VirtualClock"]

DEFAULT_START = datetime(2026, 11, 29, 3, tzinfo=UTC)


class LimitReached(BaseException):
    """The time that `VirtualClock.limit` allows is over; `except Exception` lets it pass."""


class VirtualClock(Turns):
    """Virtual time, shared by everything that waits. See `Turns` for who runs when.

    Time is exact to the microsecond; sleeping never adds up rounding errors. `random` is the only
    source of chance: the same program with the same `seed` does the same at the same times.
    """

    def __init__(
        self, start: datetime = DEFAULT_START, *, seed: int = 0, patience: float = 30
    ) -> None:
        super().__init__(patience)
        self.random = random.Random(seed)  # noqa: S311 - reproducible chance, no secret
        self._start = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the virtual time, in UTC."""
        return self._start + timedelta(microseconds=self.elapsed)

    def time(self) -> float:
        """Return the virtual time in seconds since 1970, like `time.time`."""
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass; other threads run meanwhile.

        Raises `LimitReached` at the moment when the thread's `limit` ends.
        """
        until, limit = self.after(seconds), self.running.limit
        if limit is None or until < limit:
            self.wait(until)
        else:
            self.wait(limit)
            raise LimitReached

    def after(self, seconds: float) -> int:
        """Return the time so many seconds from now, as `wait` counts it; never the past."""
        return self.elapsed + max(0, round(seconds * 1_000_000))

    @contextmanager
    def limit(self, seconds: float) -> Iterator[Callable[[], float]]:
        """Let the running thread sleep this long in the block; gives: how much of it is left."""
        thread, end = self.running, self.after(seconds)
        outer, thread.limit = thread.limit, end
        try:
            yield lambda: (end - self.elapsed) / 1_000_000
        finally:
            thread.limit = outer


class Event:
    """What `threading.Event` is, on a virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._flag = False
        self._waiters: deque[Thread] = deque()

    def is_set(self) -> bool:
        """Say whether the event has happened."""
        return self._flag

    def set(self) -> None:
        """Let it happen: whoever waits becomes ready to run."""
        self._flag = True
        self._clock.wake(self._waiters)

    def clear(self) -> None:
        """Forget that it happened."""
        self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it, at most `timeout` virtual seconds; say whether it happened."""
        until = None if timeout is None else self._clock.after(timeout)
        return self._flag or self._clock.wait(until, self._waiters)

"""A clock that takes no real time, and the threads that live on it.

Threads on a `VirtualClock` run one at a time: each holds the turn until it waits, and then hands it
to the next. Time stands still while any thread can run, and jumps to the earliest wake-up when all
of them wait. What is ready runs in the order in which it became ready, so a run is a pure function
of the program and the seed. Threads are the operating system's (libraries block deep inside their
own call stacks), but only one of them is ever awake.
"""

import itertools
import random
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

SECOND = 1_000_000  # time is counted in whole microseconds: sums of floats would drift
DEFAULT_START = datetime(2026, 11, 29, 3, tzinfo=UTC)


class Unwind(BaseException):
    """Ends a thread from outside, at the place where it waits; `except Exception` lets it pass."""


class LimitReached(BaseException):
    """The time that `VirtualClock.limit` allows is over; `except Exception` lets it pass."""


class StuckError(AssertionError):
    """The simulation cannot go on: every thread waits for ever, or real time ran out."""


class VirtualClock:
    """Virtual time in UTC, shared by everything that waits; belongs to the thread that made it.

    `seed` feeds `random`, the only source of chance. `patience` is how many real seconds the
    owning thread lets the others work in one go before it raises `StuckError`.
    """

    def __init__(
        self, start: datetime = DEFAULT_START, *, seed: int = 0, patience: float = 30
    ) -> None:
        self.random = random.Random(seed)  # noqa: S311 - reproducible chance, not a secret
        self._start = start.astimezone(UTC)
        self._elapsed = 0
        self._patience = patience
        self._count = itertools.count()
        self._ready: deque[Thread] = deque()
        self._timers: list[tuple[int, int, Thread, object]] = []
        self._threads: dict[Thread, None] = {}  # the living ones, oldest first
        self._error: BaseException | None = None
        self._broken = False
        self._owner = Thread(self, _nothing, name="owner")
        self._owner.ident = threading.get_ident()
        self._running = self._owner

    def now(self) -> datetime:
        """Return the virtual time, in UTC, exact to the microsecond."""
        return self._start + timedelta(microseconds=self._elapsed)

    def time(self) -> float:
        """Return the virtual time as seconds since 1970, as `time.time` does."""
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass; others run meanwhile. Takes no real time.

        Raises `LimitReached` at the moment when the thread's `limit` ends.
        """
        limit = self._running.limit
        wake = self._elapsed + max(0, round(seconds * SECOND))
        if limit is not None and wake >= limit:
            self.wait((limit - self._elapsed) / SECOND)
            raise LimitReached
        self.wait(seconds)

    @contextmanager
    def limit(self, seconds: float) -> Iterator[Callable[[], float]]:
        """Allow the block this much virtual time; gives a function that says how much is left."""
        thread = self._running
        outer, end = thread.limit, self._elapsed + round(seconds * SECOND)
        thread.limit = end if outer is None else min(end, outer)
        try:
            yield lambda: (end - self._elapsed) / SECOND
        finally:
            thread.limit = outer

    @contextmanager
    def group(self, name: Hashable) -> Iterator[None]:
        """Put the threads that are made in this block, and those that they make, into a group."""
        thread = self._running
        outer, thread.group = thread.group, name
        try:
            yield
        finally:
            thread.group = outer

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Keep `unwind` away from the running thread while the block lasts."""
        thread = self._running
        outer, thread.shielded = thread.shielded, True
        try:
            yield
        finally:
            thread.shielded = outer

    def unwind(self, group: Hashable) -> None:
        """Raise `Unwind` in a group's waiting threads, but not in its first or in shielded ones."""
        for thread in self._members(group)[1:]:
            if not thread.shielded and thread is not self._running:
                self._doom(thread)

    def end(self, group: Hashable) -> None:
        """Raise `Unwind` in all threads of a group and return when the last of them has ended."""
        members = self._members(group)
        for thread in members:
            self._doom(thread)
        while self._members(group) and not self._broken:
            self.wait(0)
        for thread in members:
            thread.leave(timeout=1 if self._broken else self._patience)

    def wait(self, seconds: float | None, waiters: "deque[Thread] | None" = None) -> bool:
        """Give up the turn until woken (True) or until the time is over (False).

        `waiters` is where whoever wakes looks for the thread.
        """
        me = self._running
        if me.ident != threading.get_ident():
            raise StuckError("a thread used a virtual clock on which another thread has the turn")
        if self._broken and me is self._owner:
            raise StuckError("a thread never gave the turn back; use another clock")
        if me.doomed:
            raise Unwind
        me.ticket = ticket = object()
        if waiters is not None:
            waiters.append(me)
        if seconds is not None:
            at = self._elapsed + max(0, round(seconds * SECOND))
            heappush(self._timers, (at, next(self._count), me, ticket))
        following = self._next()
        if following is not me:
            self._pass_to(following)
            self._await_turn(me)
        if waiters is not None and me in waiters:
            waiters.remove(me)
        if me is self._owner and self._error is not None:
            error, self._error = self._error, None
            raise error
        if me.doomed:
            raise Unwind
        return me.woken

    def wake(self, waiters: "deque[Thread]") -> None:
        """Make every thread in `waiters` ready to run, first come first served."""
        while waiters:
            self._make_ready(waiters.popleft(), woken=True)

    def _await_turn(self, me: "Thread") -> None:
        if me is not self._owner:
            me.turn.acquire()
        elif not me.turn.acquire(timeout=self._patience):
            busy, self._running, self._broken = self._running, me, True
            for thread in list(self._threads):
                thread.doomed = True
                if thread is not busy:
                    thread.turn.release()
            raise StuckError(
                f"no end after {self._patience} real seconds; {busy.name!r} has the turn"
            )

    def _next(self) -> "Thread":
        if self._ready:
            return self._ready.popleft()
        while self._timers:
            at, _, thread, ticket = heappop(self._timers)
            if thread.ticket is ticket:
                thread.ticket, thread.woken = None, False
                self._elapsed = max(self._elapsed, at)
                return thread
        names = ", ".join(repr(thread.name) for thread in self._threads) or "nobody else"
        self._error = StuckError(f"every thread waits for ever: the owner and {names}")
        self._owner.ticket = None
        return self._owner

    def _pass_to(self, thread: "Thread") -> None:
        self._running = thread
        thread.turn.release()

    def _make_ready(self, thread: "Thread", *, woken: bool) -> None:
        if thread.ticket is not None:
            thread.ticket, thread.woken = None, woken
            self._ready.append(thread)

    def _doom(self, thread: "Thread") -> None:
        thread.doomed = True
        self._make_ready(thread, woken=False)

    def _members(self, group: Hashable) -> "list[Thread]":
        return [thread for thread in self._threads if thread.group == group]

    def _enter(self, thread: "Thread") -> None:
        self._threads[thread] = None
        self._ready.append(thread)

    def _leave(self, thread: "Thread", error: BaseException | None) -> None:
        del self._threads[thread]
        self.wake(thread.joiners)
        if error is not None and self._error is None:
            self._error = error
            self._make_ready(self._owner, woken=False)
        if self._running is thread:
            self._pass_to(self._next())


class Thread:
    """What `threading.Thread` is, on a virtual clock."""

    def __init__(
        self,
        clock: VirtualClock,
        target: Callable[..., object],
        args: tuple[object, ...] = (),
        name: str | None = None,
        *,
        daemon: bool = True,
    ) -> None:
        self.name = name or getattr(target, "__qualname__", repr(target))
        self.daemon = daemon
        self.ident: int | None = None
        self.turn = threading.Lock()
        self.turn.acquire()
        self.joiners: deque[Thread] = deque()
        self.ticket: object | None = None  # of the wait that the thread is in
        self.woken = False  # how that wait ended
        self.doomed = False
        self.shielded = False
        self.limit: int | None = None
        parent: Thread | None = getattr(clock, "_running", None)
        self.group: Hashable = parent.group if parent else None
        self._clock = clock
        self._target, self._args = target, args
        self._alive = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    @property
    def native_id(self) -> int | None:
        """The operating system's number of the thread."""
        return self._thread.native_id

    def start(self) -> None:
        """Let the thread run as soon as those that are ready now have had their turn."""
        self._alive = True
        self._clock._enter(self)  # noqa: SLF001 - the clock's other half
        self._thread.start()

    def is_alive(self) -> bool:
        """Say whether the thread has been started and has not ended."""
        return self._alive

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end, at most `timeout` virtual seconds."""
        if self._alive:
            self._clock.wait(timeout, self.joiners)

    def leave(self, timeout: float) -> None:
        """Wait, in real time, until the operating system's thread is gone."""
        self._thread.join(timeout)

    def _run(self) -> None:
        self.turn.acquire()
        self.ident = threading.get_ident()
        error: BaseException | None = None
        try:
            if not self.doomed:
                self._target(*self._args)
        except Unwind:
            pass
        except BaseException as raised:  # noqa: BLE001 - raised again in the owner
            error = raised
        self._alive = False
        self._clock._leave(self, error)  # noqa: SLF001 - the clock's other half


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
        return self._flag or self._clock.wait(timeout, self._waiters)


def _nothing() -> None:
    """Stand for the work of the thread that owns the clock: it is there already."""

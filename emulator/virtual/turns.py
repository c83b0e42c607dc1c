"""Threads that run one at a time, in an order that depends on nothing but what they do.

Each thread holds the turn until it waits, and then hands it to the next: to the one that became
ready first, or, when none is ready, to the one whose waiting time is over first. Only then does
time pass. They are threads of the operating system (libraries wait deep inside their own calls),
but only one of them is ever awake.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush


class Unwind(BaseException):
    """Ends a thread from outside, at the place where it waits; `except Exception` lets it pass."""


class StuckError(AssertionError):
    """It cannot go on: every thread waits for ever, or one does not give the turn back."""


class Turns:
    """Who runs, who waits, and how late it is; `elapsed` counts whole microseconds.

    Belongs to the thread that made it, the owner. `patience` is how many real seconds the owner
    lets the others run in one go before it raises `StuckError`. An exception that ends another
    thread is raised in the owner, where it waits.
    """

    def __init__(self, patience: float) -> None:
        self.elapsed = 0
        self.owner = Thread(self, _nothing, name="owner", ident=threading.get_ident())
        self.running = self.owner
        self._patience = patience
        self._count = itertools.count()
        self._ready: deque[Thread] = deque()
        self._timers: list[tuple[int, int, Thread, object]] = []
        self._threads: dict[Thread, None] = {}  # those that live, oldest first
        self._error: BaseException | None = None  # for the owner to raise
        self._broken = False

    def wait(self, until: int | None, waiters: "deque[Thread] | None" = None) -> bool:
        """Give up the turn until woken (True), or until that time (False).

        `waiters` is where those who wake look for the thread. Raises `Unwind` in a thread that is
        to end.
        """
        me = self.running
        if me.ident != threading.get_ident():
            raise StuckError("a thread waits on a clock on which another thread has the turn")
        if self._broken and me is self.owner:
            raise StuckError("a thread never gave the turn back; use another clock")
        if me.doomed:
            raise Unwind
        me.ticket = ticket = object()
        if waiters is not None:
            waiters.append(me)
        if until is not None:
            heappush(self._timers, (until, next(self._count), me, ticket))
        following = self._next()
        if following is not me:
            self._pass_to(following)
            self._await_turn(me)
        if waiters is not None and me in waiters:
            waiters.remove(me)
        if me is self.owner and self._error is not None:
            error, self._error = self._error, None
            raise error
        if me.doomed:
            raise Unwind
        return me.woken

    def wake(self, waiters: "deque[Thread]") -> None:
        """Make every thread in `waiters` ready to run, first come first served."""
        while waiters:
            self._make_ready(waiters.popleft(), woken=True)

    @contextmanager
    def group(self, name: Hashable) -> Iterator[None]:
        """Put the threads that are made in this block, and those that they make, into a group."""
        thread = self.running
        outer, thread.group = thread.group, name
        try:
            yield
        finally:
            thread.group = outer

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Keep `unwind` away from the running thread while the block lasts."""
        thread = self.running
        outer, thread.shielded = thread.shielded, True
        try:
            yield
        finally:
            thread.shielded = outer

    def unwind(self, group: Hashable) -> None:
        """Raise `Unwind` in a group's waiting threads, but not in its first or in shielded ones."""
        for thread in self._members(group)[1:]:
            if not thread.shielded and thread is not self.running:
                self._doom(thread)

    def end(self, group: Hashable) -> None:
        """Raise `Unwind` in all threads of a group and return when the last of them is gone."""
        members = self._members(group)
        for thread in members:
            self._doom(thread)
        while self._members(group) and not self._broken:
            self.wait(self.elapsed)
        for thread in members:
            thread.leave(1 if self._broken else self._patience)

    def enter(self, thread: "Thread") -> None:
        """Let a new thread take its turn."""
        self._threads[thread] = None
        self._ready.append(thread)

    def depart(self, thread: "Thread", error: BaseException | None) -> None:
        """Hand on the turn of a thread that has ended, perhaps by an error."""
        del self._threads[thread]
        self.wake(thread.joiners)
        if error is not None and self._error is None:
            self._error = error
            self._make_ready(self.owner, woken=False)
        if self.running is thread:
            self._pass_to(self._next())

    def _next(self) -> "Thread":
        if self._ready:
            return self._ready.popleft()
        while self._timers:
            at, _, thread, ticket = heappop(self._timers)
            if thread.ticket is ticket:
                thread.ticket, thread.woken = None, False
                self.elapsed = max(self.elapsed, at)
                return thread
        names = "".join(f", {thread.name}" for thread in self._threads)
        self._error = StuckError(f"every thread waits for ever: the owner{names}")
        self.owner.ticket = None
        return self.owner

    def _pass_to(self, thread: "Thread") -> None:
        self.running = thread
        thread.turn.release()

    def _await_turn(self, me: "Thread") -> None:
        if me is not self.owner:
            me.turn.acquire()
            return
        try:
            has_turn = me.turn.acquire(timeout=self._patience)
        except BaseException:  # an interrupt, a test's time limit
            self._give_up()
            raise
        if not has_turn:
            name = self._give_up().name
            raise StuckError(f"no end after {self._patience:g} real seconds; {name} has the turn")

    def _give_up(self) -> "Thread":
        """Take the turn back from a thread that keeps it, and let all the others end."""
        busy, self.running, self._broken = self.running, self.owner, True
        for thread in list(self._threads):
            thread.doomed = True
            if thread is not busy:
                thread.turn.release()
        return busy

    def _make_ready(self, thread: "Thread", *, woken: bool) -> None:
        if thread.ticket is not None:
            thread.ticket, thread.woken = None, woken
            self._ready.append(thread)

    def _doom(self, thread: "Thread") -> None:
        thread.doomed = True
        self._make_ready(thread, woken=False)

    def _members(self, group: Hashable) -> "list[Thread]":
        return [thread for thread in self._threads if thread.group == group]


class Thread:
    """A thread that takes turns, with the methods of `threading.Thread`; times in seconds."""

    def __init__(
        self,
        turns: Turns,
        target: Callable[..., object],
        args: tuple[object, ...] = (),
        name: str | None = None,
        *,
        daemon: bool = True,
        ident: int | None = None,
    ) -> None:
        parent: Thread | None = getattr(turns, "running", None)
        self.name = name or getattr(target, "__qualname__", repr(target))
        self.daemon = daemon
        self.ident = ident
        self.group: Hashable = parent.group if parent else None
        self.turn = threading.Lock()  # held by whoever lets the thread run
        self.turn.acquire()
        self.joiners: deque[Thread] = deque()
        self.ticket: object | None = None  # of the wait that the thread is in
        self.woken = False  # how its last wait ended
        self.doomed = False
        self.shielded = False
        self.limit: int | None = None  # until when it may sleep
        self._turns = turns
        self._target, self._args = target, args
        self._alive = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    @property
    def native_id(self) -> int | None:
        """The operating system's number for the thread."""
        return self._thread.native_id

    def start(self) -> None:
        """Let the thread run as soon as those that are ready now have had their turn."""
        self._alive = True
        self._turns.enter(self)
        self._thread.start()

    def is_alive(self) -> bool:
        """Say whether the thread has been started and has not ended."""
        return self._alive

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end, at most `timeout` virtual seconds."""
        if self._alive:
            until = None if timeout is None else self._turns.elapsed + round(timeout * 1_000_000)
            self._turns.wait(until, self.joiners)

    def leave(self, timeout: float) -> None:
        """Wait until the operating system's thread is gone, at most `timeout` real seconds."""
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
        except BaseException as raised:  # noqa: BLE001 - the owner raises it
            error = raised
        self._alive = False
        self._turns.depart(self, error)


def _nothing() -> None:
    """Stand for the work of the owner, which is under way already."""

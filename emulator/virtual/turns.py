"""Threads that run one at a time, in an order that depends only on what they do.

A thread has the turn until it waits. Then the turn goes to the thread that became ready first. If
no thread is ready, time jumps to the earliest end of a wait, and that thread gets the turn. These
are threads of the operating system, because libraries wait deep inside their own calls, but only
one of them is awake at any time.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import NamedTuple


class Unwind(BaseException):
    """Another thread ends this thread, where it waits. `except Exception` does not catch it."""


class StuckError(AssertionError):
    """The threads cannot continue. All of them wait for ever, or one of them keeps the turn."""


class Timer(NamedTuple):
    """The end of a thread's wait at the time `until`. `number` decides between equal times.

    It counts only while `ticket` is the ticket of the thread.
    """

    until: int
    number: int
    thread: "Thread"
    ticket: object


class Turns:
    """The turn, the waiting threads and the time. `elapsed` counts whole microseconds.

    The owner is the thread that creates the object. `patience` is how many real seconds the owner
    lets the other threads run without a break before it raises `StuckError`. If an exception ends
    another thread, the owner raises it where it waits.
    """

    def __init__(self, patience: float) -> None:
        self.elapsed = 0
        self.owner = Thread(self, _do_nothing, name="owner", ident=threading.get_ident())
        self.running = self.owner
        self._patience = patience
        self._timer_numbers = itertools.count()
        self._ready: deque[Thread] = deque()
        self._timers: list[Timer] = []  # a heap with the earliest timer first
        self._threads: dict[Thread, None] = {}  # the living threads, oldest first
        self._error: BaseException | None = None  # the owner raises it
        self._broken = False

    def wait(self, until: int | None, waiters: "deque[Thread] | None" = None) -> bool:
        """Let other threads run until this thread is woken or the time is `until`.

        Return True if the thread was woken, and False at `until`. `until` is a value of `elapsed`,
        or None to wait for ever. `waiters` is the queue in which `wake` finds the thread.

        Raises:
            Unwind: `unwind` or `end` was called for the group of this thread.
            StuckError: The threads cannot continue. Only the owner raises it.
        """
        thread = self.running
        if thread.ident != threading.get_ident():
            raise StuckError("a thread waits on a clock on which another thread has the turn")
        if self._broken and thread is self.owner:
            raise StuckError("a thread never gave the turn back; use another clock")
        if thread.doomed:
            raise Unwind
        self._enqueue(thread, until, waiters)
        next_thread = self._next_thread()
        if next_thread is not thread:
            self._pass_to(next_thread)
            self._await_turn(thread)
        if waiters is not None and thread in waiters:
            waiters.remove(thread)
        if thread is self.owner and self._error is not None:
            error, self._error = self._error, None
            raise error
        if thread.doomed:
            raise Unwind
        return thread.woken

    def wake(self, waiters: "deque[Thread]") -> None:
        """Make every thread in `waiters` ready to run, in the order of the queue."""
        while waiters:
            self._make_ready(waiters.popleft(), woken=True)

    @contextmanager
    def group(self, name: Hashable) -> Iterator[None]:
        """Put the threads that are created in this block into a group, and their descendants."""
        thread = self.running
        outer_group, thread.group = thread.group, name
        try:
            yield
        finally:
            thread.group = outer_group

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Protect the running thread from `unwind` during the block."""
        thread = self.running
        outer_shielded, thread.shielded = thread.shielded, True
        try:
            yield
        finally:
            thread.shielded = outer_shielded

    def unwind(self, group: Hashable) -> None:
        """End the waiting threads of a group, except its first thread and the shielded ones.

        `Unwind` is raised where they wait.
        """
        for thread in self._members(group)[1:]:
            if not thread.shielded and thread is not self.running:
                self._doom(thread)

    def end(self, group: Hashable) -> None:
        """End all threads of a group, and return when the last of them has ended.

        `Unwind` is raised where they wait.
        """
        members = self._members(group)
        for thread in members:
            self._doom(thread)
        while self._members(group) and not self._broken:
            self.wait(self.elapsed)
        for thread in members:
            thread.join_real_thread(1 if self._broken else self._patience)

    def add(self, thread: "Thread") -> None:
        """Add a new thread that is ready to run."""
        self._threads[thread] = None
        self._ready.append(thread)

    def remove(self, thread: "Thread", error: BaseException | None) -> None:
        """Remove a thread that has ended, and pass its turn on.

        `error` is the exception that ended the thread, or None. The owner raises the first one.
        """
        del self._threads[thread]
        self.wake(thread.joiners)
        if error is not None and self._error is None:
            self._error = error
            self._make_ready(self.owner, woken=False)
        if self.running is thread:
            self._pass_to(self._next_thread())

    def _enqueue(
        self, thread: "Thread", until: int | None, waiters: "deque[Thread] | None"
    ) -> None:
        """Begin a wait of a thread, with a new ticket. Earlier timers of the thread end with it."""
        thread.ticket = ticket = object()
        if waiters is not None:
            waiters.append(thread)
        if until is not None:
            heappush(self._timers, Timer(until, next(self._timer_numbers), thread, ticket))

    def _next_thread(self) -> "Thread":
        """Return the thread that gets the turn next, and let time jump if none is ready.

        If every thread waits for ever, return the owner, which then raises StuckError.
        """
        if self._ready:
            return self._ready.popleft()
        while self._timers:
            timer = heappop(self._timers)
            thread = timer.thread
            if thread.ticket is timer.ticket:  # else the thread was woken before this time
                thread.ticket, thread.woken = None, False
                self.elapsed = max(self.elapsed, timer.until)
                return thread
        names = "".join(f", {thread.name}" for thread in self._threads)
        self._error = StuckError(f"every thread waits for ever: the owner{names}")
        self.owner.ticket = None
        return self.owner

    def _pass_to(self, thread: "Thread") -> None:
        """Pass the turn to a thread."""
        self.running = thread
        thread.turn.release()

    def _await_turn(self, thread: "Thread") -> None:
        """Wait in real time until a thread gets the turn.

        Raises:
            StuckError: The thread is the owner and has waited for longer than its patience.
        """
        if thread is not self.owner:
            thread.turn.acquire()
            return
        try:
            has_turn = thread.turn.acquire(timeout=self._patience)
        except BaseException:  # an interrupt, or the time limit of a test
            self._give_up()
            raise
        if not has_turn:
            name = self._give_up().name
            raise StuckError(f"no end after {self._patience:g} real seconds; {name} has the turn")

    def _give_up(self) -> "Thread":
        """Take the turn from the thread that keeps it, end all others, and return that thread."""
        busy, self.running, self._broken = self.running, self.owner, True
        for thread in list(self._threads):
            thread.doomed = True
            if thread is not busy:
                thread.turn.release()
        return busy

    def _make_ready(self, thread: "Thread", *, woken: bool) -> None:
        """End the wait of a thread. `woken` becomes the result of `wait`."""
        if thread.ticket is not None:
            thread.ticket, thread.woken = None, woken
            self._ready.append(thread)

    def _doom(self, thread: "Thread") -> None:
        """Make a thread raise `Unwind` where it waits."""
        thread.doomed = True
        self._make_ready(thread, woken=False)

    def _members(self, group: Hashable) -> "list[Thread]":
        """Return the living threads of a group, oldest first."""
        return [thread for thread in self._threads if thread.group == group]


class Thread:
    """A thread that takes turns, with the methods of `threading.Thread`. Times are in seconds."""

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
        # The representation of one of moto's bound methods is the whole state machine.
        self.name = name or getattr(target, "__qualname__", type(target).__name__)
        self.daemon = daemon
        self.ident = ident
        self.group: Hashable = parent.group if parent else None
        self.turn = threading.Lock()  # released by the thread that passes the turn on
        self.turn.acquire()
        self.joiners: deque[Thread] = deque()
        self.ticket: object | None = None  # identifies the current wait
        self.woken = False  # the result of the last wait
        self.doomed = False
        self.shielded = False
        self.limit: int | None = None  # the time until which the thread may sleep
        self._turns = turns
        self._target, self._args = target, args
        self._alive = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    @property
    def native_id(self) -> int | None:
        """The operating system's number of the thread."""
        return self._thread.native_id

    def start(self) -> None:
        """Start the thread. It runs after the threads that are ready now."""
        self._alive = True
        self._turns.add(self)
        self._thread.start()

    def is_alive(self) -> bool:
        """Return True if the thread has been started and has not ended."""
        return self._alive

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end, at most `timeout` virtual seconds."""
        if self._alive:
            until = None if timeout is None else self._turns.elapsed + round(timeout * 1_000_000)
            self._turns.wait(until, self.joiners)

    def join_real_thread(self, timeout: float) -> None:
        """Wait for the end of the operating system's thread, at most `timeout` real seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        """Run the target when this thread gets the turn. Report its error to the owner."""
        self.turn.acquire()
        self.ident = threading.get_ident()
        error: BaseException | None = None
        try:
            if not self.doomed:
                self._target(*self._args)
        except Unwind:
            pass
        except BaseException as raised:  # noqa: BLE001  # the owner raises it
            error = raised
        self._alive = False
        self._turns.remove(self, error)


def _do_nothing() -> None:
    """Do nothing. The owner needs no target because it is running already."""

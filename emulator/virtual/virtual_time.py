"""A clock that takes no real time. It stands still while a task can run, and then it jumps.

A task is a function that runs in a greenlet. It has the turn until it waits. Then the turn goes to
the task that became ready first. If no task is ready, time jumps to the earliest end of a wait. So
the same program always does the same things at the same times.
"""

import itertools
import random
from collections import deque
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

from greenlet import GreenletExit, getcurrent, greenlet

DEFAULT_START = datetime(2026, 11, 29, 3, tzinfo=UTC)


class LimitReached(BaseException):
    """A task slept to its limit. `except Exception` of the task's code does not catch it."""


class StuckError(AssertionError):
    """Every task waits for ever."""


class Task:
    """A function that takes turns with other functions. `VirtualClock.start` creates it."""

    def __init__(self, group: Hashable) -> None:
        self.group = group
        self.limit: int | None = None  # the value of `elapsed` until which the task may sleep
        self.ticket: object | None = None  # identifies the present wait
        self.was_woken = False  # the result of the last wait
        self.greenlet = getcurrent()


class VirtualClock:
    """Virtual time, shared by all tasks. `elapsed` counts whole microseconds.

    The owner is the greenlet that creates the clock. Other tasks run only while the owner waits.
    If an exception ends a task, the owner raises it where it waits. All random numbers come from
    `random`, so that they are the same each time.
    """

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        self.random = random.Random(0)  # noqa: S311  # reproducible on purpose
        self.elapsed = 0
        self.running = self._owner = Task(None)
        self._start = start.astimezone(UTC)
        self._tasks: dict[Task, None] = {}  # the tasks that have not ended, oldest first
        self._ready: deque[Task] = deque()
        # A heap of the planned ends of waits: time, number, task and ticket, the earliest first.
        self._timers: list[tuple[int, int, Task, object]] = []
        self._numbers = itertools.count()
        self._error: BaseException | None = None  # the owner raises it

    def now(self) -> datetime:
        """Tell the virtual time, in UTC."""
        return self._start + timedelta(microseconds=self.elapsed)

    def start(self, work: Callable[[], object], group: Hashable = None) -> None:
        """Start a task. It runs after the tasks that are ready now."""
        task = Task(group)
        task.greenlet = greenlet(lambda *_: self._run(task, work), self._owner.greenlet)
        self._tasks[task] = None
        self._ready.append(task)

    def end(self, group: Hashable) -> None:
        """End the tasks of a group where they wait, with `GreenletExit`."""
        ending_tasks = [task for task in self._tasks if task.group == group]
        for task in ending_tasks:
            task.ticket = None
            task.greenlet.parent = getcurrent()  # so that the turn comes back here
            task.greenlet.throw(GreenletExit)
            del self._tasks[task]

        # A task that was ready must not get a turn any more.
        self._ready = deque(task for task in self._ready if task.group != group)

    def sleep(self, seconds: float) -> None:
        """Sleep while other tasks run. Raise LimitReached at the task's limit."""
        until = self.time_after(seconds)
        limit = self.running.limit
        if limit is None or until < limit:
            self.wait(until)
            return

        self.wait(limit)
        raise LimitReached

    def time_after(self, seconds: float) -> int:
        """Calculate the value of `elapsed` after some seconds. It is never in the past."""
        return self.elapsed + max(0, round(seconds * 1_000_000))

    def wait(self, until: int | None, waiters: deque[Task] | None = None) -> bool:
        """Let other tasks run until this task is woken or the time is `until`.

        Return True if the task was woken, and False at `until`. `until` is a value of `elapsed`,
        or None to wait for ever. `waiters` is the queue in which `wake` finds the task. The owner
        raises StuckError if every task waits for ever.
        """
        task = self.running
        task.ticket = object()
        if waiters is not None:
            waiters.append(task)
        if until is not None:
            heappush(self._timers, (until, next(self._numbers), task, task.ticket))

        # The switch returns when this task gets its turn back.
        self.running = self._next_task()
        if self.running is not task:
            self.running.greenlet.switch()

        if waiters is not None and task in waiters:
            waiters.remove(task)
        if task is self._owner:
            self._raise_error()
        return task.was_woken

    def _raise_error(self) -> None:
        """Raise the error that a task has left for the owner, once."""
        error = self._error
        self._error = None
        if error is not None:
            raise error

    def wake(self, waiters: deque[Task]) -> None:
        """Make every task in `waiters` ready to run, in the order of the queue."""
        while waiters:
            self._make_ready(waiters.popleft(), was_woken=True)

    def _run(self, task: Task, work: Callable[[], object]) -> None:
        """Do the work of a task, and pass the turn on. The owner raises the error of the work."""
        try:
            work()
        except GreenletExit:
            return  # to the task that ended this task
        except BaseException as error:  # noqa: BLE001  # the owner raises the first one
            if self._error is None:
                self._error = error
                self._make_ready(self._owner, was_woken=False)

        del self._tasks[task]
        self.running = self._next_task()
        task.greenlet.parent = self.running.greenlet  # it continues when this greenlet returns

    def _make_ready(self, task: Task, *, was_woken: bool) -> None:
        """End the wait of a task. `was_woken` becomes the result of `wait`."""
        if task.ticket is not None:
            task.ticket = None
            task.was_woken = was_woken
            self._ready.append(task)

    def _next_task(self) -> Task:
        """Choose the task that gets the turn next, and let time jump if none is ready.

        If every task waits for ever, return the owner, which then raises StuckError.
        """
        if self._ready:
            return self._ready.popleft()

        while self._timers:
            until, _, task, ticket = heappop(self._timers)
            if task.ticket is ticket:  # else the task was woken before this time
                task.ticket = None
                task.was_woken = False
                self.elapsed = max(self.elapsed, until)
                return task

        self._error = StuckError(
            f"every task waits for ever: the owner and {len(self._tasks)} more"
        )
        self._owner.ticket = None
        return self._owner


class Event:
    """A `threading.Event` on a virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._is_set = False
        self._waiters: deque[Task] = deque()

    def set(self) -> None:
        """Set the event. All tasks that wait for it become ready to run."""
        self._is_set = True
        self._clock.wake(self._waiters)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set, at most some seconds. Return True if it was set."""
        if self._is_set:
            return True
        until = None
        if timeout is not None:
            until = self._clock.time_after(timeout)
        return self._clock.wait(until, self._waiters)

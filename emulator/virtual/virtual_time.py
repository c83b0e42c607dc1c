"""A virtual clock, with which tests of hours of waiting take no time.

A *task* is a function in a greenlet. A task runs until it has to wait, and then the task that has
been ready the longest gets its turn. The clock stands still as long as any task is ready. When all
of them are waiting, the clock jumps to the time at which the first wait ends. So a program does the
same things at the same virtual times in each run.
"""

import itertools
import random
from collections import deque
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

from greenlet import GreenletExit, getcurrent, greenlet

DEFAULT_START = datetime(2026, 11, 29, 3, tzinfo=UTC)


class DeadlineReached(BaseException):
    """Raised in a task that has slept until its deadline.

    This isn't a subclass of Exception because a handler's `except Exception` mustn't catch it.
    """


class StuckError(AssertionError):
    """Raised if all tasks, including the owner, wait without a timeout, so none can continue."""


class Task:
    """A function that takes turns with other functions. `VirtualClock.start` creates it."""

    def __init__(self, group: Hashable) -> None:
        self.group = group
        self.greenlet = getcurrent()

        self.deadline: int | None = None
        """The value of the clock's `elapsed` at which `sleep` is cut short."""
        self.wait_id: object | None = None
        """Identifies the current wait, so that the timer of an earlier wait doesn't end it."""
        self.was_woken = False
        """Whether the last wait ended because the task was woken, and not because of a timeout."""


class VirtualClock:
    """A virtual clock, which also schedules the tasks that use it.

    The *owner* is the greenlet that creates the clock. Other tasks run only while the owner is
    waiting. If a task fails, its exception is raised in the owner. `elapsed` is the time since the
    start, in microseconds. Tasks should take random numbers only from `random`, which returns the
    same numbers in each run.
    """

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        self.random = random.Random(0)  # noqa: S311  # reproducible on purpose
        self.elapsed = 0
        self.current_task = self._owner = Task(None)
        self._start = start.astimezone(UTC)

        self._tasks: dict[Task, None] = {}
        """The unfinished tasks except the owner, oldest first."""
        self._ready: deque[Task] = deque()
        """The tasks that aren't waiting, in the order in which they get their turns."""
        self._timers: list[tuple[int, int, Task, object]] = []
        """A heap of (end of a wait, number, task, wait ID). If two waits end at the same time, the
        one with the lower number ends first."""
        self._timer_numbers = itertools.count()
        self._error: BaseException | None = None
        """The exception of a task, which the owner has to raise."""

    def now(self) -> datetime:
        """Return the current virtual time in UTC."""
        return self._start + timedelta(microseconds=self.elapsed)

    def start(self, work: Callable[[], object], group: Hashable = None) -> None:
        """Start a task, which gets its first turn after all tasks that are ready now."""
        task = Task(group)
        task.greenlet = greenlet(lambda *_: self._run_task(task, work), self._owner.greenlet)
        self._tasks[task] = None
        self._ready.append(task)

    def kill_group(self, group: Hashable) -> None:
        """Kill all tasks of a group by raising `GreenletExit` where they're waiting."""
        killed_tasks = [task for task in self._tasks if task.group == group]
        for task in killed_tasks:
            task.wait_id = None
            task.greenlet.parent = getcurrent()  # so that control returns here
            task.greenlet.throw(GreenletExit)
            del self._tasks[task]

        # Some of the killed tasks may have been ready, so they would otherwise get another turn.
        self._ready = deque(task for task in self._ready if task.group != group)

    def sleep(self, seconds: float) -> None:
        """Pause the current task. Raise DeadlineReached as soon as its deadline is reached."""
        until = self.time_after(seconds)
        deadline = self.current_task.deadline
        if deadline is None or until < deadline:
            self.wait(until)
            return

        self.wait(deadline)
        raise DeadlineReached

    def time_after(self, seconds: float) -> int:
        """Return the value that `elapsed` will have after some seconds, none if negative."""
        return self.elapsed + max(0, round(seconds * 1_000_000))

    def wait(self, until: int | None, waiters: deque[Task] | None = None) -> bool:
        """Pause the current task until it's woken, or until `elapsed` reaches `until`.

        Return whether the task was woken. While it waits, the task is in the queue `waiters`, whose
        tasks are woken by `wake_all`. If `until` is None, only that ends the wait.

        In the owner, this method also raises the exception of any task that fails in the meantime,
        and StuckError if no task can ever continue.
        """
        task = self.current_task
        task.wait_id = object()

        if waiters is not None:
            waiters.append(task)
        if until is not None:
            heappush(self._timers, (until, next(self._timer_numbers), task, task.wait_id))

        # `switch` returns when this task gets its next turn.
        self.current_task = self._pick_next_task()
        if self.current_task is not task:
            self.current_task.greenlet.switch()

        if waiters is not None and task in waiters:
            waiters.remove(task)
        if task is self._owner:
            self._raise_error()
        return task.was_woken

    def _raise_error(self) -> None:
        """Raise the exception that was stored for the owner, if any, and forget it."""
        error = self._error
        self._error = None
        if error is not None:
            raise error

    def wake_all(self, waiters: deque[Task]) -> None:
        """Wake all tasks in a queue in order and empty the queue."""
        while waiters:
            self._make_ready(waiters.popleft(), was_woken=True)

    def _run_task(self, task: Task, work: Callable[[], object]) -> None:
        """Run a task until its work is done, and then switch to the next task.

        If the work raises an exception, store the exception for the owner and make the owner ready.
        """
        try:
            work()
        except GreenletExit:
            return  # `kill_group` continues.
        except BaseException as error:  # noqa: BLE001  # raised again in the owner
            if self._error is None:
                self._error = error
                self._make_ready(self._owner, was_woken=False)

        del self._tasks[task]
        self.current_task = self._pick_next_task()
        # When a greenlet returns, its parent continues.
        task.greenlet.parent = self.current_task.greenlet

    def _make_ready(self, task: Task, *, was_woken: bool) -> None:
        """End a task's wait with the result `was_woken`. Do nothing if the task isn't waiting."""
        if task.wait_id is not None:
            task.wait_id = None
            task.was_woken = was_woken
            self._ready.append(task)

    def _pick_next_task(self) -> Task:
        """Choose the task that gets the next turn. If no task is ready, advance the clock.

        If all tasks are waiting without a timeout, choose the owner, and store a StuckError for it.
        """
        if self._ready:
            return self._ready.popleft()

        while self._timers:
            until, _, task, wait_id = heappop(self._timers)
            # Skip the timer if its task was woken in the meantime.
            if task.wait_id is wait_id:
                task.wait_id = None
                task.was_woken = False
                self.elapsed = max(self.elapsed, until)
                return task

        self._error = StuckError(
            f"every task waits for ever: the owner and {len(self._tasks)} more"
        )
        self._owner.wait_id = None
        return self._owner


class Event:
    """An event like `threading.Event`, but in virtual time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._is_set = False
        self._waiters: deque[Task] = deque()

    def set(self) -> None:
        """Set the event and wake all tasks that are waiting for it."""
        self._is_set = True
        self._clock.wake_all(self._waiters)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the event for at most `timeout` seconds, and return whether it was set."""
        if self._is_set:
            return True

        until = None
        if timeout is not None:
            until = self._clock.time_after(timeout)
        return self._clock.wait(until, self._waiters)

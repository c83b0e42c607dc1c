"""Simulates hours of waiting in no time: a clock that stands still while any task can run.

A *task* is a function in a greenlet. It runs until it waits, and then it's the turn of the task
that has been ready the longest. When no task is ready, the time jumps to the end of the wait that
ends first. So a program always does the same things, at the same times.
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
    """A task has slept until its deadline.

    It isn't an Exception, so that a handler's own `except Exception` can't catch it.
    """


class StuckError(AssertionError):
    """All tasks, the owner included, are waiting without a timeout, so none can ever go on."""


class Task:
    """A function that takes turns with other functions. `VirtualClock.start` creates it."""

    def __init__(self, group: Hashable) -> None:
        self.group = group
        self.deadline: int | None = None  # `sleep` goes on no longer than this value of `elapsed`.
        self.wait_id: object | None = None  # identifies the current wait, if any
        self.was_woken = False  # the result of the last wait
        self.greenlet = getcurrent()


class VirtualClock:
    """Virtual time, and the scheduler of the tasks that share it.

    The *owner* is the greenlet that creates the clock. Other tasks run only while the owner waits,
    and if one of them fails, that wait raises the exception. `elapsed` is the time since the start,
    in microseconds. Take random numbers only from `random`, so that they're the same in each run.
    """

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        self.random = random.Random(0)  # noqa: S311  # reproducible on purpose
        self.elapsed = 0
        self.current_task = self._owner = Task(None)
        self._start = start.astimezone(UTC)
        self._tasks: dict[Task, None] = {}  # the unfinished tasks except the owner, oldest first
        self._ready: deque[Task] = deque()
        # A heap of (end of a wait, number, task, wait ID). Of two waits with the same end, the one
        # with the lower number ends first.
        self._timers: list[tuple[int, int, Task, object]] = []
        self._timer_numbers = itertools.count()
        self._error: BaseException | None = None  # to be raised by the owner

    def now(self) -> datetime:
        """Return the virtual time, in UTC."""
        return self._start + timedelta(microseconds=self.elapsed)

    def start(self, work: Callable[[], object], group: Hashable = None) -> None:
        """Start a task. Its first turn comes after all tasks that are ready now."""
        task = Task(group)
        task.greenlet = greenlet(lambda *_: self._run_task(task, work), self._owner.greenlet)
        self._tasks[task] = None
        self._ready.append(task)

    def kill_group(self, group: Hashable) -> None:
        """Kill all tasks of a group, by raising `GreenletExit` where they're waiting."""
        killed_tasks = [task for task in self._tasks if task.group == group]
        for task in killed_tasks:
            task.wait_id = None
            task.greenlet.parent = getcurrent()  # so that control returns here
            task.greenlet.throw(GreenletExit)
            del self._tasks[task]

        # Some of them may have been ready, and would otherwise get another turn.
        self._ready = deque(task for task in self._ready if task.group != group)

    def sleep(self, seconds: float) -> None:
        """Sleep while other tasks run. Raise DeadlineReached at the task's deadline."""
        until = self.time_after(seconds)
        deadline = self.current_task.deadline
        if deadline is None or until < deadline:
            self.wait(until)
            return

        self.wait(deadline)
        raise DeadlineReached

    def time_after(self, seconds: float) -> int:
        """Return the value that `elapsed` will have in some seconds. Negative seconds mean now."""
        return self.elapsed + max(0, round(seconds * 1_000_000))

    def wait(self, until: int | None, waiters: deque[Task] | None = None) -> bool:
        """Pause the current task until `elapsed` reaches `until`, or until another task wakes it.

        Return whether it was woken. If `until` is None, it waits until it's woken, which requires
        `waiters`: the queue to pass to `wake_all`. The owner's wait also ends when another task
        fails, by raising that task's exception, and raises StuckError if no task can ever go on.
        """
        task = self.current_task
        task.wait_id = object()
        if waiters is not None:
            waiters.append(task)
        if until is not None:
            heappush(self._timers, (until, next(self._timer_numbers), task, task.wait_id))

        # `switch` returns when it's this task's turn again.
        self.current_task = self._pick_next_task()
        if self.current_task is not task:
            self.current_task.greenlet.switch()

        if waiters is not None and task in waiters:
            waiters.remove(task)
        if task is self._owner:
            self._raise_error()
        return task.was_woken

    def _raise_error(self) -> None:
        """Raise the exception that was left for the owner, if any, but only once."""
        error = self._error
        self._error = None
        if error is not None:
            raise error

    def wake_all(self, waiters: deque[Task]) -> None:
        """Wake all tasks in a queue, first come, first served, which leaves the queue empty."""
        while waiters:
            self._make_ready(waiters.popleft(), was_woken=True)

    def _run_task(self, task: Task, work: Callable[[], object]) -> None:
        """Run a task from start to end, and then give the turn to the next task.

        If the work raises an exception, leave it for the owner, and make the owner ready.
        """
        try:
            work()
        except GreenletExit:
            return  # The task that killed this one continues.
        except BaseException as error:  # noqa: BLE001  # the owner raises it
            if self._error is None:
                self._error = error
                self._make_ready(self._owner, was_woken=False)

        del self._tasks[task]
        self.current_task = self._pick_next_task()
        # When a greenlet returns, its parent continues.
        task.greenlet.parent = self.current_task.greenlet

    def _make_ready(self, task: Task, *, was_woken: bool) -> None:
        """End the task's wait with the result `was_woken`. Do nothing if it isn't waiting."""
        if task.wait_id is not None:
            task.wait_id = None
            task.was_woken = was_woken
            self._ready.append(task)

    def _pick_next_task(self) -> Task:
        """Pick the task that gets the next turn. If none is ready, let the time jump.

        If all tasks wait without a timeout, pick the owner, and leave a StuckError for it.
        """
        if self._ready:
            return self._ready.popleft()

        while self._timers:
            until, _, task, wait_id = heappop(self._timers)
            # Skip a timer whose task was woken before.
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
    """Does what `threading.Event` does, but in virtual time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._is_set = False
        self._waiters: deque[Task] = deque()

    def set(self) -> None:
        """Set the event, and wake all tasks that are waiting for it."""
        self._is_set = True
        self._clock.wake_all(self._waiters)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set or `timeout` seconds are over. Return whether it was set."""
        if self._is_set:
            return True

        until = None
        if timeout is not None:
            until = self._clock.time_after(timeout)
        return self._clock.wait(until, self._waiters)

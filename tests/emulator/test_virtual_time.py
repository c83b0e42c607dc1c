"""Proves which task runs when on a virtual clock, and the time at which it runs."""

from contextlib import suppress

import pytest
from small_machines import elapsed

from emulator.virtual.virtual_time import (
    DeadlineReached,
    Event,
    StuckError,
    VirtualClock,
)


def test_time_stands_still_until_all_tasks_wait_and_then_jumps_to_the_first_end():
    clock = VirtualClock()
    wakes = []

    def work(name, pause):
        for _ in range(3):
            clock.sleep(pause)
            wakes.append((name, elapsed(clock)))

    clock.start(lambda: work("a", 1))
    clock.start(lambda: work("b", 2.5))
    assert wakes == [], "a new task waits for its turn"
    clock.sleep(8)
    assert wakes == [("a", 1), ("a", 2), ("b", 2.5), ("a", 3), ("b", 5), ("b", 7.5)]


def test_an_event_wakes_the_tasks_whose_timeout_is_not_over():
    clock = VirtualClock()
    event = Event(clock)
    wakes = []

    def work(timeout):
        wakes.append((event.wait(timeout), elapsed(clock)))
        clock.sleep(30)
        wakes.append(elapsed(clock))

    for timeout in (5, None, 20):
        clock.start(lambda timeout=timeout: work(timeout))
    clock.sleep(10)
    event.set()
    clock.sleep(100)
    assert wakes == [(False, 5), (True, 10), (True, 10), 35, 40, 40]
    assert event.wait(5), "it is set already"
    assert elapsed(clock) == 110


def test_a_sleep_ends_exactly_at_the_deadline_and_except_exception_does_not_catch_it():
    clock = VirtualClock()
    clock.current_task.deadline = clock.time_after(10)
    clock.sleep(4)
    with pytest.raises(DeadlineReached), suppress(Exception):
        clock.sleep(7)
    assert elapsed(clock) == 10


def test_the_end_of_a_group_runs_its_finally_blocks_and_no_other_task():
    clock = VirtualClock()
    ends = []

    def work(name):
        try:
            clock.sleep(100)
        finally:
            ends.append((name, elapsed(clock)))

    for name in ("first", "second"):
        clock.start(lambda name=name: work(name), name)
    clock.sleep(10)
    clock.start(lambda: work("late"), "first")
    clock.kill_group("first")
    assert ends == [("first", 10)], "the late task has not begun"
    clock.sleep(100)
    assert ends == [("first", 10), ("second", 100)]


def test_tasks_that_wait_without_an_end_are_an_error():
    clock = VirtualClock()
    clock.start(Event(clock).wait)
    with pytest.raises(StuckError, match="every task waits for ever: the owner and 1 more"):
        Event(clock).wait()


def test_an_error_in_a_task_is_raised_in_the_owner_immediately():
    clock = VirtualClock()
    clock.start(lambda: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):
        clock.sleep(1)
    clock.sleep(1)
    assert elapsed(clock) == 1, "and the owner can continue"

"""Proves which thread runs when on a virtual clock, and the time at which it runs."""

import threading
from contextlib import suppress

import pytest
from small_machines import elapsed

from emulator.virtual.virtual_time import (
    DEFAULT_START,
    Event,
    LimitReached,
    StuckError,
    Thread,
    VirtualClock,
)


def test_time_stands_still_until_all_threads_wait_and_then_jumps_to_the_first_end():
    clock, wakes = VirtualClock(), []

    def work(name, pause):
        for _ in range(3):
            clock.sleep(pause)
            wakes.append((name, elapsed(clock)))

    threads = [Thread(clock, work, (name, pause)) for name, pause in (("a", 1), ("b", 2.5))]
    for thread in threads:
        thread.start()
    assert wakes == [], "a new thread waits for its turn"
    for thread in threads:
        thread.join()
    assert wakes == [("a", 1), ("a", 2), ("b", 2.5), ("a", 3), ("b", 5), ("b", 7.5)]


def test_threads_that_wake_at_one_time_run_in_the_order_in_which_they_went_to_sleep():
    clock, wakes = VirtualClock(), []

    def work(name):
        clock.sleep(1)
        wakes.append(name)

    for name in "cab":
        Thread(clock, work, (name,)).start()
    clock.sleep(1)
    clock.sleep(0)
    assert wakes == ["c", "a", "b"]


def test_ten_thousand_tenths_of_a_second_are_exactly_a_thousand_seconds():
    clock = VirtualClock()
    for _ in range(10_000):
        clock.sleep(0.1)
    assert elapsed(clock) == 1000, "time is counted in whole microseconds"
    assert clock.time() == DEFAULT_START.timestamp() + 1000


def test_an_event_wakes_the_threads_whose_timeout_is_not_over():
    clock = VirtualClock()
    event, wakes = Event(clock), []

    def work(timeout):
        wakes.append((event.wait(timeout), elapsed(clock)))

    for timeout in (5, None, 20):
        Thread(clock, work, (timeout,)).start()
    clock.sleep(10)
    event.set()
    event.clear()
    clock.sleep(100)
    assert wakes == [(False, 5), (True, 10), (True, 10)], "the event was set only for a moment"
    assert not event.is_set()


def test_a_join_with_a_timeout_can_end_before_the_thread():
    clock = VirtualClock()
    thread = Thread(clock, clock.sleep, (60,))
    thread.start()
    thread.join(timeout=45)
    assert (thread.is_alive(), elapsed(clock)) == (True, 45)
    thread.join()
    assert (thread.is_alive(), elapsed(clock)) == (False, 60)


def test_a_sleep_ends_exactly_at_the_limit_and_except_exception_does_not_catch_it():
    clock = VirtualClock()
    with clock.limit(10) as remaining:
        clock.sleep(4)
        assert remaining() == 6
        with pytest.raises(LimitReached), suppress(Exception):
            clock.sleep(7)
    assert elapsed(clock) == 10
    clock.sleep(50)
    assert elapsed(clock) == 60, "there is no limit outside the block"


def test_the_end_of_a_group_runs_its_finally_blocks_and_no_other_thread():
    clock, ends = VirtualClock(), []

    def work(name):
        try:
            clock.sleep(100)
        finally:
            ends.append((name, elapsed(clock)))

    for name in ("first", "second"):
        with clock.group(name):
            Thread(clock, work, (name,)).start()
    clock.sleep(10)
    clock.end("first")
    assert ends == [("first", 10)]
    clock.sleep(100)
    assert ends == [("first", 10), ("second", 100)]


def test_the_error_names_the_threads_if_all_of_them_wait_without_an_end():
    clock = VirtualClock()
    thread = Thread(clock, Event(clock).wait, name="a thread")
    thread.start()
    with pytest.raises(StuckError, match="waits for ever: the owner, a thread"):
        Event(clock).wait()
    clock.end(None)


def test_an_error_in_a_thread_is_raised_in_the_owner_immediately():
    clock = VirtualClock()
    Thread(clock, int, ("x",)).start()
    with pytest.raises(ValueError, match="invalid literal"):
        clock.sleep(1)
    clock.sleep(1)
    assert elapsed(clock) == 1, "and the owner can continue"


def test_a_thread_that_does_not_belong_to_the_clock_cannot_wait_on_it():
    clock, errors = VirtualClock(), []

    def work():
        try:
            clock.sleep(1)
        except StuckError as error:
            errors.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == ["a thread waits on a clock on which another thread has the turn"]


def test_an_interrupt_while_other_threads_run_leaves_no_thread_behind(monkeypatch):
    clock, threads, release = VirtualClock(), threading.active_count(), threading.Event()
    sleeper, busy = Thread(clock, clock.sleep, (9,)), Thread(clock, release.wait, (5,))
    for thread in (sleeper, busy):
        thread.start()

    class InterruptedLock:
        """A lock whose acquire is interrupted, as by Ctrl-C."""

        def acquire(self, **_limits):
            raise KeyboardInterrupt

    monkeypatch.setattr(clock.owner, "turn", InterruptedLock())
    with pytest.raises(KeyboardInterrupt):
        clock.sleep(100)
    release.set()
    clock.end(None)
    assert threading.active_count() == threads

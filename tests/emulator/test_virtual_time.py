"""The virtual clock: who runs when, and how late it is then."""

import threading
from contextlib import suppress

import pytest

from emulator.virtual.virtual_time import (
    DEFAULT_START,
    Event,
    LimitReached,
    StuckError,
    Thread,
    VirtualClock,
)


def elapsed(clock):
    """Give the virtual seconds since the clock began."""
    return (clock.now() - DEFAULT_START).total_seconds()


def test_time_stands_still_until_all_threads_wait_and_then_jumps_to_the_first():
    clock, seen = VirtualClock(), []

    def work(name, pause):
        for _ in range(3):
            clock.sleep(pause)
            seen.append((name, elapsed(clock)))

    threads = [Thread(clock, work, (name, pause)) for name, pause in (("a", 1), ("b", 2.5))]
    for thread in threads:
        thread.start()
    assert seen == [], "a new thread waits for its turn"
    for thread in threads:
        thread.join()
    assert seen == [("a", 1), ("a", 2), ("b", 2.5), ("a", 3), ("b", 5), ("b", 7.5)]


def test_who_wakes_at_the_same_time_runs_in_the_order_of_falling_asleep():
    clock, seen = VirtualClock(), []

    def work(name):
        clock.sleep(1)
        seen.append(name)

    for name in "cab":
        Thread(clock, work, (name,)).start()
    clock.sleep(1)
    clock.sleep(0)
    assert seen == ["c", "a", "b"]


def test_ten_thousand_tenths_make_a_thousand_seconds():
    clock = VirtualClock()
    for _ in range(10_000):
        clock.sleep(0.1)
    assert elapsed(clock) == 1000, "time is counted in whole microseconds"
    assert clock.time() == DEFAULT_START.timestamp() + 1000


def test_an_event_wakes_those_who_wait_before_their_time_is_over():
    clock = VirtualClock()
    event, seen = Event(clock), []

    def work(timeout):
        seen.append((event.wait(timeout), elapsed(clock)))

    for timeout in (5, None, 20):
        Thread(clock, work, (timeout,)).start()
    clock.sleep(10)
    event.set()
    event.clear()
    clock.sleep(100)
    assert seen == [(False, 5), (True, 10), (True, 10)], "set and clear at once is enough"
    assert not event.is_set()


def test_joining_a_thread_can_end_before_the_thread_does():
    clock = VirtualClock()
    thread = Thread(clock, clock.sleep, (60,))
    thread.start()
    thread.join(timeout=45)
    assert (thread.is_alive(), elapsed(clock)) == (True, 45)
    thread.join()
    assert (thread.is_alive(), elapsed(clock)) == (False, 60)


def test_a_limit_is_reached_at_its_moment_and_not_by_except_exception():
    clock = VirtualClock()
    with clock.limit(10) as left:
        clock.sleep(4)
        assert left() == 6
        with pytest.raises(LimitReached), suppress(Exception):
            clock.sleep(7)
    assert elapsed(clock) == 10
    clock.sleep(50)
    assert elapsed(clock) == 60, "outside the block there is no limit"


def test_ending_a_group_runs_its_clean_up_and_no_other_thread():
    clock, seen = VirtualClock(), []

    def work(name):
        try:
            clock.sleep(100)
        finally:
            seen.append((name, elapsed(clock)))

    for name in ("mine", "yours"):
        with clock.group(name):
            Thread(clock, work, (name,)).start()
    clock.sleep(10)
    clock.end("mine")
    assert seen == [("mine", 10)]
    clock.sleep(100)
    assert seen == [("mine", 10), ("yours", 100)]


def test_when_everybody_waits_for_ever_the_owner_is_told_who():
    clock = VirtualClock()
    thread = Thread(clock, Event(clock).wait, name="Godot's friend")
    with clock.group("them"):
        thread.start()
    with pytest.raises(StuckError, match="waits for ever: the owner, Godot's friend"):
        Event(clock).wait()
    clock.end(None)


def test_an_error_in_a_thread_is_raised_in_the_owner():
    clock = VirtualClock()
    Thread(clock, int, ("x",)).start()
    with pytest.raises(ValueError, match="invalid literal"):
        clock.sleep(1)
    clock.sleep(1)
    assert elapsed(clock) == 1, "the owner was told at once, and can go on"


def test_a_thread_that_is_not_on_the_clock_may_not_wait_on_it():
    clock, errors = VirtualClock(), []

    def work():
        try:
            clock.sleep(1)
        except StuckError as error:
            errors.append(str(error))

    stranger = threading.Thread(target=work)
    stranger.start()
    stranger.join()
    assert errors == ["a thread waits on a clock on which another thread has the turn"]


def test_an_interrupt_while_others_run_leaves_no_thread_behind(monkeypatch):
    clock, before, release = VirtualClock(), threading.active_count(), threading.Event()
    sleeper, busy = Thread(clock, clock.sleep, (9,)), Thread(clock, release.wait, (5,))
    for thread in (sleeper, busy):
        thread.start()

    class Interrupted:
        """A lock whose acquire is interrupted, as by Ctrl-C."""

        def acquire(self, **_limits):
            raise KeyboardInterrupt

    monkeypatch.setattr(clock.owner, "turn", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        clock.sleep(100)
    release.set()
    clock.end(None)
    assert threading.active_count() == before

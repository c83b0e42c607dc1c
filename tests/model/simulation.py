"""Runs processes of the pipeline call by call, while the world around them changes at random.

A process is a generator. It yields a `Call` for every request and a `Sleep` for every wait, and
receives the response. Between two calls time passes, events happen, and other processes continue.
A call may fail, and a process may die before a call, after it, or while it is still on its way.
"""

import heapq
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from math import inf
from random import Random
from typing import Any, NamedTuple

from functions.rules.steps import Step

STALE_SECONDS = 90
"""How old the answer of a list may be."""
LATE_SECONDS = 60
"""How long after a process died its last request may still be carried out."""
EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
FIRST_MINUTE = 60
"""The seconds in which an invocation may change something."""


def as_time(seconds: float) -> datetime:
    """Return the time of the world as the rules see it."""
    return EPOCH + timedelta(seconds=seconds)


class Call(NamedTuple):
    """One request: what the service does with it, and whether it may be refused."""

    request: Callable[[], Any]
    may_fail: bool = False


class Sleep(NamedTuple):
    """A wait, in seconds."""

    seconds: int


class RequestFailedError(Exception):
    """The service refused a request, or its response was lost."""


class Died(NamedTuple):
    """The result of a process that died."""


Process = Generator[Call | Sleep, Any, Any]


@dataclass
class Clock:
    """The clock, and what is going to happen at which time."""

    random: Random
    now: int = 0
    timers: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    order: count = field(default_factory=count)

    def at(self, when: int, action: Callable[[], None]) -> None:
        """Do something at a time to come."""
        heapq.heappush(self.timers, (when, next(self.order), action))

    def advance(self, seconds: int) -> None:
        """Let time pass, and do what is due on the way."""
        end = self.now + seconds
        while self.timers and self.timers[0][0] <= end:
            when, _, action = heapq.heappop(self.timers)
            self.now = max(self.now, when)
            action()
        self.now = max(self.now, end)

    def as_of(self) -> int:
        """Return the time as of which an entry of a list answers."""
        return self.now - self.random.choice((0, 5, 60, STALE_SECONDS))


class Waiting(NamedTuple):
    """A process that continues at a time with the response to its last call."""

    when: int
    order: int
    process: Process
    on_end: Callable[[Any], None]
    response: Any = None
    error: RequestFailedError | None = None


@dataclass
class Simulation:
    """The processes that are running in a world, and how often something goes wrong."""

    world: Clock
    events: Sequence[Callable[[], None]]
    event_rate: float
    fail_rate: float
    death_rate: float
    waiting: list[Waiting] = field(default_factory=list)

    def start(self, process: Process, on_end: Callable[[Any], None]) -> None:
        """Start a process. `on_end` receives its result, or `Died`."""
        self._continue(process, on_end, 0)

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self.event_rate = self.fail_rate = self.death_rate = 0

    def run(self, *, until: float = inf) -> None:
        """Continue until every process has ended, or until a time."""
        while self.waiting and self.waiting[0].when < until:
            waiting = heapq.heappop(self.waiting)
            self.world.advance(max(0, waiting.when - self.world.now))
            self._step(waiting)

    def _continue(
        self, process: Process, on_end: Callable[[Any], None], delay: int, *result: Any
    ) -> None:
        when, order = self.world.now + delay, next(self.world.order)
        heapq.heappush(self.waiting, Waiting(when, order, process, on_end, *result))

    def _step(self, waiting: Waiting) -> None:
        """Carry out the next call or wait of a process."""
        process, on_end, random = waiting.process, waiting.on_end, self.world.random
        try:
            step = process.throw(waiting.error) if waiting.error else process.send(waiting.response)
        except StopIteration as end:
            on_end(end.value)
            return
        self._disturb()
        if isinstance(step, Sleep):
            self._continue(process, on_end, step.seconds)
        elif random.random() < self.death_rate:
            self._last_request(step)
            process.close()
            on_end(Died())
        else:
            self._continue(process, on_end, random.choice((0, 1, 10)), *self._response(step))

    def _response(self, call: Call) -> tuple[Any, RequestFailedError | None]:
        response, error = None, None
        try:
            response = call.request()
        except RequestFailedError as raised:
            error = raised
        if call.may_fail and self.world.random.random() < self.fail_rate:
            error = RequestFailedError("the response was lost")
        return response, error

    def _disturb(self) -> None:
        while self.world.random.random() < self.event_rate:
            self.world.random.choice(self.events)()
            self.world.advance(self.world.random.choice((0, 1, 30)))

    def _last_request(self, call: Call) -> None:
        """Carry out the last request of a dying process: not at all, now, or a little later."""

        def request() -> None:
            with suppress(RequestFailedError):
                call.request()

        match self.world.random.choice(("not", "now", "late")):
            case "now":
                request()
            case "late":
                delay = self.world.random.randint(1, LATE_SECONDS)
                self.world.at(self.world.now + delay, request)


def reconcile(
    world: Clock,
    look: Callable[[], Process],
    decide: Callable[[Any], Step],
    perform: Callable[[Step, Any], Process],
    pauses: tuple[int, int],
) -> Process:
    """Look, decide and act once, until there is an outcome. Return the last step and look.

    `perform` returns False, or raises RequestFailedError, if an action has failed. `pauses` are the
    least seconds between two looks, and the seconds after a failed action.
    """
    least_pause, pause_after_failure = pauses
    invoked_at = world.now
    while True:
        seen = yield from look()
        step = decide(seen)
        if step.action is not None:
            if step.action.changes and world.now - invoked_at > FIRST_MINUTE:
                invoked_at = world.now
                yield Sleep(1)
                continue
            try:
                has_succeeded = yield from perform(step, seen)
            except RequestFailedError:
                has_succeeded = False
            if has_succeeded is False:
                yield Sleep(pause_after_failure)
                continue
        if step.outcome is not None:
            return step, seen
        if step.action is None:
            yield Sleep(max(least_pause, round(step.pause)))
            if step.pause > 45:
                invoked_at = world.now

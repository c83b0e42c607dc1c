"""Runs a process of the pipeline call by call, while the world around it changes at random.

A process is a generator. It yields a `Call` for every request and a `Sleep` for every wait, and
receives the response. Between two calls time passes and events happen. A call may fail, and the
process may die before a call, after it, or while it is still on its way.
"""

import heapq
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, NamedTuple

STALE_SECONDS = 90
"""How old the answer of a list may be."""
LATE_SECONDS = 60
"""How long after a process died its last request may still be carried out."""


class Call(NamedTuple):
    """One request: what the service does with it, and whether it may be refused."""

    request: Callable[[], Any]
    may_fail: bool = False


class Sleep(NamedTuple):
    """A wait, in seconds."""

    seconds: int


class RequestFailedError(Exception):
    """The service refused a request, or its response was lost."""


@dataclass(eq=False)
class Job:
    """Something that the service does from a time of its creation to the time of its end."""

    created: int
    ended: int
    fails: bool

    def status(self, now: int) -> str:
        """Return the status at a time."""
        if now < self.ended:
            return "IN_PROGRESS"
        return "FAILED" if self.fails else "ACTIVE"


class Died(NamedTuple):
    """The result of a process that died."""


Process = Generator[Call | Sleep, Any, Any]


@dataclass
class World:
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
        self.now = end

    def as_of(self) -> int:
        """Return the time as of which a list answers."""
        return self.now - self.random.choice([0, 5, 60, STALE_SECONDS])


def drive(
    world: World,
    process: Process,
    events: Sequence[Callable[[], None]],
    *,
    event_rate: float,
    fail_rate: float,
    death_rate: float,
) -> Any:
    """Run a process to its end, and return its result, or `Died`."""
    response, error = None, None
    while True:
        try:
            step = process.throw(error) if error else process.send(response)
        except StopIteration as end:
            return end.value
        response = error = None
        _disturb(world, events, event_rate)
        if isinstance(step, Sleep):
            world.advance(step.seconds)
            continue
        if world.random.random() < death_rate:
            _last_request(world, step)
            process.close()
            return Died()
        try:
            response = step.request()
        except RequestFailedError as raised:
            error = raised
        if step.may_fail and world.random.random() < fail_rate:
            error = RequestFailedError("the response was lost")
        world.advance(world.random.choice([0, 1, 10]))


def _disturb(world: World, events: Sequence[Callable[[], None]], event_rate: float) -> None:
    while world.random.random() < event_rate:
        world.random.choice(events)()
        world.advance(world.random.choice([0, 1, 30]))


def _last_request(world: World, call: Call) -> None:
    """Carry out the last request of a dying process: not at all, now, or a little later."""

    def request() -> None:
        with suppress(RequestFailedError):
            call.request()

    match world.random.choice(["not", "now", "late"]):
        case "now":
            request()
        case "late":
            world.at(world.now + world.random.randint(1, LATE_SECONDS), request)

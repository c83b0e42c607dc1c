"""The executions of a state machine, lists of them that may be old, and how each waits its turn."""

from dataclasses import dataclass, field
from typing import NamedTuple

from simulation import STALE_SECONDS, Call, Process, Sleep, World

PATIENCE_SECONDS = 12 * 3600
"""How long an execution waits for older ones."""
QUIET_SECONDS = 2 * STALE_SECONDS
"""How long an execution waits after one that did not succeed: its last request may still come."""


@dataclass(eq=False)
class Execution:
    """One execution. Its turn comes after `delay` seconds, with which a trial execution begins."""

    name: str
    started: int
    delay: int
    ended: int | None = None
    succeeded: bool = False

    @property
    def turn(self) -> tuple[int, str]:
        """Return what decides which of two executions is the older one."""
        return self.started + self.delay, self.name


class Listed(NamedTuple):
    """An execution as a list shows it. `failed_at` is the time of its end without success."""

    execution: Execution
    running: bool
    failed_at: int | None


@dataclass
class Machine:
    """The executions of one state machine."""

    world: World
    executions: list[Execution] = field(default_factory=list)

    def start(self, name: str, *, delay: int = 0) -> Execution | None:
        """Start an execution, unless one with this name was started before."""
        if any(execution.name == name for execution in self.executions):
            return None
        execution = Execution(name, self.world.now, delay)
        self.executions.append(execution)
        return execution

    def end(self, execution: Execution, *, succeeded: bool) -> None:
        """End an execution."""
        execution.ended, execution.succeeded = self.world.now, succeeded

    def list(self) -> list[Listed]:
        """List the executions. Each entry may be old."""
        listed = []
        for execution in self.executions:
            when = self.world.as_of()
            ended = execution.ended is not None and execution.ended <= when
            if execution.started <= when:
                failed_at = execution.ended if ended and not execution.succeeded else None
                listed.append(Listed(execution, not ended, failed_at))
        return listed


def wait_for_turn(machine: Machine, execution: Execution, *, second_look: int) -> Process:
    """Wait until no older execution is running. Return False if that takes too long.

    The last look comes `second_look` seconds after the start of the execution, or later, because
    a list may not show an execution that was started shortly before.
    """
    world = machine.world
    yield Sleep(execution.delay)
    end = world.now + PATIENCE_SECONDS
    while world.now < end:
        listed = yield Call(machine.list)
        others = [other for other in listed if other.execution is not execution]
        if any(other.running and other.execution.turn < execution.turn for other in others):
            yield Sleep(300)
        elif any(
            other.failed_at is not None and other.failed_at > world.now - QUIET_SECONDS
            for other in others
        ):
            yield Sleep(60)
        elif (early := execution.turn[0] + second_look - world.now) > 0:
            yield Sleep(early)
        else:
            return True
    return False

"""The executions of a state machine, and how each waits for older ones. Lists may be old."""

from dataclasses import dataclass, field

from simulation import STALE_SECONDS, Call, Process, Sleep, World

PATIENCE_SECONDS = 12 * 3600
"""How long an execution waits for older ones."""
QUIET_SECONDS = 2 * STALE_SECONDS
"""How long an execution waits after one that did not succeed: its last request may still come."""


@dataclass(eq=False)
class Execution:
    """One execution. `failed_at` is the time of its end without success."""

    name: str
    started: int
    ended: int | None = None
    failed_at: int | None = None


@dataclass
class Machine:
    """The executions of one state machine."""

    world: World
    executions: list[Execution] = field(default_factory=list)

    def start(self, name: str) -> Execution:
        """Start an execution."""
        self.executions.append(Execution(name, self.world.now))
        return self.executions[-1]

    def end(self, execution: Execution, *, succeeded: bool) -> None:
        """End an execution."""
        execution.ended = self.world.now
        execution.failed_at = None if succeeded else self.world.now

    def delay(self, execution: Execution) -> int:
        """Return the seconds until the next look at the list, or 0 if the execution may go on.

        A list may not show an execution that was started, or show one that has ended as running.
        """
        now, when = self.world.now, self.world.as_of()
        others = [other for other in self.executions if other is not execution]
        seen = [other for other in others if other.started <= when]
        running = [other for other in seen if other.ended is None or other.ended > when]
        turn = execution.started, execution.name
        if any((other.started, other.name) < turn for other in running):
            return 300
        quiet = now - QUIET_SECONDS
        if any(other.failed_at is not None and quiet < other.failed_at <= when for other in seen):
            return 60
        return max(0, execution.started + STALE_SECONDS - now)


def wait_for_turn(machine: Machine, execution: Execution) -> Process:
    """Wait until no older execution is running. Return False if that takes too long."""
    end = machine.world.now + PATIENCE_SECONDS
    while machine.world.now < end:
        delay = yield Call(lambda: machine.delay(execution))
        if not delay:
            return True
        yield Sleep(delay)
    return False

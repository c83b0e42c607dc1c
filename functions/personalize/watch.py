"""Look at a job until it ends, for as long as one invocation may; between looks, time passes."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from .. import clock
from ..contract import Job
from .pacing import HOLD_PAUSE, HOLD_TOTAL, pause


def watch(
    look: Callable[[], Job],
    *,
    durations: Sequence[int],
    max_hours: float,
    warnings: Iterable[str] = (),
) -> Job:
    """Give the job as last seen, with the seconds until the next look where it is under way.

    The status is judged first and the deadline only then: a job that ended late has still ended.
    The deadline counts from the job's own creation; past it the phase is OVERDUE. NEAR asks for
    another invocation at once: this one has held as long as it may. `warnings` are those of the
    invocations before; each that any look gave stays with the job.
    """
    holding_ends = clock.now() + timedelta(seconds=HOLD_TOTAL)
    collected = set(warnings)
    while True:
        job = look()
        collected.update(job["warnings"])
        job = {**job, "warnings": sorted(collected)}
        if job["phase"] != "UNDER_WAY":
            return job
        elapsed = elapsed_seconds(job)
        left = max_hours * 3600 - elapsed
        if left <= 0:
            late = f"still {job['status']} after {max_hours:g} hours"
            return {**job, "phase": "OVERDUE", "failure": late}
        seconds = min(pause(durations, elapsed), max(left, 1))
        if seconds > HOLD_PAUSE:
            return {**job, "seconds": whole(seconds)}
        if clock.now() + timedelta(seconds=seconds) > holding_ends:
            return {**job, "phase": "NEAR"}
        clock.sleep(seconds)


def elapsed_seconds(job: Job) -> float:
    """Give how long ago the job was created."""
    return (clock.now() - datetime.fromisoformat(job["createdAt"])).total_seconds()


def whole(seconds: float) -> int:
    """Give whole seconds for a Wait state, rounded up: never a look too early."""
    return max(1, -int(-seconds // 1))

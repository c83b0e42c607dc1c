"""Polls a job until it ends or until the invocation has used its time."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from .. import clock
from ..contract import Job
from .pacing import INVOCATION_SECONDS, LONGEST_SLEEP, pause, whole_seconds


def watch(
    describe: Callable[[], Job],
    *,
    durations: Sequence[int],
    max_hours: float,
    warnings: Iterable[str] = (),
) -> Job:
    """Poll a job and return it as last described, with its phase and the seconds until next poll.

    The status counts before the deadline: a job that ended late has still ended. The deadline
    counts from the creation of the job, and after it the phase is OVERDUE. The phase is NEAR if the
    job will end soon but this invocation has used its time. `warnings` come from earlier
    invocations. The returned job has them, and the warnings of every poll.
    """
    invocation_ends = clock.now() + timedelta(seconds=INVOCATION_SECONDS)
    all_warnings = set(warnings)
    while True:
        job = describe()
        all_warnings.update(job["warnings"])
        job = {**job, "warnings": sorted(all_warnings)}
        if job["phase"] != "UNDER_WAY":
            return job
        age = age_seconds(job)
        remaining = max_hours * 3600 - age
        if remaining <= 0:
            failure = f"still {job['status']} after {max_hours:g} hours"
            return {**job, "phase": "OVERDUE", "failure": failure}
        seconds = min(pause(durations, age), max(remaining, 1))
        if seconds > LONGEST_SLEEP:
            return {**job, "seconds": whole_seconds(seconds)}
        if clock.now() + timedelta(seconds=seconds) > invocation_ends:
            return {**job, "phase": "NEAR"}
        clock.sleep(seconds)


def age_seconds(job: Job) -> float:
    """Return the seconds since the job was created."""
    return (clock.now() - datetime.fromisoformat(job["createdAt"])).total_seconds()

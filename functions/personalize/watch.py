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
    """Poll a job while the pauses are short and this invocation has time. Return the last state.

    The phase of a job that has ended is ACTIVE or ENDED, even if it ended after the deadline. The
    phase of a job that has not ended is

    - OVERDUE after the deadline,
    - UNDER_WAY if the next poll is due in `seconds`, which is too long to sleep in the function,
    - NEAR if the next poll is due soon, but this invocation has used its time.

    Args:
        describe: describes the job.
        durations: seconds that the last jobs of this kind took. The list may be empty.
        max_hours: the deadline, in hours after the creation of the job.
        warnings: the warnings of earlier invocations. The returned job has these warnings and the
            warnings of every poll.
    """
    invocation_end = clock.now() + timedelta(seconds=INVOCATION_SECONDS)
    all_warnings = set(warnings)
    while True:
        job = describe()
        all_warnings.update(job["warnings"])
        job = {**job, "warnings": sorted(all_warnings)}
        if job["phase"] != "UNDER_WAY":
            return job
        age = age_seconds(job)
        seconds_to_deadline = max_hours * 3600 - age
        if seconds_to_deadline <= 0:
            failure = f"still {job['status']} after {max_hours:g} hours"
            return {**job, "phase": "OVERDUE", "failure": failure}
        seconds = min(pause(durations, age), max(seconds_to_deadline, 1))
        if seconds > LONGEST_SLEEP:
            return {**job, "seconds": whole_seconds(seconds)}
        if clock.now() + timedelta(seconds=seconds) > invocation_end:
            return {**job, "phase": "NEAR"}
        clock.sleep(seconds)


def age_seconds(job: Job) -> float:
    """Return the seconds since the job was created."""
    return (clock.now() - datetime.fromisoformat(job["createdAt"])).total_seconds()

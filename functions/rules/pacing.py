"""Decides when to poll a job again: after a long wait at first, and then every few seconds.

Hardly any job ends in less than half of its usual time, so a Wait state passes the time until the
first poll. From then on, the invocation stays open and polls every few seconds, even while the job
is late. That's cheap: a minute of sleep costs about $0.0001, as much as one poll in a new
invocation (docs/adr/0004-pacing.md).
"""

from collections.abc import Sequence
from datetime import timedelta

LONGEST_SLEEP = 45
"""The longest pause in seconds for which an invocation stays open."""
QUIET_SHARE = 0.4
"""The share of a job's usual duration that passes before its first poll. It's below one half,
because a training takes only half as long if half of the data is gone."""
PAUSE_SHARE = 0.01
"""The pause between two polls as a share of the job's age, because a delay of 1% doesn't matter.
A young job is polled every second, because those of a rehearsal take only seconds."""
LONGEST_PAUSE = 12
"""The longest pause in seconds between two polls. A pipeline of ten solutions then sends about one
request a second, which is far from the rates at which Personalize throttles."""

OVERDUE_SHARE = 0.2
"""The pause between two polls of something overdue, as a share of its age. With more frequent
polls, the execution's history would be full after a day."""
WAITING_SHARE = 0.1
"""The pause while something else has to end first, as a share of the time waited so far."""
LONGEST_WAITING_PAUSE = timedelta(minutes=30)
"""The upper limit of that pause. It isn't longer, because the deletion of a state machine waits for
the end of its executions' Wait states."""


def pause(durations: Sequence[int], elapsed: float) -> float:
    """Return the seconds until the next poll of a job, at least 1.

    The job was created `elapsed` seconds ago, and is expected to take the median of `durations`, in
    which the last jobs of its kind have ended. Without any, it's polled from the beginning.
    """
    quiet_seconds = 0.0
    if durations:
        quiet_seconds = QUIET_SHARE * sorted(durations)[len(durations) // 2]

    if elapsed < quiet_seconds:
        return max(quiet_seconds - elapsed, 1)
    return min(max(elapsed * PAUSE_SHARE, 1), LONGEST_PAUSE)


def choose_waiting_pause(waited: timedelta) -> timedelta:
    """Return the pause while something else has to end first, for example an older run."""
    return min(waited * WAITING_SHARE, LONGEST_WAITING_PAUSE)

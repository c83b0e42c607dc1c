"""Decides when to poll a job again: after a long wait at first, and then every few seconds.

Hardly any job ends in less than half of its usual time, so the first poll comes after a Wait state.
From then on, the invocation stays open and polls every few seconds, even while the job is late. To
sleep for a minute costs a function about $0.0001, as much as one more poll in a new invocation.
"""

from collections.abc import Sequence
from datetime import timedelta

LONGEST_SLEEP = 45
"""The longest pause in seconds for which an invocation stays open."""
QUIET_SHARE = 0.4
"""The share of the usual duration before the first poll of a job. It is below one half, because a
training takes only half as long if half of the data is gone."""
PAUSE_SHARE = 0.01
"""The pause between two polls as a share of the job's age, because a delay of 1% does not matter.
The jobs of a rehearsal take seconds, so a young job is polled every second."""
LONGEST_PAUSE = 12
"""The longest pause in seconds between two polls. A pipeline of ten solutions then sends about one
request a second, which is far from the rates at which Personalize throttles."""

OVERDUE_SHARE = 0.2
"""The pause between two polls of something overdue, as a share of its age. A day of more frequent
polls would fill the history of the execution."""
WAITING_SHARE = 0.1
"""The pause while something else has to end first, as a share of the time waited so far."""
LONGEST_WAITING_PAUSE = timedelta(minutes=30)
"""The longest of these pauses. It is short, because a state machine is deleted only after the Wait
states of its executions have ended."""


def pause(durations: Sequence[int], elapsed: float) -> float:
    """Return the seconds until the next poll of a job, at least 1.

    The job was created `elapsed` seconds ago. It usually takes the median of `durations`, which are
    the seconds that the last jobs of this kind took, if there were any.
    """
    quiet = QUIET_SHARE * sorted(durations)[len(durations) // 2] if durations else 0
    if elapsed < quiet:
        return max(quiet - elapsed, 1)
    return min(max(elapsed * PAUSE_SHARE, 1), LONGEST_PAUSE)


def waiting_pause(waited: timedelta) -> timedelta:
    """Return the pause until the next poll of something else that has to end first."""
    return min(waited * WAITING_SHARE, LONGEST_WAITING_PAUSE)

"""Decides when to poll a job: first after a long wait, then every few seconds.

Hardly any job takes less than half its usual time, so a Wait state delays the first poll. After
that, the invocation stays open and polls every few seconds, even if the job is late. That's cheap:
sleeping for a minute costs about $0.0001, as much as one poll in a new invocation
(docs/adr/0004-pacing.md).
"""

from collections.abc import Sequence
from datetime import timedelta

LONGEST_SLEEP = 45
"""The longest pause in seconds for which an invocation stays open."""
QUIET_FRACTION = 0.4
"""When a job is first polled, as a share of its usual duration. It's below one half, because a
training takes only half as long if half of the data is gone."""
PAUSE_SHARE_OF_TRIAL_AGE = 0.01
"""The pause between two polls, as a share of the job's age. A delay of 1% doesn't matter. Young
jobs are polled every second, because a rehearsal's jobs only take seconds."""
LONGEST_PAUSE = 12
"""The longest pause in seconds between two polls. With it, ten solutions send about one request a
second, far below the rates that Personalize throttles."""

OVERDUE_FRACTION = 0.2
"""The pause between two polls of an overdue job, as a share of its age. More frequent polls would
fill the execution's history within a day."""
WAITING_FRACTION = 0.1
"""The pause while another job or run has to end first, as a share of the time waited so far."""
LONGEST_WAITING_PAUSE = timedelta(minutes=30)
"""The longest such pause. Longer Wait states would delay the deletion of the state machine, because
Step Functions waits for them to end."""


def choose_pause(durations: Sequence[int], elapsed: float) -> float:
    """Return the seconds until the next poll of a job, at least 1.

    `elapsed` is the job's age in seconds, and `durations` are how long similar jobs took recently.
    The job is expected to take their median. Without durations, polls start right away.
    """
    quiet_seconds = 0.0
    if durations:
        quiet_seconds = QUIET_FRACTION * sorted(durations)[len(durations) // 2]

    if elapsed < quiet_seconds:
        return max(quiet_seconds - elapsed, 1)
    return min(max(elapsed * PAUSE_SHARE_OF_TRIAL_AGE, 1), LONGEST_PAUSE)


def choose_waiting_pause(waited: timedelta) -> timedelta:
    """Return the pause while another job or run has to end first, for example an older run."""
    return min(waited * WAITING_FRACTION, LONGEST_WAITING_PAUSE)

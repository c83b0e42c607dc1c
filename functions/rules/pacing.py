"""Decides when to poll a job: first after a long wait, then every few seconds.

Hardly any job takes less than half its usual time, so a Wait state delays the first poll. After
that, the invocation stays open and polls every few seconds, even if the job is late. That's cheap:
sleeping for a minute costs about $0.0001, as much as one poll in a new invocation
(docs/adr/0004-pacing.md).
"""

from collections.abc import Sequence
from datetime import timedelta

MAX_SLEEP_SECONDS = 45
"""The longest pause in seconds for which an invocation stays open."""
FIRST_POLL_FRACTION = 0.4
"""When a job is first polled, as a share of its usual duration. It's less than half, because a
training takes only half as long if half of the data is gone."""
POLL_PAUSE_FRACTION = 0.01
"""The pause between two polls, as a share of the job's age. A delay of 1% doesn't matter. Young
jobs are polled every second, because a rehearsal's jobs only take seconds."""
MAX_POLL_PAUSE_SECONDS = 12
"""The longest pause in seconds between two polls. With it, ten solutions send about one request a
second, far below the rates that Personalize throttles."""

OVERDUE_PAUSE_FRACTION = 0.2
"""The pause between two polls of an overdue job, as a share of its age. More frequent polls would
fill the execution's history within a day."""
WAITING_PAUSE_FRACTION = 0.1
"""The pause while another job or run has to end first, as a share of the time waited so far."""
MAX_WAITING_PAUSE = timedelta(minutes=30)
"""The longest pause while another job or run has to end first. Longer Wait states would delay the
deletion of the state machine, because Step Functions waits for them to end."""


def choose_poll_pause(durations: Sequence[int], elapsed: float) -> float:
    """Return the seconds until the next poll of a job, at least 1.

    `elapsed` is the job's age in seconds. `durations` are the seconds that similar jobs took
    recently. The job is expected to take their median. Without durations, polls start right away.
    """
    first_poll_seconds = 0.0
    if durations:
        median_seconds = sorted(durations)[len(durations) // 2]
        first_poll_seconds = FIRST_POLL_FRACTION * median_seconds

    if elapsed < first_poll_seconds:
        return max(first_poll_seconds - elapsed, 1)
    return min(max(elapsed * POLL_PAUSE_FRACTION, 1), MAX_POLL_PAUSE_SECONDS)


def choose_waiting_pause(waited: timedelta) -> timedelta:
    """Return the pause while another job or run has to end first, for example an older run."""
    return min(waited * WAITING_PAUSE_FRACTION, MAX_WAITING_PAUSE)

"""Decides when to look at a job again: once shortly before its expected end, often from then on.

A Wait state passes the time until the first look. From then on the invocation stays open and looks
every 10 to 45 seconds, also while the job is late, because 14 minutes of a sleeping function cost
$0.0014, and a look through the state machine costs more.
"""

import math
from collections.abc import Sequence

LONGEST_SLEEP = 45
"""The longest pause in seconds for which an invocation stays open."""
SHORTEST_PAUSE = 10
"""Seconds between looks around the expected end. A job that is expected to take less than 500
seconds is looked at more often."""
SPREAD = 0.2
"""A share of the expected duration: twice the usual spread of 10% between runs. Nearly all jobs
differ by less from the expected duration."""
UNKNOWN_SHARE = 0.02
"""A job that is late, or of unknown duration, is looked at in pauses of this share of its age."""
YOUNG_SHARE = 0.25
"""The share for a job that is younger than 40 seconds. It may be a job of a rehearsal, which takes
seconds."""


def pause(durations: Sequence[int], elapsed: float) -> float:
    """Return the seconds until the next look at a job, at least 1.

    The job is expected to take the median of the durations.

    Args:
        durations: seconds that the last jobs of this kind took. The list may be empty.
        elapsed: seconds since this job was created.
    """
    young = min(max(elapsed * YOUNG_SHARE, 1), SHORTEST_PAUSE)
    late = min(max(elapsed * UNKNOWN_SHARE, young), LONGEST_SLEEP)
    if not durations:
        return late
    expected = sorted(durations)[len(durations) // 2]
    # The window of a prediction from n observations. With fewer observations it is wider.
    margin = SPREAD * math.sqrt(1 + 1 / len(durations))
    shortest = min(SHORTEST_PAUSE, max(1, expected / 50))
    if elapsed < expected * (1 - margin):
        return max(expected * (1 - margin) - elapsed, shortest)
    return shortest if elapsed < expected * (1 + margin) else late

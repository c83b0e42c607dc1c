"""Decides when to poll a job next: rarely while its end is far away, often while it is near.

One poll through the state machine costs three transitions ($0.000075). A function of 128 MB on
arm64 that sleeps costs $0.0000017 a second. So the function sleeps through a pause of up to 45
seconds, and a longer pause becomes a Wait state.
"""

import math
from collections.abc import Sequence

LONGEST_SLEEP = 45
"""Seconds. Up to this pause, sleeping in the function is cheaper than a Wait state."""
INVOCATION_SECONDS = 300
"""The time for which one invocation polls."""
SHORTEST_PAUSE = 10
"""Seconds between polls around the expected end. It is less for a job that takes seconds."""
SHORT_JOB = 5 * INVOCATION_SECONDS
"""Seconds. A job that takes less is polled all the time: that needs fewer transitions than Wait
states do."""
EARLY_POLLS = 8
"""The number of polls of a longer job before its expected end, in case it ends early."""
SPREAD = 0.2
"""Twice the usual spread of 10% between runs. Nearly all jobs end within this window."""
LATE_SHARE = 0.05
"""After the window, the pause is this share of the time since the window closed."""
UNKNOWN_SHARE, UNKNOWN_MIN, UNKNOWN_MAX = 0.1, 30, 600
"""If no duration is known, the pause is this share of the job's age, within these seconds. For a
very old job it is LATE_SHARE, so that even weeks do not fill the execution's history (25,000
events)."""


def pause(durations: Sequence[int], elapsed: float) -> float:
    """Return the seconds until the next poll.

    Args:
        durations: seconds that the last jobs of this kind took. It may be empty.
        elapsed: seconds since this job was created.
    """
    if not durations:
        usual = min(max(elapsed * UNKNOWN_SHARE, UNKNOWN_MIN), UNKNOWN_MAX)
        return max(usual, elapsed * LATE_SHARE)
    expected = sorted(durations)[len(durations) // 2]
    # The window of a prediction from n observations. With fewer observations it is wider.
    margin = SPREAD * math.sqrt(1 + 1 / len(durations))
    opens, closes = expected * (1 - margin), expected * (1 + margin)
    shortest = min(SHORTEST_PAUSE, max(1, expected / 50))
    if elapsed < opens:
        usual = LONGEST_SLEEP if expected <= SHORT_JOB else expected / EARLY_POLLS
        return max(min(opens - elapsed, usual), shortest)
    return max((elapsed - closes) * LATE_SHARE, shortest)


def whole_seconds(seconds: float) -> int:
    """Return whole seconds for a Wait state, at least 1. They are rounded up."""
    return max(1, math.ceil(seconds))

"""Decides when to poll a job next: rarely while its end is far away, often while it is near.

One poll through the state machine costs three transitions ($0.000075). A function of 128 MB on
arm64 that sleeps costs $0.0000017 a second. So the function sleeps through a pause of up to 45
seconds, and a longer pause becomes a Wait state.
"""

import math
from collections.abc import Sequence

LONGEST_SLEEP = 45
"""The longest pause in seconds for which sleeping in the function is cheaper than a Wait state."""
INVOCATION_SECONDS = 300
"""The time for which one invocation polls."""
SHORTEST_PAUSE = 10
"""Seconds between polls around the expected end. A job that takes less than 500 seconds is polled
more often."""
SHORT_JOB = 5 * INVOCATION_SECONDS
"""Seconds. A job that takes at most this time is polled without Wait states, because that needs
fewer transitions."""
EARLY_POLLS = 8
"""The number of polls of a longer job before its expected end, in case it ends early."""
SPREAD = 0.2
"""A share of the expected duration: twice the usual spread of 10% between runs. Nearly all jobs
differ by less from the expected duration."""
LATE_SHARE = 1 / 3
"""A job that is later than expected is polled in pauses of this share of its delay. A create that
is not possible yet is tried again in pauses of this share of the time since the first try. If an
earlier run has left 50 campaigns on trial, and then their updates hang until their deadline, the
polls still fit into the history of the execution, which has at most 25,000 events."""
AGE_SHARE = 0.05
"""A very old job of unknown duration is polled in pauses of this share of its age."""
UNKNOWN_SHARE = 0.1
"""A job whose duration is unknown is polled in pauses of this share of its age."""
UNKNOWN_MIN = 30
"""The shortest of these pauses, in seconds."""
UNKNOWN_MAX = 600
"""The longest of these pauses, in seconds. Only a job older than 200 minutes has longer pauses."""


def pause(durations: Sequence[int], elapsed: float) -> float:
    """Return the seconds until the next poll of a job, at least 1.

    The job is expected to take the median of the durations. Around that time is a window in which
    nearly all jobs end. The pauses are long before the window, short in it, and grow after it.

    Args:
        durations: seconds that the last jobs of this kind took. The list may be empty.
        elapsed: seconds since this job was created.
    """
    if not durations:
        return _pause_of_unknown_duration(elapsed)
    expected = sorted(durations)[len(durations) // 2]
    # The window of a prediction from n observations. With fewer observations it is wider.
    margin = SPREAD * math.sqrt(1 + 1 / len(durations))
    window_start, window_end = expected * (1 - margin), expected * (1 + margin)
    shortest = min(SHORTEST_PAUSE, max(1, expected / 50))
    if elapsed < window_start:
        longest = LONGEST_SLEEP if expected <= SHORT_JOB else expected / EARLY_POLLS
        return max(min(window_start - elapsed, longest), shortest)
    delay = max(elapsed - window_end, 0)
    return max(delay * LATE_SHARE, shortest)


def _pause_of_unknown_duration(elapsed: float) -> float:
    """Return the seconds until the next poll of a job of unknown duration.

    They are a tenth of the age of the job, but at least 30 seconds and at most 10 minutes. For a
    job older than 200 minutes they are a twentieth of the age, so that even weeks of polls do not
    fill the history of the execution, which has at most 25,000 events.
    """
    usual = min(max(elapsed * UNKNOWN_SHARE, UNKNOWN_MIN), UNKNOWN_MAX)
    return max(usual, elapsed * AGE_SHARE)


def whole_seconds(seconds: float) -> int:
    """Return the seconds for a Wait state: rounded up to whole seconds, and at least 1."""
    return max(1, math.ceil(seconds))

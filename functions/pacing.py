"""When to look at a job next: rarely while its end is far, often while it is near.

A look through the state machine costs three transitions ($0.000075); a function of 128 MB on arm64
that sleeps costs $0.0000017 a second. So pauses below 45 seconds are slept through inside the
function, and longer ones are Wait states.
"""

from collections.abc import Sequence

HOLD_PAUSE = 45
"""Seconds: a shorter pause is cheaper held than waited for."""
HOLD_TOTAL = 300
"""Seconds that one invocation may hold at most."""
CLOSEST = 10
"""Seconds between looks around the expected end."""
EARLY_LOOKS = 6
"""Looks on the way to the expected end, in case the job ends early."""
MARGIN = 0.15
"""How far around the usual durations the end is expected: the spread of real ones is about 10%."""
THINNING = 0.1
"""Past the expected end, the pause is this share of the time since then."""
BLIND_FIRST, BLIND_LAST = 30, 600
"""Seconds between looks where no duration is known: a tenth of the job's age, within these."""


def pause(durations: Sequence[int], elapsed: float) -> float:
    """Give the seconds until the next look.

    Args:
        durations: seconds that the last jobs of this kind took, newest first; may be empty.
        elapsed: seconds since this job was created.
    """
    if not durations:
        return min(max(elapsed * THINNING, BLIND_FIRST), BLIND_LAST)
    low, expected, high = usual(durations)
    closest = min(CLOSEST, max(1, expected / 50))
    if elapsed < low:
        return max(min(low - elapsed, expected / EARLY_LOOKS), closest)
    return max((elapsed - high) * THINNING, closest)


def usual(durations: Sequence[int]) -> tuple[float, float, float]:
    """Give from when, about when, and until when a job's end is expected, in seconds.

    With three durations or more the extremes are left out: one odd job shall not widen the window.
    """
    ordered = sorted(durations)
    if len(ordered) >= 3:  # noqa: PLR2004 - the docstring's three
        ordered = ordered[1:-1]
    middle = ordered[len(ordered) // 2]
    return ordered[0] * (1 - MARGIN), middle, ordered[-1] * (1 + MARGIN)

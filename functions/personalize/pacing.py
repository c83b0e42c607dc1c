"""When to look at a job next: rarely while its end is far, often while it is near.

A look through the state machine costs three transitions ($0.000075); a function of 128 MB on arm64
that sleeps costs $0.0000017 a second. So pauses of up to 45 seconds are slept through inside the
function, and longer ones are Wait states.
"""

import math
from collections.abc import Sequence

HOLD_PAUSE = 45
"""Seconds: a pause up to this is cheaper held than waited for."""
HOLD_TOTAL = 300
"""Seconds that one invocation may hold at most."""
CLOSEST = 10
"""Seconds between looks around the expected end; less for a job that takes seconds itself."""
SHORT = 5 * HOLD_TOTAL
"""Seconds: who usually takes less is watched throughout, in fewer transitions than by waiting."""
EARLY_LOOKS = 8
"""Looks at a longer job on the way to its expected end, in case it ends early."""
SPREAD = 0.2
"""Twice the usual run-to-run spread of 10%: the window that holds nearly all ordinary ends."""
THINNING = 0.05
"""Past the window, the pause is this share of the time since then."""
BLIND_THINNING, BLIND_FIRST, BLIND_LAST = 0.1, 30, 600
"""Where no duration is known, the pause is this share of the job's age, within these seconds; of a
very old job it is THINNING, so that not even weeks fill the execution's history (25,000 events)."""


def pause(durations: Sequence[int], elapsed: float) -> float:
    """Give the seconds until the next look.

    Args:
        durations: seconds that the last jobs of this kind took; may be empty.
        elapsed: seconds since this job was created.
    """
    if not durations:
        usual = min(max(elapsed * BLIND_THINNING, BLIND_FIRST), BLIND_LAST)
        return max(usual, elapsed * THINNING)
    expected = sorted(durations)[len(durations) // 2]
    # The window of a prediction from n observations: the fewer, the wider.
    margin = SPREAD * math.sqrt(1 + 1 / len(durations))
    opens, closes = expected * (1 - margin), expected * (1 + margin)
    closest = min(CLOSEST, max(1, expected / 50))
    if elapsed < opens:
        sparse = HOLD_PAUSE if expected <= SHORT else expected / EARLY_LOOKS
        return max(min(opens - elapsed, sparse), closest)
    return max((elapsed - closes) * THINNING, closest)

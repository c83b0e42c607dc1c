"""Checks the retraining rate and its time zone, and counts how often a rate fires.

The emulator parses cron expressions with the same library, `aws_croniter`.
"""

import re
from bisect import bisect_left
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import available_timezones

from aws_croniter import AwsCroniter

EXPECTED = "expected '1 day', '7 days', 'rate(12 hours)' or 'cron(0 3 ? * MON *)'"
EXPECTED_CRON = (
    "write minutes, hours, day-of-month, month, day-of-week and *, with ? as one of the days, for "
    "example 'cron(0 3 ? * MON *)'"
)

_RATE = re.compile(
    r"(?P<open>rate\()?"
    r"(?P<value>[1-9][0-9]{0,3}) (?P<unit>minute|hour|day)(?P<plural>s?)"
    r"(?(open)\))"
)
_CRON = re.compile(r"cron\(([^()]{1,248} \*)\)")
"""A cron expression for every year. EventBridge Scheduler accepts up to 256 characters."""
_CRON_WITHOUT_WORD = re.compile(r"[\d*][\d*/,\-]*( \S+){4,5}")
_NO_PLACES = {"Factory", "localtime"}
"""Python's list contains two names that aren't places: a placeholder, and this machine's zone."""
_YEAR = timedelta(days=366)
_MONTH = timedelta(days=30)
_COUNTED_FROM = datetime(2028, 1, 1, tzinfo=UTC)
"""Firings are counted from here on. The date is fixed, because otherwise settings would change from
one deployment to the next. It's a leap year, so that 29 February is included."""
_COUNTED_PERIOD = _YEAR + timedelta(days=31)
"""A year isn't enough, because the shortest gap may be at its turn."""


def rate_error(text: str) -> str | None:
    """Reject a rate that EventBridge Scheduler wouldn't accept, and one that is too frequent.

    Like all rules for single settings, it returns what is wrong, or None (`fields.py`).
    """
    if _CRON_WITHOUT_WORD.fullmatch(text):
        return f"is a cron expression without cron() around it; {EXPECTED_CRON}"
    if text.startswith("cron") and not _firings(text):
        return f"is not a cron expression that fires every year; {EXPECTED_CRON}"
    if not _firings(text):
        return f"is not a rate; {EXPECTED}"

    if shortest_seconds_between_runs(text) < timedelta(hours=1).total_seconds():
        return f"runs more often than once an hour, but a training takes longer; {EXPECTED}"
    return None


def age_error(text: str) -> str | None:
    """Require an age, which is written like the period of a rate, for example `7 days`."""
    is_age = _firings(f"rate({text})")
    return None if is_age else "is not an age; expected for example '36 hours' or '3 days'"


def timezone_error(name: str) -> str | None:
    """Require an IANA time zone, which is what EventBridge Scheduler takes."""
    if name in available_timezones() - _NO_PLACES:
        return None
    return "is not an IANA time zone; expected for example 'Europe/Berlin'"


def most_runs_in_a_month(text: str) -> int:
    """Count how often a rate fires within any 30 days, at most.

    This function and those below rely on a rate that has passed `rate_error()`.
    """
    times = _firings(text)
    return max(bisect_left(times, time + _MONTH) - index for index, time in enumerate(times))


def shortest_seconds_between_runs(text: str) -> int:
    """Measure the shortest gap between two firings, as if there were no daylight saving time."""
    gaps = [later - earlier for earlier, later in pairwise(_firings(text))]
    return round(min(gaps, default=_YEAR).total_seconds())


def longest_seconds_between_runs(text: str) -> int:
    """Measure the longest gap between two firings within a year."""
    firings = _firings(text)
    gaps = [later - earlier for earlier, later in pairwise(firings)]

    # A cron expression that names months pauses until they come again.
    pause = firings[0] + _YEAR - firings[-1]
    return round(max([*gaps, pause]).total_seconds())


@lru_cache(16)
def _firings(text: str) -> tuple[datetime, ...]:
    """Return when a rate fires in _COUNTED_PERIOD. It's empty if the text isn't a rate.

    The parser knows only UTC, so local times come back as if they were UTC. They're cached, because
    several settings need them, and parsing takes a quarter of a preview.
    """
    rate = _RATE.fullmatch(text)
    # EventBridge wants the right plural: `1 day`, but `2 days`.
    if rate and (rate["value"] == "1") != (rate["plural"] == "s"):
        period = timedelta(**{f"{rate['unit']}s": int(rate["value"])})
        count = _COUNTED_PERIOD // period + 1
        return tuple(_COUNTED_FROM + number * period for number in range(count))

    cron = _CRON.fullmatch(text)
    if cron:
        last = _COUNTED_FROM + _COUNTED_PERIOD
        with suppress(ValueError):
            return tuple(AwsCroniter(cron[1]).get_all_schedule_bw_dates(_COUNTED_FROM, last))
    return ()

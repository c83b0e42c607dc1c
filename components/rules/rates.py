"""Checks the retraining rate and the time zone, and derives times from the rate.

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
"""A cron for every year. EventBridge Scheduler accepts expressions of up to 256 characters."""
_CRON_WITHOUT_WORD = re.compile(r"[\d*][\d*/,\-]*( \S+){4,5}")
_NO_PLACES = {"Factory", "localtime"}
"""Names in Python's list that stand for no place: a placeholder, and the zone of this machine."""
_YEAR = timedelta(days=366)
_MONTH = timedelta(days=30)
_COUNTED_FROM = datetime(2028, 1, 1, tzinfo=UTC)
"""The beginning of the year in which firings are counted. It is fixed, so that the settings do not
depend on the day of the deployment. It is a leap year, so that 29 February is counted."""
_COUNTED_PERIOD = _YEAR + timedelta(days=31)
"""A year and a month, because the shortest gap may be at the turn of the year."""


def rate_error(text: str) -> str | None:
    """Return an error message if the pipeline cannot run at this rate, else None."""
    if _CRON_WITHOUT_WORD.fullmatch(text):
        return f"is a cron without cron() around it; {EXPECTED_CRON}"
    if text.startswith("cron") and not _firings(text):
        return f"is not a cron that fires every year; {EXPECTED_CRON}"
    if not _firings(text):
        return f"is not a rate; {EXPECTED}"

    if shortest_seconds_between_runs(text) < timedelta(hours=1).total_seconds():
        return f"runs more often than once an hour, but a training takes longer; {EXPECTED}"
    return None


def age_error(text: str) -> str | None:
    """Return an error message if the text is not an age, which is written like `7 days`."""
    is_age = _firings(f"rate({text})")
    return None if is_age else "is not an age; expected for example '36 hours' or '3 days'"


def timezone_error(name: str) -> str | None:
    """Return an error message if there is no time zone with this name, else None."""
    if name in available_timezones() - _NO_PLACES:
        return None
    return "is not an IANA time zone; expected for example 'Europe/Berlin'"


def most_runs_in_a_month(text: str) -> int:
    """Return the most times that a rate fires within 30 days.

    Here and in the functions below, `rate_error()` must return None for the rate.
    """
    times = _firings(text)
    return max(bisect_left(times, time + _MONTH) - index for index, time in enumerate(times))


def shortest_seconds_between_runs(text: str) -> int:
    """Return the shortest gap between two firings in seconds, as if every day had 24 hours."""
    gaps = [later - earlier for earlier, later in pairwise(_firings(text))]
    return round(min(gaps, default=_YEAR).total_seconds())


def longest_seconds_between_runs(text: str) -> int:
    """Return the longest gap between two firings within a year in seconds."""
    firings = _firings(text)
    gaps = [later - earlier for earlier, later in pairwise(firings)]
    # A cron that names months pauses until these months come again.
    pause = firings[0] + _YEAR - firings[-1]
    return round(max([*gaps, pause]).total_seconds())


@lru_cache(16)
def _firings(text: str) -> tuple[datetime, ...]:
    """Return when a rate fires in _COUNTED_PERIOD, or () if the text is not a rate.

    The local times of a cron are returned as if they were UTC, because the parser knows only UTC.
    They are cached, because several settings need them and parsing takes 25% of a preview.
    """
    rate = _RATE.fullmatch(text)
    # EventBridge insists on the right plural: `1 day`, but `2 days`.
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

"""Checks the retraining rate and its time zone, and computes when runs are scheduled.

The emulator parses cron expressions with the same library, `aws_croniter`.
"""

import re
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import available_timezones

from aws_croniter import AwsCroniter

RATE_HINT = "expected '1 day', '7 days', 'rate(12 hours)' or 'cron(0 3 ? * MON *)'"
EXPECTED_AGE = "expected for example '36 hours' or '3 days'"
CRON_HINT = (
    "write minutes, hours, day-of-month, month, day-of-week and *, with ? as one of the days, for "
    "example 'cron(0 3 ? * MON *)'"
)

_RATE_PATTERN = re.compile(
    r"(?P<open>rate\()?"
    r"(?P<value>[1-9][0-9]{0,3}) (?P<unit>minute|hour|day)(?P<plural>s?)"
    r"(?(open)\))"
)
_CRON_PATTERN = re.compile(r"cron\(([^()]{1,248} \*)\)")
"""A cron expression for every year. EventBridge Scheduler accepts up to 256 characters."""
_BARE_CRON_PATTERN = re.compile(r"[\d*][\d*/,\-]*( \S+){4,5}")
_ZONES_WITHOUT_PLACE = {"Factory", "localtime"}
"""Two names in Python's list that aren't places: a placeholder, and the local machine's zone."""
_LEAP_YEAR = timedelta(days=366)
_THIRTY_DAYS = timedelta(days=30)
_PERIOD_START = datetime(2028, 1, 1, tzinfo=UTC)
"""When the computed schedule starts. It's fixed, because settings would otherwise change with each
deployment. 2028 is a leap year, so 29 February is included."""
_PERIOD = _LEAP_YEAR + timedelta(days=31)
"""A year and a month, because the shortest gap may span the turn of the year."""


def find_rate_error(expression: str) -> str | None:
    """Return what is wrong with a retraining rate, or None.

    It must be valid for EventBridge Scheduler, and start at most one run an hour.
    """
    if _BARE_CRON_PATTERN.fullmatch(expression):
        return f"is a cron expression without cron() around it; {CRON_HINT}"

    start_times = _compute_start_times(expression)
    if not start_times and expression.startswith("cron"):
        return f"is not a cron expression that fires every year; {CRON_HINT}"
    if not start_times:
        return f"is not a rate; {_suggest_plural(expression) or RATE_HINT}"

    if find_shortest_interval_seconds(expression) < timedelta(hours=1).total_seconds():
        return f"runs more often than once an hour, but a training takes longer; {RATE_HINT}"
    return None


def find_age_error(age: str) -> str | None:
    """Return an error unless an age is written like `7 days`, which is also a valid rate."""
    if _compute_start_times(f"rate({age})"):
        return None
    return f"is not an age; {_suggest_plural(age) or EXPECTED_AGE}"


def _suggest_plural(expression: str) -> str | None:
    """Return advice if the only mistake is an `s` too many or too few, as in `1 days`."""
    rate = _RATE_PATTERN.fullmatch(expression)
    if rate is None:
        return None

    if rate["plural"]:
        corrected = expression.replace("s", "")
    else:
        corrected = expression.replace(rate["unit"], f"{rate['unit']}s")

    if not _compute_start_times(corrected):
        return None
    return f"write {corrected!r}"


@lru_cache
def find_timezone_error(name: str) -> str | None:
    """Return an error unless this is an IANA time zone, which EventBridge Scheduler requires."""
    # The result is cached, because Python searches the files of all zones, which takes longer than
    # all other checks.
    if name in available_timezones() - _ZONES_WITHOUT_PLACE:
        return None
    return "is not an IANA time zone; expected for example 'Europe/Berlin'"


def count_most_runs_in_30_days(rate: str) -> int:
    """Return the maximum number of runs scheduled within any 30 days.

    The rate must be valid (`find_rate_error`).
    """
    times = _compute_start_times(rate)
    most_runs = 0
    for index, start in enumerate(times):
        # The times are sorted, so this is the first run that is too late to count.
        end_index = bisect_left(times, start + _THIRTY_DAYS)
        most_runs = max(most_runs, end_index - index)
    return most_runs


def find_shortest_interval_seconds(rate: str) -> int:
    """Return the shortest gap between two scheduled runs, ignoring daylight saving time.

    The rate must be valid (`find_rate_error`).
    """
    times = _compute_start_times(rate)
    gaps = [later - earlier for earlier, later in pairwise(times)]

    # A rate that fires once a year may have no gap in _PERIOD.
    shortest_gap = min(gaps, default=_LEAP_YEAR)
    return round(shortest_gap.total_seconds())


def find_longest_interval_seconds(rate: str) -> int:
    """Return the longest gap between two scheduled runs.

    The rate must be valid (`find_rate_error`).
    """
    times = _compute_start_times(rate)
    gaps = [later - earlier for earlier, later in pairwise(times)]

    # If a cron expression names only some months, the longest gap may be the one from the last run
    # in one year to the first run in the next.
    gap_between_years = times[0] + _LEAP_YEAR - times[-1]
    longest_gap = max([*gaps, gap_between_years])
    return round(longest_gap.total_seconds())


@lru_cache(16)
def _compute_start_times(expression: str) -> tuple[datetime, ...]:
    """Compute when runs are scheduled in _PERIOD. Return () for an invalid expression.

    The cron parser supports only UTC, so times in another zone are returned as if they were UTC.
    The result is cached, because parsing is slow and several settings need it.
    """
    rate = _RATE_PATTERN.fullmatch(expression)
    if rate is not None:
        return _compute_rate_times(rate)

    cron = _CRON_PATTERN.fullmatch(expression)
    if cron is None:
        return ()

    try:
        schedule = AwsCroniter(cron[1])
        times = schedule.get_all_schedule_bw_dates(_PERIOD_START, _PERIOD_START + _PERIOD)
    except ValueError:
        return ()
    return tuple(times)


def _compute_rate_times(rate: re.Match[str]) -> tuple[datetime, ...]:
    """Compute when a match of _RATE_PATTERN fires in _PERIOD.

    Return () if the unit should have a plural `s` and doesn't, or the other way around.
    """
    value = int(rate["value"])
    # As in English, it's 1 day, but 2 days.
    if (value > 1) != (rate["plural"] == "s"):
        return ()

    interval = timedelta(**{f"{rate['unit']}s": value})
    count = _PERIOD // interval + 1
    return tuple(_PERIOD_START + number * interval for number in range(count))

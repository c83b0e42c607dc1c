"""Checks the retraining rate and its time zone, and computes when runs are scheduled.

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
    """Reject a schedule that is too frequent, or that EventBridge Scheduler wouldn't accept.

    Like every rule for a single setting, it returns what is wrong, or None.
    """
    if _BARE_CRON_PATTERN.fullmatch(expression):
        return f"is a cron expression without cron() around it; {CRON_HINT}"
    if expression.startswith("cron") and not _compute_start_times(expression):
        return f"is not a cron expression that fires every year; {CRON_HINT}"
    if not _compute_start_times(expression):
        return f"is not a rate; {_correct_plural(expression) or RATE_HINT}"

    if find_shortest_interval_seconds(expression) < timedelta(hours=1).total_seconds():
        return f"runs more often than once an hour, but a training takes longer; {RATE_HINT}"
    return None


def find_age_error(age: str) -> str | None:
    """Require an age in the syntax of a rate's period, for example `7 days`."""
    if _compute_start_times(f"rate({age})"):
        return None
    return f"is not an age; {_correct_plural(age) or EXPECTED_AGE}"


def _correct_plural(expression: str) -> str | None:
    """Say how to write a rate whose only mistake is an `s` too many or too few, like `1 days`."""
    rate = _RATE_PATTERN.fullmatch(expression)
    if rate is None:
        return None

    if rate["plural"]:
        corrected = expression.replace("s", "")
    else:
        corrected = expression.replace(rate["unit"], f"{rate['unit']}s")
    return f"write {corrected!r}" if _compute_start_times(corrected) else None


@lru_cache
def find_timezone_error(name: str) -> str | None:
    """Require an IANA time zone, as EventBridge Scheduler does."""
    # The result is cached, because Python searches the files of all zones, which takes longer than
    # all other checks.
    if name in available_timezones() - _ZONES_WITHOUT_PLACE:
        return None
    return "is not an IANA time zone; expected for example 'Europe/Berlin'"


def count_most_runs_in_30_days(rate: str) -> int:
    """Return the maximum number of runs scheduled within any 30 days.

    This function and the next two expect a rate that `find_rate_error()` has accepted.
    """
    times = _compute_start_times(rate)
    return max(bisect_left(times, time + _THIRTY_DAYS) - index for index, time in enumerate(times))


def find_shortest_interval_seconds(rate: str) -> int:
    """Return the shortest gap between two scheduled runs, ignoring daylight saving time."""
    gaps = [later - earlier for earlier, later in pairwise(_compute_start_times(rate))]
    return round(min(gaps, default=_LEAP_YEAR).total_seconds())


def find_longest_interval_seconds(rate: str) -> int:
    """Return the longest gap between two scheduled runs."""
    times = _compute_start_times(rate)
    gaps = [later - earlier for earlier, later in pairwise(times)]

    # A cron expression that names months pauses until the first of them in the next year.
    pause = times[0] + _LEAP_YEAR - times[-1]
    return round(max([*gaps, pause]).total_seconds())


@lru_cache(16)
def _compute_start_times(expression: str) -> tuple[datetime, ...]:
    """Compute when runs are scheduled in _PERIOD. Return () for an invalid expression.

    The cron parser supports only UTC, so times in another zone are returned as if they were UTC.
    The result is cached, because parsing is slow and several settings need it.
    """
    rate = _RATE_PATTERN.fullmatch(expression)
    if rate:
        value = int(rate["value"])
        # As in English, it's 1 day, but 2 days.
        if (value > 1) != (rate["plural"] == "s"):
            return ()

        period = timedelta(**{f"{rate['unit']}s": value})
        count = _PERIOD // period + 1
        return tuple(_PERIOD_START + number * period for number in range(count))

    cron = _CRON_PATTERN.fullmatch(expression)
    if cron:
        end = _PERIOD_START + _PERIOD
        # The parser raises ValueError for an invalid expression.
        with suppress(ValueError):
            return tuple(AwsCroniter(cron[1]).get_all_schedule_bw_dates(_PERIOD_START, end))
    return ()

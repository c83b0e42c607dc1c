"""Checks the retraining rate and the time zone as EventBridge Scheduler does.

The emulator parses cron expressions with the same library, `aws_croniter`.
"""

import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from aws_croniter import AwsCroniter

EXPECTED = "expected '7 days', 'rate(12 hours)' or 'cron(0 3 ? * MON *)'"
TOO_OFTEN = f"is more often than once an hour, but a training takes longer; {EXPECTED}"
MINUTES_PER_UNIT = {"minute": 1, "hour": 60, "day": 24 * 60}
MIN_MINUTES_BETWEEN_RUNS = 60
"""The shortest time between the starts of two runs. A training alone takes longer."""

MAX_DAYS_BETWEEN_RUNS = 365
"""The longest rate, in days. AWS documents no longest rate, but a pipeline that does not run within
a year would be neither tested nor noticed."""
MAX_EXPRESSION_CHARACTERS = 256
"""The most characters of a ScheduleExpression in the model of EventBridge Scheduler."""

_RATE_PATTERN = re.compile(
    r"(?P<open>rate\()? *(?P<value>[1-9][0-9]*) +(?P<unit>[a-z]+) *(?(open)\))"
)
_CRON_PATTERN = re.compile(r"cron\((?P<fields>[^()]*)\)")
_CITY_EXAMPLE = "for example 'Europe/Berlin'"
_OFFSET_PATTERN = re.compile(
    r"(?:(?:GMT|UTC?|Z)\s*)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d\d))?",
    re.IGNORECASE | re.ASCII,
)
_CRON_FIELDS = (
    ("minutes", "0 to 59"),
    ("hours", "0 to 23"),
    ("day-of-month", "1 to 31, ?, L or W"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day-of-week", "1 to 7, SUN to SAT, ?, L or #"),
    ("year", "1970 to 2199"),
)
"""Name and allowed values of each field of a cron, in their order."""
_CRON_FIELD_NAMES = " ".join(name for name, _ in _CRON_FIELDS)
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4
_NOT_EVALUATED = {
    (_DAY_OF_MONTH, "LW"): (
        "write L for the last day of the month, or FRIL as day-of-week for its last Friday"
    ),
    (_DAY_OF_WEEK, "L"): "write SAT for the last day of the week",
}
"""Position and value of each field that aws_croniter accepts but cannot evaluate, and what to write
instead."""
_CHECKED_YEARS = 5
"""The number of years for which clock changes are checked."""
_YEAR, _MONTH = timedelta(days=366), timedelta(days=30)
_COUNTED_FROM = datetime(2028, 1, 1, tzinfo=UTC)
"""The beginning of the year in which firings are compared and counted. It is fixed, so that the
settings do not change with the day of the deployment, and it is a leap year."""
_COUNTED_PERIOD = _YEAR + timedelta(days=31)
"""A month more than a year, because the shortest gap may be at the turn of the year."""
_NOT_IN_AWS = frozenset({"Factory", "localtime", "posixrules"})
"""Files among the time zones of a computer that are not time zones of IANA."""


def rate_error(text: str, *, today: date | None = None) -> str | None:
    """Return an error message if the pipeline cannot run at this rate, else None.

    The rate may be a number of days or hours, or a cron. Without `today`, a cron whose years are in
    the past is no error.
    """
    if len(text) > MAX_EXPRESSION_CHARACTERS:
        return (
            f"is {len(text)} characters long, but Scheduler accepts at most "
            f"{MAX_EXPRESSION_CHARACTERS}; {EXPECTED}"
        )
    if rate := _RATE_PATTERN.fullmatch(text):
        return _rate_value_error(rate)
    if cron := _CRON_PATTERN.fullmatch(text):
        return _cron_error(cron["fields"].split(), today)
    if text.startswith("at("):
        return f"fires only once; {EXPECTED}"
    looks_like_cron = re.fullmatch(r"[\d*/,\-]+( +\S+){4,5}", text)
    if looks_like_cron:
        error = _cron_error(text.split(), today)
        return error or f"is a cron without the word cron; write 'cron({text})'"
    return f"is not a rate; {EXPECTED}"


def schedule_expression(text: str) -> str:
    """Return the rate as EventBridge Scheduler writes it: `7 days` becomes `rate(7 days)`.

    `text` must be a rate for which `rate_error()` returns None.
    """
    if rate := _RATE_PATTERN.fullmatch(text):
        return f"rate({rate['value']} {rate['unit']})"
    return text


def most_runs_in_a_month(text: str) -> int:
    """Return the largest number of times that a rate fires within 30 days.

    `text` must be a rate for which `rate_error()` returns None. The years of a cron are ignored.
    """
    if period := _rate_period(text):
        return math.ceil(_MONTH / period)
    times = _times_in_a_year(text)
    counts = [bisect_left(times, time + _MONTH) - index for index, time in enumerate(times)]
    # A cron for a day that is rarer than once in four years may have no time in this year.
    return max(counts, default=1)


def number_of_days(text: str) -> int | None:
    """Return the number in a text like `7 days` or `1 day`, or None for any other text."""
    match text.split():
        case ["1", "day"]:
            return 1
        case [value, "days"] if re.fullmatch(r"[1-9][0-9]{0,2}", value) and value != "1":
            return int(value)
    return None


def timezone_error(name: str) -> str | None:
    """Return an error message if there is no time zone with this name, else None."""
    if name in _timezone_names():
        return None
    if name in _NOT_IN_AWS:
        return (
            "is not an IANA time zone, but only a file on this computer; "
            f"name a city, {_CITY_EXAMPLE}"
        )
    offset = _OFFSET_PATTERN.fullmatch(name)
    hint = _utc_offset_hint(offset) if offset else _similar_timezone_hint(name)
    return f"is not an IANA time zone; {hint}"


def first_skipped_time(text: str, timezone: str, *, today: date) -> datetime | None:
    """Return the first local time at which a cron does not fire, because the clocks skip it.

    EventBridge Scheduler leaves out the run of that day. Return None if this does not happen in the
    next five years, or if the rate is not a cron. `text` and `timezone` must be free of errors.
    """
    expression = _CRON_PATTERN.fullmatch(text)
    if expression is None:
        return None
    cron = _parsed_cron(expression["fields"].split())
    zone = ZoneInfo(timezone)
    for day in _days_with_skipped_time(zone, today):
        # The parser knows only UTC, so local times are passed to it as UTC.
        start, end = datetime.combine(day, time(), UTC), datetime.combine(day, time.max, UTC)
        local_time: datetime
        for local_time in cron.get_all_schedule_bw_dates(start, end):
            if not _is_real_time(local_time.replace(tzinfo=zone)):
                return local_time.replace(tzinfo=None)
    return None


def next_firing(text: str, after: datetime) -> datetime | None:
    """Return the first time after `after` at which a cron fires, or None if it never does.

    `after` has the time zone of the cron. `text` must be a cron without errors.
    """
    expression = _CRON_PATTERN.fullmatch(text)
    assert expression is not None, "only a cron has times of its own"
    cron = _parsed_cron(expression["fields"].split())
    # The parser knows only UTC, so local times are passed to it as UTC.
    local_time: datetime | None = after.replace(tzinfo=UTC)
    while local_time is not None:
        (local_time,) = cron.get_next(local_time)
        if local_time is not None:
            firing = local_time.replace(tzinfo=after.tzinfo)
            # In the hour that the clocks repeat, the firing may have been an hour ago.
            if _is_real_time(firing) and firing.astimezone(UTC) > after.astimezone(UTC):
                return firing
    return None


@cache
def shortest_seconds_between_runs(text: str, timezone: str) -> int:
    """Return the shortest time between two firings of a rate within a year, in seconds.

    A daily cron has a day of 23 hours if the clocks of its time zone go forward. The years of a
    cron are ignored, so the result stays the same from one deployment to the next. A cron that
    fires less than once a year counts as once a year. `text` and `timezone` must be free of
    errors.
    """
    if period := _rate_period(text):
        return round(period.total_seconds())
    gaps = [later - earlier for earlier, later in pairwise(_firings_of_cron(text, timezone))]
    return round(min(gaps, default=_YEAR).total_seconds())


def longest_seconds_between_runs(text: str, timezone: str) -> int:
    """Return the longest time between two firings of a rate within a year, in seconds.

    The rules of `shortest_seconds_between_runs()` for crons and arguments apply here too.
    """
    if period := _rate_period(text):
        return round(period.total_seconds())
    firings = _firings_of_cron(text, timezone)
    gaps = [later - earlier for earlier, later in pairwise(firings)]
    # A cron of a few months pauses until these months come again.
    pause = [firings[0] + _YEAR - firings[-1]] if firings else []
    return round(max([*gaps, *pause], default=_YEAR).total_seconds())


def _firings_of_cron(text: str, timezone: str) -> list[datetime]:
    """Return the times in UTC at which a cron fires in _COUNTED_PERIOD."""
    zone = ZoneInfo(timezone)
    times = [time.replace(tzinfo=zone) for time in _times_in_a_year(text)]
    return [time.astimezone(UTC) for time in times if _is_real_time(time)]


def _rate_period(text: str) -> timedelta | None:
    """Return the time between two firings of a rate, or None for a cron."""
    rate = _RATE_PATTERN.fullmatch(text)
    if rate is None:
        return None
    minutes = int(rate["value"]) * MINUTES_PER_UNIT[rate["unit"].removesuffix("s")]
    return timedelta(minutes=minutes)


@lru_cache(16)
def _times_in_a_year(text: str) -> tuple[datetime, ...]:
    """Return the local times of a cron in _COUNTED_PERIOD, as times in UTC.

    The parser knows only UTC. The years of the cron are ignored. The parser takes as long as a
    quarter of a preview, and several limits are derived from the same times.
    """
    cron = _CRON_PATTERN.fullmatch(text)
    assert cron is not None, "a rate without errors is a rate or a cron"
    *values_without_year, _ = cron["fields"].split()
    parsed = _parsed_cron([*values_without_year, "*"])
    return tuple(parsed.get_all_schedule_bw_dates(_COUNTED_FROM, _COUNTED_FROM + _COUNTED_PERIOD))


def _rate_value_error(rate: re.Match[str]) -> str | None:
    """Return an error message if a match of _RATE_PATTERN is not a rate of Scheduler, else None."""
    value, unit = int(rate["value"]), rate["unit"].removesuffix("s")
    if unit not in MINUTES_PER_UNIT:
        return f"has the unit {rate['unit']}, which Scheduler does not know; {EXPECTED}"
    if value * MINUTES_PER_UNIT[unit] < MIN_MINUTES_BETWEEN_RUNS:
        return TOO_OFTEN
    if value * MINUTES_PER_UNIT[unit] > MAX_DAYS_BETWEEN_RUNS * MINUTES_PER_UNIT["day"]:
        return (
            f"is more than {MAX_DAYS_BETWEEN_RUNS} days; write at most '{MAX_DAYS_BETWEEN_RUNS} "
            "days', or set paused to true and start each run by hand"
        )
    expected_unit = unit if value == 1 else f"{unit}s"
    if rate["unit"] == expected_unit:
        return None
    expected_rate = f"{value} {expected_unit}"
    if rate["open"]:
        expected_rate = f"rate({expected_rate})"
    return f"is not written as Scheduler expects it; write '{expected_rate}'"


def _utc_offset_hint(offset: re.Match[str]) -> str:
    """Return which time zone to write instead of an offset from UTC, for example of `UTC+2`.

    `offset` is a match of _OFFSET_PATTERN. The signs in the names of IANA's zones are reversed, as
    in POSIX, so UTC+2 is `Etc/GMT-2`.
    """
    hours, minutes = int(offset["hours"]), int(offset["minutes"] or 0)
    reversed_sign = "-" if offset["sign"] == "+" else "+"
    name = f"Etc/GMT{reversed_sign}{hours}"
    if minutes > 0 or name not in _timezone_names():
        return f"name a city, {_CITY_EXAMPLE}"
    if hours == 0:
        return "did you mean UTC?"
    return f"write '{name}', whose sign is reversed, or name a city, {_CITY_EXAMPLE}"


def _similar_timezone_hint(name: str) -> str:
    """Return the time zone with the most similar name, or an example if no name is similar."""
    # Another number means another time, so a name with digits may differ only in its case.
    cutoff = 1 if re.search(r"\d", name) else 0.6
    timezones = {timezone.lower(): timezone for timezone in sorted(_timezone_names())}
    nearest = get_close_matches(name.lower(), timezones, 1, cutoff=cutoff)
    return f"did you mean {timezones[nearest[0]]}?" if nearest else _CITY_EXAMPLE


def _cron_error(values: list[str], today: date | None) -> str | None:
    """Return an error message if the pipeline cannot run at this cron, else None.

    `values` are the fields of the cron. `today` is as in `rate_error()`.
    """
    if len(values) != len(_CRON_FIELDS):
        return (
            f"has {len(values)} fields, but a cron of AWS has {len(_CRON_FIELDS)}; write "
            f"{_CRON_FIELD_NAMES}"
        )
    if (values[_DAY_OF_MONTH] == "?") == (values[_DAY_OF_WEEK] == "?"):
        return (
            "must have ? as day-of-month or as day-of-week; write ? as one of them, but not as both"
        )
    for position, value in enumerate(values):
        if error := _cron_field_error(position, value):
            return error
    return _cron_date_error(values, today)


def _cron_field_error(position: int, value: str) -> str | None:
    """Return an error message if a cron cannot have this value at this position, else None."""
    name, allowed = _CRON_FIELDS[position]
    if alternative := _NOT_EVALUATED.get((position, value)):
        return f"has {value!r} as {name}, which this program cannot evaluate; {alternative}"
    if value == "?" and position in {_DAY_OF_MONTH, _DAY_OF_WEEK}:
        return None
    # The parser does not say which field is wrong, so all other fields are right here.
    values = ["0", "0", "?" if position == _DAY_OF_WEEK else "*", "*", "?", "*"]
    values[position] = value
    try:
        _parsed_cron(values)
    except ValueError:
        return f"has {value!r} as {name}; expected {allowed}"
    return None


def _cron_date_error(values: list[str], today: date | None) -> str | None:
    """Return an error message if a cron never fires, never fires again, or fires too often.

    Return None for any other cron. Each of the `values` must be right for its field.
    """
    cron = _parsed_cron(values)
    if len(set(cron.minutes)) > 1:
        return TOO_OFTEN
    if not _fires_on_or_after(date.min, cron):
        *values_without_year, _ = values
        every_year = _parsed_cron([*values_without_year, "*"])
        if _fires_on_or_after(date.min, every_year):
            return f"is on a day that none of its years has; {EXPECTED}"
        return f"is on a day that no month has; {EXPECTED}"
    # One day earlier, because it is still yesterday in some time zones.
    if today and not _fires_on_or_after(today - timedelta(days=1), cron):
        return (
            f"does not fire again after {today:%Y-%m-%d}; write a year in the future, or * for "
            "every year"
        )
    return None


def _fires_on_or_after(first_day: date, cron: AwsCroniter) -> bool:
    """Return True if the cron fires on `first_day` or later.

    The parser gives up after eleven months without a match, so each year is searched separately.
    """
    for year in cron.years:
        start_day = max(date(year, 1, 1), first_day)
        if start_day.year > year:
            continue  # the whole year is before the first day
        next_times = cron.get_next(datetime.combine(start_day, time(), UTC), inclusive=True)
        if next_times != [None]:
            return True
    return False


def _parsed_cron(values: list[str]) -> AwsCroniter:
    """Return the parsed cron. Raises ValueError for a value that its field cannot have."""
    return AwsCroniter(" ".join(values))


def _days_with_skipped_time(zone: ZoneInfo, today: date) -> Iterator[date]:
    """Yield the days of the next _CHECKED_YEARS on which the clocks go forward."""
    for days in range(_CHECKED_YEARS * 366):
        midnight = datetime.combine(today + timedelta(days=days), time(), zone)
        next_midnight = midnight + timedelta(days=1)
        if _utc_offset(next_midnight) > _utc_offset(midnight):
            yield midnight.date()


def _utc_offset(local_time: datetime) -> timedelta:
    offset = local_time.utcoffset()
    assert offset is not None, "a time with a ZoneInfo has an offset"
    return offset


def _is_real_time(local_time: datetime) -> bool:
    """Return False if the clocks skip this local time. Then a conversion to UTC changes it."""
    return local_time.astimezone(UTC).astimezone(local_time.tzinfo) == local_time


@cache
def _timezone_names() -> frozenset[str]:
    """Return the names of all time zones. They are read from files, so they are kept."""
    return frozenset(available_timezones() - _NOT_IN_AWS)

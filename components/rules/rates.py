"""Checks the retraining rate and the time zone as EventBridge Scheduler does.

`aws_croniter` is the parser of cron expressions here and in the emulator.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from aws_croniter import AwsCroniter

EXPECTED = "expected '7 days', 'rate(12 hours)' or 'cron(0 3 ? * MON *)'"
TOO_OFTEN = f"is more often than once an hour, less than a training takes; {EXPECTED}"
MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}
SHORTEST_MINUTES = 60
"""The shortest time between two runs. A training alone takes longer."""

_RATE = re.compile(r"(?P<open>rate\()?\s*(?P<value>[1-9]\d{0,5})\s+(?P<unit>[a-z]+)\s*(?(open)\))")
_CRON = re.compile(r"cron\((?P<fields>[^()]*)\)")
_CITY = "for example 'Europe/Berlin'"
_OFFSET = re.compile(
    r"(?:(?:GMT|UTC?|Z)\s*)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d\d))?",
    re.IGNORECASE,
)
_FIELDS = (
    ("minutes", "0 to 59"),
    ("hours", "0 to 23"),
    ("day-of-month", "1 to 31, ?, L or W"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day-of-week", "1 to 7, SUN to SAT, ?, L or #"),
    ("year", "1970 to 2199"),
)
"""Name and allowed values of each field of a cron, in their order."""
_FIELD_NAMES = " ".join(name for name, _ in _FIELDS)
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4
_NOT_PARSED = {
    (_DAY_OF_MONTH, "LW"): (
        "write L for the last day of the month, or FRIL as day-of-week for its last Friday"
    ),
    (_DAY_OF_WEEK, "L"): "write SAT for the last day of the week",
}
"""Field and value that the parser accepts but cannot evaluate, and what to write instead."""
_YEARS_AHEAD = 5
"""The number of years for which clock changes are checked."""


def rate_error(text: str, *, today: date | None = None) -> str | None:
    """Return an error message if the pipeline cannot run at this rate, else None.

    Without `today`, a cron whose years are in the past is no error.
    """
    if rate := _RATE.fullmatch(text):
        return _simple_rate_error(rate)
    if cron := _CRON.fullmatch(text):
        return _cron_error(cron["fields"].split(), today)
    if text.startswith("at("):
        return f"fires only once; {EXPECTED}"
    if re.fullmatch(r"[\d*/,\-]+( +\S+){4,5}", text):
        error = _cron_error(text.split(), today)
        return error or f"is a cron without the word cron; write 'cron({text})'"
    return f"is not a rate; {EXPECTED}"


def expression(text: str) -> str:
    """Return the rate as EventBridge Scheduler writes it: `7 days` becomes `rate(7 days)`.

    `text` must be a rate for which `rate_error()` returns None.
    """
    if rate := _RATE.fullmatch(text):
        return f"rate({rate['value']} {rate['unit']})"
    return text


def number_of_days(text: str) -> int | None:
    """Return 7 for `7 days` and 1 for `1 day`. Return None for any other form of text."""
    match text.split():
        case ["1", "day"]:
            return 1
        case [value, "days"] if re.fullmatch(r"[1-9]\d{0,2}", value) and value != "1":
            return int(value)
    return None


def timezone_error(name: str) -> str | None:
    """Return an error message if there is no time zone with this name, else None."""
    if name in _timezones().values():
        return None
    offset = _OFFSET.fullmatch(name)
    hint = _offset_hint(int(offset["hours"]), offset) if offset else _name_hint(name)
    return f"is not an IANA time zone; {hint}"


def first_skipped_time(text: str, timezone: str, *, today: date) -> datetime | None:
    """Return the first local time at which a cron does not fire, because the clocks skip it.

    Scheduler leaves out the run of that day. Return None if it does not happen in the next five
    years, or if the rate is not a cron. `text` and `timezone` must be free of errors.
    """
    cron = _CRON.fullmatch(text)
    if cron is None:
        return None
    croniter = _croniter(cron["fields"].split())
    zone = ZoneInfo(timezone)
    for day in _days_with_skipped_time(zone, today):
        # The parser knows only UTC, so local times are passed to it as UTC.
        start, end = datetime.combine(day, time(), UTC), datetime.combine(day, time.max, UTC)
        local_time: datetime
        for local_time in croniter.get_all_schedule_bw_dates(start, end):
            if not _exists(local_time.replace(tzinfo=zone)):
                return local_time.replace(tzinfo=None)
    return None


def _simple_rate_error(rate: re.Match[str]) -> str | None:
    value, unit = int(rate["value"]), rate["unit"].removesuffix("s")
    if unit not in MINUTES:
        return f"has the unit {rate['unit']}, which Scheduler does not know; {EXPECTED}"
    if value * MINUTES[unit] < SHORTEST_MINUTES:
        return TOO_OFTEN
    expected_unit = unit if value == 1 else f"{unit}s"
    if rate["unit"] != expected_unit:
        form = f"{value} {expected_unit}"
        form = f"rate({form})" if rate["open"] else form
        return f"is not how Scheduler writes it; write '{form}'"
    return None


def _offset_hint(hours: int, offset: re.Match[str]) -> str:
    """Return how to name the zone of an offset from UTC.

    The signs of IANA's zones are reversed, as in POSIX: UTC+2 is `Etc/GMT-2`.
    """
    name = f"Etc/GMT{'-' if offset['sign'] == '+' else '+'}{hours}"
    if int(offset["minutes"] or 0) or name not in _timezones().values():
        return f"name a city, {_CITY}"
    if hours == 0:
        return "did you mean UTC?"
    return f"write '{name}', whose sign is reversed, or name a city, {_CITY}"


def _name_hint(name: str) -> str:
    # A zone with another number is another time, so a name with digits has to fit exactly.
    cutoff = 1 if re.search(r"\d", name) else 0.6
    nearest = get_close_matches(name.lower(), _timezones(), 1, cutoff=cutoff)
    return f"did you mean {_timezones()[nearest[0]]}?" if nearest else _CITY


def _cron_error(values: list[str], today: date | None) -> str | None:
    if len(values) != len(_FIELDS):
        return f"has {len(values)} fields; a cron of AWS has {len(_FIELDS)}: {_FIELD_NAMES}"
    if (values[_DAY_OF_MONTH] == "?") == (values[_DAY_OF_WEEK] == "?"):
        return "must have ? as either day-of-month or day-of-week, and not as both"
    for position, value in enumerate(values):
        if error := _field_error(position, value):
            return error
    return _date_error(values, today)


def _field_error(position: int, value: str) -> str | None:
    name, allowed = _FIELDS[position]
    if way_out := _NOT_PARSED.get((position, value)):
        return f"has {value!r} as {name}, which this program cannot evaluate; {way_out}"
    if value == "?" and position in {_DAY_OF_MONTH, _DAY_OF_WEEK}:
        return None
    # A cron in which every other field is right shows which field is wrong.
    values = ["0", "0", "?" if position == _DAY_OF_WEEK else "*", "*", "?", "*"]
    values[position] = value
    try:
        _croniter(values)
    except ValueError:
        return f"has {value!r} as {name}; expected {allowed}"
    return None


def _date_error(values: list[str], today: date | None) -> str | None:
    croniter = _croniter(values)
    if len(set(croniter.minutes)) > 1:
        return TOO_OFTEN
    if not _fires_on_or_after(croniter, date.min):
        *day, _ = values
        fires_in_other_years = _fires_on_or_after(_croniter([*day, "*"]), date.min)
        owner = "none of its years" if fires_in_other_years else "no month"
        return f"is on a day that {owner} has; {EXPECTED}"
    # One day earlier, because it is still yesterday in some time zones.
    if today and not _fires_on_or_after(croniter, today - timedelta(days=1)):
        return (
            f"does not come again after {today:%Y-%m-%d}; write a year in the future, or * for "
            "every year"
        )
    return None


def _fires_on_or_after(croniter: AwsCroniter, start_day: date) -> bool:
    """Return True if the cron fires on `start_day` or later.

    The years are searched separately, because the parser gives up after eleven months without a
    match.
    """
    for year in croniter.years:
        day = max(date(year, 1, 1), start_day)
        if day.year == year:
            start = datetime.combine(day, time(), UTC)
            if croniter.get_next(start, inclusive=True) != [None]:
                return True
    return False


def _croniter(values: list[str]) -> AwsCroniter:
    return AwsCroniter(" ".join(values))


def _days_with_skipped_time(zone: ZoneInfo, today: date) -> Iterator[date]:
    """Yield the days of the next years on which the clocks go forward."""
    for number in range(_YEARS_AHEAD * 366):
        day = datetime.combine(today + timedelta(days=number), time(), zone)
        offset, next_offset = day.utcoffset(), (day + timedelta(days=1)).utcoffset()
        if offset is not None and next_offset is not None and next_offset > offset:
            yield day.date()


def _exists(local_time: datetime) -> bool:
    """Return False for a local time that the clocks skip."""
    return local_time.astimezone(UTC).astimezone(local_time.tzinfo) == local_time


@cache
def _timezones() -> dict[str, str]:
    """Return the names of all time zones. The keys are in lower case."""
    return {name.lower(): name for name in sorted(available_timezones())}

"""When to retrain: rates, crons and time zones, checked as EventBridge Scheduler does. Pure."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from aws_croniter import AwsCroniter

EXPECTED = "expected '7 days', 'rate(12 hours)' or 'cron(0 3 ? * MON *)'"
MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}
SHORTEST = 60
"""Minutes between two runs: an import and a training alone take longer."""

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
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4
_ORDER = " ".join(name for name, _ in _FIELDS)
_YEARS_AHEAD = 5
"""How far ahead the clock changes of a zone are looked at."""


def problem(text: str, *, today: date | None = None) -> str | None:
    """Say why Scheduler, or a pipeline, cannot run at this rate, and the way out; None: it can.

    Without `today`, a cron whose years are over can.
    """
    if rate := _RATE.fullmatch(text):
        return _rate_problem(rate)
    if cron := _CRON.fullmatch(text):
        return _cron_problem(cron["fields"].split(), today)
    if text.startswith("at("):
        return f"fires only once; {EXPECTED}"
    if re.fullmatch(r"[\d*/,\-]+( +\S+){4,5}", text):
        return (
            _cron_problem(text.split(), today)
            or f"is a cron without its word; write 'cron({text})'"
        )
    return f"is no rate; {EXPECTED}"


def expression(text: str) -> str:
    """Give the rate as Scheduler takes it: `7 days` is `rate(7 days)`.

    `text` is one that `problem()` finds nothing wrong with.
    """
    if rate := _RATE.fullmatch(text):
        return f"rate({rate['value']} {rate['unit']})"
    return text


def days(text: str) -> int | None:
    """Give how many days `7 days` or `1 day` are; None for anything else."""
    match text.split():
        case ["1", "day"]:
            return 1
        case [value, "days"] if re.fullmatch(r"[1-9]\d{0,2}", value) and value != "1":
            return int(value)
    return None


def zone_problem(name: str) -> str | None:
    """Say that there is no such time zone, with the nearest one; None: there is."""
    if name in _zones().values():
        return None
    offset = _OFFSET.fullmatch(name)
    hint = _offset_hint(int(offset["hours"]), offset) if offset else _name_hint(name)
    return f"is no IANA time zone; {hint}"


def skipped(text: str, zone: str, *, today: date) -> datetime | None:
    """Give the first local time of the next five years at which a cron would fire but cannot.

    It cannot where daylight saving skips that time: Scheduler then leaves out that day's run. A
    rate never is skipped. `text` and `zone` are ones that nothing is wrong with.
    """
    cron = _CRON.fullmatch(text)
    if cron is None:
        return None
    fires = _croniter(cron["fields"].split())
    for day in _clocks_go_forward(ZoneInfo(zone), today):
        last = datetime.combine(day, time.max, UTC)
        wall: datetime
        for wall in fires.get_all_schedule_bw_dates(datetime.combine(day, time(), UTC), last):
            local = wall.replace(tzinfo=ZoneInfo(zone))
            if local.astimezone(UTC).astimezone(ZoneInfo(zone)) != local:
                return wall.replace(tzinfo=None)
    return None


def _rate_problem(rate: re.Match[str]) -> str | None:
    value, unit = int(rate["value"]), rate["unit"].removesuffix("s")
    if unit not in MINUTES:
        return f"has the unit {rate['unit']}, which Scheduler does not know; {EXPECTED}"
    if value * MINUTES[unit] < SHORTEST:
        return f"is more often than once an hour, less than a training takes; {EXPECTED}"
    right = unit if value == 1 else f"{unit}s"
    if rate["unit"] != right:
        form = f"rate({value} {right})" if rate["open"] else f"{value} {right}"
        return f"is not how Scheduler writes it; write '{form}'"
    return None


def _offset_hint(hours: int, offset: re.Match[str]) -> str:
    """Name the zone of an offset from UTC; IANA's signs are POSIX's, so the other way round."""
    zone = f"Etc/GMT{'-' if offset['sign'] == '+' else '+'}{hours}"
    if int(offset["minutes"] or 0) or zone not in _zones().values():
        return f"name a city, {_CITY}"
    if hours == 0:
        return "did you mean UTC?"
    return f"write '{zone}', whose sign is reversed, or name a city, {_CITY}"


def _name_hint(name: str) -> str:
    # With another number it would be another time.
    alike = 1 if re.search(r"\d", name) else 0.6
    nearest = get_close_matches(name.lower(), _zones(), 1, cutoff=alike)
    return f"did you mean {_zones()[nearest[0]]}?" if nearest else _CITY


def _cron_problem(given: list[str], today: date | None) -> str | None:
    if len(given) != len(_FIELDS):
        return f"has {len(given)} fields; a cron of AWS has {len(_FIELDS)}: {_ORDER}"
    if (given[_DAY_OF_MONTH] == "?") == (given[_DAY_OF_WEEK] == "?"):
        return "must have ? as either day-of-month or day-of-week, and not as both"
    for position, (name, allowed) in enumerate(_FIELDS):
        if given[position] == "?" and position in {_DAY_OF_MONTH, _DAY_OF_WEEK}:
            continue
        alone = ["0", "0", "?" if position == _DAY_OF_WEEK else "*", "*", "?", "*"]
        alone[position] = given[position]
        try:
            _croniter(alone)
        except ValueError:
            return f"has {given[position]!r} as {name}; expected {allowed}"
    return _coming_problem(given, today)


def _coming_problem(given: list[str], today: date | None) -> str | None:
    cron = _croniter(given)
    if len(set(cron.minutes)) > 1:
        return f"is more often than once an hour, less than a training takes; {EXPECTED}"
    if not _comes(cron, date.min):
        some = _comes(_croniter([*given[:-1], "*"]), date.min)
        return f"is on a day that {'none of its years' if some else 'no month'} has; {EXPECTED}"
    # A day earlier: it is yesterday yet in some zones.
    if today and not _comes(cron, today - timedelta(days=1)):
        return f"does not come again after {today:%Y-%m-%d}; give a year to come, or * for each"
    return None


def _comes(cron: AwsCroniter, since: date) -> bool:
    """Tell whether there is a time for it on a day or later.

    Year by year, since the library gives up after looking at eleven months that lack its day.
    """
    for year in cron.years:
        first = max(date(year, 1, 1), since)
        if first.year == year:
            start = datetime.combine(first, time(), UTC)
            if cron.get_next(start, inclusive=True) != [None]:
                return True
    return False


def _croniter(given: list[str]) -> AwsCroniter:
    # The library refuses LW (the month's last weekday), which AWS takes; L differs in the day only.
    # Of a week it knows no last day by itself, which is Saturday.
    fields = ["L" if each == "LW" else each for each in given]
    fields[_DAY_OF_WEEK] = "7" if fields[_DAY_OF_WEEK] == "L" else fields[_DAY_OF_WEEK]
    return AwsCroniter(" ".join(fields))


def _clocks_go_forward(zone: ZoneInfo, today: date) -> Iterator[date]:
    for number in range(_YEARS_AHEAD * 366):
        day = datetime.combine(today + timedelta(days=number), time(), zone)
        offset, next_offset = day.utcoffset(), (day + timedelta(days=1)).utcoffset()
        if offset is not None and next_offset is not None and next_offset > offset:
            yield day.date()


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in sorted(available_timezones())}

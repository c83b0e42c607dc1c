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


def problem(text: str) -> str | None:
    """Say why Scheduler, or a pipeline, cannot run at this rate, and the way out; None: it can."""
    if rate := _RATE.fullmatch(text):
        return _rate_problem(rate)
    if cron := _CRON.fullmatch(text):
        return _cron_problem(cron["fields"].split())
    if text.startswith("at("):
        return f"fires only once; {EXPECTED}"
    if re.fullmatch(r"[\d*/,\-]+( +\S+){4,5}", text):
        return _cron_problem(text.split()) or f"is a cron without its word; write 'cron({text})'"
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
    nearest = get_close_matches(name.lower(), _zones(), 1)
    hint = f"did you mean {_zones()[nearest[0]]}?" if nearest else "for example 'Europe/Berlin'"
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


def _cron_problem(given: list[str]) -> str | None:
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
    cron = _croniter(given)
    if len(set(cron.minutes)) > 1:
        return f"is more often than once an hour, less than a training takes; {EXPECTED}"
    if cron.get_next(datetime(1970, 1, 1, tzinfo=UTC)) == [None]:
        return f"is on a day that no month has; {EXPECTED}"
    return None


def _croniter(given: list[str]) -> AwsCroniter:
    # The library refuses LW (the month's last weekday), which AWS takes; L differs in the day only.
    return AwsCroniter(" ".join("L" if each == "LW" else each for each in given))


def _clocks_go_forward(zone: ZoneInfo, today: date) -> Iterator[date]:
    for number in range(_YEARS_AHEAD * 366):
        day = datetime.combine(today + timedelta(days=number), time(), zone)
        offset, next_offset = day.utcoffset(), (day + timedelta(days=1)).utcoffset()
        if offset is not None and next_offset is not None and next_offset > offset:
            yield day.date()


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in sorted(available_timezones())}

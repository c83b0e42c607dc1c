"""Calculates when a schedule of EventBridge Scheduler is due: rate and cron expressions.

A `rate()` is due as soon as the schedule is created or changed, and again every so many minutes,
hours or days of 24 hours. A `cron()` is due at its matches in the time zone of the schedule. A time
that daylight saving skips is left out, and a time that it repeats is due once
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_croniter import AwsCroniter

RATE = re.compile(r"rate\(\s*([1-9]\d*) (minute|hour|day)s?\s*\)")
CRON = re.compile(r"cron\(\s*(.*?)\s*\)")

Timing = Mapping[str, Any]
"""The fields of a schedule that say when it is due. Times are seconds since 1970."""


def find_next_slot(timing: Timing, after: dt.datetime | None = None) -> dt.datetime | None:
    """Calculate when a schedule is due next after a time, in UTC and whole seconds.

    Without `after` it may be the time of the last change itself. Return None if the schedule is
    never due again. Raise ValueError for an expression or a time zone that Scheduler refuses, and
    for at() and LW, which the emulator cannot evaluate.
    """
    changed_at = dt.datetime.fromtimestamp(int(timing["LastModificationDate"]), dt.UTC)
    if after is None:
        after = changed_at - dt.timedelta(microseconds=1)
    zone = _find_zone(timing)  # also a rate must not have a wrong time zone

    expression = timing["ScheduleExpression"]
    if rate := RATE.fullmatch(expression):
        interval = dt.timedelta(**{f"{rate[2]}s": int(rate[1])})
        return _next_multiple(changed_at, interval, after)
    if cron := CRON.fullmatch(expression):
        return _next_match(cron[1].split(), zone, after)

    raise ValueError(_explain_refusal(expression))


def _explain_refusal(expression: str) -> str:
    """Tell what Scheduler would refuse from what only this emulator does."""
    if expression.startswith("at("):
        return f"{expression} is not supported by this emulator, only rate() and cron()"
    return f"Invalid Schedule Expression {expression}."


def _find_zone(timing: Timing) -> ZoneInfo:
    """Find the time zone of a schedule, which is UTC by default."""
    zone_name = timing.get("ScheduleExpressionTimezone") or "UTC"
    try:
        return ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"Invalid Schedule Expression Timezone {zone_name}.") from error


def _next_multiple(first: dt.datetime, interval: dt.timedelta, after: dt.datetime) -> dt.datetime:
    """Find the first time after `after` that is a whole number of intervals after `first`."""
    if after < first:
        return first

    passed_intervals = (after - first) // interval
    return first + (passed_intervals + 1) * interval


def _next_match(fields: list[str], zone: ZoneInfo, after: dt.datetime) -> dt.datetime | None:
    """Find the first time after `after` at which a cron expression is due, in UTC, or None.

    The parser knows only UTC, so it gets the local times of the zone as if they were UTC.
    """
    cron = _parse_cron(fields)

    # The search begins one hour earlier, because the clocks may have gone back in the meantime.
    local_time = after.astimezone(zone).replace(tzinfo=dt.UTC) - dt.timedelta(hours=1)
    while (local_time := cron.occurrence(local_time).next()) is not None:
        slot: dt.datetime = local_time.replace(tzinfo=zone).astimezone(dt.UTC)

        # If daylight saving skips a local time, it comes back from UTC as another one.
        is_skipped = slot.astimezone(zone).replace(tzinfo=dt.UTC) != local_time
        if slot > after and not is_skipped:
            return slot
    return None


def _parse_cron(fields: list[str]) -> AwsCroniter:
    """Parse the fields of a cron expression. Raise ValueError for what Scheduler refuses."""
    if fields[4:5] == ["L"]:
        fields[4] = "SAT"  # The parser accepts L as day of the week, but never finds a match.
    expression = " ".join(fields)
    try:
        return AwsCroniter(expression)
    except ValueError as error:
        raise ValueError(f"Invalid Schedule Expression cron({expression}).") from error

"""Calculates when a schedule of EventBridge Scheduler is due: rate, cron and at expressions.

A `rate()` is due for the first time at its start date. Without a start date it is due as soon as it
is created or changed. It is due again every so many minutes, hours or days of 24 hours. A `cron()`
is due at its matches in the time zone of the schedule. A time that daylight saving skips is left
out, and a time that it repeats is due once
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_croniter import AwsCroniter

EXPRESSION = re.compile(r"(rate|cron|at)\(\s*(.*?)\s*\)")
RATE = re.compile(r"([1-9]\d*) (minute|hour|day)s?")
SMALLEST_STEP = dt.timedelta(microseconds=1)  # so that a search finds the time at which it begins


Timing = Mapping[str, Any]
"""The fields of a schedule that say when it is due. Times are seconds since 1970."""


def first_slot(timing: Timing) -> dt.datetime | None:
    """Return the first time at or after a schedule's last change at which it is due, in UTC.

    Return None if it is never due. Raise ValueError like `next_slot`.
    """
    return next_slot(timing, _time(timing["LastModificationDate"]) - SMALLEST_STEP)


def next_slot(timing: Timing, after: dt.datetime) -> dt.datetime | None:
    """Return the first time after `after` at which the schedule is due, in UTC and whole seconds.

    Return None if it is never due again.

    Raises:
        ValueError: Scheduler refuses the expression or the time zone, or it is a cron expression
            with LW, which the parser cannot evaluate.
    """
    start, end = timing.get("StartDate"), timing.get("EndDate")
    last_change = _time(timing["LastModificationDate"])
    if start is not None:
        after = max(after, _time(start) - SMALLEST_STEP)
    kind, body = _parse_expression(timing["ScheduleExpression"])
    zone = _time_zone(timing.get("ScheduleExpressionTimezone") or "UTC")
    slot: dt.datetime | None
    if kind == "rate":
        first = _time(start) if start is not None else last_change
        slot = _next_repetition(first, _rate_interval(body), after)
    elif kind == "at":
        slot = dt.datetime.fromisoformat(body).replace(tzinfo=zone).astimezone(dt.UTC)
    else:
        slot = next(_cron_slots(body, zone, after), None)
    if slot is None or slot <= after or (end is not None and slot > _time(end)):
        return None
    return slot


class Expression(NamedTuple):
    """The kind of a schedule expression ("rate", "cron" or "at") and the text in its brackets."""

    kind: str
    body: str


def _parse_expression(text: str) -> Expression:
    """Return the parts of a schedule expression. Raise ValueError if it has another form."""
    match = EXPRESSION.fullmatch(text)
    if match is None:
        raise ValueError(f"Invalid Schedule Expression {text}.")
    return Expression(match[1], match[2])


def _time_zone(name: str) -> ZoneInfo:
    """Return the time zone with this name. Raise ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"Invalid Schedule Expression Timezone {name}.") from error


def _rate_interval(body: str) -> dt.timedelta:
    """Return the interval of a rate expression, for example of "12 hours". Raise ValueError."""
    match = RATE.fullmatch(body)
    if match is None:
        raise ValueError(f"Invalid Schedule Expression rate({body}).")
    return dt.timedelta(**{f"{match[2]}s": int(match[1])})


def _next_repetition(first: dt.datetime, interval: dt.timedelta, after: dt.datetime) -> dt.datetime:
    """Return the first time after `after` in the series that begins at `first`."""
    if after < first:
        return first
    past_intervals = (after - first) // interval
    return first + (past_intervals + 1) * interval


def _cron_slots(body: str, zone: ZoneInfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """Yield the times after `after` at which a cron expression is due, in UTC and in order.

    The parser knows only UTC, so it gets the local times of the zone as if they were UTC. A local
    time that daylight saving skips is left out.
    """
    fields = body.split()
    if fields[4:5] == ["L"]:
        # The parser accepts L as day of the week, which is Saturday, but never finds a match.
        fields[4] = "SAT"
    try:
        cron = AwsCroniter(" ".join(fields))
    except ValueError as error:
        raise ValueError(f"Invalid Schedule Expression cron({body}).") from error
    # The search begins one hour earlier, because the clocks may have gone back in the meantime.
    local_time = after.astimezone(zone).replace(tzinfo=dt.UTC) - dt.timedelta(hours=1)
    while (match := cron.occurrence(local_time).next()) is not None:
        local_time = match
        slot = match.replace(tzinfo=zone).astimezone(dt.UTC)
        is_skipped = slot.astimezone(zone).replace(tzinfo=dt.UTC) != match
        if slot > after and not is_skipped:
            yield slot


def _time(seconds: float) -> dt.datetime:
    """Return the time in UTC. Fractions of a second are cut off."""
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)

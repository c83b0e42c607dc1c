"""Calculates when a schedule of EventBridge Scheduler is due: rate, cron and at expressions.

A `rate()` is due for the first time at its start date. Without a start date it is due as soon as it
is created or changed. It is due again every so many minutes, hours or days of 24 hours. A `cron()`
is due at its matches in the time zone of the schedule. A time that daylight saving skips is left
out, and a time that it repeats is due once
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, TypedDict
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_croniter import AwsCroniter

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPRESSION = re.compile(r"(rate|cron|at)\(\s*(.*?)\s*\)")
RATE = re.compile(r"([1-9]\d*) (minute|hour|day)s?")
INSTANT = dt.timedelta(microseconds=1)


class Timing(TypedDict):
    """The part of MiniStack's record of a schedule that says when it is due.

    Times are seconds since 1970.
    """

    ScheduleExpression: str
    ScheduleExpressionTimezone: str
    StartDate: float | None
    EndDate: float | None
    LastModificationDate: float


def first_slot(timing: Timing) -> dt.datetime | None:
    """Return the first time at which a schedule is due after its last change, in UTC."""
    return next_slot(timing, _time(timing["LastModificationDate"]) - INSTANT)


def next_slot(timing: Timing, after: dt.datetime) -> dt.datetime | None:
    """Return the first time after `after` at which the schedule is due, in UTC and whole seconds.

    Return None if it is never due again. Raise ValueError for an expression or a time zone that
    Scheduler refuses, and for the cron expression LW, which the parser cannot evaluate.
    """
    start, end = timing.get("StartDate"), timing.get("EndDate")
    created = _time(timing["LastModificationDate"])
    if start is not None:
        after = max(after, _time(start) - INSTANT)
    kind, body = _parse(timing["ScheduleExpression"])
    zone = _zone(timing.get("ScheduleExpressionTimezone") or "UTC")
    slot: dt.datetime | None
    if kind == "rate":
        first = _time(start) if start is not None else created
        slot = _next_multiple(first, _interval(body), after)
    elif kind == "at":
        slot = dt.datetime.fromisoformat(body).replace(tzinfo=zone).astimezone(dt.UTC)
    else:
        slot = next(_matches(body, zone, after), None)
    if slot is None or slot <= after or (end is not None and slot > _time(end)):
        return None
    return slot


def _parse(expression: str) -> tuple[str, str]:
    """Return the kind of an expression and the text in its brackets."""
    match = EXPRESSION.fullmatch(expression)
    if match is None:
        raise ValueError(f"Invalid Schedule Expression {expression}.")
    return match[1], match[2]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"Invalid Schedule Expression Timezone {name}.") from error


def _interval(body: str) -> dt.timedelta:
    match = RATE.fullmatch(body)
    if match is None:
        raise ValueError(f"Invalid Schedule Expression rate({body}).")
    return dt.timedelta(**{f"{match[2]}s": int(match[1])})


def _next_multiple(first: dt.datetime, interval: dt.timedelta, after: dt.datetime) -> dt.datetime:
    return first if after < first else first + ((after - first) // interval + 1) * interval


def _matches(body: str, zone: ZoneInfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """Yield the matches of a cron expression after `after`, in order.

    The parser knows only UTC, so local times are passed to it as UTC.
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
        skipped = slot.astimezone(zone).replace(tzinfo=dt.UTC) != match
        if slot > after and not skipped:
            yield slot


def _time(seconds: float) -> dt.datetime:
    """Return the time in UTC. Fractions of a second are cut off."""
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)

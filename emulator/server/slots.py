"""When a schedule of EventBridge Scheduler is due: rate, cron and at expressions, in any zone.

`rate()` is due at its start date, or without one as soon as it is created or changed, and then
every so many minutes, hours or days of 24 hours. `cron()` is due at its matches in the schedule's
zone; what daylight saving skips is skipped, and what it repeats is due once
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, TypedDict
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_croniter import AwsCroniter
from aws_croniter.exceptions import AwsCroniterExpressionError

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPRESSION = re.compile(r"(rate|cron|at)\(\s*(.*?)\s*\)")
RATE = re.compile(r"([1-9]\d*) (minute|hour|day)s?")
INSTANT = dt.timedelta(microseconds=1)


class Timing(TypedDict):
    """What of MiniStack's record tells when a schedule is due; times are seconds since 1970."""

    ScheduleExpression: str
    ScheduleExpressionTimezone: str
    StartDate: float | None
    EndDate: float | None
    LastModificationDate: float


def first_slot(timing: Timing) -> dt.datetime | None:
    """When a schedule that was created or changed just now is due for the first time (UTC)."""
    return next_slot(timing, _time(timing["LastModificationDate"]) - INSTANT)


def next_slot(timing: Timing, after: dt.datetime) -> dt.datetime | None:
    """When the schedule is due next after a moment (UTC, whole seconds); None for never.

    Raises ValueError for an expression or a zone that is none.
    """
    start, end = timing.get("StartDate"), timing.get("EndDate")
    created = _time(timing["LastModificationDate"])
    if start is not None:
        after = max(after, _time(start) - INSTANT)
    kind, body = _parse(timing["ScheduleExpression"])
    zone = _zone(timing.get("ScheduleExpressionTimezone") or "UTC")
    slot: dt.datetime | None
    if kind == "rate":
        slot = _next_multiple(
            _time(start) if start is not None else created, _interval(body), after
        )
    elif kind == "at":
        slot = dt.datetime.fromisoformat(body).replace(tzinfo=zone).astimezone(dt.UTC)
    else:
        slot = next(_matches(body, zone, after), None)
    if slot is None or slot <= after or (end is not None and slot > _time(end)):
        return None
    return slot


def _parse(expression: str) -> tuple[str, str]:
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
    """Matches after a moment, in order. The library knows UTC only: it sees the wall clock."""
    fields = body.split()
    if fields[4:5] == ["L"]:
        fields[4] = "7"  # The last day of the week, which the library does not know by itself.
    try:
        cron = AwsCroniter(" ".join(fields))
    except AwsCroniterExpressionError as error:
        raise ValueError(f"Invalid Schedule Expression cron({body}).") from error
    # An hour back, as the wall clock may have been put back meanwhile.
    wall = after.astimezone(zone).replace(tzinfo=dt.UTC) - dt.timedelta(hours=1)
    while (match := cron.occurrence(wall).next()) is not None:
        wall = match
        slot = match.replace(tzinfo=zone).astimezone(dt.UTC)
        skipped = slot.astimezone(zone).replace(tzinfo=dt.UTC) != match
        if slot > after and not skipped:
            yield slot


def _time(seconds: float) -> dt.datetime:
    """Turn MiniStack's time into a moment of whole seconds."""
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)

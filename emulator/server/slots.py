"""Calculates when a schedule of EventBridge Scheduler is due, from its rate or cron expression.

A schedule with `rate()` is due as soon as it's created or updated, and then once per interval. A
day always has 24 hours. A schedule with `cron()` is due when the expression matches the local time
in the schedule's time zone. When daylight saving time begins, local times that don't exist are
skipped. When it ends, a local time that occurs twice only counts once
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_croniter import AwsCroniter

RATE_EXPRESSION = re.compile(r"rate\(\s*([1-9]\d*) (minute|hour|day)s?\s*\)")
CRON_EXPRESSION = re.compile(r"cron\(\s*(.*?)\s*\)")

Timing = Mapping[str, Any]
"""The fields that determine when a schedule is due. Times are Unix timestamps."""


def find_next_slot(timing: Timing, after: dt.datetime | None = None) -> dt.datetime | None:
    """Return the first time later than `after` at which a schedule is due, in UTC.

    Without `after`, return the first time since the schedule was created or last updated, which may
    be the time of the update itself. Return None if the schedule is never due again.

    Raises:
        ValueError: Scheduler would reject the expression or the time zone, or the expression
            contains at() or LW, which the emulator doesn't support.
    """
    changed_at = dt.datetime.fromtimestamp(int(timing["LastModificationDate"]), dt.UTC)
    if after is None:
        after = changed_at - dt.timedelta(microseconds=1)
    zone = _find_zone(timing)  # The time zone has to be valid, even though rate() doesn't use it.

    expression = timing["ScheduleExpression"]
    if rate := RATE_EXPRESSION.fullmatch(expression):
        interval = dt.timedelta(**{f"{rate[2]}s": int(rate[1])})
        return _find_next_rate_slot(changed_at, interval, after)
    if cron := CRON_EXPRESSION.fullmatch(expression):
        return _find_next_cron_slot(cron[1].split(), zone, after)

    raise ValueError(_explain_refusal(expression))


def _explain_refusal(expression: str) -> str:
    """Explain that an expression is invalid or, for at(), that the emulator doesn't support it."""
    if expression.startswith("at("):
        return f"{expression} is not supported by this emulator, only rate() and cron()"
    return f"Invalid Schedule Expression {expression}."


def _find_zone(timing: Timing) -> ZoneInfo:
    """Return a schedule's time zone, by default UTC. Raise ValueError if it doesn't exist."""
    zone_name = timing.get("ScheduleExpressionTimezone") or "UTC"
    try:
        return ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"Invalid Schedule Expression Timezone {zone_name}.") from error


def _find_next_rate_slot(
    first_slot: dt.datetime, interval: dt.timedelta, after: dt.datetime
) -> dt.datetime:
    """Return the first slot later than `after`, given that there's one slot per interval."""
    if after < first_slot:
        return first_slot

    passed_intervals = (after - first_slot) // interval
    return first_slot + (passed_intervals + 1) * interval


def _find_next_cron_slot(
    fields: list[str], zone: ZoneInfo, after: dt.datetime
) -> dt.datetime | None:
    """Return the first slot later than `after`, or None if the expression never matches again.

    The cron library only supports UTC, so we pass it local times as if they were UTC times, and
    convert its results to real UTC times.
    """
    cron = _parse_cron(fields)

    # Start one hour early because the clocks may have just been set back.
    local_time = after.astimezone(zone).replace(tzinfo=dt.UTC) - dt.timedelta(hours=1)
    while (local_time := cron.occurrence(local_time).next()) is not None:
        slot: dt.datetime = local_time.replace(tzinfo=zone).astimezone(dt.UTC)

        # If daylight saving time skips a local time, a conversion to UTC and back changes it.
        is_skipped = slot.astimezone(zone).replace(tzinfo=dt.UTC) != local_time
        if slot > after and not is_skipped:
            return slot
    return None


def _parse_cron(fields: list[str]) -> AwsCroniter:
    """Parse the fields of a cron expression. Raise ValueError if the expression is invalid."""
    if fields[4:5] == ["L"]:
        fields[4] = "SAT"  # The library accepts L, the last day of the week, but never matches it.
    expression = " ".join(fields)
    try:
        return AwsCroniter(expression)
    except ValueError as error:
        raise ValueError(f"Invalid Schedule Expression cron({expression}).") from error

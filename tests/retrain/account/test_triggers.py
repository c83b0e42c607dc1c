"""Proves when a schedule fires next, beside what the emulator's EventBridge Scheduler does."""

from datetime import UTC, datetime, timedelta

import pytest

from emulator.server.slots import find_next_slot
from retrain.account.triggers import compute_next_time

CHANGED_AT = datetime(2026, 11, 24, 10, 0, 30, 700_000, tzinfo=UTC)


def schedule(expression, zone="UTC"):
    return {
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": zone,
        "LastModificationDate": CHANGED_AT,
    }


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 day)",
        "rate(36 hours)",
        "rate(90 minutes)",
        "cron(30 2 * * ? *)",
        "cron(30 1 * * ? *)",
        "cron(0 3 ? * MON *)",
        "cron(0 3 1 1 ? 2027)",
    ],
)
def test_the_next_time_is_the_one_at_which_the_emulator_starts_a_run(expression, zone):
    """The hours of both changes of the clocks are among the times."""
    asked = schedule(expression, zone)
    timing = {**asked, "LastModificationDate": CHANGED_AT.timestamp()}
    for day in (CHANGED_AT, datetime(2027, 3, 13, tzinfo=UTC), datetime(2027, 3, 27, tzinfo=UTC)):
        for hours in range(40):
            now = day + timedelta(hours=hours)
            assert compute_next_time(asked, now) == find_next_slot(timing, now), now

    for day in (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC)):
        for hours in range(40):
            now = day + timedelta(hours=hours)
            assert compute_next_time(asked, now) == find_next_slot(timing, now), now


def test_a_time_that_is_not_known_is_none():
    for expression in ("at(2026-12-01T09:00:00)", "cron(0 3 LW * ? *)", "cron(0 3 1 1 ? 2026)"):
        assert compute_next_time(schedule(expression), CHANGED_AT) is None

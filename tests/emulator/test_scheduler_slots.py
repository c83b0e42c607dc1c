"""Proves when a schedule is due, as the guide of EventBridge Scheduler says."""

import datetime as dt

import pytest

from emulator.server.slots import first_slot, next_slot


def timing(expression, zone="UTC", created="2026-11-24T10:00:30+00:00", **dates):
    return {
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": zone,
        "StartDate": None,
        "EndDate": None,
        "LastModificationDate": dt.datetime.fromisoformat(created).timestamp(),
        **{name: dt.datetime.fromisoformat(date).timestamp() for name, date in dates.items()},
    }


def slot_after(moment, expression, zone="UTC", **dates):
    """Return the next slot after a moment as ISO 8601, or None."""
    slot = next_slot(timing(expression, zone, **dates), dt.datetime.fromisoformat(moment))
    return slot and slot.isoformat()


def test_a_rate_is_due_when_it_is_created_and_again_after_each_interval():
    daily = timing("rate(1 day)")
    first = first_slot(daily)
    assert first.isoformat() == "2026-11-24T10:00:30+00:00"
    assert next_slot(daily, first).isoformat() == "2026-11-25T10:00:30+00:00"


def test_a_rate_with_a_start_date_is_due_at_that_date():
    assert (
        first_slot(timing("rate(2 hours)", StartDate="2026-11-30T00:00:00+00:00")).isoformat()
        == "2026-11-30T00:00:00+00:00"
    )


def test_a_day_of_a_rate_has_24_hours_in_any_zone():
    created = "2027-03-27T12:00:00+01:00"  # the clocks go forward that night
    moment = "2027-03-27T13:00:00+01:00"
    assert (
        slot_after(moment, "rate(1 day)", "Europe/Berlin", created=created)
        == "2027-03-28T11:00:00+00:00"
    )


def test_a_cron_is_due_at_its_next_match_only():
    assert (
        first_slot(timing("cron(0 3 ? * SUN *)", "Europe/Berlin")).isoformat()
        == "2026-11-29T02:00:00+00:00"
    )


def test_the_last_day_of_the_week_is_saturday():
    assert (
        slot_after("2026-11-24T12:00:00+00:00", "cron(0 3 ? * L *)") == "2026-11-28T03:00:00+00:00"
    )


def test_a_slot_is_due_only_once():
    assert (
        slot_after("2026-11-29T03:00:00+00:00", "cron(0 3 * * ? *)") == "2026-11-30T03:00:00+00:00"
    )


def test_a_time_that_daylight_saving_skips_is_not_due_that_day():
    assert (
        slot_after("2027-03-27T12:00:00+01:00", "cron(30 2 * * ? *)", "Europe/Berlin")
        == "2027-03-29T00:30:00+00:00"
    )


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        ("2026-10-24T12:00:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"),
    ],
)
def test_a_time_that_daylight_saving_repeats_is_due_once(moment, due):
    assert slot_after(moment, "cron(30 2 * * ? *)", "Europe/Berlin") == due


def test_nothing_is_due_after_the_end_date():
    end = "2026-11-25T00:00:00+00:00"
    assert slot_after("2026-11-24T12:00:00+00:00", "cron(0 3 * * ? *)", EndDate=end) is None


def test_an_at_expression_is_due_once_in_its_zone():
    assert (
        slot_after("2026-11-24T12:00:00+00:00", "at(2026-12-01T09:00:00)", "Europe/Berlin")
        == "2026-12-01T08:00:00+00:00"
    )
    assert (
        slot_after("2026-12-01T08:00:00+00:00", "at(2026-12-01T09:00:00)", "Europe/Berlin") is None
    )


@pytest.mark.parametrize(
    ("expression", "zone", "message"),
    [
        ("weekly", "UTC", "Invalid Schedule Expression weekly."),
        ("rate(0 days)", "UTC", "Invalid Schedule Expression rate(0 days)."),
        ("rate(2 weeks)", "UTC", "Invalid Schedule Expression rate(2 weeks)."),
        ("cron(0 3 * * *)", "UTC", "Invalid Schedule Expression cron(0 3 * * *)."),
        ("cron(0 3 LW * ? *)", "UTC", "Invalid Schedule Expression cron(0 3 LW * ? *)."),
        ("rate(1 day)", "Mars/Base", "Invalid Schedule Expression Timezone Mars/Base."),
    ],
)
def test_an_invalid_expression_or_zone_is_refused_by_name(expression, zone, message):
    with pytest.raises(ValueError, match=r".") as error:
        slot_after("2026-11-24T12:00:00+00:00", expression, zone)
    assert str(error.value) == message

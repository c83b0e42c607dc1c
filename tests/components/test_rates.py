"""Proves which rates are accepted, and which local times daylight saving skips."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from components.rules import rates

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("text", "days"),
    [("1 day", 1), ("30 days", 30), ("1 days", None), ("0 days", None), ("7", None)],
)
def test_a_number_of_days_is_read_from_words(text, days):
    assert rates.number_of_days(text) == days


@pytest.mark.parametrize(
    "cron",
    [
        "cron(0 3 ? * MON 2026)",
        "cron(0 3 23 11 ? 2026)",
        "cron(0 0 1 1 ? 2027)",
        "cron(0 3 29 2 ? *)",
        "cron(0 3 29 2 ? 2097-2104)",
        "cron(0 3 ? 2 MON#5 *)",
    ],
)
def test_a_cron_that_comes_again_is_accepted_even_after_years(cron):
    assert rates.rate_error(cron, today=TODAY) is None


def test_a_cron_is_over_when_its_last_day_has_ended_in_every_time_zone():
    assert rates.rate_error("cron(0 3 22 11 ? 2026)", today=TODAY) == (
        "does not fire again after 2026-11-24; write a year in the future, or * for every year"
    )


@pytest.mark.parametrize(
    ("rate", "timezone", "hours"),
    [
        ("7 days", "Europe/Berlin", 7 * 24),
        ("rate(12 hours)", "UTC", 12),
        ("cron(0 3 ? * MON *)", "UTC", 7 * 24),
        ("cron(0 3 ? * MON,THU *)", "UTC", 3 * 24),
        ("cron(0 3 * * ? *)", "UTC", 24),
        ("cron(0 3 1,31 * ? *)", "UTC", 24),
        ("cron(0 3 31 12 ? *)", "UTC", 366 * 24),
        ("cron(0 3 29 2 ? *)", "UTC", 366 * 24),
        ("cron(0 3 ? * MON 2026)", "UTC", 7 * 24),
        ("cron(0 * * * ? *)", "Europe/Berlin", 1),
    ],
)
def test_the_shortest_time_between_two_runs_is_that_of_a_year(rate, timezone, hours):
    assert rates.shortest_seconds_between_runs(rate, timezone) == hours * 3600


@pytest.mark.parametrize(
    ("cron", "hours"),
    [
        pytest.param("cron(0 3 * * ? *)", 23, id="a day of 23 hours, if the clocks go forward"),
        pytest.param("cron(0 3 ? * SUN *)", 7 * 24 - 1, id="a week with such a day"),
        pytest.param("cron(30 2 * * ? *)", 24, id="the time that spring skips is no firing"),
        pytest.param("cron(0 3 1 1 ? *)", 366 * 24, id="a year without a change in between"),
    ],
)
def test_the_shortest_time_between_two_runs_knows_daylight_saving(cron, hours):
    assert rates.shortest_seconds_between_runs(cron, "Europe/Berlin") == hours * 3600


@pytest.mark.parametrize(
    ("rate", "runs"),
    [
        ("rate(1 hour)", 720),
        ("36 hours", 20),
        ("7 days", 5),
        ("365 days", 1),
        ("cron(0 * * * ? *)", 720),
        ("cron(0 3 * * ? *)", 30),
        ("cron(0 3 ? * MON *)", 5),
        ("cron(0 3 1 * ? *)", 2),
        ("cron(0 3 1,15 * ? 2030)", 3),
        ("cron(0 3 29 2 ? *)", 1),
        ("cron(0 3 ? 2 MON#5 *)", 1),
    ],
)
def test_the_most_runs_in_a_month_are_counted_from_any_day(rate, runs):
    assert rates.most_runs_in_a_month(rate) == runs


@pytest.mark.parametrize(
    ("rate", "timezone"),
    [
        ("7 days", "Europe/Berlin"),
        ("cron(30 2 * * ? *)", "UTC"),
        ("cron(30 3 * * ? *)", "Europe/Berlin"),
        ("cron(30 2 ? * MON *)", "Europe/Berlin"),
        ("cron(30 2 * 6 ? *)", "Europe/Berlin"),
    ],
)
def test_daylight_saving_skips_no_other_time(rate, timezone):
    assert rates.first_skipped_time(rate, timezone, today=TODAY) is None


@pytest.mark.parametrize(
    ("rate", "timezone", "skipped"),
    [
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2027-03-28 02:30"),
        ("cron(30 2 ? * SUN *)", "Europe/Berlin", "2027-03-28 02:30"),
        ("cron(0 2 * * ? *)", "America/New_York", "2027-03-14 02:00"),
        ("cron(0 */2 * * ? *)", "Australia/Sydney", "2027-10-03 02:00"),
        ("cron(15 0 * * ? *)", "Africa/Cairo", "2027-04-30 00:15"),
        ("cron(30 2 28 3 ? *)", "Europe/Berlin", "2027-03-28 02:30"),
    ],
)
def test_the_first_time_that_daylight_saving_skips_is_returned(rate, timezone, skipped):
    time = rates.first_skipped_time(rate, timezone, today=TODAY)
    assert f"{time:%Y-%m-%d %H:%M}" == skipped


@pytest.mark.parametrize(
    ("cron", "after", "firing"),
    [
        ("cron(0 3 ? * MON *)", "2026-11-24T00:00", "2026-11-30T03:00+01:00"),
        ("cron(0 3 ? * MON *)", "2026-11-30T02:59", "2026-11-30T03:00+01:00"),
        ("cron(0 3 ? * MON *)", "2026-11-30T03:00", "2026-12-07T03:00+01:00"),
        ("cron(30 2 28-30 3 ? *)", "2026-03-28T03:00", "2026-03-30T02:30+02:00"),
        ("cron(0 3 1 1 ? 2020)", "2026-11-24T00:00", None),
    ],
    ids=["days ahead", "minutes ahead", "just fired", "skipped by the clocks", "over"],
)
def test_a_cron_fires_next_in_its_time_zone(cron, after, firing):
    zone = ZoneInfo("Europe/Berlin")
    found = rates.next_firing(cron, datetime.fromisoformat(after).replace(tzinfo=zone))
    assert found == (None if firing is None else datetime.fromisoformat(firing).astimezone(UTC))


def test_a_time_that_the_clocks_repeat_fires_once():
    second_time = datetime(2026, 10, 25, 2, 15, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    found = rates.next_firing("cron(30 2 * * ? *)", second_time)
    assert found == datetime(2026, 10, 26, 1, 30, tzinfo=UTC), "02:30 was 45 minutes ago"

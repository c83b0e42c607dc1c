"""Proves what is derived from a rate. `tests/program/golden/config.yaml` has the refused rates."""

import pytest

from components.rules import run_times

DAY = 24
RATES = [
    # Rate, shortest and longest hours between two runs, and the most runs in 30 days.
    ("7 days", 7 * DAY, 7 * DAY, 5),
    ("1 hour", 1, 1, 720),
    ("36 hours", 36, 36, 20),
    ("rate(12 hours)", 12, 12, 60),
    ("250 days", 250 * DAY, 250 * DAY, 1),
    ("365 days", 365 * DAY, 365 * DAY, 1),
    ("cron(0 * * * ? *)", 1, 1, 720),
    ("cron(0 3 * * ? *)", DAY, DAY, 30),
    ("cron(0 3 ? * MON *)", 7 * DAY, 7 * DAY, 5),
    ("cron(0 3 ? * MON,THU *)", 3 * DAY, 4 * DAY, 9),
    ("cron(0 3 ? * MON-FRI *)", DAY, 3 * DAY, 22),
    ("cron(0 3 1 * ? *)", 29 * DAY, 31 * DAY, 2),
    ("cron(0 3 1,31 * ? *)", DAY, 30 * DAY, 2),
    ("cron(0 3 1 JAN,FEB ? *)", 31 * DAY, 335 * DAY, 1),
    ("cron(0 3 1 MAR,SEP ? *)", 184 * DAY, 184 * DAY, 1),
    ("cron(0 3 31 12 ? *)", 366 * DAY, 366 * DAY, 1),
    ("cron(0 3 29 2 ? *)", 366 * DAY, 366 * DAY, 1),
]


@pytest.mark.parametrize("rate, shortest, longest, runs", RATES)
def test_the_times_between_runs_are_those_of_a_year(rate, shortest, longest, runs):
    assert run_times.find_rate_error(rate) is None
    assert run_times.find_shortest_interval_seconds(rate) == shortest * 3600
    assert run_times.find_longest_interval_seconds(rate) == longest * 3600
    assert run_times.count_most_runs_in_30_days(rate) == runs

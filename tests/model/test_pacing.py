"""When to look at a job again: soon while it is young, once before its expected end, then often."""

import pytest

from functions.rules.pacing import pause


@pytest.mark.parametrize(
    ("elapsed", "seconds"),
    [(0, 1), (4, 1), (20, 5), (40, 10), (500, 10), (1500, 30), (90_000, 45)],
)
def test_a_job_of_unknown_duration_is_looked_at_soon_and_then_in_growing_pauses(elapsed, seconds):
    assert pause([], elapsed) == seconds


def test_a_job_is_looked_at_shortly_before_its_expected_end_and_then_every_ten_seconds():
    assert pause([1000] * 4, 0) == pytest.approx(1000 - 1000 * 0.2 * 1.25**0.5)
    assert pause([1000] * 4, 900) == 10
    assert pause([1000] * 4, 1100) == 10


def test_the_median_of_the_durations_counts():
    assert pause([100, 1000, 5000], 1000) == 10


def test_a_job_that_takes_seconds_is_looked_at_every_second():
    assert pause([5], 5) == 1
    assert pause([5], 8) == 2, "it is late, and young"

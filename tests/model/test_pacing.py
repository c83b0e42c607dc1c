"""When to look at a job again: after a long wait at first, and then every few seconds."""

import pytest

from functions.rules.pacing import pause


@pytest.mark.parametrize(
    ("elapsed", "seconds"), [(0, 1), (100, 1), (500, 5), (1200, 12), (90_000, 12)]
)
def test_a_job_of_unknown_duration_is_looked_at_in_pauses_of_a_hundredth_of_its_age(
    elapsed, seconds
):
    assert pause([], elapsed) == seconds


@pytest.mark.parametrize(
    ("elapsed", "seconds"), [(0, 400), (399.5, 1), (400, 4), (1000, 10), (5000, 12)]
)
def test_a_job_is_left_alone_for_two_fifths_of_its_usual_duration(elapsed, seconds):
    assert pause([1000] * 5, elapsed) == seconds


def test_the_usual_duration_is_the_median():
    assert pause([100, 5000, 1000], 0) == 400

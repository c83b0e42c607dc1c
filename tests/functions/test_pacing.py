"""Tests of the pause until the next poll."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.personalize.pacing import (
    EARLY_POLLS,
    LONGEST_SLEEP,
    SHORT_JOB,
    SHORTEST_PAUSE,
    UNKNOWN_MIN,
    pause,
)

DURATIONS = st.lists(st.integers(min_value=1, max_value=48 * 3600), min_size=1, max_size=5)
ELAPSED = st.floats(min_value=-600, max_value=10 * 24 * 3600)


@pytest.mark.parametrize(
    ("elapsed", "seconds", "reason"),
    [
        (0, 900, "an eighth of the expected duration"),
        (4260, 900, "the window opens at 5163.5, 28% before the expected end"),
        (4263.6, 899.9, "a poll when the window opens"),
        (5160, 10, "never less than 10 seconds"),
        (7200, 10, "within the window"),
        (9236, 10, "the window closes at 9236.5"),
        (9256.5, 10, "never less than 10 seconds"),
        (9536.5, 100, "a third of 300 seconds"),
        (9836.5, 200, "a third of 600 seconds"),
        (81236.5, 24_000, "the polls become rarer"),
    ],
)
def test_polls_are_frequent_only_around_the_expected_end(elapsed, seconds, reason):
    assert pause([7200], elapsed) == pytest.approx(seconds, abs=0.1), reason


@pytest.mark.parametrize(
    ("durations", "opens"),
    [
        ([7200], 5163.5),
        ([7200] * 2, 5436.4),
        ([7200] * 5, 5622.6),
        ([9000, 7200, 600], 5537.3),
        ([600, 7200, 9000, 7300, 50000], 5700.7),
    ],
)
def test_the_window_around_the_median_is_narrower_with_more_durations(durations, opens):
    assert opens - 60 + pause(durations, opens - 60) == pytest.approx(opens, abs=0.1)
    assert pause(durations, opens + 1) == SHORTEST_PAUSE


def test_a_job_of_25_minutes_is_polled_all_the_time_and_a_longer_one_is_not():
    assert (SHORT_JOB, pause([1500], 0), pause([1501], 0)) == (1500, LONGEST_SLEEP, 1501 / 8)


def test_a_very_short_job_is_polled_more_often():
    assert pause([100], 90) == 2, "a fiftieth of the expected duration"
    assert pause([20], 20) == 1, "at most once a second"


@pytest.mark.parametrize(
    ("elapsed", "seconds"),
    [(0, 30), (300, 30), (400, 40), (5000, 500), (6000, 600), (12000, 600), (90000, 4500)],
)
def test_without_known_durations_the_pause_is_a_tenth_of_the_age(elapsed, seconds):
    assert pause([], elapsed) == pytest.approx(seconds)


@given(DURATIONS | st.just([]), ELAPSED)
def test_a_pause_is_never_shorter_than_a_second(durations, elapsed):
    assert pause(durations, elapsed) >= 1


@given(DURATIONS, st.floats(min_value=0, max_value=0.71))
def test_no_pause_before_the_window_ends_within_it(durations, share):
    expected = sorted(durations)[len(durations) // 2]
    elapsed = expected * share
    latest = max(expected * 0.79, elapsed + SHORTEST_PAUSE)
    assert elapsed + pause(durations, elapsed) <= latest, "the window opens at 0.79 at the latest"


@given(DURATIONS)
def test_there_are_few_polls_before_the_window(durations):
    elapsed, polls = 0.0, 0
    while pause(durations, elapsed) > LONGEST_SLEEP:
        elapsed += pause(durations, elapsed)
        polls += 1
    assert polls <= EARLY_POLLS, "a poll through the state machine costs three transitions"


@given(DURATIONS, st.floats(min_value=0.8, max_value=1.2))
def test_an_ordinary_end_is_noticed_within_ten_seconds(durations, share):
    expected = sorted(durations)[len(durations) // 2]
    assert pause(durations, expected * share) <= SHORTEST_PAUSE, "within two standard deviations"


@given(DURATIONS, st.floats(min_value=0, max_value=10 * 24 * 3600))
def test_a_late_end_is_noticed_within_a_third_of_its_delay(durations, late):
    expected = sorted(durations)[len(durations) // 2]
    assert pause(durations, expected + late) <= max(SHORTEST_PAUSE, late / 3)


@given(ELAPSED, st.floats(min_value=0, max_value=24 * 3600))
def test_without_known_durations_pauses_only_grow(elapsed, later):
    assert UNKNOWN_MIN <= pause([], elapsed) <= pause([], elapsed + later)


def test_without_known_durations_a_long_training_does_not_fill_the_history():
    elapsed, polls = 0.0, 0
    while elapsed < 4000 * 3600:
        elapsed += pause([], elapsed)
        polls += 1
    assert polls < 250, "a poll is some nine of 25,000 events, which several solutions share"

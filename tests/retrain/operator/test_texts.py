"""Proves how times, durations and sizes are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from retrain.look import texts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.6, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3569, "59 min"),
        (3571, "1 h"),
        (9060, "2 h 31 min"),
    ],
)
def test_a_duration_has_its_largest_units(seconds, text):
    assert texts.duration_text(seconds) == text


def test_times_are_in_utc():
    time = datetime(2026, 11, 29, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    assert texts.time_text(time) == "2026-11-29 03:05"
    assert texts.clock_text(time, datetime(2026, 11, 29, tzinfo=UTC)) == "03:05"
    assert texts.clock_text(time, datetime(2026, 11, 28, tzinfo=UTC)) == "29 Nov 03:05"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_440_000_000, "1.4 GB"),
        (2**60, "1152921.5 TB"),
    ],
)
def test_a_size_has_its_largest_unit(size, text):
    assert texts.size_text(size) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs")])
def test_a_count_has_its_noun(count, text):
    assert texts.count_text(count, "run") == text


@pytest.mark.parametrize(
    ("items", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_a_list_reads_like_a_sentence(items, text):
    assert texts.list_text(items) == text

"""Proves how the time of day is written."""

from datetime import UTC, datetime, timedelta, timezone

from retrain.look import texts


def test_the_time_of_day_is_in_utc_and_has_the_day_if_it_is_not_today():
    time = datetime(2026, 11, 29, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    assert texts.clock_text(time, datetime(2026, 11, 29, tzinfo=UTC)) == "03:05"
    assert texts.clock_text(time, datetime(2026, 11, 28, tzinfo=UTC)) == "29 Nov 03:05"

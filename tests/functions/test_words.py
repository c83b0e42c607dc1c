"""Tests of the words for times, durations, sizes and metrics."""

from datetime import datetime, timedelta, timezone

import pytest

from functions.words import (
    content_facts,
    count_text,
    duration_text,
    list_text,
    metric_name,
    metric_text,
    size_text,
    time_text,
)
from tests.functions import samples as s

NEWEST = f"newest event {s.ago(5):%Y-%m-%d %H:%M} UTC"
COLLAPSED = {
    "live": 0.8524,
    "new": 0.0153,
    "liveBaseline": 0.5491,
    "newBaseline": 0.0102,
    "hasBaselineDropped": True,
}
FELL = "0.8524 → 0.0153 (-98.2%"
ITS = "the baseline, -3.4%"
WORDS = [
    (
        time_text,
        datetime(2026, 11, 29, 4, 5, tzinfo=timezone(timedelta(hours=1))),
        "2026-11-29 03:05",
    ),
    (duration_text, -3, "0 s"),
    (duration_text, 59, "59 s"),
    (duration_text, 60, "1 min"),
    (duration_text, 3569, "59 min"),
    (duration_text, 3599, "1 h"),
    (duration_text, 7680, "2 h 8 min"),
    (duration_text, 172_740, "47 h 59 min"),
    (duration_text, 172_799, "2 days"),
    (size_text, 0, "0 bytes"),
    (size_text, 999, "999 bytes"),
    (size_text, 1000, "1 KB"),
    (size_text, 1_234_567, "1.23 MB"),
    (size_text, 10**16, "1e+04 TB"),
    (list_text, [], ""),
    (list_text, ["a"], "a"),
    (list_text, ["a", "b"], "a and b"),
    (list_text, ["a", "b", "c"], "a, b and c"),
    (metric_name, "normalized_discounted_cumulative_gain_at_10", "NDCG@10"),
    (metric_name, "mean_reciprocal_rank_at_25", "MRR@25"),
    (metric_name, "average_rewards_at_k", "average_rewards_at_k"),
    (metric_name, "coverage", "coverage"),
    (metric_text, {"live": 0.2, "new": 0.1}, "0.2000 → 0.1000 (-50.0%)"),
    (metric_text, {"live": 0.0, "new": 0.1}, "0.0000 → 0.1000"),
    (metric_text, {"live": -2, "new": -1}, "-2.0000 → -1.0000 (+50.0%)"),
    (metric_text, {"live": None, "new": None}, "none → none"),
    (
        metric_text,
        {"live": 0.4, "new": 0.3, "liveBaseline": 0.25, "newBaseline": 0.2},
        "0.4000 → 0.3000 (-25.0%; 1.6 → 1.5 times the baseline, -6.2%)",
    ),
    (
        metric_text,
        {"live": 0, "new": 0.3, "liveBaseline": 0.25, "newBaseline": 0.2},
        "0.0000 → 0.3000 (0 → 1.5 times the baseline)",
    ),
    (metric_text, {**COLLAPSED, "hasBaselineDropped": False}, f"{FELL}; 1.55 → 1.5 times {ITS})"),
    (metric_text, COLLAPSED, f"{FELL}; even the baseline fell from 0.5491 to 0.0102)"),
    (content_facts, s.CONTENT, [NEWEST, "900 view", "96 purchase"]),
    (
        content_facts,
        {**s.CONTENT, "areAllRowsRead": False, "eventTypes": {"view": 1812}},
        [NEWEST, "1,812 view", "in the rows that were read"],
    ),
    (content_facts, {**s.CONTENT, "newestEventAt": None}, []),
]


@pytest.mark.parametrize(("write", "value", "text"), WORDS)
def test_a_value_is_written_as_people_say_it(write, value, text):
    assert write(value) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs")])
def test_a_count_has_its_noun(count, text):
    assert count_text(count, "run") == text

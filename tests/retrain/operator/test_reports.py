"""Proves how metrics and versions are shown."""

import pytest

from retrain.look.reports import metric_change, metric_lines, metric_name, version_id
from tests.retrain.builders import NEW


@pytest.mark.parametrize(
    ("live", "new", "text"),
    [
        (0.2, 0.1, "0.2000 → 0.1000 (-50.0%)"),
        (0.0, 0.1, "0.0000 → 0.1000"),
        (-2, -1, "-2.0000 → -1.0000 (+50.0%)"),
        (0.1, None, "0.1000 → none"),
    ],
)
def test_a_change_is_relative_to_the_live_version(live, new, text):
    assert metric_change({"live": live, "new": new}) == text


def test_each_metric_has_a_line():
    metrics = {"coverage": {"live": None, "new": 0.5}, "precision_at_5": {"live": 0.2, "new": 0.25}}
    assert [*metric_lines(metrics)] == [
        "coverage none → 0.5000",
        "precision@5 0.2000 → 0.2500 (+25.0%)",
    ]


def test_names_are_short():
    assert metric_name("mean_reciprocal_rank_at_25") == "MRR@25"
    assert metric_name("average_rewards_at_k") == "average_rewards_at_k"
    assert version_id(NEW) == "00000002"

"""Proves how metrics and versions are shown."""

from retrain.look.reports import metric_lines, version_id
from tests.retrain.builders import NEW


def test_each_metric_has_a_line():
    metrics = {"coverage": {"live": None, "new": 0.5}, "precision_at_5": {"live": 0.2, "new": 0.25}}
    assert [*metric_lines(metrics)] == [
        "coverage none → 0.5000",
        "precision@5 0.2000 → 0.2500 (+25.0%)",
    ]


def test_a_version_is_named_by_its_id():
    assert version_id(NEW) == "00000002"

"""Proves what is shown of the report of a run."""

import pytest

from retrain.operator.reports import metric_change, metric_name, report_lines, version_id
from tests.retrain.builders import (
    NEW,
    OLD,
    campaign_report,
    run_report,
    solution_report,
)


def lines(report):
    return [line.plain for line in report_lines({"trials": [], **report})]


def test_a_report_has_a_line_for_each_part():
    metrics = {
        "normalized_discounted_cumulative_gain_at_10": {"live": 0.2, "new": 0.25},
        "coverage": {"live": None, "new": 0.5},
    }
    report = run_report(
        solution_report(
            campaigns=[
                campaign_report("DEPLOYED", servedVersionArn=NEW, metrics=metrics),
                campaign_report("SKIPPED", servedVersionArn=OLD, failure="it is busy"),
                campaign_report("FAILED", servedVersionArn=None),
            ]
        ),
        solution_report(version=NEW, failure="it failed"),
        solution_report(version=None),
        imports=[{"type": "items", "outcome": "FAILED", "failure": "no such column"}],
        trials=[campaign_report("ROLLED_BACK", servedVersionArn=OLD)],
        warnings=["two pipelines"],
    )
    assert lines(report) == [
        "  trial of home-page: ROLLED_BACK, serves 00000001",
        "  import items: FAILED, no such column",
        "  solution movies: DEPLOYED, version 00000002",
        "    campaign home-page: DEPLOYED, 00000001 → 00000002",
        "      NDCG@10 0.2000 → 0.2500 (+25.0%)",
        "      coverage none → 0.5000",
        "    campaign home-page: SKIPPED, serves 00000001; it is busy",
        "    campaign home-page: FAILED",
        "  solution movies: DEPLOYED, version 00000002; it failed",
        "  solution movies: FAILED",
        "  warning: two pipelines",
    ]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(None, ["  sentence"]), ("nothing is new", ["  nothing is new", "  sentence"])],
)
def test_a_run_that_did_nothing_has_the_rest_of_its_text(reason, expected):
    first = "Retraining run 20261130T030000Z: SKIPPED" + (f": {reason}" if reason else "")
    report = run_report(status="SKIPPED", reason=reason, text=f"{first}\n  sentence")
    assert lines(report) == expected


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


def test_names_are_short():
    assert metric_name("mean_reciprocal_rank_at_25") == "MRR@25"
    assert metric_name("average_rewards_at_k") == "average_rewards_at_k"
    assert version_id(NEW) == "00000002"

"""Tests of the quality gate: which drop and which minimum reject a version."""

import math

import pytest

from functions.rules.gate import compare
from tests.functions.samples import NDCG

PRECISION = "precision_at_5"
DROP = [{"metric": NDCG, "maxDrop": 0.25}]
MINIMUM = [{"metric": NDCG, "minimum": 0.3}]


def judged(new, live, rules=DROP):
    """Return the judgement of a version with this NDCG. None means that the metric is missing."""
    new_metrics = {} if new is None else {NDCG: new}
    live_metrics = {} if live is None else {NDCG: live}
    return verdict_of(new_metrics, live_metrics, rules)


def verdict_of(new, live, rules):
    """Return what the comparison by these rules has found."""
    compared = compare(new, live, rules)
    return {
        "verdict": "REJECTED" if compared.rejections else "ACCEPTED",
        "reasons": compared.rejections,
        "notes": compared.warnings,
        "metrics": compared.values,
    }


def test_a_better_version_is_accepted():
    assert judged(0.42, 0.4) == {
        "verdict": "ACCEPTED",
        "reasons": [],
        "notes": [],
        "metrics": {NDCG: {"new": 0.42, "live": 0.4}},
    }


@pytest.mark.parametrize(
    ("new", "live", "rejected"),
    [
        (0.3, 0.4, False),
        (0.2999, 0.4, True),
        (0.75, 1.0, False),
        (0.0, 0.0, False),
        (-0.4, -0.4, False),
        (-0.5, -0.4, False),
        (-0.51, -0.4, True),
    ],
)
def test_a_drop_of_exactly_max_drop_is_accepted(new, live, rejected):
    assert (judged(new, live)["verdict"] == "REJECTED") == rejected


@pytest.mark.parametrize(
    ("new", "live", "verdict"),
    [
        (0.1 + 0.2, 0.3, "ACCEPTED"),
        (0.3, 0.1 + 0.2, "ACCEPTED"),
        (0.2999, 0.3, "REJECTED"),
    ],
)
def test_without_any_drop_only_rounding_is_accepted(new, live, verdict):
    assert judged(new, live, [{"metric": NDCG, "maxDrop": 0}])["verdict"] == verdict


def test_a_rejection_has_a_reason_with_both_values():
    assert judged(0.2999, 0.4) == {
        "verdict": "REJECTED",
        "reasons": [f"{NDCG} fell from 0.4000 to 0.2999, by more than 25%"],
        "notes": [],
        "metrics": {NDCG: {"new": 0.2999, "live": 0.4}},
    }


@pytest.mark.parametrize(("new", "text"), [(0.4, "0.4"), (None, "no value")])
def test_a_metric_that_the_live_version_lacks_is_accepted_with_a_note(new, text):
    assert judged(new, None) == {
        "verdict": "ACCEPTED",
        "reasons": [],
        "notes": [
            (
                f"{NDCG} was not compared, because the new version has {text} and the version in "
                "use has no value; maxDrop had no effect"
            )
        ],
        "metrics": {NDCG: {"new": new, "live": None}},
    }


LACKS = (
    f"{NDCG} has no value, but the version in use has 0.4000, so it may have fallen by more than "
    "25%; check the exports, or remove the rule from the qualityGate"
)


def test_a_metric_that_only_the_new_version_lacks_rejects_it():
    assert judged(None, 0.4) == {
        "verdict": "REJECTED",
        "reasons": [LACKS],
        "notes": [],
        "metrics": {NDCG: {"new": None, "live": 0.4}},
    }


def test_a_missing_metric_breaks_the_minimum_and_the_maximal_drop_of_a_rule():
    rules = [{"metric": NDCG, "maxDrop": 0.25, "minimum": 0.3}]
    assert judged(None, 0.4, rules)["reasons"] == [
        f"{NDCG} has no value, but the minimum is 0.3",
        LACKS,
    ]


def test_a_live_version_may_lack_the_metric():
    judgement = verdict_of({NDCG: 0.4}, {PRECISION: 1}, DROP)
    assert judgement == judged(0.4, None)


@pytest.mark.parametrize(
    ("new", "reasons"),
    [
        (0.3, []),
        (0.2999, [f"{NDCG} has the value 0.2999, but the minimum is 0.3"]),
        (None, [f"{NDCG} has no value, but the minimum is 0.3"]),
    ],
)
@pytest.mark.parametrize("live", [0.9, None])
def test_a_minimum_must_be_reached_whatever_is_live(new, reasons, live):
    judgement = judged(new, live, MINIMUM)
    assert (judgement["reasons"], judgement["notes"]) == (reasons, [])
    assert judgement["verdict"] == ("REJECTED" if reasons else "ACCEPTED")


def test_a_minimum_of_zero_is_not_reached_by_a_missing_metric():
    rules = [{"metric": NDCG, "minimum": 0}]
    assert judged(0.0, None, rules)["verdict"] == "ACCEPTED"
    assert judged(None, None, rules)["verdict"] == "REJECTED"


def test_every_rule_that_does_not_hold_is_a_reason():
    rules = [
        {"metric": NDCG, "maxDrop": 0.1, "minimum": 0.35},
        {"metric": PRECISION, "maxDrop": 0.5},
        {"metric": "coverage", "minimum": 0.1},
    ]
    new = {NDCG: 0.3, PRECISION: 0.2, "coverage": 0.05}
    live = {NDCG: 0.4, PRECISION: 0.3}
    assert verdict_of(new, live, rules) == {
        "verdict": "REJECTED",
        "reasons": [
            f"{NDCG} has the value 0.3000, but the minimum is 0.35",
            f"{NDCG} fell from 0.4000 to 0.3000, by more than 10%",
            "coverage has the value 0.0500, but the minimum is 0.1",
        ],
        "notes": [],
        "metrics": {
            NDCG: {"new": 0.3, "live": 0.4},
            PRECISION: {"new": 0.2, "live": 0.3},
            "coverage": {"new": 0.05, "live": None},
        },
    }


def test_without_rules_every_version_is_accepted():
    assert verdict_of({}, {}, []) == {
        "verdict": "ACCEPTED",
        "reasons": [],
        "notes": [],
        "metrics": {},
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_new_value_that_is_no_number_rejects_the_version(value):
    assert judged(value, 0.4) == {
        "verdict": "REJECTED",
        "reasons": [f"{NDCG} has the value {value}, which is not a finite number"],
        "notes": [],
        "metrics": {NDCG: {"new": None, "live": 0.4}},
    }, "the document of the run is JSON, which has no NaN"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_live_value_that_is_no_number_is_not_compared(value):
    judgement = judged(0.1, value)
    assert (judgement["verdict"], judgement["metrics"]) == (
        "ACCEPTED",
        {NDCG: {"new": 0.1, "live": None}},
    )

"""The gate: which drop and which minimum reject a version, and what cannot be compared."""

import pytest

from functions.personalize.gate import judge
from tests.functions.samples import NDCG, OLD_VERSION

PRECISION = "precision_at_5"
DROP = [{"metric": NDCG, "maxDrop": 0.25}]
MINIMUM = [{"metric": NDCG, "minimum": 0.3}]


def judged(new, live, rules=DROP):
    metrics = [None if value is None else {NDCG: value} for value in (new, live)]
    return judge(metrics[0] or {}, metrics[1], rules, compared_with=OLD_VERSION)


def test_a_version_that_is_better_is_accepted():
    assert judged(0.42, 0.4) == {
        "verdict": "ACCEPTED",
        "comparedWith": OLD_VERSION,
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
def test_a_drop_is_allowed_up_to_and_with_the_greatest_one(new, live, rejected):
    assert (judged(new, live)["verdict"] == "REJECTED") == rejected


def test_no_drop_at_all_may_be_allowed():
    rules = [{"metric": NDCG, "maxDrop": 0}]
    assert judged(0.1 + 0.2, 0.3, rules)["verdict"] == "ACCEPTED", "equal but for rounding"
    assert judged(0.3, 0.1 + 0.2, rules)["verdict"] == "ACCEPTED", "equal but for rounding"
    assert judged(0.2999, 0.3, rules)["verdict"] == "REJECTED"


def test_a_rejection_gives_both_values():
    assert judged(0.2999, 0.4) == {
        "verdict": "REJECTED",
        "comparedWith": OLD_VERSION,
        "reasons": [f"{NDCG} fell from 0.4000 to 0.2999, by more than 25%"],
        "notes": [],
        "metrics": {NDCG: {"new": 0.2999, "live": 0.4}},
    }


@pytest.mark.parametrize(
    ("new", "live", "note"),
    [
        (0.4, None, f"{NDCG} could not be compared: new 0.4, live None"),
        (None, 0.4, f"{NDCG} could not be compared: new None, live 0.4"),
    ],
)
def test_what_cannot_be_compared_is_let_pass_with_a_note(new, live, note):
    seen = judged(new, live)
    assert (seen["verdict"], seen["reasons"], seen["notes"]) == ("ACCEPTED", [], [note])
    assert seen["metrics"] == {NDCG: {"new": new, "live": live}}


def test_a_live_version_without_the_metric_is_let_pass_with_a_note():
    seen = judge({NDCG: 0.4}, {PRECISION: 1}, DROP, compared_with=OLD_VERSION)
    assert seen == {
        "verdict": "ACCEPTED",
        "comparedWith": OLD_VERSION,
        "reasons": [],
        "notes": [f"{NDCG} could not be compared: new 0.4, live None"],
        "metrics": {NDCG: {"new": 0.4, "live": None}},
    }


@pytest.mark.parametrize(
    ("new", "reasons"),
    [
        (0.3, []),
        (0.2999, [f"{NDCG} is 0.2999, below the minimum of 0.3"]),
        (None, [f"{NDCG} is missing, below the minimum of 0.3"]),
    ],
)
@pytest.mark.parametrize("live", [0.9, None])
def test_a_minimum_is_to_be_reached_whatever_is_live(new, reasons, live):
    seen = judged(new, live, MINIMUM)
    assert (seen["reasons"], seen["notes"]) == (reasons, [])
    assert seen["verdict"] == ("REJECTED" if reasons else "ACCEPTED")


def test_a_minimum_of_nothing_has_to_be_shown_to_be_reached():
    rules = [{"metric": NDCG, "minimum": 0}]
    assert judged(0.0, None, rules)["verdict"] == "ACCEPTED"
    assert judged(None, None, rules)["verdict"] == "REJECTED"


def test_every_rule_has_to_hold_and_each_that_does_not_is_named():
    rules = [
        {"metric": NDCG, "maxDrop": 0.1, "minimum": 0.35},
        {"metric": PRECISION, "maxDrop": 0.5},
        {"metric": "coverage", "minimum": 0.1},
    ]
    new = {NDCG: 0.3, PRECISION: 0.2, "coverage": 0.05}
    seen = judge(new, {NDCG: 0.4, PRECISION: 0.3}, rules, compared_with=OLD_VERSION)
    assert seen == {
        "verdict": "REJECTED",
        "comparedWith": OLD_VERSION,
        "reasons": [
            f"{NDCG} is 0.3000, below the minimum of 0.35",
            f"{NDCG} fell from 0.4000 to 0.3000, by more than 10%",
            "coverage is 0.0500, below the minimum of 0.1",
        ],
        "notes": [],
        "metrics": {
            NDCG: {"new": 0.3, "live": 0.4},
            PRECISION: {"new": 0.2, "live": 0.3},
            "coverage": {"new": 0.05, "live": None},
        },
    }


def test_without_rules_there_is_no_gate():
    assert judge({}, None, [], compared_with=None) == {
        "verdict": "ACCEPTED",
        "comparedWith": None,
        "reasons": [],
        "notes": [],
        "metrics": {},
    }

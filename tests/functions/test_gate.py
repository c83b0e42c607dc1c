"""Tests of the quality gate: which drop and which minimum reject a version, and why."""

import math

import pytest

from functions.rules.gate import compare

DROP = {"metric": "ndcg", "maxDrop": 0.25}
MINIMUM = {"metric": "ndcg", "minimum": 0.3}
NO_DROP = {"metric": "ndcg", "maxDrop": 0}
FELL = "ndcg fell from 0.4000 to 0.2999, by more than 25%"
LACKS = (
    "ndcg has no value, but the version in use has 0.4000, so it may have fallen by more than 25%; "
    "check the exports, or remove the rule from the qualityGate"
)
NOT_COMPARED = (
    "ndcg was not compared, because the new version has {} and the version in use has no value; "
    "maxDrop had no effect"
)
TOO_LOW = "ndcg has {}, but the minimum is 0.3"


def found(new, live, *rules):
    """Return what the rules find about an NDCG. None means that a version has no such metric."""
    new_metrics, live_metrics = (
        {"precision": 0.5} if value is None else {"ndcg": value} for value in (new, live)
    )
    return compare(new_metrics, live_metrics, rules)


@pytest.mark.parametrize(
    ("new", "live", "rule", "rejections"),
    [
        (0.42, 0.4, DROP, []),
        (0.3, 0.4, DROP, []),
        (0.2999, 0.4, DROP, [FELL]),
        (None, 0.4, DROP, [LACKS]),
        (-0.51, -0.4, DROP, ["ndcg fell from -0.4000 to -0.5100, by more than 25%"]),
        (0.1 + 0.2, 0.3, NO_DROP, []),
        (0.3, 0.1 + 0.2, NO_DROP, []),
        (0.2999, 0.3, NO_DROP, ["ndcg fell from 0.3000 to 0.2999, by more than 0%"]),
        (0.3, 0.9, MINIMUM, []),
        (0.3, None, MINIMUM, []),
        (0.2999, None, MINIMUM, [TOO_LOW.format("the value 0.2999")]),
        (None, None, MINIMUM, [TOO_LOW.format("no value")]),
        (None, None, {**MINIMUM, "minimum": 0}, ["ndcg has no value, but the minimum is 0"]),
        (0.2999, 0.4, {**DROP, **MINIMUM}, [TOO_LOW.format("the value 0.2999"), FELL]),
    ],
)
def test_a_version_is_rejected_if_it_fell_too_far_or_is_too_low(new, live, rule, rejections):
    assert found(new, live, rule) == (rejections, [], {"ndcg": {"new": new, "live": live}})


@pytest.mark.parametrize(("new", "text"), [(0.4, "0.4"), (None, "no value")])
@pytest.mark.parametrize("live", [None, math.nan, math.inf])
def test_a_metric_without_a_value_of_the_live_version_is_accepted_with_a_warning(new, text, live):
    values = {"ndcg": {"new": new, "live": None}}
    assert found(new, live, DROP) == ([], [NOT_COMPARED.format(text)], values)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rule", [DROP, MINIMUM])
def test_a_new_value_that_is_no_number_rejects_the_version(value, rule):
    rejections, _, values = found(value, 0.4, rule)
    way_out = "check the exports, or remove the rule from the qualityGate"
    assert rejections == [f"ndcg has the value {value}, which is not a finite number; {way_out}"]
    assert values["ndcg"]["new"] is None, "the document of the run is JSON, which has no NaN"


def test_every_rule_counts_and_without_rules_every_version_is_accepted():
    rules = [DROP, {"metric": "coverage", "minimum": 0.1}]
    compared = compare({"ndcg": 0.2999, "coverage": 0.05}, {"ndcg": 0.4}, rules)
    too_low = "coverage has the value 0.0500, but the minimum is 0.1"
    assert compared.rejections == [FELL, too_low]
    assert list(compared.values) == ["ndcg", "coverage"]
    assert compare({}, {"ndcg": 1}, []) == ([], [], {})

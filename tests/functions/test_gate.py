"""Tests of the quality gate: which drop and which minimum reject a version, and why."""

import math
from datetime import UTC, datetime

import pytest

from functions.rules.gate import Baseline, compare

DROP = {"metric": "ndcg", "maxDrop": 0.25}
MINIMUM = {"metric": "ndcg", "minimum": 0.3}
NO_DROP = {"metric": "ndcg", "maxDrop": 0}
FELL = "ndcg fell from 0.4000 to 0.2999, by more than 25%"
LACKS = (
    "ndcg has no value, but the version in use has 0.4000, so it may have fallen by more than 25%; "
    "check the exports, or remove the rule from the qualityGate"
)
NOT_COMPARED = (
    "ndcg was not compared, because the new version has {} and no version in use has a value; "
    "maxDrop had no effect"
)
POPULAR = "arn:aws:personalize:eu-west-1:123456789012:solution/popular"
RELATIVE = {**DROP, "relativeTo": POPULAR}
PLAIN = "maxDrop has compared without baselines, because"
NONE = f"{PLAIN} no version of popular has the imports of the {{}}"
NO_NUMBER = f"{PLAIN} ndcg has {{}} in the baseline of the {{}}"
TOO_LOW = "ndcg has {}, but the minimum is 0.3"


def found(new, live, *rules):
    """Return what the rules find about an NDCG. None means that a version has no such metric."""
    new_metrics, live_metrics = (
        {"precision": 0.5} if value is None else {"ndcg": value} for value in (new, live)
    )
    return compare(new_metrics, live_metrics, rules, {}, {})


def values(new, live, **of_baselines):
    """Return what the gate notes about a metric."""
    return {"new": new, "live": live, **of_baselines}


def baselines(value):
    """Return the baselines of a version. "none" means that there is no baseline."""
    now = datetime(2026, 11, 29, tzinfo=UTC)
    metrics = {} if value is None else {"ndcg": value}
    found = None if value == "none" else Baseline(f"{POPULAR}/1", now, False, metrics)
    return {POPULAR: found}


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
    assert found(new, live, rule) == (rejections, [], {"ndcg": values(new, live)})


@pytest.mark.parametrize(("new", "text"), [(0.4, "0.4"), (None, "no value")])
@pytest.mark.parametrize("live", [None, math.nan, math.inf])
def test_a_metric_without_a_value_of_the_live_version_is_accepted_with_a_warning(new, text, live):
    noted = {"ndcg": values(new, None)}
    assert found(new, live, DROP) == ([], [NOT_COMPARED.format(text)], noted)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rule", [DROP, MINIMUM])
def test_a_new_value_that_is_no_number_rejects_the_version(value, rule):
    rejections, _, noted = found(value, 0.4, rule)
    way_out = "check the exports, or remove the rule from the qualityGate"
    assert rejections == [f"ndcg has the value {value}, which is not a finite number; {way_out}"]
    assert noted["ndcg"]["new"] is None, "the document of the run is JSON, which has no NaN"


def test_every_rule_counts_and_without_rules_every_version_is_accepted():
    rules = [DROP, {"metric": "coverage", "minimum": 0.1}]
    compared = compare({"ndcg": 0.2999, "coverage": 0.05}, {"ndcg": 0.4}, rules, {}, {})
    too_low = "coverage has the value 0.0500, but the minimum is 0.1"
    assert compared.rejections == [FELL, too_low]
    assert list(compared.values) == ["ndcg", "coverage"]
    assert compare({}, {"ndcg": 1}, [], {}, {}) == ([], [], {})


# Relative to baselines


@pytest.mark.parametrize(
    ("new", "live", "rejections"),
    [
        ((0.2, 0.1), (0.4, 0.2), []),
        ((0.3, 0.2), (0.4, 0.2), []),
        (
            (0.2999, 0.2),
            (0.4, 0.2),
            ["ndcg fell from 2.0000 to 1.4995 times the baseline, by more than 25%"],
        ),
        (
            (0.42, 0.4),
            (0.4, 0.2),
            ["ndcg fell from 2.0000 to 1.0500 times the baseline, by more than 25%"],
        ),
        ((0, 0.2), (0, 0.1), []),
    ],
    ids=["harder data", "as far as allowed", "worse model", "easier data", "nothing to lose"],
)
def test_with_baselines_only_a_model_that_became_worse_is_rejected(new, live, rejections):
    compared = compare(
        {"ndcg": new[0]}, {"ndcg": live[0]}, [RELATIVE], baselines(new[1]), baselines(live[1])
    )
    noted = values(new[0], live[0], newBaseline=new[1], liveBaseline=live[1])
    assert compared == (rejections, [], {"ndcg": noted})


@pytest.mark.parametrize(
    ("new_baseline", "live_baseline", "warnings"),
    [
        ("none", 0.2, [NONE.format("new version")]),
        (0.1, "none", [NONE.format("version in use")]),
        ("none", "none", [NONE.format("new version")]),
        (None, 0.2, [NO_NUMBER.format("no value", "new version")]),
        (0.1, 0, [NO_NUMBER.format("the value 0", "version in use")]),
        (-0.1, 0.2, [NO_NUMBER.format("the value -0.1", "new version")]),
        (math.nan, 0.2, [NO_NUMBER.format("no value", "new version")]),
    ],
)
def test_without_a_number_of_a_baseline_the_gate_says_so_and_compares_without_it(
    new_baseline, live_baseline, warnings
):
    numbers = baselines(new_baseline), baselines(live_baseline)
    compared = compare({"ndcg": 0.2999}, {"ndcg": 0.4}, [RELATIVE], *numbers)
    assert compared == ([FELL], warnings, {"ndcg": values(0.2999, 0.4)})
    assert compare({"ndcg": 0.3}, {"ndcg": 0.4}, [RELATIVE], *numbers).rejections == []


@pytest.mark.parametrize(
    ("new", "live", "found"),
    [(None, 0.4, ([LACKS], [])), (0.4, None, ([], [NOT_COMPARED.format("0.4")]))],
)
def test_without_a_number_of_a_version_its_baseline_makes_no_difference(new, live, found):
    metrics = ({} if value is None else {"ndcg": value} for value in (new, live))
    compared = compare(*metrics, [RELATIVE], baselines(0.1), baselines(0.2))
    assert compared == (*found, {"ndcg": values(new, live)})


def test_a_minimum_is_a_plain_value_also_beside_a_baseline():
    rule = {**RELATIVE, **MINIMUM}
    compared = compare({"ndcg": 0.2}, {"ndcg": 0.4}, [rule], baselines(0.1), baselines(0.2))
    assert compared.rejections == [TOO_LOW.format("the value 0.2000")]

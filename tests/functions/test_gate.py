"""Tests of the quality gate: which drop and which minimum reject a version, and why."""

import math
from datetime import UTC, datetime

import pytest

from functions.rules.gate import NO_VERSION, Baseline, compare

DROP = {"metric": "ndcg", "maxDrop": 0.25}
MINIMUM = {"metric": "ndcg", "minimum": 0.3}
NO_DROP = {"metric": "ndcg", "maxDrop": 0}
FELL = "ndcg fell from 0.4000 to 0.2999, by more than 25%"
LACKS = (
    "ndcg has no value, but the served version has 0.4000, so it may have fallen by more than 25%; "
    "check the exports, or remove the rule from the qualityGate"
)
NOT_COMPARED = (
    "ndcg was not compared, because the candidate has {} and no served version has a value; "
    "maxDrop had no effect"
)
POPULAR = "arn:aws:personalize:eu-west-1:123456789012:solution/popular"
RELATIVE = {**DROP, "relativeTo": POPULAR}
PLAIN = "ndcg was compared without baselines, because"
NONE = f"{PLAIN} no version of popular has the imports of the {{}}"
NO_NUMBER = f"{PLAIN} it has {{}} in the baseline of the {{}}"
COLLAPSED = (
    f"{PLAIN} even the baseline fell from 0.2000 to {{:.4f}}, by more than {{}}%; "
    "look at the exports, or raise maxBaselineDrop if they are right"
)
DOUBT = (
    "the baseline of ndcg rose from 0.0999 to 0.2000, so perhaps the served version is the broken "
    "one; if it is, remove relativeTo until the candidate is deployed"
)
TIMES = "ndcg fell from {} times the baseline, by more than 25%"
TOO_LOW = "ndcg has {}, but the minimum is 0.3"


def facts(metrics, baselines):
    """Return a version with these metrics and baselines."""
    return NO_VERSION._replace(metrics=metrics, baselines=baselines)


def found(new, live, rule, *baselines):
    """Return what a rule finds about an NDCG. None means that a version has no such metric."""
    metrics = ({"precision": 0.5} if value is None else {"ndcg": value} for value in (new, live))
    versions = map(facts, metrics, baselines or ({}, {}))
    return compare(*versions, [rule])


def dropped(rejections):
    """Return what the values say if the metric was rejected because of its maxDrop."""
    return {"hasDropped": True} if any("by more than" in text for text in rejections) else {}


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
    values = {"metric": "ndcg", "new": new, "live": live, **dropped(rejections)}
    assert found(new, live, rule) == (rejections, [], [values])


@pytest.mark.parametrize(("new", "text"), [(0.4, "0.4"), (None, "no value")])
@pytest.mark.parametrize("live", [None, math.nan, math.inf])
def test_a_metric_without_a_value_of_the_live_version_is_accepted_with_a_warning(new, text, live):
    values = [{"metric": "ndcg", "new": new, "live": None}]
    assert found(new, live, DROP) == ([], [NOT_COMPARED.format(text)], values)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rule", [DROP, MINIMUM])
def test_a_new_value_that_is_no_number_rejects_the_version(value, rule):
    rejections, _, values = found(value, 0.4, rule)
    way_out = "check the exports, or remove the rule from the qualityGate"
    assert rejections == [f"ndcg has the value {value}, which is not a finite number; {way_out}"]
    assert values[0]["new"] is None, "the document of the run is JSON, which has no NaN"


def test_every_rule_counts_and_without_rules_every_version_is_accepted():
    unknown = [{"metric": name, "maxDrop": 0.1} for name in ("mrr", "map")]
    rules = [DROP, {"metric": "coverage", "minimum": 0.1}, *unknown]
    compared = compare(
        facts({"ndcg": 0.2999, "coverage": 0.05}, {}), facts({"ndcg": 0.4}, {}), rules
    )
    too_low = "coverage has the value 0.0500, but the minimum is 0.1"
    assert compared.rejections == [FELL, too_low]
    assert [warning.split()[0] for warning in compared.warnings] == ["mrr", "map"]
    assert [values["metric"] for values in compared.values] == ["ndcg", "coverage", "mrr", "map"]
    assert compare(NO_VERSION, facts({"ndcg": 1}, {}), []) == ([], [], [])


# Relative to baselines


NO_VALUE = object()
"""A baseline that has no such metric."""


def baselines(value):
    """Return the baselines of a version. None means that there is no baseline."""
    metrics = {} if value is NO_VALUE else {"ndcg": value}
    known = Baseline(f"{POPULAR}/1", datetime(2026, 11, 29, tzinfo=UTC), False, metrics)
    return {POPULAR: None if value is None else known}


@pytest.mark.parametrize(
    ("new", "live", "rejections", "warnings"),
    [
        ((0.2, 0.1), (0.4, 0.2), [], []),
        ((0.3, 0.2), (0.4, 0.2), [], []),
        ((0.2999, 0.2), (0.4, 0.2), [TIMES.format("2.0000 to 1.4995")], []),
        ((0.42, 0.4), (0.4, 0.2), [TIMES.format("2.0000 to 1.0500")], []),
        ((0, 0.2), (0, 0.1), [], []),
        ((None, 0.1), (0.4, 0.2), [LACKS], []),
        ((0.4, 0.1), (None, 0.2), [], [NOT_COMPARED.format("0.4")]),
        ((0.2999, None), (0.4, 0.2), [FELL], [NONE.format("candidate")]),
        ((0.3, None), (0.4, 0.2), [], [NONE.format("candidate")]),
        ((0.2999, 0.1), (0.4, None), [FELL], [NONE.format("served version")]),
        ((0.2999, None), (0.4, None), [FELL], [NONE.format("candidate")]),
        ((0.2999, NO_VALUE), (0.4, 0.2), [FELL], [NO_NUMBER.format("no value", "candidate")]),
        ((0.2999, 0.1), (0.4, 0), [FELL], [NO_NUMBER.format("the value 0", "served version")]),
        ((0.2999, -0.1), (0.4, 0.2), [FELL], [NO_NUMBER.format("the value -0.1", "candidate")]),
        ((0.2999, math.nan), (0.4, 0.2), [FELL], [NO_NUMBER.format("no value", "candidate")]),
    ],
)
def test_with_baselines_only_a_model_that_became_worse_is_rejected(new, live, rejections, warnings):
    """Without a number of a baseline, the gate says so, and the plain values decide."""
    compared = found(new[0], live[0], RELATIVE, baselines(new[1]), baselines(live[1]))
    is_relative = None not in (new[0], live[0]) and not warnings
    noted = {"newBaseline": new[1], "liveBaseline": live[1]} if is_relative else {}
    values = {"metric": "ndcg", "new": new[0], "live": live[0], **noted, **dropped(rejections)}
    assert compared == (rejections, warnings, [values])


@pytest.mark.parametrize(
    ("limit", "baseline", "percent"),
    [
        (None, 0.1, None),
        (None, 0.0999, 50),
        (0.4, 0.1201, None),
        (0.4, 0.1199, 40),
        (1, 0.0001, None),
        (0, 0.1999, 0),
    ],
)
def test_a_baseline_that_collapsed_excuses_nothing(limit, baseline, percent):
    rule = {**RELATIVE, "maxBaselineDrop": limit}
    compared = found(0.2, 0.4, rule, baselines(baseline), baselines(0.2))
    (values,) = compared.values
    assert (values["newBaseline"], values["liveBaseline"]) == (baseline, 0.2), "the report has them"
    has_collapsed = percent is not None
    assert compared.warnings == [COLLAPSED.format(baseline, percent)] * has_collapsed
    assert ("hasDropped" in values) == ("hasBaselineDropped" in values) == has_collapsed


@pytest.mark.parametrize(
    ("new", "live_baseline", "rejections"),
    [
        (0.39, 0.1, [TIMES.format("4.0000 to 1.9500")]),
        (0.39, 0.0999, [TIMES.format("4.0040 to 1.9500"), DOUBT]),
        (0.8, 0.0999, []),
    ],
)
def test_a_served_version_whose_baseline_collapsed_may_be_the_broken_one(
    new, live_baseline, rejections
):
    compared = found(new, 0.4, RELATIVE, baselines(0.2), baselines(live_baseline))
    assert (compared.rejections, compared.warnings) == (rejections, [])


def test_a_minimum_is_a_plain_value_also_beside_a_baseline():
    compared = found(0.2, 0.4, {**RELATIVE, **MINIMUM}, baselines(0.1), baselines(0.2))
    assert compared.rejections == [TOO_LOW.format("the value 0.2000")]


def test_two_rules_about_one_metric_keep_their_own_numbers():
    new, live = facts({"ndcg": 0.2}, baselines(0.1)), facts({"ndcg": 0.4}, baselines(0.2))
    plain = {"metric": "ndcg", "new": 0.2, "live": 0.4}
    assert compare(new, live, [DROP, RELATIVE, MINIMUM]).values == [
        {**plain, "hasDropped": True},
        {**plain, "newBaseline": 0.1, "liveBaseline": 0.2},
        plain,
    ]

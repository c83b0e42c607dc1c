"""The quality gate: compares the offline metrics of a candidate with those of the served version.

A rule of the gate sets a `minimum` for a metric, or a `maxDrop`, the share by which it may fall.
With `relativeTo`, maxDrop first divides each value by that of a *baseline*: a version of another
solution that was trained on the same imports. New data that is harder for every model also lowers
the baseline, so it doesn't count against the candidate. But if the baseline falls by more than
`maxBaselineDrop`, the data is probably broken, and the plain values are compared.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from ..contract import MetricValues, QualityRule
from ..words import judged_value, metric_name, name_of
from .pacing import LONGEST_SLEEP, OVERDUE_SHARE
from .steps import LIST_LAG, Step

ROUNDING = 1e-9
"""Metrics that differ by less than this are equal, because floating-point numbers are rounded."""
MAX_BASELINE_DROP = 0.5
"""The `maxBaselineDrop` of a rule that sets none."""


class Baseline(NamedTuple):
    """A version of a baseline solution, trained on the same imports as the version to judge."""

    arn: str
    created_at: datetime
    is_running: bool
    """True until its training has ended. Before that, it has no metrics."""
    metrics: Mapping[str, float]


Baselines = Mapping[str, Baseline | None]
"""ARN of a baseline solution -> the baseline of a version, or None if there isn't one."""


class VersionFacts(NamedTuple):
    """What we know about a version. Only the approval and the baselines can still change."""

    created_at: datetime
    metrics: Mapping[str, float]
    answer: str | None = None
    """APPROVED, REFUSED, ASKED, or None if nobody was asked or the request has expired."""
    trained_at: datetime = datetime.min.replace(tzinfo=UTC)
    """When its training ended."""
    baselines: Baselines = MappingProxyType({})


NO_VERSION = VersionFacts(created_at=datetime.min.replace(tzinfo=UTC), metrics={})
"""Stands for the served version where none is being served, so there's nothing to compare with."""


class Comparison(NamedTuple):
    """The verdict of the quality gate, or of one of its rules."""

    rejections: list[str]
    """Why the candidate is rejected. Empty if it's good enough."""
    warnings: list[str]
    """Which metrics couldn't be compared, or only without their baselines."""
    values: list[MetricValues]
    """What each rule has compared. Two rules about the same metric each have their own numbers.
    Missing and infinite ones are None, because JSON has no NaN."""


class IncomparableError(Exception):
    """maxDrop can't compare the versions, or not with their baselines. The message says why."""


def compare(
    candidate: VersionFacts, served: VersionFacts, rules: Sequence[QualityRule]
) -> Comparison:
    """Judge a candidate by the rules of the quality gate. Higher metrics are better."""
    comparison = Comparison(rejections=[], warnings=[], values=[])
    for rule in rules:
        result = _apply_rule(rule, candidate, served)
        comparison.rejections.extend(result.rejections)
        comparison.warnings.extend(result.warnings)
        comparison.values.extend(result.values)

    return comparison


def _apply_rule(rule: QualityRule, candidate: VersionFacts, served: VersionFacts) -> Comparison:
    """Return what one rule says about the candidate."""
    metric = rule["metric"]
    values = _plain_values(metric, candidate, served)
    if metric in candidate.metrics and values["new"] is None:
        rejection = _not_finite_message(metric, candidate.metrics[metric])
        return Comparison(rejections=[rejection], warnings=[], values=[values])

    warnings = []
    try:
        _check_served_value(values, rule)
        _add_baselines(values, candidate, served, rule)
    except IncomparableError as error:
        warnings.append(str(error))

    messages = [_minimum_message(values, rule), _drop_message(values, rule)]
    if messages[-1] is not None:
        values["hasDropped"] = True
        messages.append(_doubt_message(values, rule))

    rejections = [message for message in messages if message is not None]
    return Comparison(rejections=rejections, warnings=warnings, values=[values])


def _plain_values(metric: str, candidate: VersionFacts, served: VersionFacts) -> MetricValues:
    """Return the values of both versions, without their baselines.

    The document of a run calls the candidate new, and the served version live.
    """
    return {
        "metric": metric,
        "new": _finite(candidate.metrics.get(metric)),
        "live": _finite(served.metrics.get(metric)),
    }


def _check_served_value(values: MetricValues, rule: QualityRule) -> None:
    """Raise IncomparableError if maxDrop has nothing to compare the candidate with."""
    if rule.get("maxDrop") is None or values["live"] is not None:
        return

    candidate_value = "no value" if values["new"] is None else values["new"]
    raise IncomparableError(
        f"{metric_name(rule['metric'])} was not compared, because the candidate has "
        f"{candidate_value} and no served version has a value; maxDrop had no effect"
    )


def _add_baselines(
    values: MetricValues, candidate: VersionFacts, served: VersionFacts, rule: QualityRule
) -> None:
    """Add the values of both baselines if the rule is relative to them.

    It takes both. With a single one, we'd compare a quotient with a plain number.
    """
    solution_arn = rule.get("relativeTo")
    if solution_arn is None or values["new"] is None:
        return

    metric = rule["metric"]
    candidate_baseline = _baseline_value("candidate", candidate, solution_arn, metric)
    served_baseline = _baseline_value("served version", served, solution_arn, metric)
    values["newBaseline"] = candidate_baseline
    values["liveBaseline"] = served_baseline

    max_baseline_drop = _max_baseline_drop(rule)
    if _has_fallen(served_baseline, candidate_baseline, max_baseline_drop):
        # With random data, both models are equally bad, so their quotient may look as good as ever.
        values["hasBaselineDropped"] = True
        raise IncomparableError(
            f"{metric_name(metric)} was compared without baselines, because even the baseline fell "
            f"from {served_baseline:.4f} to {candidate_baseline:.4f}, by more than "
            f"{max_baseline_drop * 100:g}%; look at the exports, or raise maxBaselineDrop if they "
            "are right"
        )


def _max_baseline_drop(rule: QualityRule) -> float:
    max_baseline_drop = rule.get("maxBaselineDrop")
    return MAX_BASELINE_DROP if max_baseline_drop is None else max_baseline_drop


def _has_fallen(before: float, after: float, max_drop: float) -> bool:
    """Return True if a value fell by more than this share."""
    return before - after > max_drop * abs(before) + ROUNDING


def _baseline_value(role: str, version: VersionFacts, solution_arn: str, metric: str) -> float:
    """Return the value by which the metric of a version is divided.

    Raises:
        IncomparableError: There's no such value.
    """
    name = metric_name(metric)
    baseline = version.baselines.get(solution_arn)
    if baseline is None:
        raise IncomparableError(
            f"{name} was compared without baselines, because no version of "
            f"{name_of(solution_arn)} has the imports of the {role}"
        )

    value = _finite(baseline.metrics.get(metric))
    if value is None:
        raise IncomparableError(
            f"{name} was compared without baselines, because it has no value in the baseline of "
            f"the {role}"
        )
    if value <= 0:
        raise IncomparableError(
            f"{name} was compared without baselines, because it has the value {value:g} in the "
            f"baseline of the {role}"
        )
    return value


def _not_finite_message(metric: str, value: float) -> str:
    return (
        f"{metric_name(metric)} has the value {value}, which is not a finite number; "
        "check the exports, or remove the rule from the qualityGate"
    )


def _minimum_message(values: MetricValues, rule: QualityRule) -> str | None:
    """Explain that the candidate doesn't reach the rule's minimum. None if it does."""
    minimum = rule.get("minimum")
    if minimum is None:
        return None

    name = metric_name(rule["metric"])
    value = values["new"]
    if value is None:
        return f"{name} has no value, but the minimum is {minimum:g}"
    if value < minimum:
        return f"{name} has the value {value:.4f}, but the minimum is {minimum:g}"
    return None


def _drop_message(values: MetricValues, rule: QualityRule) -> str | None:
    """Explain that the metric fell by more than the rule's maxDrop. None if it didn't."""
    max_drop = rule.get("maxDrop")
    candidate_value = judged_value(values, "new")
    served_value = judged_value(values, "live")
    if max_drop is None or served_value is None:
        return None

    name = metric_name(rule["metric"])
    percent = max_drop * 100
    if candidate_value is None:
        return (
            f"{name} has no value, but the served version has {served_value:.4f}, so it may have "
            f"fallen by more than {percent:g}%; "
            "check the exports, or remove the rule from the qualityGate"
        )
    if not _has_fallen(served_value, candidate_value, max_drop):
        return None
    if "newBaseline" in values and not values.get("hasBaselineDropped"):
        return (
            f"{name} fell from {served_value:.4f} to {candidate_value:.4f} times the baseline, "
            f"by more than {percent:g}%"
        )
    return (
        f"{name} fell from {served_value:.4f} to {candidate_value:.4f}, by more than {percent:g}%"
    )


def _doubt_message(values: MetricValues, rule: QualityRule) -> str | None:
    """Explain that the served version may be the broken one. None if nothing points to it.

    If its exports were broken, both its metric and its baseline were low, and their quotient can
    be anything. The candidate stays rejected, because only a person can tell.
    """
    served_baseline = values.get("liveBaseline")
    candidate_baseline = values.get("newBaseline")
    if served_baseline is None or candidate_baseline is None:
        return None
    if not _has_fallen(candidate_baseline, served_baseline, _max_baseline_drop(rule)):
        return None
    return (
        f"the baseline of {metric_name(rule['metric'])} rose from {served_baseline:.4f} to "
        f"{candidate_baseline:.4f}, so perhaps the served version is the broken one; "
        "if it is, remove relativeTo until the candidate is deployed"
    )


def _finite(value: float | None) -> float | None:
    """Turn NaN and infinity into None."""
    return value if value is not None and math.isfinite(value) else None


def wait_for_baselines(
    phase: str, candidate: VersionFacts, served: VersionFacts, now: datetime
) -> Step | None:
    """Wait until the baselines of both versions are trained.

    They're trained in parallel with the versions. Without them, a rule that is relative to a
    baseline could only compare the plain metrics.
    """
    baselines = [*candidate.baselines.values(), *served.baselines.values()]
    for baseline in baselines:
        if baseline is not None and baseline.is_running:
            reason = f"the baseline {baseline.arn} is still in training"
            return _growing_pause(phase, reason, since=baseline.created_at, now=now)

    # A list may lag behind, so a baseline that isn't listed yet may be in training nevertheless.
    is_one_missing = None in candidate.baselines.values()
    if is_one_missing and now < candidate.trained_at + LIST_LAG:
        reason = "no baseline is listed yet"
        return _growing_pause(phase, reason, since=candidate.trained_at, now=now)
    return None


def _growing_pause(phase: str, reason: str, *, since: datetime, now: datetime) -> Step:
    """Return a step that pauses, for longer each time, but so that the invocation stays open."""
    seconds = ((now - since) * OVERDUE_SHARE).total_seconds()
    return Step(phase, pause=min(max(seconds, 1), LONGEST_SLEEP), reasons=(reason,))

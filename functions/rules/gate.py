"""The quality gate: compares a candidate's offline metrics with the served version's.

A rule sets a metric's `minimum`, or a `maxDrop`, the share by which the metric may fall. With
`relativeTo`, each value is first divided by the metric of a *baseline*: another solution's version
that was trained on the same imports. If new data is harder for every model, the baseline falls too,
and the candidate isn't rejected for it. But if the baseline falls by more than `maxBaselineDrop`,
the data is probably broken, and the values are compared without baselines.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ..common.formatting import compute_compared_values, format_metric_name, resource_name
from ..contract import MetricComparison, QualityRule
from .pacing import MAX_SLEEP_SECONDS, OVERDUE_PAUSE_FRACTION
from .steps import MAX_LIST_LAG
from .versions import SolutionVersion

ROUNDING_TOLERANCE = 1e-9
"""A tolerance for floating-point errors when metrics are compared."""
DEFAULT_MAX_BASELINE_DROP = 0.5
"""The default `maxBaselineDrop`."""


class GateResult(NamedTuple):
    """The result of the quality gate."""

    rejections: list[str]
    """Why the candidate is rejected. Empty if it's good enough."""
    warnings: list[str]
    """The metrics that could not be compared, or only without baselines, and why."""
    comparisons: list[MetricComparison]
    """The values that each rule compared, even if two rules have the same metric. Missing, NaN and
    infinite values are None, because JSON can't represent NaN."""


class BaselineDelay(NamedTuple):
    """Why the quality gate has to wait for baselines, and for how long."""

    reason: str
    pause: float
    """The seconds until the next poll."""


class IncomparableError(Exception):
    """Raised if maxDrop can't compare the versions, or only without baselines."""


def apply_gate(
    candidate: SolutionVersion, served: SolutionVersion, rules: Sequence[QualityRule]
) -> GateResult:
    """Apply the quality gate's rules to a candidate. Higher metrics are better."""
    gate_result = GateResult(rejections=[], warnings=[], comparisons=[])
    for rule in rules:
        _apply_rule(rule, candidate, served, gate_result)
    return gate_result


def _apply_rule(
    rule: QualityRule, candidate: SolutionVersion, served: SolutionVersion, gate_result: GateResult
) -> None:
    """Apply one rule to a candidate, and append rejections, warnings and values to the result."""
    metric = rule["metric"]
    # These keys are also those of the report, where the candidate is called "new".
    comparison: MetricComparison = {
        "metric": metric,
        "new": _read_finite_value(candidate, metric),
        "served": _read_finite_value(served, metric),
    }
    gate_result.comparisons.append(comparison)

    is_not_finite = comparison["new"] is None and metric in candidate.metrics
    if is_not_finite:
        gate_result.rejections.append(
            f"{format_metric_name(metric)} has the value {candidate.metrics[metric]}, which is not "
            "a finite number; check the exports, or remove the rule from the qualityGate"
        )
        return

    try:
        _require_served_value(comparison, rule)
        _add_baselines(comparison, candidate, served, rule)
    except IncomparableError as error:
        # The other checks still apply, with plain metrics.
        gate_result.warnings.append(str(error))

    gate_result.rejections.extend(_check_minimum(comparison, rule))
    drop_messages = list(_check_drop(comparison, rule))
    gate_result.rejections.extend(drop_messages)
    if drop_messages:
        comparison["hasDropped"] = True


def _read_finite_value(version: SolutionVersion, metric: str) -> float | None:
    """Return a metric of a version, or None if it's missing, NaN or infinite."""
    value = version.metrics.get(metric)
    if value is None or not math.isfinite(value):
        return None
    return value


def _require_served_value(comparison: MetricComparison, rule: QualityRule) -> None:
    """Check that there's a served value if the rule has a maxDrop, which compares with it.

    Raises:
        IncomparableError: there is none.
    """
    if rule.get("maxDrop") is None or comparison["served"] is not None:
        return

    value = comparison["new"]
    value_text = "no value" if value is None else value
    raise IncomparableError(
        f"{format_metric_name(rule['metric'])} was not compared, because the candidate has "
        f"{value_text} and no served version has a value; maxDrop had no effect"
    )


def _add_baselines(
    comparison: MetricComparison,
    candidate: SolutionVersion,
    served: SolutionVersion,
    rule: QualityRule,
) -> None:
    """Add the baseline values of both versions if the rule has `relativeTo`.

    Raises:
        IncomparableError: a baseline value is missing, or fell too far.
    """
    solution_arn = rule.get("relativeTo")
    if solution_arn is None or comparison["new"] is None:
        return

    # Find both values before adding one, because a quotient can't be compared with a plain metric.
    metric = rule["metric"]
    candidate_baseline = _find_baseline_value("candidate", candidate, solution_arn, metric)
    served_baseline = _find_baseline_value("served version", served, solution_arn, metric)
    comparison["newBaseline"] = candidate_baseline
    comparison["servedBaseline"] = served_baseline

    max_drop = _choose_max_baseline_drop(rule)
    if _has_fallen_too_far(served_baseline, candidate_baseline, max_drop):
        # With random data, both models are equally bad, so their quotient may look normal.
        comparison["hasBaselineDropped"] = True
        raise IncomparableError(
            f"{format_metric_name(metric)} was compared without baselines, because even "
            f"the baseline fell from {served_baseline:.4f} to {candidate_baseline:.4f}, by more "
            f"than {max_drop * 100:g}%; look at the exports, or raise maxBaselineDrop if they are "
            "right"
        )


def _find_baseline_value(
    role: str, version: SolutionVersion, solution_arn: str, metric: str
) -> float:
    """Return the baseline value that a version's metric is divided by.

    Raises:
        IncomparableError: the version has no baseline, or the baseline has no positive value.
    """
    name = format_metric_name(metric)
    baseline = version.baselines.get(solution_arn)
    if baseline is None:
        raise IncomparableError(
            f"{name} was compared without baselines, because no version of "
            f"{resource_name(solution_arn)} has the imports of the {role}"
        )

    value = _read_finite_value(baseline, metric)
    if value is not None and value > 0:
        return value

    value_text = "no value" if value is None else f"the value {value:g}"
    raise IncomparableError(
        f"{name} was compared without baselines, because it has {value_text} in the baseline of "
        f"the {role}"
    )


def _check_minimum(comparison: MetricComparison, rule: QualityRule) -> Iterator[str]:
    """Yield a message if the candidate doesn't reach the rule's minimum."""
    minimum = rule.get("minimum")
    if minimum is None:
        return

    name = format_metric_name(rule["metric"])
    value = comparison["new"]
    if value is None:
        yield f"{name} has no value, but the minimum is {minimum:g}"
    elif value < minimum:
        yield f"{name} has the value {value:.4f}, but the minimum is {minimum:g}"


def _check_drop(comparison: MetricComparison, rule: QualityRule) -> Iterator[str]:
    """Yield a message if the metric fell by more than the rule's maxDrop, or may have."""
    max_drop = rule.get("maxDrop")
    served_value, candidate_value = compute_compared_values(comparison)
    if max_drop is None or served_value is None:
        return

    name = format_metric_name(rule["metric"])
    percent = max_drop * 100
    if candidate_value is None:
        yield (
            f"{name} has no value, but the served version has {served_value:.4f}, so it may have "
            f"fallen by more than {percent:g}%; "
            "check the exports, or remove the rule from the qualityGate"
        )
    elif _has_fallen_too_far(served_value, candidate_value, max_drop):
        is_relative = "newBaseline" in comparison and "hasBaselineDropped" not in comparison
        unit = " times the baseline" if is_relative else ""
        yield (
            f"{name} fell from {served_value:.4f} to {candidate_value:.4f}{unit}, "
            f"by more than {percent:g}%"
        )
        yield from _suspect_served_version(comparison, rule)


def _suspect_served_version(comparison: MetricComparison, rule: QualityRule) -> Iterator[str]:
    """Yield a message if the baseline rose so far that the served version may be the broken one.

    If it was trained on bad data, its baseline was too, and both have low metrics. The candidate is
    rejected anyway, because only a person can tell which version is broken.
    """
    served_baseline = comparison.get("servedBaseline")
    candidate_baseline = comparison.get("newBaseline")
    if served_baseline is None or candidate_baseline is None:
        return

    # The other way round, a rise is a fall.
    max_drop = _choose_max_baseline_drop(rule)
    if _has_fallen_too_far(before=candidate_baseline, after=served_baseline, max_drop=max_drop):
        yield (
            f"the baseline of {format_metric_name(rule['metric'])} rose from {served_baseline:.4f} "
            f"to {candidate_baseline:.4f}, so perhaps the served version is the broken one; "
            "if it is, remove relativeTo until the candidate is deployed"
        )


def _has_fallen_too_far(before: float, after: float, max_drop: float) -> bool:
    """Return True if a value fell by more than `max_drop`, as a share of `before`."""
    return before - after > max_drop * abs(before) + ROUNDING_TOLERANCE


def _choose_max_baseline_drop(rule: QualityRule) -> float:
    max_drop = rule.get("maxBaselineDrop")
    if max_drop is None:
        return DEFAULT_MAX_BASELINE_DROP
    return max_drop


def choose_baseline(
    version: SolutionVersion, neighbors: Iterable[SolutionVersion]
) -> SolutionVersion | None:
    """Return the nearest baseline version that was trained on the same imports, or None.

    `neighbors` are the baseline solution's versions that runs trained just before and just after
    the version, nearest first. If neither matches, no other version does, because a dataset group
    never goes back to earlier imports.
    """
    for neighbor in neighbors:
        if neighbor.imports_hash == version.imports_hash:
            return neighbor
    return None


def find_baseline_delay(
    candidate: SolutionVersion, served: SolutionVersion, now: datetime
) -> BaselineDelay | None:
    """Return why the quality gate has to wait for baselines, or None if it doesn't.

    Baselines are trained in parallel with the versions. If the gate didn't wait for them, it could
    only compare plain metrics.
    """
    for baseline in (*candidate.baselines.values(), *served.baselines.values()):
        if baseline is not None and baseline.is_running:
            reason = f"the baseline {baseline.arn} is still in training"
            return BaselineDelay(reason, _choose_growing_pause(now - baseline.created_at))

    # Lists may lag behind, so a baseline that isn't listed yet may already be in training.
    is_one_missing = None in candidate.baselines.values()
    if is_one_missing and now < candidate.ended_at + MAX_LIST_LAG:
        pause = _choose_growing_pause(now - candidate.ended_at)
        return BaselineDelay("no baseline is listed yet", pause)
    return None


def _choose_growing_pause(waited: timedelta) -> float:
    """Return a pause in seconds that grows with time, but never ends the invocation."""
    seconds = (waited * OVERDUE_PAUSE_FRACTION).total_seconds()
    return min(max(seconds, 1), MAX_SLEEP_SECONDS)

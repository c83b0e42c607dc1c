"""Compares the offline metrics of a new version with those of the version in use."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..contract import MetricValues, QualityRule
from ..words import metric_name

ROUNDING = 1e-9
"""Metrics that differ by less than this are equal, because floating-point numbers are rounded."""
DROP = "by more than"
"""These words are in every message about maxDrop, and in no other."""
WAY_OUT = "check the exports, or remove the rule from the qualityGate"


class Comparison(NamedTuple):
    """The result of the quality gate."""

    rejections: list[str]
    """Why the new version is rejected. The list is empty if the version is good enough."""
    warnings: list[str]
    """Messages about metrics that could not be compared."""
    values: dict[str, MetricValues]
    """Metric -> its values. A value that is missing or not finite is None, which JSON can hold."""


def compare(
    new: Mapping[str, float], live: Mapping[str, float], rules: Sequence[QualityRule]
) -> Comparison:
    """Compare the metrics by every rule. In every metric, a higher value is better.

    `live` is empty if no version is in use. Without rules, every version is accepted.
    """
    comparison = Comparison([], [], {})
    for rule in rules:
        metric, name = rule["metric"], metric_name(rule["metric"])
        value, live_value = _finite(new.get(metric)), _finite(live.get(metric))
        comparison.values[metric] = {"new": value, "live": live_value}
        if metric in new and value is None:
            comparison.rejections.append(
                f"{name} has the value {new[metric]}, which is not a finite number; {WAY_OUT}"
            )
            continue
        comparison.rejections.extend(_rejections(rule, value, live_value))
        if rule.get("maxDrop") is not None and live_value is None:
            comparison.warnings.append(
                f"{name} was not compared, because the new version has "
                f"{'no value' if value is None else value} and the version in use has no value; "
                "maxDrop had no effect"
            )
    return comparison


def _finite(value: float | None) -> float | None:
    """Return the value, or None for NaN and infinity."""
    return value if value is not None and math.isfinite(value) else None


def _rejections(rule: QualityRule, value: float | None, live_value: float | None) -> Iterator[str]:
    """Yield a message if the value is below the minimum, and one if it fell too far."""
    metric = metric_name(rule["metric"])
    minimum, max_drop = rule.get("minimum"), rule.get("maxDrop")
    if minimum is not None and (value is None or value < minimum):
        shown = "no value" if value is None else f"the value {value:.4f}"
        yield f"{metric} has {shown}, but the minimum is {minimum:g}"
    if max_drop is None or live_value is None:
        return
    if value is None:
        yield (
            f"{metric} has no value, but the version in use has {live_value:.4f}, so it may "
            f"have fallen {DROP} {max_drop * 100:g}%; {WAY_OUT}"
        )
    elif live_value - value > max_drop * abs(live_value) + ROUNDING:
        yield (f"{metric} fell from {live_value:.4f} to {value:.4f}, {DROP} {max_drop * 100:g}%")

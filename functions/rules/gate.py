"""Compares the offline metrics of a new version with those of the version in use."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ..contract import MetricValues, QualityRule
from ..words import TIMES_BASELINE, judged_value, metric_name

ROUNDING = 1e-9
"""Metrics that differ by less than this are equal, because floating-point numbers are rounded."""
DROP = "by more than"
"""These words are in every message about maxDrop, and in no other."""
PLAIN = "maxDrop has compared without baselines, because"
WAY_OUT = "check the exports, or remove the rule from the qualityGate"


class Baseline(NamedTuple):
    """The version of a baseline solution that was trained on the same imports as a version."""

    arn: str
    created_at: datetime
    is_running: bool
    """True until its training has ended. It has no metrics before."""
    metrics: Mapping[str, float]


Baselines = Mapping[str, Baseline | None]
"""ARN of a baseline solution -> the baseline of a version, or None if there is none."""


class Comparison(NamedTuple):
    """The result of the quality gate."""

    rejections: list[str]
    """Why the new version is rejected. The list is empty if the version is good enough."""
    warnings: list[str]
    """Messages about metrics that could not be compared, or only without baselines."""
    values: dict[str, MetricValues]
    """Metric -> its values. A value that is missing or not finite is None, which JSON can hold."""


def compare(
    new: Mapping[str, float],
    live: Mapping[str, float],
    rules: Sequence[QualityRule],
    new_baselines: Baselines,
    live_baselines: Baselines,
) -> Comparison:
    """Compare the metrics by every rule. Higher is better. `live` is empty if none is in use."""
    comparison = Comparison([], [], {})
    for rule in rules:
        metric, name = rule["metric"], metric_name(rule["metric"])
        value, live_value = _finite(new.get(metric)), _finite(live.get(metric))
        values: MetricValues = {"new": value, "live": live_value}
        comparison.values[metric] = values
        if metric in new and value is None:
            comparison.rejections.append(
                f"{name} has the value {new[metric]}, which is not a finite number; {WAY_OUT}"
            )
            continue
        if rule.get("maxDrop") is not None and live_value is None:
            comparison.warnings.append(
                f"{name} was not compared, because the new version has "
                f"{'no value' if value is None else value} and no version in use has a value; "
                "maxDrop had no effect"
            )
        elif value is not None and (solution := rule.get("relativeTo")):
            baselines = new_baselines.get(solution), live_baselines.get(solution)
            if missing := _missing_baseline(metric, solution, *baselines):
                comparison.warnings.append(missing)
            else:
                numbers = (item.metrics[metric] for item in baselines if item)
                values["newBaseline"], values["liveBaseline"] = numbers
        comparison.rejections.extend(_rejections(rule, values))
    return comparison


def _finite(value: float | None) -> float | None:
    """Return the value, or None for NaN and infinity."""
    return value if value is not None and math.isfinite(value) else None


def _missing_baseline(
    metric: str, solution: str, new: Baseline | None, live: Baseline | None
) -> str | None:
    """Return a message if a baseline does not exist or has no value above 0, else None."""
    for version, baseline in (("new version", new), ("version in use", live)):
        value = _finite(baseline.metrics.get(metric)) if baseline else None
        if baseline is None:
            name = solution.rpartition("/")[2]
            return f"{PLAIN} no version of {name} has the imports of the {version}"
        if value is None or value <= 0:
            shown = "no value" if value is None else f"the value {value:g}"
            return f"{PLAIN} {metric_name(metric)} has {shown} in the baseline of the {version}"
    return None


def _rejections(rule: QualityRule, values: MetricValues) -> Iterator[str]:
    """Yield a message if the value is below the minimum, and one if it fell too far."""
    metric, value = metric_name(rule["metric"]), values["new"]
    minimum, max_drop = rule.get("minimum"), rule.get("maxDrop")
    if minimum is not None and (value is None or value < minimum):
        shown = "no value" if value is None else f"the value {value:.4f}"
        yield f"{metric} has {shown}, but the minimum is {minimum:g}"
    new, live = judged_value(values, "new"), judged_value(values, "live")
    if max_drop is None or live is None:
        return
    if new is None:
        yield (
            f"{metric} has no value, but the version in use has {live:.4f}, so it may "
            f"have fallen {DROP} {max_drop * 100:g}%; {WAY_OUT}"
        )
    elif live - new > max_drop * abs(live) + ROUNDING:
        unit = f" {TIMES_BASELINE}" if values.get("newBaseline") else ""
        yield f"{metric} fell from {live:.4f} to {new:.4f}{unit}, {DROP} {max_drop * 100:g}%"

"""Compares the offline metrics of a new version with those of the version in use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..contract import MetricValues
    from ..workflow_settings import QualityRule

ROUNDING = 1e-9
"""Metrics that differ by less than this are equal, because floating-point numbers are rounded."""

Metrics = Mapping[str, float]


@dataclass
class Comparison:
    """The metrics of a new version and of the version in use, compared by the quality gate."""

    new: Metrics
    live: Metrics
    reasons: Sequence[str]
    """Why the new version is rejected. Empty if it is good enough."""
    notes: Sequence[str]
    """Messages about metrics that could not be compared."""
    values: Mapping[str, MetricValues]
    """The values of the metrics of the rules."""


@dataclass
class Gate:
    """The quality gate of a solution."""

    rules: Sequence[QualityRule]
    last: Comparison | None = field(default=None, init=False)
    """The last comparison, for the report of the run."""

    def rejections(self, new: Metrics, live: Metrics) -> Sequence[str]:
        """Return why metrics are not good enough beside the metrics in use."""
        self.last = compare(new, live, self.rules)
        return self.last.reasons


def compare(new: Metrics, live: Metrics, rules: Sequence[QualityRule]) -> Comparison:
    """Compare the metrics by every rule. A higher value is better in every metric.

    A version without the metric of a rule is rejected if the rule has a minimum, or if it has a
    maximal drop and the live version has the metric. If the live version lacks the metric, nothing
    can be compared, and a note says so. NaN and infinity are not compared, and a new version
    with such a value is rejected.

    Args:
        new: metrics of the new version, as GetSolutionMetrics returns them.
        live: metrics of the live version. It is empty if there is no version to compare with.
        rules: the rules, which must all hold. Without rules every version is accepted.
    """
    return Comparison(
        new,
        live,
        [reason for rule in rules for reason in _reasons_to_reject(new, live, rule)],
        [note for rule in rules for note in _notes(new, live, rule)],
        {
            rule["metric"]: {"new": _metric_value(new, rule), "live": _metric_value(live, rule)}
            for rule in rules
        },
    )


def _metric_value(metrics: Metrics, rule: QualityRule) -> float | None:
    """Return the value of the rule's metric, or None if there is none, or NaN, or infinity."""
    value = metrics.get(rule["metric"])
    return value if value is not None and math.isfinite(value) else None


def _reasons_to_reject(new: Metrics, live: Metrics, rule: QualityRule) -> Iterator[str]:
    """Yield a message if the value is below the minimum, and a message if it fell too far.

    A value that is missing may have fallen too far. A value or a rule that is NaN or infinity
    cannot be compared, so it rejects the version.
    """
    metric = rule["metric"]
    new_value, live_value = _metric_value(new, rule), _metric_value(live, rule)
    if metric in new and new_value is None:
        yield f"{metric} has the value {new[metric]}, which is not a finite number"
        return
    for key, limit in (("minimum", rule.get("minimum")), ("maxDrop", rule.get("maxDrop"))):
        if limit is not None and not math.isfinite(limit):
            yield f"{key} of {metric} is {limit} in the quality gate; write a finite number"
            return
    minimum, max_drop = rule.get("minimum"), rule.get("maxDrop")
    if minimum is not None and (new_value is None or new_value < minimum):
        value = "no value" if new_value is None else f"the value {new_value:.4f}"
        yield f"{metric} has {value}, but the minimum is {minimum:g}"
    if max_drop is not None and live_value is not None:
        if new_value is None:
            yield (
                f"{metric} has no value, but the version in use has {live_value:.4f}, so it may "
                f"have fallen by more than {max_drop * 100:g}%; check the exports, or remove the "
                "rule from the qualityGate"
            )
        elif live_value - new_value > max_drop * abs(live_value) + ROUNDING:
            yield (
                f"{metric} fell from {live_value:.4f} to {new_value:.4f}, "
                f"by more than {max_drop * 100:g}%"
            )


def _notes(new: Metrics, live: Metrics, rule: QualityRule) -> Iterator[str]:
    """Yield a message if the live version has no value to compare with."""
    if rule.get("maxDrop") is not None and _metric_value(live, rule) is None:
        value = _metric_value(new, rule)
        yield (
            f"{rule['metric']} was not compared, because the new version has "
            f"{'no value' if value is None else value} and the version in use has no value; "
            "maxDrop had no effect"
        )

"""Judges the offline metrics of a new version: the quality gate. The functions are pure."""

import math
from collections.abc import Iterator, Mapping, Sequence

from ..contract import Evaluation
from ..workflow_settings import QualityRule

ROUNDING = 1e-9
"""Metrics that differ by less than this are equal, because floating-point numbers are rounded."""

Metrics = Mapping[str, float]


def judge(
    new: Metrics, live: Metrics, rules: Sequence[QualityRule], *, compared_with: str | None
) -> Evaluation:
    """Judge the metrics of a new version by every rule. A higher value is better in every metric.

    A version without the metric of a rule is rejected if the rule has a minimum. A metric that one
    of the versions lacks cannot have dropped too far. A note says that it was not compared. NaN and
    infinity are not compared either, and a new version with one of them is rejected.

    Args:
        new: metrics of the new version, as GetSolutionMetrics returns them.
        live: metrics of the live version. It is empty if there is no version to compare with.
        rules: the rules, which must all hold. Without rules every version is accepted.
        compared_with: ARN of the live version.
    """
    reasons = [reason for rule in rules for reason in _reasons_to_reject(new, live, rule)]
    return {
        "verdict": "REJECTED" if reasons else "ACCEPTED",
        "comparedWith": compared_with,
        "reasons": reasons,
        "notes": [note for rule in rules for note in _notes(new, live, rule)],
        "metrics": {
            rule["metric"]: {"new": _value(new, rule), "live": _value(live, rule)} for rule in rules
        },
    }


def _value(metrics: Metrics, rule: QualityRule) -> float | None:
    """Return the value of the rule's metric, or None if there is none, or NaN, or infinity."""
    value = metrics.get(rule["metric"])
    return value if value is not None and math.isfinite(value) else None


def _reasons_to_reject(new: Metrics, live: Metrics, rule: QualityRule) -> Iterator[str]:
    """Yield a message if the value is below the minimum, and a message if it fell too far.

    A value or a rule that is NaN or infinity cannot be compared, so it rejects the version.
    """
    metric = rule["metric"]
    new_value, live_value = _value(new, rule), _value(live, rule)
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
    if max_drop is None or new_value is None or live_value is None:
        return
    allowed_drop = max_drop * abs(live_value)
    if live_value - new_value > allowed_drop + ROUNDING:
        yield (
            f"{metric} fell from {live_value:.4f} to {new_value:.4f}, "
            f"by more than {max_drop * 100:g}%"
        )


def _notes(new: Metrics, live: Metrics, rule: QualityRule) -> Iterator[str]:
    """Yield a message if the new value cannot be compared with the value of the live version."""
    new_value, live_value = _value(new, rule), _value(live, rule)
    if "maxDrop" in rule and (new_value is None or live_value is None):
        new_text, live_text = (
            "no value" if value is None else f"{value}" for value in (new_value, live_value)
        )
        yield (
            f"{rule['metric']} was not compared, because the new version has {new_text} and the "
            f"version in use has {live_text}; maxDrop had no effect"
        )

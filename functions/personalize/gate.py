"""Is the new solution version good enough to be served? Pure."""

from collections.abc import Mapping, Sequence

from ..contract import Evaluation, QualityRule

ROUNDING = 1e-9
"""Floating-point numbers differ by less; metrics that differ, by more."""

Metrics = Mapping[str, float]


def verdict(
    new: Metrics, live: Metrics | None, rules: Sequence[QualityRule], *, compared_with: str | None
) -> Evaluation:
    """Judge a version's offline metrics by every rule; higher is better in all of them.

    A drop is relative to the version that the campaign serves. What cannot be compared is not
    held against the new version, and said in `notes`: there is no live version, or one of the two
    has no such metric. A minimum that cannot be shown to be reached is not reached.

    Args:
        new: metrics of the new version, as GetSolutionMetrics gives them.
        live: those of the served one; None where the campaign serves none.
        rules: all of them have to hold; none means no gate.
        compared_with: ARN of the served version.
    """
    reasons: list[str] = []
    notes: list[str] = []
    for rule in rules:
        metric = rule["metric"]
        is_, was = new.get(metric), None if live is None else live.get(metric)
        minimum, drop = rule.get("minimum"), rule.get("maxDrop")
        if minimum is not None and (is_ is None or is_ < minimum):
            shown = "missing" if is_ is None else f"{is_:.4f}"
            reasons.append(f"{metric} is {shown}, below the minimum of {minimum:g}")
        if drop is None:
            continue
        if is_ is None or was is None:
            notes.append(f"{metric} could not be compared: new {is_}, live {was}")
        elif was - is_ > drop * abs(was) + ROUNDING:
            reasons.append(
                f"{metric} fell from {was:.4f} to {is_:.4f}, by more than {drop * 100:g}%"
            )
    return {
        "verdict": "REJECTED" if reasons else "ACCEPTED",
        "comparedWith": compared_with,
        "reasons": reasons,
        "notes": notes,
        "metrics": {
            rule["metric"]: {
                "new": new.get(rule["metric"]),
                "live": None if live is None else live.get(rule["metric"]),
            }
            for rule in rules
        },
    }

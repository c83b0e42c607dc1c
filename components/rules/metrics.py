"""The offline metrics that a quality gate may check, with their names in GetSolutionMetrics.

The names are those of
https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html.
"""

import re
from difflib import get_close_matches

NDCG = "normalized_discounted_cumulative_gain"
NDCG_AT_10 = f"{NDCG}_at_10"
MRR = "mean_reciprocal_rank"
RANKING_METRICS = (
    "coverage",
    f"{MRR}_at_25",
    *(f"{NDCG}_at_{k}" for k in (5, 10, 25)),
    *(f"precision_at_{k}" for k in (5, 10, 25)),
)
"""The names of the metrics that the versions of most recipes have."""
METRIC_NAMES = (
    *RANKING_METRICS,
    "average_rewards_at_k",
    f"{NDCG}_with_event_weights_at_k",
    "trend_prediction_accuracy",
)
"""The names of all metrics. The recipe and the configuration of a solution decide which of them a
solution version has."""

_WITHOUT_API_NAME = re.compile(
    r"(?:hit|recall)(?:_at_[a-z0-9_]+)?|precision|auc|area_under_the_curve"
)
"""Metrics of user segments and of next best actions.

AWS describes them without their names in GetSolutionMetrics, so every likely name is accepted. If a
solution version does not have the metric, the gate reports it.
"""
_ABBREVIATIONS = {"ndcg": NDCG, "mrr": MRR}


def metric_error(name: str) -> str | None:
    """Return an error message if no solution version has a metric of this name, else None."""
    if not name:
        return f"missing; the metric to check, for example '{NDCG_AT_10}'"
    if name in METRIC_NAMES or _WITHOUT_API_NAME.fullmatch(name):
        return None
    nearest = get_close_matches(_api_spelling(name), METRIC_NAMES, 1)
    if nearest:
        return f"is not a metric of Personalize; did you mean {nearest[0]}?"
    return f"is not a metric of Personalize; the metrics are {', '.join(METRIC_NAMES)}"


def _api_spelling(name: str) -> str:
    """Return a name as GetSolutionMetrics would spell it.

    For example, `NDCG@10` becomes `normalized_discounted_cumulative_gain_at_10`.
    """
    words = re.findall(r"[a-z]+|\d+", name.lower().replace("@", " at "))
    return "_".join(_ABBREVIATIONS.get(word, word) for word in words)

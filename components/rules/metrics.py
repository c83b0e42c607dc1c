"""The offline metrics that a quality gate may judge, by the names of GetSolutionMetrics. Pure.

The names are those of
https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html.
"""

import re
from difflib import get_close_matches

NDCG = "normalized_discounted_cumulative_gain"
NDCG_AT_10 = f"{NDCG}_at_10"
MRR = "mean_reciprocal_rank"
NAMES = (
    "coverage",
    f"{MRR}_at_25",
    *(f"{NDCG}_at_{k}" for k in (5, 10, 25)),
    *(f"precision_at_{k}" for k in (5, 10, 25)),
    "average_rewards_at_k",
    f"{NDCG}_with_event_weights_at_k",
    "trend_prediction_accuracy",
)
"""Which of them a solution version has depends on its recipe and configuration."""

_IN_PROSE = re.compile(r"(?:hit|recall)(?:_at_[a-z0-9_]+)?|precision|auc|area_under_the_curve")
"""Metrics of user segments and of next best actions: the page above describes them without their
names in the API, so whatever may be one is taken. A version that lacks it is noted by the gate."""
_ABBREVIATIONS = {"ndcg": NDCG, "mrr": MRR}


def problem(name: str) -> str | None:
    """Say why no solution version has a metric of this name, and the way out; None: one may."""
    if not name:
        return f"missing; the metric to judge, for example '{NDCG_AT_10}'"
    if name in NAMES or _IN_PROSE.fullmatch(name):
        return None
    nearest = get_close_matches(_as_the_api_writes(name), NAMES, 1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(NAMES)}"
    return f"is no metric of Personalize; {hint}"


def _as_the_api_writes(name: str) -> str:
    """Give `NDCG@10` as `normalized_discounted_cumulative_gain_at_10`."""
    words = re.findall(r"[a-z]+|\d+", name.lower().replace("@", " at "))
    return "_".join(_ABBREVIATIONS.get(word, word) for word in words)

"""Shows outcomes and metrics in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from functions.report.model import share_of_change

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.contract import MetricValues

COLOURS = {
    "DEPLOYED": "green",
    "TRAINED": "green",
    "IMPORTED": "green",
    "SUCCEEDED": "green",
    "ACTIVE": "green",
    "AWAITING_APPROVAL": "cyan",
    "RUNNING": "cyan",
    "REJECTED": "yellow",
    "SKIPPED": "yellow",
    "ROLLED_BACK": "red",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "ABORTED": "red",
}
"""The colour of an outcome or of the status of an execution."""
SHORT_METRICS = {
    "normalized_discounted_cumulative_gain": "NDCG",
    "mean_reciprocal_rank": "MRR",
    "mean_average_precision": "MAP",
    "precision": "precision",
}
"""The beginning of the name of a metric that ends with `_at_<number>` -> its usual short name."""


def outcome_text(outcome: str) -> Text:
    """Return an outcome in its colour."""
    return Text(outcome, COLOURS.get(outcome, ""))


def metric_lines(metrics: Mapping[str, MetricValues]) -> Iterator[str]:
    """Yield a line for each metric with its value before and after, and the change."""
    for name, values in metrics.items():
        yield f"{metric_name(name)} {metric_change(values)}"


def metric_change(values: MetricValues) -> str:
    """Return the value of the live and of the new version, like `0.2410 → 0.2492 (+3.4%)`."""
    live, new = values["live"], values["new"]
    text = f"{_number(live)} → {_number(new)}"
    share = share_of_change(new, live)
    return text if share is None else f"{text} ({share:+.1%})"


def metric_summary(values: MetricValues) -> str:
    """Return the value of the new version and the change, like `0.2492 (+3.4%)`."""
    return metric_change(values).rpartition("→ ")[2]


def _number(value: float | None) -> str:
    """Return the value of a metric, or `none` if Personalize has no value."""
    return "none" if value is None else f"{value:.4f}"


def metric_name(name: str) -> str:
    """Return the short name of a metric, like `NDCG@10`."""
    prefix, _, number = name.rpartition("_at_")
    return f"{SHORT_METRICS[prefix]}@{number}" if prefix in SHORT_METRICS else name


def version_id(version_arn: str) -> str:
    """Return the last part of the ARN of a version, which is its id."""
    return version_arn.rpartition("/")[2]

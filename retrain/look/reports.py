"""Shows outcomes and metrics in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from functions.words import metric_name, metric_text

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

__all__ = ["metric_name"]


def outcome_text(outcome: str) -> Text:
    """Return an outcome in its colour."""
    return Text(outcome, COLOURS.get(outcome, ""))


def metric_lines(metrics: Mapping[str, MetricValues]) -> Iterator[str]:
    """Yield a line for each metric with its value before and after, and the change."""
    for name, values in metrics.items():
        yield f"{metric_name(name)} {metric_text(values)}"


def metric_summary(values: MetricValues) -> str:
    """Return the value of the new version and the change, like `0.2492 (+3.4%)`."""
    return metric_text(values).rpartition("→ ")[2]


def version_id(version_arn: str) -> str:
    """Return the last part of the ARN of a version, which is its id."""
    return version_arn.rpartition("/")[2]

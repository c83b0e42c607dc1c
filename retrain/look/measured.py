"""Reads the metric of a solution's versions, for the small line of `status` and for plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions.constants import NDCG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from functions.contract import SolutionSettings

BLOCKS = "▁▂▃▄▅▆▇█"


class MeasuredVersion(NamedTuple):
    """A solution version and one of its metrics."""

    arn: str
    created_at: datetime
    value: float | None
    """The metric, or None if Personalize has not computed it, for example during the training."""


def choose_metric(solution: SolutionSettings) -> str:
    """Choose the metric that the quality gate compares first, or NDCG@10 without a gate."""
    for rule in solution["qualityGate"]:
        return rule["metric"]
    return f"{NDCG}_at_10"


def draw_sparkline(values: Sequence[float]) -> str:
    """Draw values as a line of blocks, from the lowest to the highest one."""
    lowest = min(values)
    span = max(values) - lowest
    if not span:
        return BLOCKS[0] * len(values)

    highest_block = len(BLOCKS) - 1
    return "".join(BLOCKS[round((value - lowest) / span * highest_block)] for value in values)

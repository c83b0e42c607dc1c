"""The metric that is shown for the versions of a solution, and its sparkline."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from functions.constants import NDCG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from functions.contract import SolutionSettings

BLOCKS = "▁▂▃▄▅▆▇█"
"""The characters of a sparkline, from the lowest value to the highest."""


class MeasuredVersion(NamedTuple):
    """A solution version and one of its metrics."""

    arn: str
    created_at: datetime
    value: float | None
    """The metric, or None if Personalize hasn't computed it, for example during the training."""


def choose_metric(solution: SolutionSettings) -> str:
    """Return the metric of the quality gate's first rule, or NDCG@10 if there's no gate."""
    rules = solution["qualityGate"]
    if not rules:
        return f"{NDCG}_at_10"
    return rules[0]["metric"]


def draw_sparkline(values: Sequence[float]) -> str:
    """Draw values as a line of block characters, from ▁ for the lowest to █ for the highest."""
    lowest = min(values)
    span = max(values) - lowest
    if not span:
        return BLOCKS[0] * len(values)

    block_height = span / (len(BLOCKS) - 1)
    heights = [round((value - lowest) / block_height) for value in values]
    return "".join(BLOCKS[height] for height in heights)

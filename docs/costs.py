"""Computes what the monitoring of a pipeline costs in a month, at AWS's list prices."""

from collections.abc import Sequence
from typing import NamedTuple, get_args

from components.alarms import list_alarms
from docs.metric_table import METRICS
from functions.constants import INACTIVE_RECOMMENDERS
from functions.contract import Outcome, Settings

PRICES = "https://aws.amazon.com/cloudwatch/pricing/"
"""The source of the following prices in dollars, for a month and us-east-1."""
DOLLARS_PER_METRIC = 0.30
"""Each of the first 10,000 custom metrics."""
DOLLARS_PER_ALARM = 0.10
"""For each metric of an alarm. Each alarm of a pipeline has one."""
DOLLARS_PER_DASHBOARD = 3.00

HOURS_PER_WEEK = 7 * 24


class Cost(NamedTuple):
    """What one kind of resource costs in a month."""

    subject: str
    number: str
    dollars: float


def monthly_costs(settings: Settings, *, runs_per_week: float = 1) -> Sequence[Cost]:
    """Return what the monitoring of a pipeline with these settings costs in a month."""
    hourly = metric_count(settings, only_watched=True)
    by_runs = metric_count(settings) - hourly
    share_of_hours = min(1, runs_per_week / HOURS_PER_WEEK)
    alarm_count = len(list_alarms(settings))
    return [
        Cost("metrics of each hour", f"{hourly}", hourly * DOLLARS_PER_METRIC),
        Cost("metrics of runs", f"{by_runs}", by_runs * DOLLARS_PER_METRIC * share_of_hours),
        Cost("alarms", f"{alarm_count}", alarm_count * DOLLARS_PER_ALARM),
        Cost("dashboard", "1", DOLLARS_PER_DASHBOARD),
    ]


def total(costs: Sequence[Cost]) -> float:
    """Return the sum of the costs in dollars."""
    return sum(cost.dollars for cost in costs)


def metric_count(settings: Settings, *, only_watched: bool = False) -> int:
    """Return the most metrics that a pipeline with these settings has.

    A version without a gate or without a campaign is not judged, so it has no offline metrics.
    """
    judged_metrics = sum(
        len({rule["metric"] for rule in solution["qualityGate"]})
        for solution in settings["solutions"]
        if solution["campaigns"]
    )
    counts = {
        None: 1,
        "Outcome": len(get_args(Outcome)),
        "Dataset": len(settings["datasets"]),
        "Solution": len(settings["solutions"]),
    }
    return (0 if only_watched else judged_metrics) + sum(
        counts[dimension]
        for name, metric in METRICS.items()
        for dimension in metric.dimensions
        if metric.is_written_by_watcher or not only_watched
        if name != INACTIVE_RECOMMENDERS or not settings["solutions"]
    )

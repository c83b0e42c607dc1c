"""Computes what the monitoring of a pipeline costs in a month, at AWS's list prices."""

from collections.abc import Sequence
from typing import NamedTuple, get_args

from components.alarms import ALARMS
from components.rules.fields import RANKING_METRICS
from functions.contract import Outcome
from functions.metrics import METRICS
from functions.workflow_settings import Settings

PRICES = "https://aws.amazon.com/cloudwatch/pricing/"
"""The source of the following prices in dollars, for a month and us-east-1."""
DOLLARS_PER_METRIC = 0.30
"""Each of the first 10,000 custom metrics."""
DOLLARS_PER_ALARM = 0.10
"""For each metric of an alarm. Each alarm of a pipeline has one."""
DOLLARS_PER_COMPOSITE_ALARM = 0.50
DOLLARS_PER_DASHBOARD = 3.00
DOLLARS_PER_GIGABYTE = 0.50 + 0.03 * 3
"""To write a gigabyte of logs, and to keep it for the default retention of 90 days."""

HOURS_PER_MONTH, HOURS_PER_WEEK = 730, 7 * 24
KILOBYTES_PER_INVOCATION = 1.5
"""The records about an invocation: 1 KB of Lambda, and those of the function."""
INVOCATIONS_PER_RUN = 40
"""README.md, section "What it costs"."""
KILOBYTES_PER_METRIC = 0.4
"""The record of a metric with one dimension beside the pipeline."""


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
    gigabytes = log_megabytes(settings, runs_per_week=runs_per_week) / 1000
    return [
        Cost("metrics of each hour", f"{hourly}", hourly * DOLLARS_PER_METRIC),
        Cost("metrics of runs", f"{by_runs}", by_runs * DOLLARS_PER_METRIC * share_of_hours),
        Cost("alarms", f"{len(ALARMS)}", len(ALARMS) * DOLLARS_PER_ALARM),
        Cost("composite alarm", "1", DOLLARS_PER_COMPOSITE_ALARM),
        Cost("dashboard", "1", DOLLARS_PER_DASHBOARD),
        Cost("log", f"{1000 * gigabytes:.0f} MB", gigabytes * DOLLARS_PER_GIGABYTE),
    ]


def total(costs: Sequence[Cost]) -> float:
    """Return the sum of the costs in dollars."""
    return sum(cost.dollars for cost in costs)


def metric_count(settings: Settings, *, only_watched: bool = False) -> int:
    """Return the most metrics that a pipeline with these settings has.

    A version without a gate or without a campaign is not judged, so it has no offline metrics.
    """
    judged_solutions = [
        solution
        for solution in settings["solutions"]
        if solution["qualityGate"] and solution["campaigns"]
    ]
    counts = {
        None: 1,
        "Outcome": len(get_args(Outcome)),
        "Dataset": len(settings["datasets"]),
        "Solution": len(settings["solutions"]),
    }
    offline_count = 0 if only_watched else 2 * len(RANKING_METRICS) * len(judged_solutions)
    return offline_count + sum(
        counts[dimension]
        for metric in METRICS.values()
        for dimension in metric.dimensions
        if metric.is_watched or not only_watched
    )


def log_megabytes(settings: Settings, *, runs_per_week: float) -> float:
    """Return about how many megabytes the functions write into their log in a month."""
    of_measurement = KILOBYTES_PER_INVOCATION + KILOBYTES_PER_METRIC * metric_count(
        settings, only_watched=True
    )
    of_run = INVOCATIONS_PER_RUN * KILOBYTES_PER_INVOCATION * len(settings["solutions"])
    runs = runs_per_week * HOURS_PER_MONTH / HOURS_PER_WEEK
    return (HOURS_PER_MONTH * of_measurement + runs * of_run) / 1000

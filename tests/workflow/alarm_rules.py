"""Evaluates alarms by the rules that CloudWatch documents.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import re
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

STEPS = {300: timedelta(minutes=5), 900: timedelta(minutes=5), 3600: timedelta(minutes=30)}
"""Period of an alarm -> the time between two evaluations.

CloudWatch evaluates each minute. A coarser step rings later, so a promise that holds here holds
there too."""
STATISTICS = {"Sum": sum, "Maximum": max}

Inputs = Mapping[str, object]
"""The inputs of a MetricAlarm, as `components.alarms.build_alarm_inputs` returns them."""


def key(namespace: str, name: str, dimensions: Mapping[str, str]) -> tuple:
    """Return what identifies a metric."""
    return namespace, name, frozenset(dimensions.items())


class Metrics:
    """The values of all metrics, in the order of their times."""

    def __init__(self):
        self.values: dict[tuple, list[tuple[float, float]]] = defaultdict(list)

    def put(self, namespace: str, name: str, dimensions: Mapping, at: datetime, value: float):
        """Add a value. The values of a metric may come in any order."""
        insort(self.values[key(namespace, name, dimensions)], (at.timestamp(), value))

    def points(self, inputs: Inputs, end: float, count: int) -> Iterator[float | None]:
        """Yield the statistic of an alarm's metric in each of the last periods, newest first."""
        metric = key(inputs["namespace"], inputs["metric_name"], inputs["dimensions"] or {})
        values = self.values[metric]
        for number in range(count):
            ends = [end - periods * inputs["period"] for periods in (number + 1, number)]
            first, last = (bisect_left(values, (time,)) for time in ends)
            found = [value for _, value in values[first:last]]
            yield STATISTICS[inputs["statistic"]](found) if found else None


def ringing(
    inputs: Inputs, metrics: Metrics, created: datetime, end: datetime, *, extra: int
) -> Iterator[datetime]:
    """Yield the times from its creation at which an alarm is in the state ALARM.

    `extra` is the number of periods that CloudWatch reads besides the evaluation periods. AWS does
    not document it.
    """
    warm_up = inputs.get("warm_up_configuration", {"warm_up_period_duration_in_minutes": 0})
    time = created + timedelta(minutes=warm_up["warm_up_period_duration_in_minutes"])
    while time <= end:
        if is_in_alarm(inputs, metrics, time, extra=extra):
            yield time
        time += STEPS[inputs["period"]]


def is_in_alarm(inputs: Inputs, metrics: Metrics, time: datetime, *, extra: int) -> bool:
    """Return True if an alarm is in the state ALARM at a time."""
    wanted = inputs["evaluation_periods"]
    points = metrics.points(inputs, time.timestamp(), wanted + extra)
    # Values from farther back replace missing ones.
    evaluated = [value for value in points if value is not None][:wanted]
    missing = {"breaching": float("inf"), "notBreaching": -float("inf")}
    evaluated += [missing[inputs["treat_missing_data"]]] * (wanted - len(evaluated))
    assert inputs["comparison_operator"] == "GreaterThanOrEqualToThreshold"

    return min(evaluated) >= inputs["threshold"]


def matches(pattern: str, record: Mapping[str, object]) -> bool:
    """Return True if a filter pattern for JSON matches a log record.

    A field that does not exist fulfils no condition.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """

    def holds(path: str, operator: str, literal: str) -> bool:
        value = record
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None

        return value is not None and (literal in ("*", value)) == (operator == "=")

    condition = re.compile(r'\$\.([\w.]+) (!?=) "([^"]*)"')
    source = condition.sub(r'holds("\1", "\2", "\3")', pattern.removeprefix("{").removesuffix("}"))
    source = source.replace("&&", "and").replace("||", "or").strip()
    return eval(source, {"holds": holds})  # noqa: S307  # the pattern of this program

"""Evaluates alarms by the rules that CloudWatch documents.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

STEP = timedelta(minutes=5)
"""CloudWatch evaluates each minute. A coarser step rings later, so a promise that holds here holds
there too, except for an alarm shorter than the step."""
HOURLY = timedelta(minutes=30)
"""The step for the alarms about ages, which change slowly."""
STATISTICS = {"Sum": sum, "Maximum": max}

Inputs = Mapping[str, object]
"""The inputs of a MetricAlarm, as `components.alarms.alarm_inputs` returns them."""
Key = tuple[str, str, frozenset]


class Metrics:
    """The values of all metrics, in the order of their times."""

    def __init__(self):
        self._times: dict[Key, list[float]] = defaultdict(list)
        self._values: dict[Key, list[float]] = defaultdict(list)

    def put(self, namespace: str, name: str, dimensions: Mapping, at: datetime, value: float):
        """Add a value. The values of a metric may come in any order."""
        key = (namespace, name, frozenset(dimensions.items()))
        place = bisect_left(self._times[key], at.timestamp())
        self._times[key].insert(place, at.timestamp())
        self._values[key].insert(place, value)

    def names(self) -> set[tuple[str, str, frozenset]]:
        """Return the namespace, the name and the dimensions of each metric."""
        return set(self._times)

    def statistic(self, key: Key, name: str, end: float, seconds: float) -> float | None:
        """Return a statistic of the values in the period that ends at `end`, or None."""
        times = self._times.get(key, [])
        first, last = bisect_left(times, end - seconds), bisect_left(times, end)
        return STATISTICS[name](self._values[key][first:last]) if first < last else None


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
        time += HOURLY if "metric_queries" in inputs else STEP


def is_in_alarm(inputs: Inputs, metrics: Metrics, time: datetime, *, extra: int) -> bool:
    """Return True if an alarm is in the state ALARM at a time."""
    wanted = inputs["evaluation_periods"]
    points = list(_points(inputs, metrics, time.timestamp(), wanted + extra))  # the newest first
    existing = [value for value in points if value is not None]
    if len(existing) >= wanted:  # values from farther back replace missing ones
        evaluated = existing[:wanted]
    else:
        missing = wanted - len(existing)
        bad = float("inf")
        filling = {"breaching": bad, "notBreaching": -bad}[inputs["treat_missing_data"]]
        evaluated = [*existing, *[filling] * missing]
    assert inputs["comparison_operator"] == "GreaterThanOrEqualToThreshold"
    breaching = sum(value >= inputs["threshold"] for value in evaluated)
    return breaching >= inputs.get("datapoints_to_alarm", wanted)


def _points(inputs: Inputs, metrics: Metrics, end: float, count: int) -> Iterator[float | None]:
    """Yield the values of an alarm's metric or expression in the last periods, newest first."""
    metric, statistic, fill = inputs, inputs.get("statistic"), None
    if "metric_queries" in inputs:
        expression, query = inputs["metric_queries"]
        called = re.fullmatch(r"FILL\((\w+), (\d+)\)", expression["expression"])
        assert called[1] == query["id"]
        metric, statistic, fill = query["metric"], query["metric"]["stat"], float(called[2])
    dimensions = metric["dimensions"] or {}
    key = (metric["namespace"], metric["metric_name"], frozenset(dimensions.items()))
    seconds = metric["period"]
    for place in range(count):
        value = metrics.statistic(key, statistic, end - place * seconds, seconds)
        yield fill if value is None else value


# Filters of log records: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html

TOKEN = re.compile(r'\s*(\(|\)|&&|\|\||!=|=|\$[\w.]+|"[^"]*")')


def matches(pattern: str, record: Mapping[str, object]) -> bool:
    """Return True if a filter pattern for JSON matches a log record.

    A field that does not exist fulfils no condition.
    """
    assert pattern.startswith("{ ")
    assert pattern.endswith(" }")
    tokens = TOKEN.findall(pattern[2:-2])
    assert "".join(tokens) == pattern[2:-2].replace(" ", ""), "the syntax is known"
    result, rest = _any(tokens, record)
    assert rest == []
    return result


def _any(tokens, record):
    result, tokens = _all(tokens, record)
    while tokens and tokens[0] == "||":
        other, tokens = _all(tokens[1:], record)
        result = result or other
    return result, tokens


def _all(tokens, record):
    result, tokens = _condition(tokens, record)
    while tokens and tokens[0] == "&&":
        other, tokens = _condition(tokens[1:], record)
        result = result and other
    return result, tokens


def _condition(tokens, record):
    if tokens[0] == "(":
        result, tokens = _any(tokens[1:], record)
        assert tokens[0] == ")"
        return result, tokens[1:]
    field, operator, literal, *rest = tokens
    value: object = record
    for name in field.removeprefix("$.").split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return False, rest
    is_equal = literal == '"*"' or value == literal.strip('"')
    return is_equal == (operator == "="), rest

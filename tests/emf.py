"""Reads metrics from log records as CloudWatch does, and refuses what its specification refuses.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MAX_METRICS = 100
MAX_DIMENSIONS = 30
MAX_NAME = 255
MAX_DIMENSION_VALUE = 1024
UNITS = {"Seconds", "Count", "Bytes", "None"}
"""The units of CloudWatch that the functions use."""


class Datum(NamedTuple):
    """One value of a metric."""

    namespace: str
    name: str
    unit: str
    dimensions: Mapping[str, str]
    value: float
    milliseconds: int


def data(record: Mapping[str, object]) -> Iterator[Datum]:
    """Yield the values in a log record, in order. A record without `_aws` has none."""
    metadata = record.get("_aws")
    if metadata is None:
        return
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert type(metadata["Timestamp"]) is int
    for directive in metadata["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 0 < len(directive["Metrics"]) <= MAX_METRICS
        for names in directive["Dimensions"]:
            assert len(names) <= MAX_DIMENSIONS
            dimensions = {name: record[name] for name in names}
            for name, value in dimensions.items():
                assert isinstance(value, str)
                assert value.isascii()
                assert 0 < len(name) <= MAX_NAME
                assert 0 < len(value.strip()) <= MAX_DIMENSION_VALUE
            for metric in directive["Metrics"]:
                assert set(metric) == {"Name", "Unit"}
                assert 0 < len(metric["Name"]) <= MAX_NAME
                assert metric["Unit"] in UNITS
                value = record[metric["Name"]]
                assert type(value) in (int, float)
                assert math.isfinite(value)
                yield Datum(
                    directive["Namespace"],
                    metric["Name"],
                    metric["Unit"],
                    dimensions,
                    value,
                    metadata["Timestamp"],
                )

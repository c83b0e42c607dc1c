"""Writes the pipeline's metrics as log records, which CloudWatch turns into metrics.

The records are in the embedded metric format (EMF), so no request is sent:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Lambda's JSON log format puts the fields of `extra` at the root of the record, where CloudWatch
looks for `_aws`. Solutions, datasets and outcomes are dimensions. Versions aren't, because each run
would create a new metric, and every metric costs money.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import NotRequired, TypedDict

from ..constants import (
    DATA_AGE_HOURS,
    INACTIVE_RECOMMENDERS,
    METRICS_NAMESPACE,
    MODEL_AGE_HOURS,
    PIPELINE_DIMENSION,
    RUNS,
    UNDELIVERED_REPORTS,
    UNFINISHED_TRIALS,
)
from ..contract import Settings, pipeline_name
from . import clock

COUNTS = frozenset({RUNS, UNDELIVERED_REPORTS, UNFINISHED_TRIALS, INACTIVE_RECOMMENDERS})
"""The metrics with the unit `Count`. Hours and scores have the unit `None`, because CloudWatch has
no unit for them."""

logger = logging.getLogger("retraining.metrics")


def publish(pipeline: str, values: Mapping[str, float | None], **other_dimensions: str) -> None:
    """Publish metrics in one log record, with at most one dimension besides the pipeline.

    Values that are None are left out.
    """
    known_values = {name: value for name, value in values.items() if value is not None}
    if not known_values:
        return

    dimensions = {PIPELINE_DIMENSION: pipeline, **other_dimensions}
    units = [{"Name": name, "Unit": "Count" if name in COUNTS else "None"} for name in known_values]
    declaration = {
        "Namespace": METRICS_NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": units,
    }

    # The record declares metrics and dimensions by name. CloudWatch reads their values from the
    # fields with these names.
    milliseconds = round(clock.now().timestamp() * 1000)
    metadata = {"Timestamp": milliseconds, "CloudWatchMetrics": [declaration]}
    logger.info(
        "metrics: %s",
        ", ".join(known_values),
        extra={**dimensions, **known_values, "_aws": metadata},
    )


class Measurements(TypedDict):
    """What `watch_pipeline` measures. Ages are in hours, or null if unknown."""

    models: dict[str, float | None]
    """Solution name -> the age of the oldest model that its campaigns serve."""
    data: dict[str, float | None]
    """Dataset type -> the age of its data."""
    unfinishedTrials: int
    """The number of campaigns with an overdue trial, or that cannot be read."""
    inactiveRecommenders: NotRequired[int]
    """The number of recommenders that aren't ACTIVE. Left out if the pipeline has solutions."""


def publish_measurements(settings: Settings, measurements: Measurements) -> None:
    """Publish the ages of the models and of the data, and what else was counted.

    For the whole pipeline, the greatest ages are published, but only if all ages are known.
    """
    pipeline = pipeline_name(settings)
    for solution_name, hours in measurements["models"].items():
        publish(pipeline, {MODEL_AGE_HOURS: hours}, Solution=solution_name)
    for dataset_type, hours in measurements["data"].items():
        publish(pipeline, {DATA_AGE_HOURS: hours}, Dataset=dataset_type)

    publish(
        pipeline,
        {
            MODEL_AGE_HOURS: find_max_age(measurements["models"].values()),
            DATA_AGE_HOURS: find_max_age(measurements["data"].values()),
            UNFINISHED_TRIALS: measurements["unfinishedTrials"],
            INACTIVE_RECOMMENDERS: measurements.get("inactiveRecommenders"),
        },
    )


def find_max_age(ages: Iterable[float | None]) -> float | None:
    """Find the greatest age, or return None if any age is unknown, or if there are no ages.

    An unknown age may be the greatest. None isn't published, and the alarm treats a missing value
    as too old.
    """
    known_ages = []
    for age in ages:
        if age is None:
            return None
        known_ages.append(age)
    return max(known_ages, default=None)

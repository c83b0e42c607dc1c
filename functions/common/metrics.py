"""Writes the pipeline's metrics as log records, which CloudWatch turns into metrics.

The records are in the embedded metric format (EMF), so no request is sent:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Lambda's JSON log format puts the fields of `extra` at the root of the record, where CloudWatch
looks for `_aws`. Solutions, datasets and outcomes are dimensions. Versions aren't, because each run
would create a new metric, and every metric costs money.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, NotRequired, TypedDict

from ..constants import (
    DATA_AGE_HOURS,
    INACTIVE_RECOMMENDERS,
    METRICS_NAMESPACE,
    MODEL_AGE_HOURS,
    NEWEST_EVENT_AGE_HOURS,
    PIPELINE_DIMENSION,
    RUNS,
    TRAINING_HOURS,
    UNDELIVERED_REPORTS,
    UNFINISHED_TRIALS,
)
from ..contract import (
    Settings,
    pipeline_name,
)
from . import clock

Dimension = Literal["Solution", "Dataset", "Outcome"]
Unit = Literal["Count", "None"]
"""A CloudWatch unit. Hours have the unit `None`, because CloudWatch has none for them."""


class Metric(NamedTuple):
    """A metric that the functions write, always with the dimension PIPELINE_DIMENSION."""

    unit: Unit
    dimensions: Sequence[Dimension | None]
    """The possible second dimensions. None stands for a value of the whole pipeline."""
    meaning: str
    is_written_by_watcher: bool = False
    """True if `watch_pipeline` writes the metric every 15 minutes."""


METRICS: Mapping[str, Metric] = {
    RUNS: Metric("Count", ("Outcome",), "1 for each run that has ended"),
    UNDELIVERED_REPORTS: Metric(
        "Count",
        (None,),
        "the messages and events of a run's report that could not be delivered, usually 0",
    ),
    TRAINING_HOURS: Metric(
        "None", ("Solution",), "the hours of a training as Personalize charges them"
    ),
    MODEL_AGE_HOURS: Metric(
        "None",
        (None, "Solution"),
        "the hours since the model that a campaign serves was trained, or was last found up to "
        "date by a run. The oldest model counts. A model does not count as older than the pipeline",
        is_written_by_watcher=True,
    ),
    DATA_AGE_HOURS: Metric(
        "None",
        (None, "Dataset"),
        "the hours since a dataset was last imported, or was last found unchanged by a run. The "
        "oldest dataset counts. For interactions and actionInteractions an unchanged export does "
        "not count, unless an event tracker is ACTIVE or `streamed` is set",
        is_written_by_watcher=True,
    ),
    NEWEST_EVENT_AGE_HOURS: Metric(
        "None",
        ("Dataset",),
        "the hours from the newest event to the end of its import, if every row was read",
    ),
    UNFINISHED_TRIALS: Metric(
        "Count",
        (None,),
        "the number of campaigns with a version on trial for more than 5 hours besides its bake, "
        "and of campaigns that cannot be read",
        is_written_by_watcher=True,
    ),
    INACTIVE_RECOMMENDERS: Metric(
        "Count",
        (None,),
        "the number of recommenders in the dataset group that are not ACTIVE, or 1 if they cannot "
        "be listed. Only a pipeline with `solutions: []` has this metric",
        is_written_by_watcher=True,
    ),
}
"""Name -> metric. Offline metrics are not in this table. They have the names that
GetSolutionMetrics returns, the unit `None`, and the second dimension `Solution`."""
METRIC_UNITS = {name: metric.unit for name, metric in METRICS.items()}
"""Name -> unit."""

logger = logging.getLogger("retraining.metrics")


def publish(pipeline: str, values: Mapping[str, float | None], **other_dimensions: str) -> None:
    """Publish metrics in one log record, with at most one dimension besides the pipeline.

    Values that are None are left out.
    """
    known_values = {name: value for name, value in values.items() if value is not None}
    if not known_values:
        return

    dimensions = {PIPELINE_DIMENSION: pipeline, **other_dimensions}
    units = [{"Name": name, "Unit": METRIC_UNITS.get(name, "None")} for name in known_values]
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

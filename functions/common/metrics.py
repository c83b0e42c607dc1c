"""Writes the pipeline's metrics as log records, which CloudWatch turns into metrics.

The records are in the embedded metric format (EMF), so no request is sent:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Lambda's JSON log format puts the fields of `extra` at the root of the record, where CloudWatch
looks for `_aws`. Solutions, datasets and outcomes are dimensions. Versions aren't, because each run
would create a new metric, and every metric costs money.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict

from ..constants import (
    DATA_AGE_HOURS,
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
}
"""Name -> metric. Offline metrics are not in this table. They have the names that
GetSolutionMetrics returns, the unit `None`, and the second dimension `Solution`."""
METRIC_UNITS = {name: metric.unit for name, metric in METRICS.items()}
"""Name -> unit."""

logger = logging.getLogger("retraining.metrics")


def write(pipeline: str, values: Mapping[str, float | None], **dimensions: str) -> None:
    """Write metrics in one log record, with at most one more dimension. Skip unknown values."""
    known_values = {name: value for name, value in values.items() if value is not None}
    if not known_values:
        return

    # CloudWatch reads a dimension's value from the field with the same name.
    fields = {PIPELINE_DIMENSION: pipeline, **dimensions}
    directive = {
        "Namespace": METRICS_NAMESPACE,
        "Dimensions": [list(fields)],
        "Metrics": [
            {"Name": name, "Unit": METRIC_UNITS.get(name, "None")} for name in known_values
        ],
    }

    milliseconds = round(clock.now().timestamp() * 1000)
    metadata = {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]}
    logger.info(
        "metrics: %s",
        ", ".join(known_values),
        extra={**fields, **known_values, "_aws": metadata},
    )


class Measurements(TypedDict):
    """What `watch_pipeline` measures. Ages are in hours, or null if unknown."""

    models: dict[str, float | None]
    """Solution name -> the age of the oldest model that its campaigns serve."""
    data: dict[str, float | None]
    """Dataset type -> the age of its data."""
    unfinishedTrials: int
    """The number of campaigns with an overdue trial, or that cannot be read."""


def write_measurements(settings: Settings, measurements: Measurements) -> None:
    """Write each known age, the greatest age if all are known, and the unfinished trials."""
    pipeline = pipeline_name(settings)
    for solution_name, hours in measurements["models"].items():
        write(pipeline, {MODEL_AGE_HOURS: hours}, Solution=solution_name)
    for dataset_type, hours in measurements["data"].items():
        write(pipeline, {DATA_AGE_HOURS: hours}, Dataset=dataset_type)

    write(
        pipeline,
        {
            MODEL_AGE_HOURS: find_max_age(measurements["models"].values()),
            DATA_AGE_HOURS: find_max_age(measurements["data"].values()),
            UNFINISHED_TRIALS: measurements["unfinishedTrials"],
        },
    )


def find_max_age(ages: Iterable[float | None]) -> float | None:
    """Find the greatest age. Return None if any age is unknown, or if there are no ages.

    Then the metric of the whole pipeline is missing, which its alarm treats as too old.
    """
    known_ages = []
    for age in ages:
        if age is None:
            return None
        known_ages.append(age)
    return max(known_ages, default=None)

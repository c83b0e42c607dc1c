"""Writes the metrics of the pipeline as log records from which CloudWatch makes metrics.

Each function writes one record in the embedded metric format (EMF):
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
No request is sent. With its JSON format, Lambda writes the fields of `extra` at the root of the
record, and there CloudWatch looks for `_aws`. A solution, a dataset or an outcome is a dimension. A
version is not, because each run would then make a new metric, and every metric costs money.
"""

from __future__ import annotations

import logging
import math
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

from . import clock
from .workflow_settings import pipeline_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .contract import ImportItem, Outcome, PlannedSolution, Run, TrainingItem
    from .rules.deployments import Update
    from .workflow_settings import Settings

NAMESPACE = "PersonalizeRetraining"
PIPELINE = "Pipeline"
Dimension = Literal["Solution", "Dataset", "Outcome"]
Unit = Literal["Seconds", "Count", "Bytes", "None"]
"""A unit of CloudWatch. It knows no hours, so a number of hours has the unit `None`."""


class Metric(NamedTuple):
    """A metric that the functions write. Every metric has the dimension PIPELINE."""

    unit: Unit
    dimensions: Sequence[Dimension | None]
    """The second dimensions. None stands for a value of the whole pipeline."""
    meaning: str
    is_watched: bool = False
    """True if `watch_pipeline` writes the metric every 15 minutes."""


METRICS: Mapping[str, Metric] = {
    "Runs": Metric("Count", ("Outcome",), "1 for each run that has ended"),
    "UndeliveredReports": Metric(
        "Count",
        (None,),
        "the messages and events of a run's report that could not be delivered, usually 0",
    ),
    "ImportSeconds": Metric(
        "Seconds", ("Dataset",), "the time from the creation of an import job to its success"
    ),
    "ImportedBytes": Metric(
        "Bytes",
        ("Dataset",),
        "the size of an imported export when the import began. Personalize does not say how "
        "many rows it has imported",
    ),
    "TrainingSeconds": Metric(
        "Seconds", ("Solution",), "the time from the creation of a version to its success"
    ),
    "TrainingHours": Metric(
        "None",
        ("Solution",),
        "the hours of a training as Personalize charges them. The hours of a training that the run "
        "has stopped are measured from its creation",
    ),
    "CampaignUpdateSeconds": Metric(
        "Seconds", ("Solution",), "the time from the creation of an update to its success"
    ),
    "ModelAgeHours": Metric(
        "None",
        (None, "Solution"),
        "the hours since the model that a campaign serves was trained, or was last found up to "
        "date by a run. The oldest model counts. A model does not count as older than the pipeline",
        is_watched=True,
    ),
    "DataAgeHours": Metric(
        "None",
        (None, "Dataset"),
        "the hours since a dataset was last imported, or was last found unchanged by a run. The "
        "oldest dataset counts. For interactions and actionInteractions an unchanged export does "
        "not count, unless an event tracker is ACTIVE or `streamed` is set",
        is_watched=True,
    ),
    "UnfinishedTrials": Metric(
        "Count",
        (None,),
        "the number of campaigns with a version on trial for more than 5 hours, and of campaigns "
        "that cannot be read",
        is_watched=True,
    ),
}
"""Name -> metric. The offline metrics are not in this table: they have the names and the order of
GetSolutionMetrics, the unit `None`, and the dimension `Solution`."""

CHANGE = "{}_change"
"""The name of the change of an offline metric, as a share of the live version's value."""
MAX_METRICS = 100
"""The most metrics of a record (the specification above)."""
MAX_VALUE = 2.0**360
"""CloudWatch refuses greater numbers, and also NaN and infinity:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html"""
RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "timestamp",
    "level",
    "logger",
    "stackTrace",
    "errorType",
    "errorMessage",
    "requestId",
    "location",
    "aws_request_id",
    "tenant_id",
    "tenantId",
}
"""Names that `logging` refuses as extra fields, or that Lambda's runtime client does not write."""

logger = logging.getLogger("retraining.metrics")


def write_import(settings: Settings, run: Run, dataset_type: str, item: ImportItem) -> None:
    """Write the duration and the bytes of an import that has succeeded in this run.

    A run also goes on with an import that ended before. The run that waited for it has written its
    metrics.
    """
    created_at, ended_at = item["createdAt"], item["endedAt"]
    if item["outcome"] != "IMPORTED" or created_at is None or ended_at is None:
        return
    if _seconds_between(run["startedAt"], ended_at) >= 0:
        values = {
            "ImportSeconds": _seconds_between(created_at, ended_at),
            "ImportedBytes": float(item["bytes"]),
        }
        _write(pipeline_name(settings), values, "Dataset", dataset_type)


def write_training(
    settings: Settings, planned_solution: PlannedSolution, item: TrainingItem
) -> None:
    """Write the duration and the charged hours of a training of this run that has ended.

    A training that has failed is not charged, and a training that was stopped has no duration.
    """
    created_at, ended_at, hours = item["createdAt"], item["endedAt"], item["trainingHours"]
    if item["outcome"] is None or not item["isOfRun"] or created_at is None or ended_at is None:
        return
    values = {}
    seconds = _seconds_between(created_at, ended_at)
    if item["outcome"] == "TRAINED":
        values = {"TrainingSeconds": seconds}
    if hours is not None:
        values["TrainingHours"] = hours
    elif item["memory"].get("stopping_since"):
        values["TrainingHours"] = seconds / 3600
    _write(pipeline_name(settings), values, "Solution", short_name(planned_solution["solutionArn"]))


def write_update(settings: Settings, solution_arn: str, update: Update) -> None:
    """Write the duration of the update of a campaign. An update that has failed has none."""
    if not update.has_failed:
        seconds = (update.ended_at - update.created_at).total_seconds()
        values = {"CampaignUpdateSeconds": seconds}
        _write(pipeline_name(settings), values, "Solution", short_name(solution_arn))


def write_offline_metrics(
    settings: Settings, solution_arn: str, new: Mapping[str, float], live: Mapping[str, float]
) -> None:
    """Write the offline metrics of a new version, and their change against the live version.

    A change is a share of the live version's value, as in the rule `maxDrop`. There is none if the
    live version has no such metric, or the value 0.
    """
    changes = {
        CHANGE.format(name): (value - live[name]) / abs(live[name])
        for name, value in new.items()
        if live.get(name)
    }
    _write(pipeline_name(settings), {**new, **changes}, "Solution", short_name(solution_arn))


def write_run(pipeline: str, outcome: Outcome) -> None:
    """Write that a run has ended with this outcome."""
    _write(pipeline, {"Runs": 1}, "Outcome", outcome)


def write_undelivered_reports(pipeline: str, count: int) -> None:
    """Write how many of the messages and events of a report could not be delivered."""
    _write(pipeline, {"UndeliveredReports": count})


class Ages(TypedDict):
    """The ages in hours, null where they are not known."""

    models: dict[str, float | None]
    """Name of each solution -> the age of the oldest model that its campaigns serve."""
    data: dict[str, float | None]
    """Type of each dataset -> the age of its data."""
    unfinishedTrials: int
    """The campaigns whose trial is too old, or that cannot be read."""


def write_ages(settings: Settings, measured: Ages) -> None:
    """Write the ages of all models and datasets, the greatest of them, and the unfinished trials.

    An age that is not known is not written. If one age is not known, the greatest age is not known.
    """
    for name, hours in measured["models"].items():
        _write(pipeline_name(settings), _known({"ModelAgeHours": hours}), "Solution", name)
    for dataset_type, hours in measured["data"].items():
        _write(pipeline_name(settings), _known({"DataAgeHours": hours}), "Dataset", dataset_type)
    of_pipeline = {
        "ModelAgeHours": oldest(measured["models"].values()),
        "DataAgeHours": oldest(measured["data"].values()),
        "UnfinishedTrials": measured["unfinishedTrials"],
    }
    _write(pipeline_name(settings), _known(of_pipeline))


def oldest(hours: Iterable[float | None]) -> float | None:
    """Return the greatest age, or None if an age is not known or if there is no age."""
    ages_in_hours = list(hours)
    known = [age for age in ages_in_hours if age is not None]
    return max(known, default=None) if len(known) == len(ages_in_hours) else None


def short_name(arn: str) -> str:
    """Return the name of a solution, which is the last part of its ARN."""
    return arn.rpartition("/")[2]


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    """Return the values that are known."""
    return {name: value for name, value in values.items() if value is not None}


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _write(
    pipeline: str,
    values: Mapping[str, float],
    dimension: Dimension | None = None,
    dimension_value: str = "",
) -> None:
    """Write metrics with the same dimensions as one record.

    Without a second dimension the values are those of the whole pipeline. Values that CloudWatch
    refuses are left out. Without any value nothing is written.
    """
    usable = {
        name: value
        for name, value in values.items()
        if math.isfinite(value) and abs(value) <= MAX_VALUE and name not in RESERVED
    }
    if not usable:
        return
    names = list(usable)[:MAX_METRICS]
    dimensions = {PIPELINE: pipeline}
    if dimension:
        dimensions[dimension] = dimension_value
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": _unit(name)} for name in names],
    }
    milliseconds = round(clock.now().timestamp() * 1000)
    logger.info(
        "metrics: %s",
        ", ".join(names),
        extra={
            **dimensions,
            **{name: usable[name] for name in names},
            "_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]},
        },
    )


def _unit(name: str) -> Unit:
    """Return the unit of a metric. An offline metric has none."""
    return METRICS[name].unit if name in METRICS else "None"

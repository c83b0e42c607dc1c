"""What each metric means that the functions write with `functions/common/metrics.py`."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from functions.constants import (
    DATA_AGE_HOURS,
    INACTIVE_RECOMMENDERS,
    MODEL_AGE_HOURS,
    NEWEST_EVENT_AGE_HOURS,
    RUNS,
    TRAINING_HOURS,
    UNDELIVERED_REPORTS,
    UNFINISHED_TRIALS,
)

Dimension = Literal["Solution", "Dataset", "Outcome"]


class Metric(NamedTuple):
    """A metric that the functions write, always with the dimension PIPELINE_DIMENSION."""

    dimensions: Sequence[Dimension | None]
    """The possible second dimensions. None stands for a value of the whole pipeline."""
    meaning: str
    is_written_by_watcher: bool = False
    """True if `watch_pipeline` writes the metric every 15 minutes."""


METRICS: Mapping[str, Metric] = {
    RUNS: Metric(("Outcome",), "1 for each run that has ended"),
    UNDELIVERED_REPORTS: Metric(
        (None,),
        "the messages and events of a run's report that could not be delivered, usually 0",
    ),
    TRAINING_HOURS: Metric(("Solution",), "the hours of a training as Personalize charges them"),
    MODEL_AGE_HOURS: Metric(
        (None, "Solution"),
        "the hours since the model that a campaign serves was trained, or was last found up to "
        "date by a run. The oldest model counts. A model does not count as older than the pipeline",
        is_written_by_watcher=True,
    ),
    DATA_AGE_HOURS: Metric(
        (None, "Dataset"),
        "the hours since a dataset was last imported, or was last found unchanged by a run. The "
        "oldest dataset counts. For interactions and actionInteractions an unchanged export does "
        "not count, unless an event tracker is ACTIVE or `streamed` is set",
        is_written_by_watcher=True,
    ),
    NEWEST_EVENT_AGE_HOURS: Metric(
        ("Dataset",),
        "the hours from the newest event to the end of its import, if every row was read",
    ),
    UNFINISHED_TRIALS: Metric(
        (None,),
        "the number of campaigns with a version on trial for more than 5 hours besides its bake, "
        "and of campaigns that cannot be read",
        is_written_by_watcher=True,
    ),
    INACTIVE_RECOMMENDERS: Metric(
        (None,),
        "the number of recommenders in the dataset group that are not ACTIVE, or 1 if they cannot "
        "be listed. Only a pipeline with `solutions: []` has this metric",
        is_written_by_watcher=True,
    ),
}
"""Name -> metric. Offline metrics are not in this table. They have the names that
GetSolutionMetrics returns, and the second dimension `Solution`."""

"""Draw the pipeline that a story is about: its exports, events, training modes and probes."""

from dataclasses import replace
from random import Random
from typing import NamedTuple

from components.args import LimitsArgs
from tests.workflow.pipeline import Pipeline
from tests.workflow.stories import DATASETS
from tests.world import MOVIES, DatasetGroup, campaign, interactions, solution

GROUP = (
    MOVIES.with_datasets(*DATASETS)
    .with_solutions(
        solution(
            "taste",
            campaigns=[
                campaign("home", user_id="u1", min_results=1, minutes=5),
                campaign("shelf", user_id="u2", min_results=1, minutes=5),
            ],
        ),
        solution("novel", campaigns=[campaign("page", user_id="u3", min_results=1, minutes=5)]),
    )
    .with_options(
        limits=LimitsArgs(
            max_import_hours=1,
            max_training_hours=2,
            max_campaign_hours=1,
            max_trainings_per_month=0,
        )
    )
)
"""The pipeline of most stories: complete exports, each of which replaces the one before."""
PROBABILITY = 0.15
"""The probability of each change of this pipeline."""


class Setup(NamedTuple):
    """How the pipeline of a story differs from `GROUP`. Each field is False in most stories."""

    daily_interactions: bool = False
    """Each day has new interactions, which an INCREMENTAL import appends."""
    daily_items: bool = False
    """Each day has a complete export of the items at a location of its own."""
    has_tracker: bool = False
    """An event tracker sends events."""
    is_streamed: bool = False
    """Records also reach the items through the API."""
    trains_update: bool = False
    """The solution novel has `trainingMode` UPDATE, with a FULL training in 20 days."""
    is_unguarded: bool = False
    """The solution novel has neither a gate nor a probe."""

    @property
    def daily(self) -> list[str]:
        """Return the datasets that have an export of each day."""
        is_daily = {"interactions": self.daily_interactions, "items": self.daily_items}
        return [dataset for dataset in DATASETS if is_daily[dataset]]

    @property
    def group(self) -> DatasetGroup:
        """Return the dataset group with its pipeline."""
        items: dict[str, object] = {"streamed": self.is_streamed}
        if self.daily_items:
            items["data_location"] = "s3://exports/{date}/items.csv"
        group = GROUP.with_dataset("items", **items)
        if self.daily_interactions:
            location = "s3://exports/{date}/interactions.csv"
            group = group.with_dataset(
                "interactions", data_location=location, import_mode="INCREMENTAL"
            )
        taste, novel = group.solutions
        if self.trains_update:
            novel = replace(novel, training_mode="UPDATE")
        if self.is_unguarded:
            novel = replace(novel, campaigns=[campaign("page")], quality_gate_enabled=False)
        return group.with_solutions(taste, novel)


def draw_setup(seed: int) -> Setup:
    """Draw the pipeline of a story."""
    random = Random(seed)  # noqa: S311 - a reproducible story
    return Setup(*(random.random() < PROBABILITY for _ in Setup._fields))


def write_worse_data(pipeline: Pipeline) -> None:
    """Write interactions from which a model learns nothing."""
    pipeline.bucket.put("interactions.csv", interactions(shuffled=True))

"""Checks the datasets against the import jobs that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..personalize.import_lists import newest_import
from ..personalize.jobs import import_mode_of
from ..personalize.tags import RUN
from .planned_imports import imports_to_do
from .world import newest_active

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .situation import Situation


def incremental_without_full(situation: Situation) -> Iterator[str]:
    """Yield a message for an INCREMENTAL import of a dataset that has no ACTIVE FULL import."""
    dataset = situation.dataset
    jobs = situation.world.import_jobs.get(dataset["datasetArn"], [])
    newest_full_import = newest_active(job for job in jobs if import_mode_of(job) == "FULL")
    if dataset["importMode"] == "INCREMENTAL" and newest_full_import is None:
        yield (
            f"importMode INCREMENTAL needs an ACTIVE FULL import of {dataset['datasetArn']} "
            "before; import a complete export once with importMode FULL, which replaces all "
            "bulk data"
        )


def foreign_data(situation: Situation) -> Iterator[str]:
    """Yield a message for a dataset with foreign data that this run does not replace.

    A dataset that this pipeline has never imported is not named.
    """
    to_do = {of_dataset.dataset["datasetArn"] for of_dataset in imports_to_do(situation)}
    for dataset in situation.settings["datasets"]:
        arn = dataset["datasetArn"]
        newest = newest_import(situation.world.import_jobs.get(arn, ()))
        if arn in to_do or newest is None or arn not in situation.world.last_full_import_tags:
            continue
        if RUN not in situation.world.tags_of_newest_import(arn):
            yield (
                f"datasets.{dataset['type']}: {newest['datasetImportJobArn']}, the newest import, "
                "was not started by this pipeline, and this run does not import the export again; "
                "use retrain start to import it"
            )


def skipped_days(situation: Situation) -> Iterator[str]:
    """Yield a message for earlier days of an INCREMENTAL export that were never imported."""
    days = situation.world.unimported_days.get(situation.dataset["datasetArn"], [])
    if days:
        yield (
            f"the exports of these days were never imported: {', '.join(days)}; append each with "
            f"retrain start --export-date {days[0]}, or import a complete export with importMode "
            "FULL"
        )

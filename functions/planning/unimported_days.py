"""Finds the days of an INCREMENTAL export that no import has brought."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from .. import exports
from ..executions import day_of
from ..personalize.jobs import import_mode_of
from ..personalize.statuses import is_active
from ..personalize.tags import CONFIRMED, DAY, PLANNED, RUN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_personalize.type_defs import DatasetImportJobSummaryTypeDef
    from mypy_boto3_s3 import S3Client

    from ..workflow_settings import Tags
    from .situation import DatasetOfRun

MAX_DAYS = 31
"""The number of days before the day of the run that are searched."""


def unimported_days(
    client: S3Client,
    dataset: DatasetOfRun,
    jobs: Sequence[DatasetImportJobSummaryTypeDef],
    tags_of_jobs: Mapping[str, Tags],
) -> list[str]:
    """Return the earlier days that have an export and no confirmed import, oldest first.

    Only the days since the last FULL import are searched, because it has brought all earlier data.

    Args:
        client: a client of S3.
        dataset: a dataset whose location contains the day of the run instead of `{date}`.
        jobs: the import jobs of the dataset.
        tags_of_jobs: the tags of its import jobs of the last days.
    """
    day = dataset["day"]
    if dataset["importMode"] != "INCREMENTAL" or not day:
        return []
    active = [job for job in jobs if is_active(job["status"])]
    imported = {
        _day(tags_of_jobs.get(job["datasetImportJobArn"], {}))
        for job in active
        if import_mode_of(job) == "INCREMENTAL"
    }
    full = [job["creationDateTime"] for job in active if import_mode_of(job) == "FULL"]
    first_day = max(full).date() + timedelta(days=1) if full else None
    return [
        earlier
        for earlier in _earlier_days(date.fromisoformat(day), first_day)
        if earlier not in imported
        and exports.list_objects(client, dataset["dataLocation"].replace(day, earlier))
    ]


def _earlier_days(day: date, first_day: date | None) -> Iterator[str]:
    """Yield the days before a day, oldest first. The first of them is not before `first_day`."""
    for number in range(MAX_DAYS, 0, -1):
        earlier = day - timedelta(days=number)
        if first_day is None or earlier >= first_day:
            yield earlier.isoformat()


def _day(tags: Tags) -> str | None:
    """Return the day of the export that an import job has brought, or None if it is not known.

    An import job of an earlier release has only the id of its run, which contains the day.
    """
    if PLANNED in tags and tags.get(CONFIRMED) != tags[PLANNED]:
        return None
    return tags.get(DAY) or (day_of(tags[RUN]) if RUN in tags else None)

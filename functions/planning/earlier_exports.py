"""Finds the INCREMENTAL exports of earlier days that the dataset does not hold."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING

from .. import exports
from ..personalize.imports import location_digits
from ..rules.imports import learned

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mypy_boto3_s3 import S3Client

    from ..exports import Export
    from ..rules.imports import Import
    from .datasets import DatasetOfRun

SEARCHED_DAYS = 31
"""The number of days before the day of the run that are searched."""


def earlier_exports(
    client: S3Client, dataset: DatasetOfRun, imports: Sequence[Import]
) -> dict[str, Export]:
    """Return each earlier day -> its export, if no import of its location has `held`.

    Only the days since the last FULL import are searched, because it has brought all earlier data.
    `dataset` has a location that contains the day of the run instead of `{date}`.
    """
    day = dataset["day"]
    if dataset["importMode"] != "INCREMENTAL" or not day:
        return {}
    data = learned(imports)
    found = {}
    for number in range(SEARCHED_DAYS, 0, -1):
        earlier = (date.fromisoformat(day) - timedelta(days=number)).isoformat()
        location = dataset["dataLocation"].replace(day, earlier)
        is_held = any(job.is_held for job in imports_from(location, data))
        if earlier <= day_of_full_import(data) or is_held:
            continue
        if objects := exports.list_objects(client, location):
            found[earlier] = exports.Export(location=location, objects=objects)
    return found


def imports_from(location: str, imports: Iterable[Import]) -> list[Import]:
    """Return the imports of this pipeline that have brought an export from a location."""
    return [job for job in imports if job.location == location_digits(location)]


def day_of_full_import(data: Sequence[Import]) -> str:
    """Return the day in UTC on which the FULL import of the data was created, or "" without one."""
    full = [job for job in data if job.is_full]
    return full[0].created_at.astimezone(UTC).date().isoformat() if full else ""

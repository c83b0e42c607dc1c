"""Finds the INCREMENTAL exports of earlier days that the dataset does not hold."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from .. import exports
from ..personalize.imports import location_digits, seen_export
from ..rules.imports import learned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from ..rules.imports import Export, Import
    from .situation import DatasetOfRun

MAX_DAYS = 31
"""The number of days before the day of the run that are searched."""


def earlier_exports(
    client: S3Client, dataset: DatasetOfRun, schema_arn: str, imports: Sequence[Import]
) -> dict[str, Export]:
    """Return each earlier day -> its export, if no import of its location has `held`.

    Only the days since the last FULL import are searched, because it has brought all earlier data.

    Args:
        client: a client of S3.
        dataset: a dataset whose location contains the day of the run instead of `{date}`.
        schema_arn: the schema of the dataset.
        imports: the imports of the dataset.
    """
    day = dataset["day"]
    if dataset["importMode"] != "INCREMENTAL" or not day:
        return {}
    data = learned(imports)
    full_at = data[0].created_at if data and data[0].is_full else None
    found = {}
    for earlier in _earlier_days(date.fromisoformat(day), full_at):
        location = dataset["dataLocation"].replace(day, earlier)
        if any(job.is_held for job in imports_of_location(data, location)):
            continue
        if objects := exports.list_objects(client, location):
            export = exports.Export(location=location, objects=objects)
            found[earlier] = seen_export(export, dataset["importMode"], schema_arn)
    return found


def imports_of_location(imports: Sequence[Import], location: str) -> list[Import]:
    """Return the imports of this pipeline that have brought an export from a location."""
    start = f"{location_digits(location)}-"
    return [job for job in imports if (job.planned or "").startswith(start)]


def _earlier_days(day: date, full_at: datetime | None) -> Iterator[str]:
    """Yield the days before a day and after the last FULL import, oldest first."""
    for number in range(MAX_DAYS, 0, -1):
        earlier = day - timedelta(days=number)
        if full_at is None or earlier > full_at.date():
            yield earlier.isoformat()

"""Checks an export against what was imported before. Each guard yields messages.

The other modules `export_*.py` check its files, columns, values and number of rows.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from ..rules.imports import learned
from .earlier_exports import imports_of_location
from .guards import guard
from .planned_imports import has_export_date, imported_day, later_import

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..rules.imports import Import
    from .situation import Situation

MAX_INCREMENTAL_BYTES = 10**9
"""AWS's limit for an INCREMENTAL import:
https://docs.aws.amazon.com/personalize/latest/dg/limits.html."""


@guard("export of a later day", "REFUSE", "export")
def export_of_earlier_day(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL import of an earlier day than the day of the last import.

    The import would replace newer data. This can happen if the event of the schedule comes late.
    Only a location with `{date}` belongs to a day. A person may bring back an earlier day with
    `exportDate`.
    """
    later = None if has_export_date(situation) else later_import(situation)
    if later is not None:
        yield (
            f"{situation.dataset['dataLocation']} is of {situation.dataset['day']}, but "
            f"{later.arn} has imported {imported_day(situation, later)} since then; use retrain "
            "start, which imports the export of today"
        )


@guard("size", "REFUSE", "export")
def truncated_export(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL export that is much smaller than the last FULL import.

    A FULL import replaces all data, so a truncated export would delete data. Foreign imports are
    not compared, because only the imports of this pipeline have a tag with their size. A person may
    bring back an earlier, smaller export with `exportDate`.
    """
    dataset, export = situation.dataset, situation.export
    if dataset["importMode"] != "FULL" or has_export_date(situation) or not export.objects:
        return
    sizes = {
        job.ended_at: job.size
        for job in situation.imports
        if job.is_active and job.is_full and job.size is not None
    }
    last_size, min_share = sizes[max(sizes)] if sizes else 0, dataset["minRelativeSize"]
    if export.size < min_share * last_size:
        yield (
            f"{export.location} has {export.size} bytes, and the last FULL import took "
            f"{last_size}: less than minRelativeSize {min_share:g} of it; a FULL import "
            "replaces all bulk data, so only if the data really shrank, lower minRelativeSize for "
            "one run"
        )


@guard("ready marker", "REFUSE", "export")
def export_not_ready(situation: Situation) -> Iterator[str]:
    """Yield a message for a ready marker that is missing, or older than an object of the export.

    If the export was imported before, the fingerprint shows it, not the marker.
    """
    export, marker = situation.export, situation.dataset["readyMarker"]
    if marker is None or export.read_error:
        return
    if export.marker_written_at is None:
        yield (
            f"the ready marker {marker} does not exist; write it when the export is "
            "complete, or use retrain start --skip-import to train without an import"
        )
        return
    written_at = export.marker_written_at
    late_keys = [file.key for file in export.objects if file.modified_at > written_at]
    if late_keys:
        yield (
            f"{len(late_keys)} of {len(export.objects)} objects at {export.location} are newer "
            f"than the ready marker {marker}, for example {late_keys[0]}; write the marker "
            "after the last object of the export"
        )


@guard("rows to append", "REFUSE", "export")
def wrong_increment(situation: Situation) -> Iterator[str]:
    """Yield a message for an INCREMENTAL export that was imported before or is too large.

    An object that is older than the last import was imported before, and its rows would be added
    again. If each day has a location of its own, the export of a day is imported once. An export is
    too large with more than 1 GB.
    """
    dataset, export = situation.dataset, situation.export
    if dataset["importMode"] != "INCREMENTAL" or not export.objects:
        return
    if dataset["day"]:
        yield from _appended_day(situation, dataset["day"])
    elif old_keys := _keys_older_than_last_import(situation):
        yield (
            f"{len(old_keys)} of {len(export.objects)} objects at {export.location} are older than "
            f"the last import, for example {old_keys[0]}, and would be appended again; "
            "write each export to a new location, for example "
            "'s3://bucket/interactions/{date}/', or use retrain start --skip-import to train "
            "without an import"
        )
    if export.size > MAX_INCREMENTAL_BYTES:
        yield (
            f"{export.location} has {export.size} bytes; an INCREMENTAL import takes at most "
            f"{MAX_INCREMENTAL_BYTES}; export more often, or use importMode FULL with a "
            "complete export, because it replaces all bulk data"
        )


def _appended_day(situation: Situation, day: str) -> Iterator[str]:
    """Yield a message if the rows of the export of a day are in the dataset.

    Only ready markers start a run for a day that is long past, for example if a bucket is copied. A
    person may append a day on purpose with `exportDate`.
    """
    if has_export_date(situation):
        return
    data = learned(situation.imports)
    held = [job for job in imports_of_location(data, situation.export.location) if job.is_held]
    reason = None
    if held:
        reason = f"was imported by {held[-1].arn}, and has changed since then"
    elif situation.run["trigger"] == "export" and day < _day_of_full_import(data):
        reason = "is of a day before the last FULL import, which has brought all earlier data"
    if reason:
        yield (
            f"{situation.export.location} {reason}, so its rows would be appended twice; write new "
            "rows to the location of a later day, or append this export on purpose with "
            f"retrain start --dataset {situation.dataset['type']} --export-date {day}"
        )


def _day_of_full_import(data: Sequence[Import]) -> str:
    """Return the day in UTC on which the FULL import of the data was created, or "" without one."""
    full = [job for job in data if job.is_full]
    return full[0].created_at.astimezone(UTC).date().isoformat() if full else ""


def _keys_older_than_last_import(situation: Situation) -> list[str]:
    """Return the keys of the objects that were written before the last import began.

    An import of this pipeline counts if it holds its export, because otherwise the export has to be
    imported again. A foreign import counts also while it is running, because it may succeed.
    """
    times = [
        job.created_at
        for job in situation.imports
        if job.is_held or (job.run is None and (job.is_active or job.is_running))
    ]
    if not times:
        return []
    return [file.key for file in situation.export.objects if file.modified_at < max(times)]

"""Checks an export against what was imported before. Each guard yields messages.

The other modules `export_*.py` check its files, columns, values and number of rows.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from ..executions import DATE, day_of
from ..personalize.jobs import import_mode_of
from ..personalize.statuses import cannot_succeed, is_active
from ..personalize.tags import BYTES, CONFIRMED, COUNTED, DAY, FIRST_LEVEL, PLANNED, RUN
from .import_tags import DATED_IMPORTS
from .planned_imports import has_export_date
from .world import newest_active

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_personalize.type_defs import DatasetImportJobSummaryTypeDef

    from ..workflow_settings import DatasetSettings, Tags
    from .situation import Situation

MAX_INCREMENTAL_BYTES = 10**9
"""AWS's limit for an INCREMENTAL import:
https://docs.aws.amazon.com/personalize/latest/dg/limits.html."""


def export_of_earlier_day(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL import of an earlier day than the day of the last import.

    The import would replace newer data. This can happen if a run is resumed late, or if the event
    of the schedule comes late. Only a location with `{date}` belongs to a day. A person may bring
    back an earlier day with `exportDate`.
    """
    dataset, run = situation.dataset, situation.run
    if dataset["importMode"] != "FULL" or DATE not in _configured(situation)["dataLocation"]:
        return
    if has_export_date(situation):
        return
    last_run_id = situation.world.tags_of_newest_import(dataset["datasetArn"]).get(RUN)
    is_late_marker = "day" in run["request"]
    if last_run_id is not None and not is_late_marker and day_of(last_run_id) > day_of(run["id"]):
        yield (
            f"{dataset['dataLocation']} is of {day_of(run['id'])}, but run {last_run_id} has "
            "imported a later day since then; use retrain start, which imports the export of "
            "today"
        )


def _configured(situation: Situation) -> DatasetSettings:
    """Return the settings of the selected dataset with `{date}`, which the day has not replaced."""
    return next(
        configured
        for configured in situation.settings["datasets"]
        if configured["type"] == situation.dataset["type"]
    )


def truncated_export(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL export that is much smaller than the last FULL import.

    A FULL import replaces all data, so a truncated export would delete data. Foreign imports are
    not compared, because only the imports of this pipeline have a tag with their size. The size of
    a folder is not compared either if an earlier release counted the files in subfolders, and a
    person may bring back an earlier, smaller export with `exportDate`.
    """
    dataset, export = situation.dataset, situation.export
    tags = situation.world.last_full_import_tags.get(dataset["datasetArn"], {})
    if dataset["importMode"] != "FULL" or BYTES not in tags or not export.objects:
        return
    if has_export_date(situation):
        return
    if export.location.endswith("/") and tags.get(COUNTED) != FIRST_LEVEL:
        return
    last_size, min_share = int(tags[BYTES]), dataset["minRelativeSize"]
    if export.size < min_share * last_size:
        yield (
            f"{export.location} has {export.size} bytes, and the last FULL import took "
            f"{last_size}: less than minRelativeSize {min_share:g} of it; a FULL import "
            "replaces all bulk data, so only if the data really shrank, lower minRelativeSize for "
            "one run"
        )


def export_not_ready(situation: Situation) -> Iterator[str]:
    """Yield a message for a ready marker that is missing or too old.

    The marker must have been written after all objects, and after the last import began, unless a
    person brings back an earlier export with `exportDate`. If each day has a marker and a location
    of its own, only the last import of this day counts.
    """
    export, marker = situation.export, situation.dataset["readyMarker"]
    day = situation.dataset["day"]
    if marker is None or export.read_error:
        return
    if export.marker_written_at is None:
        yield (
            f"the ready marker {marker} does not exist; write it when the export is "
            "complete, or use retrain start --skip-import to train without an import"
        )
        return
    written_at = export.marker_written_at
    is_dated = DATE in str(_configured(situation)["readyMarker"])
    last_import = newest_active(
        job
        for job in _import_jobs(situation)
        if not is_dated or day is None or _tags(situation, job).get(DAY) == day
    )
    is_old = last_import is not None and written_at <= last_import["creationDateTime"]
    if last_import and is_old and not has_export_date(situation):
        yield (
            f"the ready marker {marker} was written at "
            f"{written_at.isoformat(timespec='seconds')}, before the last import at "
            f"{last_import['creationDateTime'].isoformat(timespec='seconds')}; write the "
            "marker after each export, or use retrain start --skip-import to train without an "
            "import"
        )
        return
    late_keys = [file.key for file in export.objects if file.modified_at > written_at]
    if late_keys:
        yield (
            f"{len(late_keys)} of {len(export.objects)} objects at {export.location} are newer "
            f"than the ready marker {marker}, for example {late_keys[0]}; write the marker "
            "after the last object of the export"
        )


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
    """Yield a message if the rows of the export of a day are, or may be, in the dataset.

    Only ready markers start a run for a day that is long past, for example if a bucket is copied. A
    person may append a day on purpose with `exportDate`.
    """
    if "exportDate" in situation.run["request"]:
        return
    active = [job for job in _import_jobs(situation) if is_active(job["status"])]
    last_full = newest_active(job for job in active if import_mode_of(job) == "FULL")
    same_day = [
        job
        for job in _counted_imports(situation)
        if _tags(situation, job).get(DAY) == day
        and (last_full is None or job["creationDateTime"] >= last_full["creationDateTime"])
    ]
    reason = None
    if same_day:
        reason = f"was imported by {same_day[0]['datasetImportJobArn']}, and has changed since then"
    elif situation.run["trigger"] != "export":
        return
    elif last_full and day < _day_of_job(last_full):
        reason = "is of a day before the last FULL import, which has brought all earlier data"
    elif active[DATED_IMPORTS:] and day <= _day_of_job(active[DATED_IMPORTS - 1]):
        reason = f"is of a day before the last {DATED_IMPORTS} imports, and may be imported already"
    if reason:
        yield (
            f"{situation.export.location} {reason}, so its rows would be appended twice; write new "
            "rows to the location of a later day, or append this export on purpose with "
            f"retrain start --export-date {day}"
        )


def _day_of_job(job: DatasetImportJobSummaryTypeDef) -> str:
    """Return the day in UTC on which an import job was created."""
    return job["creationDateTime"].astimezone(UTC).date().isoformat()


def _keys_older_than_last_import(situation: Situation) -> list[str]:
    """Return the keys of the objects that were written before the last import began."""
    import_times = [job["creationDateTime"] for job in _counted_imports(situation)]
    if not import_times:
        return []
    last_import = max(import_times)
    return [file.key for file in situation.export.objects if file.modified_at < last_import]


def _counted_imports(situation: Situation) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs whose rows are in the selected dataset, newest first.

    An import that is still running counts, because it may succeed. An import that was not confirmed
    does not count, because the export has to be imported again.
    """
    return [
        job
        for job in _import_jobs(situation)
        if not cannot_succeed(job["status"]) and not _is_unconfirmed(situation, job)
    ]


def _is_unconfirmed(situation: Situation, job: DatasetImportJobSummaryTypeDef) -> bool:
    """Return True if a run created the job and did not confirm it, because the export changed."""
    tags = _tags(situation, job)
    return PLANNED in tags and tags.get(CONFIRMED) != tags[PLANNED]


def _tags(situation: Situation, job: DatasetImportJobSummaryTypeDef) -> Tags:
    """Return the tags of an import job of the selected dataset."""
    return situation.world.import_tags.get(job["datasetImportJobArn"], {})


def _import_jobs(situation: Situation) -> Sequence[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of the selected dataset, newest first."""
    return situation.world.import_jobs.get(situation.dataset["datasetArn"], [])

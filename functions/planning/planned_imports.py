"""Plans the imports of a run: which exports are imported, and how. All functions are pure."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from ..personalize.fingerprint import fingerprint_of
from ..personalize.import_lists import newest_import, running_imports
from ..personalize.jobs import import_mode_of
from ..personalize.ownership import import_job_name
from ..personalize.statuses import is_active
from ..personalize.tags import (
    BYTES,
    CONFIRMED,
    COUNTED,
    DAY,
    FINGERPRINT,
    FIRST_LEVEL,
    NOT_CONFIRMED,
    PLANNED,
    RUN,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime

    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        CampaignUpdateSummaryTypeDef,
        DatasetImportJobSummaryTypeDef,
        SolutionVersionSummaryTypeDef,
    )

    from ..contract import PlannedImport
    from ..exports import Export
    from ..workflow_settings import Tags
    from .situation import Situation

    TimedJob = (
        DatasetImportJobSummaryTypeDef
        | SolutionVersionSummaryTypeDef
        | CampaignUpdateSummaryTypeDef
        | CampaignTypeDef
    )

TIMED_JOBS = 5
"""The number of earlier jobs from which the duration of the next job is estimated."""


def planned_import(situation: Situation) -> PlannedImport:
    """Return the import of the selected dataset."""
    dataset, export = situation.dataset, situation.export
    newest = _newest_object_at(export)
    return {
        "type": dataset["type"],
        "jobName": _import_name(situation),
        "dataLocation": dataset["dataLocation"],
        "schemaArn": _schema_arn(situation),
        "newestObjectAt": newest.isoformat() if newest else None,
        "isRequested": imports_are_requested(situation),
        "tags": {
            RUN: situation.run["id"],
            BYTES: str(export.size),
            COUNTED: FIRST_LEVEL,
            PLANNED: fingerprint(situation),
            CONFIRMED: NOT_CONFIRMED,
            **_day_tag(situation),
        },
        "durations": durations_of(
            job for job in _jobs(situation) if import_mode_of(job) == dataset["importMode"]
        ),
    }


def newest_imports(situation: Situation) -> dict[str, str | None]:
    """Return type of each configured dataset -> the ARN of its newest import job, or None."""
    arns = {}
    for dataset in situation.settings["datasets"]:
        newest = newest_import(situation.world.import_jobs.get(dataset["datasetArn"], ()))
        arns[dataset["type"]] = newest["datasetImportJobArn"] if newest else None
    return arns


def imports_to_do(situation: Situation) -> list[Situation]:
    """Return a situation for each dataset whose export the run has to import."""
    of_datasets = [situation.with_dataset(dataset) for dataset in situation.datasets]
    return [of_dataset for of_dataset in of_datasets if needs_import(of_dataset)]


def needs_import(situation: Situation) -> bool:
    """Return True if the run has to import the export of the selected dataset."""
    if awaits_marker(situation) or _has_later_day(situation):
        return False
    return not is_imported(situation)


def awaits_marker(situation: Situation) -> bool:
    """Return True if the export of the selected dataset will start a run of its own.

    If ready markers start runs, a scheduled run does not import an export without a marker.
    """
    is_scheduled = situation.run["trigger"] == "schedule"
    if not is_scheduled or not situation.settings.get("triggerOnExport"):
        return False
    has_marker = situation.dataset["readyMarker"] is not None
    return has_marker and situation.export.marker_written_at is None


def _has_later_day(situation: Situation) -> bool:
    """Return True if ready markers start runs, and the dataset holds a later day than the run's.

    The event about a ready marker may come late. In another time zone, the export of the next day
    may be ready before the schedule fires. A FULL import of the run's day would replace newer data.
    A person may bring back an earlier day with `exportDate`.
    """
    day, request = situation.dataset["day"], situation.run["request"]
    is_relevant = situation.settings.get("triggerOnExport") and "exportDate" not in request
    if day is None or not is_relevant or situation.dataset["importMode"] != "FULL":
        return False
    newest_tags = situation.world.tags_of_newest_import(situation.dataset["datasetArn"])
    return newest_tags.get(DAY, "") > day


def fingerprint(situation: Situation) -> str:
    """Return the fingerprint of the selected dataset's export."""
    mode = situation.dataset["importMode"]
    return fingerprint_of(situation.export, mode, _schema_arn(situation))


def imports_are_requested(situation: Situation) -> bool:
    """Return True if the run imports FULL exports that were imported before."""
    is_forced = situation.run["request"].get("force", False)
    return is_forced or not situation.settings["skipWhenUnchanged"]


def has_export_date(situation: Situation) -> bool:
    """Return True if the run imports a named day, which may be earlier than the last import.

    A person names the day with `exportDate`. The ready marker of an INCREMENTAL export names it as
    well, and it may come late.
    """
    request = situation.run["request"]
    is_appended = situation.dataset["importMode"] == "INCREMENTAL"
    return "exportDate" in request or ("day" in request and is_appended)


def is_imported(situation: Situation) -> bool:
    """Return True if the selected dataset holds its export, so that no import is needed.

    This is so if the newest import of the dataset is an import of the present export. The export of
    one day is imported only once, so an earlier import counts too, unless a foreign import has
    replaced its data. With `exportDate` the export of a FULL import has to be the newest. If
    imports are requested, only an import of this run counts.
    """
    jobs = _jobs(situation)
    if running_imports(jobs):
        return False
    newest = newest_import(jobs)
    if situation.dataset["importMode"] == "FULL" and imports_are_requested(situation):
        run_id = situation.world.tags_of_newest_import(situation.dataset["datasetArn"]).get(RUN)
        return run_id == situation.run["id"] and _has_this_export(situation, newest)
    if _has_this_export(situation, newest):
        return True
    if situation.dataset["day"] is None:
        return False
    must_be_newest = situation.dataset["importMode"] == "FULL" and has_export_date(situation)
    return not must_be_newest and _was_imported_before(situation)


def unconfirmed_import(situation: Situation) -> DatasetImportJobSummaryTypeDef | None:
    """Return the newest import of the selected dataset if only its confirmation is missing.

    The run that created it has died, or belongs to an earlier release.
    """
    newest = newest_import(_jobs(situation))
    if newest is None or not _has_this_export(situation, newest):
        return None
    tags = situation.world.import_tags[newest["datasetImportJobArn"]]
    return None if tags.get(CONFIRMED) == fingerprint(situation) else newest


def has_begun_import(situation: Situation) -> bool:
    """Return True if an import of the selected dataset's export is running.

    The run waits for this import job instead of creating another one.
    """
    return any(_has_this_export(situation, job) for job in running_imports(_jobs(situation)))


def durations_of(newest_first: Iterable[TimedJob]) -> list[int]:
    """Return the seconds that the last successful jobs took, newest first.

    The jobs must be sorted, newest first. At most five durations are returned.
    """
    successful = [job for job in newest_first if is_active(job["status"])]
    return [
        round((job["lastUpdatedDateTime"] - job["creationDateTime"]).total_seconds())
        for job in successful[:TIMED_JOBS]
    ]


def first_name_to_use(name_of_attempt: Callable[[int], str], used_names: Collection[str]) -> str:
    """Return the name of the first attempt that is not used yet. Attempts count from 1."""
    names = (name_of_attempt(attempt) for attempt in count(1))
    return next(name for name in names if name not in used_names)


def _import_name(situation: Situation) -> str:
    """Return the name for the import of the selected dataset."""

    def name_of_attempt(attempt: int) -> str:
        return import_job_name(
            situation.settings, situation.run, situation.dataset["type"], attempt
        )

    return first_name_to_use(name_of_attempt, {job["jobName"] for job in _jobs(situation)})


def _has_this_export(situation: Situation, job: DatasetImportJobSummaryTypeDef | None) -> bool:
    """Return True if a run created the import job for the present export of the selected dataset.

    If the import was not confirmed, no object of the export may be newer than the import job. An
    import of an earlier release has only a hash of the objects.
    """
    tags = situation.world.import_tags.get(job["datasetImportJobArn"], {}) if job else {}
    if job is None or RUN not in tags:
        return False
    if tags.get(CONFIRMED) == fingerprint(situation):
        return True
    if PLANNED in tags:
        is_same = tags[PLANNED] == fingerprint(situation)
    else:
        is_same = tags.get(FINGERPRINT) == situation.export.fingerprint
    return is_same and not _is_older_than_export(job, situation)


def _was_imported_before(situation: Situation) -> bool:
    """Return True if an earlier import has brought the present export, and its data remain.

    A FULL import of this pipeline may follow a FULL import, because then the export of another day
    was imported on purpose. Any other FULL import has replaced the data.
    """
    active = [job for job in _jobs(situation) if is_active(job["status"])]
    for job in sorted(active, key=lambda job: job["lastUpdatedDateTime"], reverse=True):
        if _has_this_export(situation, job):
            return True
        tags = situation.world.import_tags.get(job["datasetImportJobArn"], {})
        is_incremental = situation.dataset["importMode"] == "INCREMENTAL"
        if import_mode_of(job) == "FULL" and (RUN not in tags or is_incremental):
            return False
    return False


def _is_older_than_export(job: DatasetImportJobSummaryTypeDef, situation: Situation) -> bool:
    """Return True if an object of the export was written after the import job was created."""
    newest = _newest_object_at(situation.export)
    return newest is not None and newest > job["creationDateTime"]


def _newest_object_at(export: Export) -> datetime | None:
    """Return when the newest object of an export was written, or None without an object."""
    return max((file.modified_at for file in export.objects), default=None)


def _day_tag(situation: Situation) -> Tags:
    """Return the tag with the day of the export. It is empty for a location without `{date}`."""
    day = situation.dataset["day"]
    return {DAY: day} if day else {}


def _schema_arn(situation: Situation) -> str:
    """Return the ARN of the selected dataset's schema, which is empty if there is no dataset."""
    dataset = situation.world.datasets.get(situation.dataset["datasetArn"])
    return dataset["schemaArn"] if dataset else ""


def _jobs(situation: Situation) -> Sequence[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of the selected dataset, newest first."""
    return situation.world.import_jobs.get(situation.dataset["datasetArn"], [])

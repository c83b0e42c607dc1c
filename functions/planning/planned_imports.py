"""Plans the imports of a run: which exports are imported, and how. All functions are pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..executions import DATE, run_began_at
from ..personalize.imports import location_digits
from ..personalize.statuses import is_active
from ..rules.imports import holder, learned
from ..workflow_settings import dataset_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        CampaignUpdateSummaryTypeDef,
        SolutionVersionSummaryTypeDef,
    )

    from ..contract import PlannedImport
    from ..rules.imports import Import
    from .situation import Situation

    TimedJob = SolutionVersionSummaryTypeDef | CampaignUpdateSummaryTypeDef | CampaignTypeDef

TIMED_JOBS = 5
"""The number of earlier jobs from which the duration of the next job is estimated."""
SEARCHED_DAYS = 400
"""The number of days among which the day of an import is searched."""


def planned_import(situation: Situation) -> PlannedImport:
    """Return the import of the selected dataset."""
    dataset, export = situation.dataset, situation.seen.export
    is_full = dataset["importMode"] == "FULL"
    durations = [
        round((job.ended_at - job.created_at).total_seconds())
        for job in situation.imports
        if job.is_active and job.is_full == is_full
    ]
    return {
        "type": dataset["type"],
        "dataLocation": dataset["dataLocation"],
        "fingerprint": export.fingerprint,
        "bytes": situation.export.size,
        "newestObjectAt": export.newest_at.isoformat() if export.newest_at else None,
        "isRequested": imports_are_requested(situation),
        "durations": durations[:TIMED_JOBS],
    }


def imports_to_do(situation: Situation) -> list[Situation]:
    """Return a situation for each dataset whose export the run has to import."""
    of_datasets = [situation.with_dataset(dataset) for dataset in situation.datasets]
    return [of_dataset for of_dataset in of_datasets if needs_import(of_dataset)]


def needs_import(situation: Situation) -> bool:
    """Return True if the run has to import the export of the selected dataset.

    It also has to wait if any import of the dataset is running.
    """
    if awaits_marker(situation) or _has_later_day(situation):
        return False
    is_running = any(job.is_running for job in situation.imports)
    return is_running or newest_holder(situation) is None


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
    """Return True if the dataset holds the export of a later day than the run's.

    An event may come late. In another time zone, the export of the next day may be ready before the
    schedule fires. A FULL import of the run's day would replace newer data. A person may bring back
    an earlier day with `exportDate`.
    """
    return not has_export_date(situation) and later_import(situation) is not None


def later_import(situation: Situation) -> Import | None:
    """Return the FULL import of a later day than the run's that the selected dataset holds.

    Only the exports of a location with `{date}` belong to a day.
    """
    day, data = situation.dataset["day"], learned(situation.imports)
    if day is None or situation.dataset["importMode"] != "FULL" or not data:
        return None
    imported = imported_day(situation, data[0])
    return data[0] if imported is not None and imported > day else None


def imported_day(situation: Situation, job: Import) -> str | None:
    """Return the day of the export that an import of the selected dataset has brought.

    The location of the day has the digits with which the fingerprint of the import begins. Return
    None if the import is foreign, or has brought an export from another location.
    """
    location = dataset_settings(situation.settings, situation.dataset["type"])["dataLocation"]
    digits = (job.planned or "").partition("-")[0]
    newest = situation.world.now.date() + timedelta(days=1)
    days = ((newest - timedelta(days=number)).isoformat() for number in range(SEARCHED_DAYS))
    return next(
        (day for day in days if location_digits(location.replace(DATE, day)) == digits), None
    )


def imports_are_requested(situation: Situation) -> bool:
    """Return True if the run imports the selected dataset although it may hold its export.

    `skipWhenUnchanged` is about FULL exports. Only `force` adds an INCREMENTAL export to data that
    a foreign import has replaced.
    """
    is_full = situation.dataset["importMode"] == "FULL"
    is_forced = situation.run["request"].get("force", False)
    return is_forced or (is_full and not situation.settings["skipWhenUnchanged"])


def has_export_date(situation: Situation) -> bool:
    """Return True if the run imports a day that a person has named with `exportDate`."""
    return "exportDate" in situation.run["request"]


def is_held(situation: Situation) -> bool:
    """Return True if the selected dataset holds its export."""
    is_full = situation.dataset["importMode"] == "FULL"
    return holder(situation.seen, is_full=is_full) is not None


def newest_holder(situation: Situation) -> Import | None:
    """Return the import by which the selected dataset holds its export as the run wants it."""
    is_full = situation.dataset["importMode"] == "FULL"
    since = run_began_at(situation.run) if imports_are_requested(situation) else None
    return holder(situation.seen, is_full=is_full, since=since)


def has_begun_import(situation: Situation) -> bool:
    """Return True if an import of the selected dataset's export is running.

    The run waits for this import job instead of creating another one.
    """
    fingerprint = situation.seen.export.fingerprint
    return any(job.is_running and job.planned == fingerprint for job in situation.imports)


def durations_of(newest_first: Iterable[TimedJob]) -> list[int]:
    """Return the seconds that the last successful jobs took, newest first.

    The jobs must be sorted, newest first. At most five durations are returned.
    """
    successful = [job for job in newest_first if is_active(job["status"])]
    return [
        round((job["lastUpdatedDateTime"] - job["creationDateTime"]).total_seconds())
        for job in successful[:TIMED_JOBS]
    ]

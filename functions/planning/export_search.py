"""Finds the exports that a run may import, and earlier exports that were never imported.

If `dataLocation` contains `{date}`, each day has its own export.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..common import aws
from ..constants import DATE_PLACEHOLDER
from ..contract import DatasetSettings, Run, Settings
from ..rules.imports import (
    Import,
    find_import_watermark,
    group_imports_by_location,
    list_confirmable_imports,
)
from ..run.execution_data import choose_export_day
from ..s3 import exports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize.type_defs import DatasetTypeDef

    from ..s3.exports import Export

MAX_SEARCHED_DAYS = 31
"""How many days back planning looks for INCREMENTAL exports."""


class ResolvedDatasetSettings(DatasetSettings):
    """The settings of a dataset that a run may import, with a day in place of `{date}`."""

    day: str | None
    """The day that replaced `{date}` in the data location, or None if there was no `{date}`."""


def resolve_datasets(settings: Settings, run: Run) -> list[ResolvedDatasetSettings]:
    """Resolve the settings of the datasets that the request names, or of all datasets.

    The result is empty if the request says that the run imports nothing.
    """
    request = run["request"]
    if request.get("skipImport") or "only" in request:
        return []

    day = choose_export_day(run)
    chosen_types = request.get("datasets")
    return [
        _resolve_dataset(dataset_settings, day)
        for dataset_settings in settings["datasets"]
        if chosen_types is None or dataset_settings["type"] in chosen_types
    ]


def _resolve_dataset(dataset_settings: DatasetSettings, day: str) -> ResolvedDatasetSettings:
    """Put a day into the locations of a dataset's export and ready marker."""
    location = dataset_settings["dataLocation"]
    marker = dataset_settings["readyMarker"]
    if marker is not None:
        marker = marker.replace(DATE_PLACEHOLDER, day)

    return {
        **dataset_settings,
        "day": day if DATE_PLACEHOLDER in location else None,
        "dataLocation": location.replace(DATE_PLACEHOLDER, day),
        "readyMarker": marker,
    }


class ExportSearchResult(NamedTuple):
    """What planning found in S3 for a dataset."""

    export: Export
    """The export of the run's day."""
    skipped_days: Sequence[str]
    """The earlier days whose INCREMENTAL exports were never imported."""
    confirmable_imports: Sequence[Import]
    """The imports that can be confirmed, because their exports haven't changed."""


def search_exports(
    dataset_settings: ResolvedDatasetSettings,
    description: DatasetTypeDef | None,
    imports: Sequence[Import],
) -> ExportSearchResult:
    """Read the export of the run's day, and compare earlier days' exports with the imports.

    `description` is None if the dataset doesn't exist.
    """
    dataset_arn = dataset_settings["datasetArn"]
    dataset_imports = [job for job in imports if job.dataset_arn == dataset_arn]
    earlier_days = list_days_to_search(dataset_settings, dataset_imports)

    export = exports.read_export(
        aws.s3(),
        dataset_settings["dataLocation"],
        dataset_settings["readyMarker"],
        read_all_rows=dataset_settings["strictEvents"],
    )
    earlier_exports = exports.list_existing_exports(
        aws.s3(), [earlier.location for earlier in earlier_days]
    )
    skipped_days = [
        earlier.day
        for earlier in earlier_days
        if earlier.location in earlier_exports and not earlier.is_imported
    ]

    if description is None:
        return ExportSearchResult(export, skipped_days, confirmable_imports=[])

    # Compare each import with the export of its own day, so that this run can confirm imports of a
    # run that died on an earlier day.
    export_states = [
        found_export.build_state(dataset_settings["importMode"], description["schemaArn"])
        for found_export in (export, *earlier_exports.values())
    ]
    return ExportSearchResult(
        export,
        skipped_days,
        confirmable_imports=list_confirmable_imports(dataset_imports, export_states),
    )


class EarlierDay(NamedTuple):
    """An earlier day whose INCREMENTAL export may be missing from the dataset, or incomplete."""

    day: str
    location: str
    is_imported: bool
    """True if an import may have appended some or all rows of the export."""


def list_days_to_search(
    dataset_settings: ResolvedDatasetSettings, imports: Sequence[Import]
) -> list[EarlierDay]:
    """List the earlier days whose exports planning has to look for in S3.

    If an export hasn't changed since its import, planning confirms the import. If an export was
    never imported, a guard reports its day. Days before the last FULL import don't matter, because
    that import contains all earlier data.
    """
    if dataset_settings["day"] is None or dataset_settings["importMode"] == "FULL":
        return []

    locations = build_daily_locations(dataset_settings, range(-MAX_SEARCHED_DAYS, 0))
    watermark = find_import_watermark(imports)
    imports_by_location = group_imports_by_location(imports)

    days = []
    for day, location in locations.items():
        day_imports = imports_by_location.get(exports.hash_location(location), [])
        if day_imports:
            is_complete = all(job.is_confirmed for job in day_imports)
        else:
            is_complete = day <= watermark

        if not is_complete:
            days.append(EarlierDay(day, location, is_imported=bool(day_imports)))
    return days


def build_daily_locations(
    dataset_settings: ResolvedDatasetSettings, day_offsets: range
) -> dict[str, str]:
    """Map the days at these offsets from the run's day to the locations of their exports."""
    run_day = dataset_settings["day"]
    assert run_day is not None, "without {date}, all days have the same location"

    locations = {}
    for offset in day_offsets:
        day = (date.fromisoformat(run_day) + timedelta(days=offset)).isoformat()
        locations[day] = dataset_settings["dataLocation"].replace(run_day, day)
    return locations

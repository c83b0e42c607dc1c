"""Finds the exports that a run may import, and earlier exports that were never imported."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..common import aws
from ..constants import DATE_PLACEHOLDER
from ..contract import (
    DatasetSettings,
    Run,
    Settings,
)
from ..rules.imports import (
    find_confirmable_imports,
    find_import_watermark,
    group_imports_by_location,
)
from ..run.documents import choose_export_day
from ..s3 import exports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize.type_defs import DatasetTypeDef

    from ..rules.imports import Import
    from ..s3.exports import Export

SEARCHED_DAYS = 31
"""How many days back planning looks for INCREMENTAL exports."""


class ResolvedDataset(DatasetSettings):
    """The settings of a dataset that a run may import, with a day in place of `{date}`."""

    day: str | None
    """The day that replaced `{date}` in the data location, or None if there was no `{date}`."""


def resolve_datasets(settings: Settings, run: Run) -> list[ResolvedDataset]:
    """Select the datasets in the request, or all, and replace `{date}` by the run's day."""
    request = run["request"]
    if request.get("skipImport") or "only" in request:
        return []

    day = choose_export_day(run)
    return [
        {
            **dataset,
            "day": day if DATE_PLACEHOLDER in dataset["dataLocation"] else None,
            "dataLocation": dataset["dataLocation"].replace(DATE_PLACEHOLDER, day),
            "readyMarker": marker and marker.replace(DATE_PLACEHOLDER, day),
        }
        for dataset in settings["datasets"]
        for marker in [dataset["readyMarker"]]
        if dataset["type"] in request.get("datasets", [dataset["type"]])
    ]


class ExportSearch(NamedTuple):
    """What planning found in S3 for a dataset."""

    export: Export
    """The export of the run's day."""
    skipped_days: Sequence[str]
    """The earlier days whose INCREMENTAL exports were never imported."""
    confirmable: Sequence[Import]
    """The imports that can be confirmed, because their exports haven't changed."""


def search_exports(
    dataset: ResolvedDataset, description: DatasetTypeDef | None, imports: Sequence[Import]
) -> ExportSearch:
    """Read the export of the run's day, find days without an import, and compare earlier exports.

    `description` is None if the dataset doesn't exist.
    """
    dataset_imports = [job for job in imports if job.dataset_arn == dataset["datasetArn"]]
    days = list_days_to_search(dataset, dataset_imports)

    export = _read_export(dataset)
    earlier_exports = exports.list_existing_exports(aws.s3(), [day.location for day in days])
    skipped_days = [
        day.day for day in days if day.location in earlier_exports and not day.is_imported
    ]

    if description is None:
        return ExportSearch(export, skipped_days, confirmable=[])

    # Compare each import with the export of its own day, so that this run can confirm imports of a
    # run that died on an earlier day.
    states = [
        found.build_state(dataset["importMode"], description["schemaArn"])
        for found in (export, *earlier_exports.values())
    ]
    return ExportSearch(
        export, skipped_days, confirmable=find_confirmable_imports(dataset_imports, states)
    )


def _read_export(dataset: ResolvedDataset) -> Export:
    """Read the export of the run's day."""
    return exports.read_export(
        aws.s3(),
        dataset["dataLocation"],
        dataset["readyMarker"],
        read_all_rows=dataset["strictEvents"],
    )


class SearchedDay(NamedTuple):
    """An earlier day whose INCREMENTAL export may be missing from the dataset, or incomplete."""

    day: str
    location: str
    is_imported: bool
    """True if an import may have appended some or all rows of the export."""


def list_days_to_search(dataset: ResolvedDataset, imports: Sequence[Import]) -> list[SearchedDay]:
    """List the earlier days whose exports planning has to look for in S3.

    Planning confirms imports of these exports if it still can, and a guard reports the days whose
    exports were never imported. Days before the last FULL import don't matter, because that import
    contains all earlier data.
    """
    if dataset["day"] is None or dataset["importMode"] == "FULL":
        return []

    locations = locate_days(dataset, range(-SEARCHED_DAYS, 0))
    watermark = find_import_watermark(imports)
    imported = group_imports_by_location(imports)

    searched_days = []
    for day, location in locations.items():
        jobs = imported.get(exports.hash_location(location), [])
        is_held = day <= watermark
        if jobs:
            is_held = all(job.is_confirmed for job in jobs)
        if not is_held:
            searched_days.append(SearchedDay(day, location, is_imported=bool(jobs)))
    return searched_days


def locate_days(dataset: ResolvedDataset, days: range) -> dict[str, str]:
    """Map days to the locations of their exports. `days` are offsets from the run's day."""
    run_day = str(dataset["day"])
    start = date.fromisoformat(run_day)
    iso_days = [(start + timedelta(days=offset)).isoformat() for offset in days]
    return {day: dataset["dataLocation"].replace(run_day, day) for day in iso_days}

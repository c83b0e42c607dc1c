"""Finds the exports that a run may import, and those of earlier days that nobody has imported."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .. import aws, exports
from ..constants import DATE_PLACEHOLDER
from ..contract import DatasetSettings, Run, Settings
from ..rules.imports import (
    find_confirmable_imports,
    find_import_watermark,
    group_imports_by_location,
)
from ..runs import choose_export_day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_personalize.type_defs import DatasetTypeDef

    from ..exports import Export
    from ..rules.imports import Import

SEARCHED_DAYS = 31
"""The number of days before the run in which planning looks for INCREMENTAL exports."""


class ResolvedDataset(DatasetSettings):
    """The settings of a dataset that a run imports, with a day in place of `{date}`."""

    day: str | None
    """The day that replaced `{date}` in the data location, or None if there was no `{date}`."""


def resolve_datasets(settings: Settings, run: Run) -> list[ResolvedDataset]:
    """Select the datasets that the request names, or all, and put the run's day into locations."""
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
    """What planning has found in S3 for a dataset."""

    export: Export
    """The export of the run's day."""
    skipped_days: Sequence[str]
    """The earlier days whose INCREMENTAL exports were never imported."""
    confirmed: Sequence[Import]
    """The imports whose exports were found unchanged."""


def search_exports(
    dataset: ResolvedDataset, datasets: Mapping[str, DatasetTypeDef], imports: Sequence[Import]
) -> ExportSearch:
    """Read the export of the run's day, and look for those of earlier days.

    `datasets` are the descriptions of the datasets that exist.
    """
    jobs = [job for job in imports if job.dataset == dataset["datasetArn"]]
    searched_days = list_days_to_search(dataset, jobs)

    export = _read_export(dataset)
    earlier_exports = exports.find_exports(aws.s3(), [day.location for day in searched_days])
    skipped_days = [
        searched.day
        for searched in searched_days
        if searched.location in earlier_exports and not searched.is_imported
    ]

    description = datasets.get(dataset["datasetArn"])
    confirmed = []
    if description is not None:
        # Each import is compared with the export of its own day. Otherwise, nobody could confirm
        # the import of a dead run on a later day.
        mode_and_schema = (dataset["importMode"], description["schemaArn"])
        states = [found.state(*mode_and_schema) for found in (export, *earlier_exports.values())]
        confirmed = find_confirmable_imports(jobs, states)

    return ExportSearch(export, skipped_days, confirmed)


def _read_export(dataset: ResolvedDataset) -> Export:
    """Read the export of the run's day."""
    return exports.read_export(
        aws.s3(),
        dataset["dataLocation"],
        dataset["readyMarker"],
        reads_all_rows=dataset["strictEvents"],
    )


class SearchedDay(NamedTuple):
    """An earlier day whose INCREMENTAL export may not have been imported, or only in part."""

    day: str
    location: str
    is_imported: bool
    """True if an import may have brought some or all of its rows."""


def list_days_to_search(dataset: ResolvedDataset, imports: Sequence[Import]) -> list[SearchedDay]:
    """List the days whose exports planning has to look for in S3.

    If one of their imports can still be confirmed, planning does so, and if nobody has imported an
    export, a guard names its day. Days before the last FULL import don't matter, because that
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
    """Map days to the locations of their exports. `days` counts from the day of the run."""
    run_day = str(dataset["day"])
    start = date.fromisoformat(run_day)
    iso_days = [(start + timedelta(days=offset)).isoformat() for offset in days]
    return {day: dataset["dataLocation"].replace(run_day, day) for day in iso_days}

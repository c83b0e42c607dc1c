"""Derives from the settings which exports a run has to look at, and where they are."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from ..contract import DatasetSettings, Run, Settings
from ..rules.imports import Import, fingerprint_part, imports_by_location, settled_day
from ..runs import DATE, export_day

SEARCHED_DAYS = 31
"""The number of days before the run in which planning looks for INCREMENTAL exports."""


class DatasetOfRun(DatasetSettings):
    """The settings of a dataset that a run imports, with a day in place of `{date}`."""

    day: str | None
    """The day that replaced `{date}` in the data location, or None if there was no `{date}`."""


def datasets_to_import(settings: Settings, run: Run) -> list[DatasetOfRun]:
    """Select the datasets that the request names, or all, and put the run's day into locations."""
    request = run["request"]
    if request.get("skipImport") or "only" in request:
        return []

    day = export_day(run)
    return [
        {
            **dataset,
            "day": day if DATE in dataset["dataLocation"] else None,
            "dataLocation": dataset["dataLocation"].replace(DATE, day),
            "readyMarker": marker and marker.replace(DATE, day),
        }
        for dataset in settings["datasets"]
        for marker in [dataset["readyMarker"]]
        if dataset["type"] in request.get("datasets", [dataset["type"]])
    ]


class SearchedDay(NamedTuple):
    """An earlier day whose INCREMENTAL export may not have been imported, or only in part."""

    day: str
    location: str
    is_imported: bool
    """True if an import may have brought some or all of its rows."""


def days_to_search(dataset: DatasetOfRun, imports: Sequence[Import]) -> list[SearchedDay]:
    """List the days whose exports planning has to look for in S3.

    If one of their imports can still be confirmed, planning does so, and if nobody has imported an
    export, a guard names its day. Days before the last FULL import don't matter, because that
    contains all earlier data.
    """
    if dataset["day"] is None or dataset["importMode"] == "FULL":
        return []

    locations = locations_of_days(dataset, range(-SEARCHED_DAYS, 0))
    settled = settled_day(imports)
    imported = imports_by_location(imports)

    searched_days = []
    for day, location in locations.items():
        jobs = imported.get(fingerprint_part(location), [])
        is_held = day <= settled
        if jobs:
            is_held = all(job.is_confirmed for job in jobs)
        if not is_held:
            searched_days.append(SearchedDay(day, location, is_imported=bool(jobs)))
    return searched_days


def locations_of_days(dataset: DatasetOfRun, days: range) -> dict[str, str]:
    """Map days to the locations of their exports. `days` counts from the day of the run."""
    run_day = str(dataset["day"])
    start = date.fromisoformat(run_day)
    iso_days = [(start + timedelta(days=offset)).isoformat() for offset in days]
    return {day: dataset["dataLocation"].replace(run_day, day) for day in iso_days}

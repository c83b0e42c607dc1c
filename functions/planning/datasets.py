"""Decides for one dataset whether the run imports its export. It reads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..contract import DatasetSettings, PlannedImport, Run, Settings
from ..executions import DATE, export_day, run_began_at
from ..rules.imports import (
    DatasetState,
    Import,
    effective_imports,
    fingerprint_part,
    holding_import,
    imports_by_location,
    settled_day,
    unchecked_imports,
)
from ..words import time_text
from .export_content import content_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..exports import Export
    from ..rules.versions import SolutionVersion
    from .snapshot import DataSnapshot, SchemaField

TIMED_JOBS = 5
"""How many earlier jobs are used to estimate the duration of the next one."""
SEARCHED_DAYS = 31
"""For how many days before the run INCREMENTAL exports are searched."""
GIVEN_UP = timedelta(hours=1)
"""After this time an import is given up that its run has not confirmed. Each run looks at its own
imports within minutes of their end, but a run of another stack may do so just now."""
Action = Literal["import", "train", "deploy", "use", "report", "wait", "keep", "hold back"]


class Decision(NamedTuple):
    """What a run does with a dataset or a solution, and why."""

    action: Action
    reason: str

    @classmethod
    def first(cls, *cases: tuple[object, Action, str]) -> Decision:
        """Return the action and the reason of the first case that applies."""
        return next(cls(action, reason) for applies, action, reason in cases if applies)


class DatasetOfRun(DatasetSettings):
    """The settings of a dataset that a run imports. Its locations have a day for `{date}`."""

    day: str | None
    """The day that has replaced `{date}` in the data location, or None if there is no `{date}`."""


@dataclass(frozen=True)
class DatasetView:
    """A dataset that the run may import, with its export and its earlier imports."""

    settings: Settings
    run: Run
    snapshot: DataSnapshot
    dataset: DatasetOfRun

    @property
    def export(self) -> Export:
        """The export as it is in S3."""
        return self.snapshot.exports[self.dataset["datasetArn"]]

    @cached_property
    def imports(self) -> list[Import]:
        """The imports of the dataset."""
        return [job for job in self.snapshot.imports if job.dataset == self.dataset["datasetArn"]]

    @property
    def fields(self) -> Sequence[SchemaField]:
        """The fields of the schema. A dataset that does not exist has none."""
        return self.snapshot.schemas.get(self.dataset["datasetArn"], [])

    @property
    def columns(self) -> list[str]:
        """The names of these fields."""
        return [field["name"] for field in self.fields]

    content = cached_property(content_of)

    @property
    def is_full(self) -> bool:
        """True if imports replace the data of the dataset."""
        return self.dataset["importMode"] == "FULL"

    @property
    def has_export_date(self) -> bool:
        """True if a person has named the day of the export, whose location has a `{date}`."""
        return "exportDate" in self.run["request"] and self.dataset["day"] is not None

    @cached_property
    def state(self) -> DatasetState:
        """The imports and the export, as the rules need them."""
        described = self.snapshot.datasets.get(self.dataset["datasetArn"])
        schema_arn = described["schemaArn"] if described else ""
        export = self.export.state(self.dataset["importMode"], schema_arn)
        return DatasetState(is_full=self.is_full, imports=self.imports, exports=[export])

    @property
    def is_requested(self) -> bool:
        """True if the run imports the dataset even if it holds its export.

        `skipWhenUnchanged` applies only to FULL exports. For an INCREMENTAL export, `force` means
        that it is appended although a foreign import has replaced the data.
        """
        is_forced = self.run["request"].get("force", False)
        return is_forced or (self.is_full and not self.settings["skipWhenUnchanged"])

    @property
    def holds_export(self) -> bool:
        """True if the dataset holds the present export."""
        return holding_import(self.state) is not None

    @cached_property
    def decision(self) -> Decision:
        """What the run does with the dataset. It waits for an import that is running."""
        data = effective_imports(self.imports)
        last = data[-1] if data else None
        last_import = f"the last import ({time_text(last.ended_at)} UTC)" if last else ""
        newest_at = self.state.export.newest_at
        written = f"{time_text(newest_at)} UTC" if newest_at else "its import"
        is_newer = last and newest_at and newest_at > last.created_at
        since = run_began_at(self.run) if self.is_requested else None
        held_by = holding_import(self.state, since)
        return Decision.first(
            (self.awaits_marker, "keep", "its ready marker is missing, and will start a run"),
            (self.holds_later_day, "keep", "the export of a later day was imported"),
            (self.is_being_imported, "wait", "an import of this export is running"),
            (any(job.is_running for job in self.imports), "wait", "another import is running"),
            (held_by, "keep", f"the export has not changed since {written}"),
            (last is None, "import", "the dataset was never imported"),
            (self.holds_export, "import", "exports are imported even if they have not changed"),
            (last and last.is_foreign, "import", f"this pipeline did not start {last_import}"),
            (last and last.is_spoiled, "import", f"the export changed during {last_import}"),
            (is_newer, "import", f"the export is newer than {last_import}"),
            (True, "import", f"the export has changed since {last_import}"),
        )

    @property
    def needs_import(self) -> bool:
        """True if the run imports the export, or waits for an import that is running."""
        return self.decision.action != "keep"

    @property
    def is_being_imported(self) -> bool:
        """True if an import of this export is running. The run then creates no import job."""
        fingerprint = self.state.export.fingerprint
        return any(job.is_running and job.fingerprint == fingerprint for job in self.imports)

    @property
    def awaits_marker(self) -> bool:
        """True if the export is left to a later run, which its ready marker will start.

        A scheduled run leaves an export without its marker alone if ready markers start runs.
        """
        is_scheduled = self.run["trigger"] == "schedule" and self.settings["triggerOnExport"]
        has_marker = self.dataset["readyMarker"] is not None
        return is_scheduled and has_marker and self.export.marker_written_at is None

    @property
    def holds_later_day(self) -> bool:
        """True if the FULL export of a later day was imported, or is being imported.

        An event may come late, or from a schedule in another time zone. The earlier export would
        replace newer data, so only a person can import it, with `exportDate`.
        """
        day = self.dataset["day"]
        if day is None or not self.is_full or self.has_export_date:
            return False
        tomorrow = self.snapshot.now.date() + timedelta(days=1)
        days_ahead = (tomorrow - date.fromisoformat(day)).days
        imported = imports_by_location(self.imports)
        later = locations_of_days(self.dataset, range(1, days_ahead + 1)).values()
        return any(fingerprint_part(location) in imported for location in later)

    @property
    def broken_by(self) -> Import | None:
        """The last import that nobody has checked, if only a FULL import repairs the dataset.

        An export that cannot be read now may be unchanged. A run for an earlier day has not seen
        the exports of later days, so it judges no later import.
        """
        unchecked = unchecked_imports(self.imports)
        if not unchecked or self.export.read_error:
            return None

        job, day = unchecked[-1], self.dataset["day"]
        is_given_up = job.is_spoiled or job.ended_at < self.snapshot.now - GIVEN_UP
        was_compared = day is None or job.day <= day
        return job if is_given_up and was_compared and not job.is_full else None

    def planned(self) -> PlannedImport:
        """Return the planned import of the dataset."""
        export = self.state.export
        return {
            "type": self.dataset["type"],
            "dataLocation": self.dataset["dataLocation"],
            "fingerprint": export.fingerprint,
            "bytes": self.export.size,
            "newestObjectAt": export.newest_at.isoformat() if export.newest_at else None,
            "isRequested": self.is_requested,
            "durations": durations_of(job for job in self.imports if job.is_full == self.is_full),
            "content": self.content,
        }


def dataset_views(settings: Settings, run: Run, snapshot: DataSnapshot) -> list[DatasetView]:
    """Return the datasets that the run may import."""
    return [
        DatasetView(settings=settings, run=run, snapshot=snapshot, dataset=dataset)
        for dataset in datasets_to_import(settings, run)
    ]


def datasets_to_import(settings: Settings, run: Run) -> list[DatasetOfRun]:
    """Return the datasets that the run imports: those in the request, or else all."""
    request, day = run["request"], export_day(run)
    if request.get("skipImport") or "only" in request:
        return []
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
    """An earlier day whose INCREMENTAL export the dataset does not certainly hold."""

    day: str
    location: str
    is_imported: bool
    """True if an import has perhaps brought its rows, or a part of them."""


def days_to_search(dataset: DatasetOfRun, imports: Sequence[Import]) -> list[SearchedDay]:
    """Return the days whose exports planning looks for, to confirm imports or to name the days.

    These are only days since the last FULL import, because it contains all earlier data.
    """
    if dataset["day"] is None or dataset["importMode"] == "FULL":
        return []

    settled = settled_day(imports)
    imported = imports_by_location(imports)
    found = []
    for day, location in locations_of_days(dataset, range(-SEARCHED_DAYS, 0)).items():
        jobs = imported.get(fingerprint_part(location), [])
        is_held = all(job.is_confirmed for job in jobs) if jobs else day <= settled
        if not is_held:
            found.append(SearchedDay(day, location, is_imported=bool(jobs)))
    return found


def locations_of_days(dataset: DatasetOfRun, days: range) -> dict[str, str]:
    """Return each day, counted from the day of the run -> the location of its export."""
    today = str(dataset["day"])
    first = date.fromisoformat(today)
    names = [(first + timedelta(days=number)).isoformat() for number in days]
    return {day: dataset["dataLocation"].replace(today, day) for day in names}


def durations_of(newest_first: Iterable[Import | SolutionVersion]) -> list[int]:
    """Return the seconds that the last successful jobs took, newest first."""
    return [
        round((job.ended_at - job.created_at).total_seconds())
        for job in newest_first
        if job.is_active
    ][:TIMED_JOBS]

"""Decides whether the run imports the export of a dataset.

Nothing here sends a request, because `snapshot.py` has already read everything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Literal, NamedTuple

from ..common.formatting import format_time
from ..contract import PlannedImport, Run, Settings
from ..rules.imports import (
    DatasetState,
    Import,
    find_confirmed_import,
    group_imports_by_location,
    list_effective_imports,
    list_unconfirmed_imports,
)
from ..rules.versions import SolutionVersion
from ..run.execution_data import get_run_start
from ..s3.exports import Export, hash_location
from .export_content import summarize_content
from .export_search import ResolvedDatasetSettings, build_daily_locations
from .snapshot import DataSnapshot, SchemaField

MAX_DURATION_SAMPLES = 5
"""How many earlier jobs are used to estimate a job's duration."""
CONFIRMATION_TIMEOUT = timedelta(hours=1)
"""How long after its end we give up on an unconfirmed import. A run polls its own imports within
minutes of their end, but a run of another stack may be about to confirm one."""


class PlanDecision(NamedTuple):
    """What a run does with a dataset or solution, and why.

    `keep` leaves it alone, `use` writes batch jobs with the newest version, and `hold back` means
    that the monthly limit forbids a training.
    """

    action: Literal["import", "train", "deploy", "use", "report", "wait", "keep", "hold back"]
    reason: str


@dataclass(frozen=True)
class DatasetView:
    """A dataset that the run may import, with its settings and snapshot."""

    settings: Settings
    run: Run
    data_snapshot: DataSnapshot
    dataset_settings: ResolvedDatasetSettings

    @property
    def export(self) -> Export:
        """The export that planning found in S3."""
        return self.data_snapshot.exports[self.dataset_settings["datasetArn"]]

    @cached_property
    def imports(self) -> list[Import]:
        """The import jobs of the dataset, newest first."""
        return [
            job
            for job in self.data_snapshot.imports
            if job.dataset_arn == self.dataset_settings["datasetArn"]
        ]

    @property
    def fields(self) -> Sequence[SchemaField]:
        """The schema's fields. Empty for a missing dataset, which a guard reports."""
        return self.data_snapshot.schemas.get(self.dataset_settings["datasetArn"], [])

    @property
    def columns(self) -> list[str]:
        """The columns that Personalize imports: the names of the schema's fields."""
        return [field["name"] for field in self.fields]

    content = cached_property(summarize_content)

    @property
    def is_full(self) -> bool:
        """True if an import replaces the dataset's bulk data instead of adding to it."""
        return self.dataset_settings["importMode"] == "FULL"

    @property
    def has_export_date(self) -> bool:
        """True if a person chose the export's day, and its location contains `{date}`."""
        return "exportDate" in self.run["request"] and self.dataset_settings["day"] is not None

    @cached_property
    def dataset_state(self) -> DatasetState:
        """The imports and the export, as input for the rules."""
        description = self.data_snapshot.datasets.get(self.dataset_settings["datasetArn"])
        # A guard refuses a missing dataset.
        schema_arn = description["schemaArn"] if description else ""
        export_state = self.export.build_state(self.dataset_settings["importMode"], schema_arn)
        return DatasetState(
            is_full=self.is_full, imports=self.imports, export_states=[export_state]
        )

    @property
    def is_import_requested(self) -> bool:
        """True if the request or the settings ask to import an unchanged export again.

        No INCREMENTAL export is appended twice, not even with `force`. There, `force` only lets the
        run append to data that a foreign import has replaced.
        """
        is_forced = self.run["request"].get("force", False)
        return is_forced or (self.is_full and not self.settings["skipWhenUnchanged"])

    @property
    def contains_export(self) -> bool:
        """True if the present export was imported and its rows are still in the dataset."""
        return find_confirmed_import(self.dataset_state) is not None

    @cached_property
    def decision(self) -> PlanDecision:
        """What the run does with the dataset. It starts no import while another one is running."""
        if self.awaits_marker:
            return PlanDecision("keep", "its ready marker is missing, and will start a run")
        if self.has_later_import:
            return PlanDecision("keep", "the export of a later day was imported")

        if self.is_being_imported:
            return PlanDecision("wait", "an import of this export is running")
        if any(job.is_running for job in self.imports):
            return PlanDecision("wait", "another import is running")

        # If an import is requested, an import from before this run isn't enough.
        created_since = get_run_start(self.run) if self.is_import_requested else None
        if find_confirmed_import(self.dataset_state, created_since):
            newest_at = self.dataset_state.export.newest_at
            unchanged_since = f"{format_time(newest_at)} UTC" if newest_at else "its import"
            return PlanDecision("keep", f"the export has not changed since {unchanged_since}")
        return PlanDecision("import", self._explain_import())

    def _explain_import(self) -> str:
        """Explain why the run imports the export."""
        effective_imports = list_effective_imports(self.imports)
        if not effective_imports:
            return "the dataset was never imported"
        if self.contains_export:
            return "exports are imported even if they have not changed"

        # They're sorted by their end, latest last.
        last_import = effective_imports[-1]
        import_text = f"the last import ({format_time(last_import.ended_at)} UTC)"
        if last_import.is_foreign:
            return f"this pipeline did not start {import_text}"
        if last_import.is_tainted:
            return f"the export changed during {import_text}"

        newest_at = self.dataset_state.export.newest_at
        if newest_at and newest_at > last_import.created_at:
            return f"the export is newer than {import_text}"
        return f"the export has changed since {import_text}"

    @property
    def needs_import(self) -> bool:
        """True if the run imports the export, or waits for a running import."""
        return self.decision.action != "keep"

    @property
    def is_being_imported(self) -> bool:
        """True if this exact export is being imported, so the run creates no import."""
        fingerprint = self.dataset_state.export.fingerprint
        return any(job.is_running and job.fingerprint == fingerprint for job in self.imports)

    @property
    def awaits_marker(self) -> bool:
        """True if a scheduled run skips the export, because its ready marker will start a run."""
        is_scheduled = self.run["trigger"] == "schedule" and self.settings["triggerOnExport"]
        has_marker = self.dataset_settings["readyMarker"] is not None
        return is_scheduled and has_marker and self.export.marker_written_at is None

    @property
    def has_later_import(self) -> bool:
        """True if the FULL export of a later day was imported, or is being imported.

        The run's older export would replace newer data, so it's only imported if a person sets
        `exportDate`. Runs can begin out of order: an event may arrive late, and a ready marker from
        a time zone ahead of UTC may already name tomorrow.
        """
        day = self.dataset_settings["day"]
        if day is None or not self.is_full or self.has_export_date:
            return False

        # Time zones ahead of UTC may already have an export of tomorrow.
        tomorrow = self.data_snapshot.now.date() + timedelta(days=1)
        days_ahead = (tomorrow - date.fromisoformat(day)).days
        later_locations = build_daily_locations(self.dataset_settings, range(1, days_ahead + 1))

        imports_by_location = group_imports_by_location(self.imports)
        return any(
            hash_location(location) in imports_by_location for location in later_locations.values()
        )

    @property
    def unconfirmable_import(self) -> Import | None:
        """The last unconfirmed import, if no run is going to confirm it any more.

        It may have appended rows that its export doesn't contain. So planning tags the dataset, and
        runs don't train on it until a FULL import replaces these rows.
        """
        unconfirmed_imports = list_unconfirmed_imports(self.imports)
        if not unconfirmed_imports:
            return None

        # They're sorted by their end, latest last.
        last_import = unconfirmed_imports[-1]
        if last_import.is_full:
            return None  # The run simply repeats a FULL import.

        # If this run can't read the import's export, the export may still be unchanged, so a later
        # run may confirm the import. No run reads the exports of days after its own.
        run_day = self.dataset_settings["day"]
        is_of_later_day = run_day is not None and last_import.created_day > run_day
        if self.export.read_error or is_of_later_day:
            return None

        deadline = last_import.ended_at + CONFIRMATION_TIMEOUT
        if last_import.is_tainted or deadline < self.data_snapshot.now:
            return last_import
        return None

    def plan_import(self) -> PlannedImport:
        """Build the import's entry in the plan, for the function that creates the job."""
        export_state = self.dataset_state.export
        newest_at = export_state.newest_at
        comparable_imports = [job for job in self.imports if job.is_full == self.is_full]

        return {
            "type": self.dataset_settings["type"],
            "dataLocation": self.dataset_settings["dataLocation"],
            "fingerprint": export_state.fingerprint,
            "bytes": self.export.total_bytes,
            "newestObjectAt": newest_at.isoformat() if newest_at else None,
            "isRequested": self.is_import_requested,
            "durations": list_recent_durations(comparable_imports),
            "content": self.content,
        }


def list_recent_durations(jobs: Iterable[Import | SolutionVersion]) -> list[int]:
    """List how many seconds the last successful jobs took. `jobs` are sorted, newest first."""
    durations = [
        round((job.ended_at - job.created_at).total_seconds()) for job in jobs if job.is_active
    ]
    return durations[:MAX_DURATION_SAMPLES]

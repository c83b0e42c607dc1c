"""Decides whether the run imports the export of a dataset.

Nothing here sends a request, because `snapshot.py` has already read everything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Literal, NamedTuple

from ..common.formatting import format_time
from ..contract import (
    PlannedImport,
    Run,
    Settings,
)
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
from ..s3.exports import (
    Export,
    hash_location,
)
from .export_content import summarize_content
from .export_search import (
    ResolvedDatasetSettings,
    build_daily_locations,
)
from .snapshot import (
    DataSnapshot,
    SchemaField,
)

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
        """True if the request or the settings ask for an import even if the export is unchanged.

        An INCREMENTAL export is never appended twice, so `skipWhenUnchanged` applies only to FULL
        exports. For an INCREMENTAL export, `force` overrides a different rule: the run appends it
        even though a foreign import has replaced the data.
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

        # A requested import must have been created after the run began.
        requested_since = get_run_start(self.run) if self.is_import_requested else None
        if find_confirmed_import(self.dataset_state, requested_since):
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
        title = f"the last import ({format_time(last_import.ended_at)} UTC)"
        if last_import.is_foreign:
            return f"this pipeline did not start {title}"
        if last_import.is_tainted:
            return f"the export changed during {title}"

        newest_at = self.dataset_state.export.newest_at
        if newest_at and newest_at > last_import.created_at:
            return f"the export is newer than {title}"
        return f"the export has changed since {title}"

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
        """True if this scheduled run leaves the export to the run that its ready marker starts."""
        is_scheduled = self.run["trigger"] == "schedule" and self.settings["triggerOnExport"]
        has_marker = self.dataset_settings["readyMarker"] is not None
        return is_scheduled and has_marker and self.export.marker_written_at is None

    @property
    def has_later_import(self) -> bool:
        """True if the FULL export of a later day was imported, or is being imported.

        An event may start a run late, or from a schedule in another time zone. The run's older
        export would replace newer data, so it's only imported if a person sets `exportDate`.
        """
        day = self.dataset_settings["day"]
        if day is None or not self.is_full or self.has_export_date:
            return False

        tomorrow = self.data_snapshot.now.date() + timedelta(days=1)
        days_ahead = (tomorrow - date.fromisoformat(day)).days
        later_locations = build_daily_locations(self.dataset_settings, range(1, days_ahead + 1))

        imports_by_location = group_imports_by_location(self.imports)
        return any(
            hash_location(location) in imports_by_location for location in later_locations.values()
        )

    @property
    def tainting_import(self) -> Import | None:
        """The last unconfirmed import, if only a FULL import can still replace its rows.

        The import may have appended rows that its export doesn't contain. So planning tags the
        dataset, and runs don't train on it. We don't give up on an import while its export can't
        be read, because the export may be unchanged. Nor do we give up on imports of later days,
        because a run for an earlier day doesn't read the exports of later days.
        """
        unconfirmed_imports = list_unconfirmed_imports(self.imports)
        if not unconfirmed_imports or self.export.read_error:
            return None

        last_import = unconfirmed_imports[-1]
        deadline = last_import.ended_at + CONFIRMATION_TIMEOUT
        is_given_up = last_import.is_tainted or deadline < self.data_snapshot.now
        day = self.dataset_settings["day"]
        was_compared = day is None or last_import.created_day <= day

        # An unconfirmed FULL import is simply repeated.
        return last_import if is_given_up and was_compared and not last_import.is_full else None

    def plan_import(self) -> PlannedImport:
        """Build the import's entry in the plan, for the function that creates the job."""
        export_state = self.dataset_state.export
        newest_at = export_state.newest_at
        durations = list_recent_durations(
            job for job in self.imports if job.is_full == self.is_full
        )

        return {
            "type": self.dataset_settings["type"],
            "dataLocation": self.dataset_settings["dataLocation"],
            "fingerprint": export_state.fingerprint,
            "bytes": self.export.total_bytes,
            "newestObjectAt": newest_at.isoformat() if newest_at else None,
            "isRequested": self.is_import_requested,
            "durations": durations,
            "content": self.content,
        }


def list_recent_durations(newest_first: Iterable[Import | SolutionVersion]) -> list[int]:
    """List how many seconds the last successful jobs took, newest first."""
    durations = [
        round((job.ended_at - job.created_at).total_seconds())
        for job in newest_first
        if job.is_active
    ]
    return durations[:MAX_DURATION_SAMPLES]

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
    find_current_import,
    group_imports_by_location,
    list_effective_imports,
    list_unconfirmed_imports,
)
from ..rules.versions import SolutionVersion
from ..run.documents import run_began_at
from ..s3.exports import (
    Export,
    hash_location,
)
from .export_content import examine_content
from .export_search import (
    ResolvedDataset,
    locate_days,
)
from .snapshot import (
    DataSnapshot,
    SchemaField,
)

TIMED_JOBS = 5
"""How many earlier jobs are used to estimate a job's duration."""
GIVE_UP_AFTER = timedelta(hours=1)
"""How long after its end we give up on an unconfirmed import. A run polls its own imports within
minutes of their end, but a run of another stack may be about to confirm one."""
Action = Literal["import", "train", "deploy", "use", "report", "wait", "keep", "hold back"]


class Decision(NamedTuple):
    """What a run does with a dataset or solution, and why."""

    action: Action
    reason: str


@dataclass(frozen=True)
class DatasetView:
    """A dataset that the run may import, with its settings and snapshot."""

    settings: Settings
    run: Run
    data: DataSnapshot
    dataset_settings: ResolvedDataset

    @property
    def export(self) -> Export:
        """The export that planning found in S3."""
        return self.data.exports[self.dataset_settings["datasetArn"]]

    @cached_property
    def imports(self) -> list[Import]:
        """The import jobs of the dataset, newest first."""
        return [
            job for job in self.data.imports if job.dataset == self.dataset_settings["datasetArn"]
        ]

    @property
    def fields(self) -> Sequence[SchemaField]:
        """The schema's fields. Empty for a missing dataset, which a guard reports."""
        return self.data.schemas.get(self.dataset_settings["datasetArn"], [])

    @property
    def columns(self) -> list[str]:
        """The columns that Personalize imports: the names of the schema's fields."""
        return [field["name"] for field in self.fields]

    content = cached_property(examine_content)

    @property
    def is_full(self) -> bool:
        """True if an import replaces the dataset's bulk data instead of adding to it."""
        return self.dataset_settings["importMode"] == "FULL"

    @property
    def has_export_date(self) -> bool:
        """True if a person chose the export's day, and its location contains `{date}`."""
        return "exportDate" in self.run["request"] and self.dataset_settings["day"] is not None

    @cached_property
    def state(self) -> DatasetState:
        """The imports and the export, as input for the rules."""
        described = self.data.datasets.get(self.dataset_settings["datasetArn"])
        # A guard refuses a missing dataset.
        schema_arn = described["schemaArn"] if described else ""
        export = self.export.state(self.dataset_settings["importMode"], schema_arn)
        return DatasetState(is_full=self.is_full, imports=self.imports, exports=[export])

    @property
    def is_requested(self) -> bool:
        """True if the request or the settings ask for an import even if the export is unchanged.

        An INCREMENTAL export is never appended twice, so `skipWhenUnchanged` applies only to FULL
        exports. For an INCREMENTAL export, `force` overrides a different rule: the run appends it
        even though a foreign import has replaced the data.
        """
        is_forced = self.run["request"].get("force", False)
        return is_forced or (self.is_full and not self.settings["skipWhenUnchanged"])

    @property
    def holds_export(self) -> bool:
        """True if the present export was imported and its rows are still in the dataset."""
        return find_current_import(self.state) is not None

    @cached_property
    def decision(self) -> Decision:
        """What the run does with the dataset. It starts no import while another one is running."""
        if self.awaits_marker:
            return Decision("keep", "its ready marker is missing, and will start a run")
        if self.holds_later_day:
            return Decision("keep", "the export of a later day was imported")

        if self.is_being_imported:
            return Decision("wait", "an import of this export is running")
        if any(job.is_running for job in self.imports):
            return Decision("wait", "another import is running")

        # A requested import must have been created after the run began.
        requested_since = run_began_at(self.run) if self.is_requested else None
        if find_current_import(self.state, requested_since):
            newest_at = self.state.export.newest_at
            since = f"{format_time(newest_at)} UTC" if newest_at else "its import"
            return Decision("keep", f"the export has not changed since {since}")
        return Decision("import", self._explain_import())

    def _explain_import(self) -> str:
        """Explain why the run imports the export."""
        effective = list_effective_imports(self.imports)
        if not effective:
            return "the dataset was never imported"
        if self.holds_export:
            return "exports are imported even if they have not changed"

        last = effective[-1]
        last_import = f"the last import ({format_time(last.ended_at)} UTC)"
        if last.is_foreign:
            return f"this pipeline did not start {last_import}"
        if last.is_tainted:
            return f"the export changed during {last_import}"

        newest_at = self.state.export.newest_at
        if newest_at and newest_at > last.created_at:
            return f"the export is newer than {last_import}"
        return f"the export has changed since {last_import}"

    @property
    def needs_import(self) -> bool:
        """True if the run imports the export, or waits for a running import."""
        return self.decision.action != "keep"

    @property
    def is_being_imported(self) -> bool:
        """True if this exact export is being imported, so the run creates no import."""
        fingerprint = self.state.export.fingerprint
        return any(job.is_running and job.fingerprint == fingerprint for job in self.imports)

    @property
    def awaits_marker(self) -> bool:
        """True if this scheduled run leaves the export to the run that its ready marker starts."""
        is_scheduled = self.run["trigger"] == "schedule" and self.settings["triggerOnExport"]
        has_marker = self.dataset_settings["readyMarker"] is not None
        return is_scheduled and has_marker and self.export.marker_written_at is None

    @property
    def holds_later_day(self) -> bool:
        """True if the FULL export of a later day was imported, or is being imported.

        An event may start a run late, or from a schedule in another time zone. The run's older
        export would replace newer data, so it's only imported if a person sets `exportDate`.
        """
        day = self.dataset_settings["day"]
        if day is None or not self.is_full or self.has_export_date:
            return False

        tomorrow = self.data.now.date() + timedelta(days=1)
        days_ahead = (tomorrow - date.fromisoformat(day)).days
        later_locations = locate_days(self.dataset_settings, range(1, days_ahead + 1)).values()

        imported = group_imports_by_location(self.imports)
        return any(hash_location(location) in imported for location in later_locations)

    @property
    def tainted_by(self) -> Import | None:
        """The last unconfirmed import, if only a FULL import can still replace its rows.

        The import may have appended rows that its export doesn't contain. So planning tags the
        dataset, and runs don't train on it. We don't give up on an import while its export can't
        be read, because the export may be unchanged. Nor do we give up on imports of later days,
        because a run for an earlier day doesn't read the exports of later days.
        """
        unconfirmed = list_unconfirmed_imports(self.imports)
        if not unconfirmed or self.export.read_error:
            return None

        job = unconfirmed[-1]
        day = self.dataset_settings["day"]
        is_given_up = job.is_tainted or job.ended_at < self.data.now - GIVE_UP_AFTER
        was_compared = day is None or job.day <= day

        # An unconfirmed FULL import is simply repeated.
        return job if is_given_up and was_compared and not job.is_full else None

    def plan_import(self) -> PlannedImport:
        """Build the import's entry in the plan, for the function that creates the job."""
        export = self.state.export
        durations = measure_durations(job for job in self.imports if job.is_full == self.is_full)

        return {
            "type": self.dataset_settings["type"],
            "dataLocation": self.dataset_settings["dataLocation"],
            "fingerprint": export.fingerprint,
            "bytes": self.export.size,
            "newestObjectAt": export.newest_at.isoformat() if export.newest_at else None,
            "isRequested": self.is_requested,
            "durations": durations,
            "content": self.content,
        }


def measure_durations(newest_first: Iterable[Import | SolutionVersion]) -> list[int]:
    """Measure how many seconds the last successful jobs took, newest first."""
    return [
        round((job.ended_at - job.created_at).total_seconds())
        for job in newest_first
        if job.is_active
    ][:TIMED_JOBS]

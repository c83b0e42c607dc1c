"""Decides whether a run imports the export of a dataset, and what its earlier imports are worth.

Personalize doesn't document when an import reads its files, or which ones. So an import is only
*confirmed* if its export is unchanged after the import has ended. If a poll finds other files
before then, the import is *tainted* forever, because it may have read them. In a FULL dataset, the
next import replaces its rows. In an INCREMENTAL dataset, imports only append, so it takes a FULL
import to replace them (docs/adr/0047-tainted-imports.md).

A *fingerprint* identifies an export. It consists of three hashes: the location, the files, and
import mode with schema, because the same files become different data with another mode or schema.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from ..common.formatting import format_hours
from ..common.messages import Message, Reason
from .pacing import choose_poll_pause
from .steps import Action, JobProgress, Step, fail


class Import(NamedTuple):
    """One import job of a dataset."""

    arn: str
    dataset_arn: str
    is_full: bool
    is_running: bool
    is_active: bool
    created_at: datetime
    ended_at: datetime
    """When the import last changed. It has only ended if it isn't running."""
    run_id: str | None = None
    """The run that created the job, or None for a foreign import."""
    fingerprint: str = ""
    """The export's fingerprint at the creation of the job. Empty for a foreign import."""
    is_confirmed: bool = False
    """True if the export was unchanged after the import ended, so all of it was imported. The tags
    of very old imports aren't read: these count as confirmed, and their `run_id` is None."""
    is_tainted: bool = False
    """True if the import can never be confirmed, because a poll found other files, or because the
    dataset's tag names this import."""
    export_bytes: int | None = None
    """The export's size at the creation of the job, or None for a foreign import."""
    failure: str | None = None
    content_tag: str = ""
    """The value of the tag that describes the export's content. Empty without the tag."""

    @property
    def location_hash(self) -> str:
        """The hash of the export's location. Empty for a foreign import."""
        return self.fingerprint.partition("-")[0]

    @property
    def created_day(self) -> str:
        """The creation day in UTC, which is what `{date}` means in a location."""
        return self.created_at.astimezone(UTC).date().isoformat()

    @property
    def awaits_confirmation(self) -> bool:
        """True until the import is confirmed or tainted, or has failed."""
        has_data = self.is_running or self.is_active
        return has_data and not (self.is_confirmed or self.is_tainted)

    @property
    def is_foreign(self) -> bool:
        """True if no run of any stack created the import."""
        return self.run_id is None and not self.is_confirmed


class ExportState(NamedTuple):
    """The files of an export, as read by one poll."""

    fingerprint: str
    total_bytes: int
    newest_at: datetime | None
    """When the newest file was written, or None if there are no files."""

    @property
    def location_hash(self) -> str:
        """The hash of the export's location."""
        return self.fingerprint.partition("-")[0]

    def is_unchanged_since(self, job: Import) -> bool:
        """Return True if neither files nor mode nor schema changed since the import was created."""
        was_written_later = self.newest_at is not None and self.newest_at > job.created_at
        return self.fingerprint == job.fingerprint and not was_written_later


@dataclass(frozen=True, kw_only=True)
class DatasetState:
    """A dataset and its export, as read by one poll."""

    is_full: bool
    """True if the configured importMode is FULL."""
    imports: Sequence[Import]
    export_states: Sequence[ExportState]
    """The export as it is now. Once this run's import has ended, also the export as it was then,
    because files written later can't have been imported."""
    own_job: Import | None = None
    """This run's import, if it has one."""

    @property
    def export(self) -> ExportState:
        """The export as it is now."""
        return self.export_states[0]


@dataclass(frozen=True, kw_only=True)
class ImportSpec:
    """What a run should import."""

    requested_at: datetime | None = None
    """When the run started, if a person requested the import, or None.

    On request, a FULL export is imported even if the dataset already holds it, and an INCREMENTAL
    export is appended even if a foreign import replaced the data. No export is appended twice."""
    durations: Sequence[int] = ()
    max_hours: float


@dataclass
class ImportProgress(JobProgress):
    """What an import passes from one poll to the next."""

    validated_fingerprint: str = ""
    """The fingerprint of the export that was last validated. Planning validates the first one."""
    problems: list[Message] = field(default_factory=list)
    """The problems that the last validation found."""
    tainted_arn: str | None = None
    """The import that a poll found tainted, in case the request that tags it is lost."""
    tainted_at: datetime | None = None
    """When a poll first found it tainted."""


@dataclass(frozen=True)
class CreateImport(Action):
    """Create this run's import job for the current export."""

    export: ExportState


@dataclass(frozen=True)
class ConfirmImport(Action):
    """Tag an import job as confirmed."""

    job: Import


@dataclass(frozen=True)
class TaintImport(Action):
    """Tag an import job as tainted."""

    job: Import


@dataclass(frozen=True)
class TaintDataset(Action):
    """Tag the dataset with a tainted import that only a FULL import can undo."""

    job: Import


@dataclass(frozen=True)
class ValidateExport(Action):
    """Let the guards validate the content of the current export."""

    changes: ClassVar[bool] = False
    fingerprint: str


def decide(state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime) -> Step:
    """Return the next step of an import.

    Each rule returns a step, or None if it doesn't apply. The first one that applies decides.
    """
    return (
        _taint_import(state, spec, progress, now)
        or _wait_for_import(state, spec, progress, now)
        or _confirm_import(state)
        or _end_import(state, spec)
        or _create_import(state, spec, progress, now)
    )


def _taint_import(
    state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime
) -> Step | None:
    """Tag an import as tainted if its export has changed, or fail if the tag can't be written.

    The import stays tainted even if a later poll finds the old files again, because Personalize may
    have read the others meanwhile. So every poll repeats the request until the tag exists.
    """
    job = _find_import_to_taint(state, progress)
    if job is None:
        return None

    # The deadline counts from the first poll that found the import tainted.
    tainted_at = now
    if progress.tainted_at is not None and job.arn == progress.tainted_arn:
        tainted_at = progress.tainted_at

    if now >= tainted_at + timedelta(hours=spec.max_hours):
        reason = f"{job.arn} is tainted, but the tag that says so cannot be written"
        return fail("IMPORTING", reason)

    progress_changes = {"tainted_arn": job.arn, "tainted_at": tainted_at}
    return Step("IMPORTING", TaintImport(job), progress_changes=progress_changes)


def _find_import_to_taint(state: DatasetState, progress: ImportProgress) -> Import | None:
    """Return an import that must be tagged as tainted, or None."""
    for job in state.imports:
        if not job.awaits_confirmation:
            continue
        # An earlier poll may have found the import tainted, but failed to tag it.
        if job.arn == progress.tainted_arn:
            return job

        # Runs watch the files of all running imports, because the run that created one may be dead.
        is_watched = job.is_running or job == state.own_job
        if is_watched and _has_export_changed(job, state):
            return job
    return None


def _has_export_changed(job: Import, state: DatasetState) -> bool:
    """Return True if the import's export no longer has the files that it was created for."""
    if job.location_hash != state.export.location_hash:
        # The import read the export of another day or stack.
        return False

    imported_files = _strip_mode_and_schema(job.fingerprint)
    for export in state.export_states:
        # One of the states is enough, because files written after the import don't matter.
        if _strip_mode_and_schema(export.fingerprint) == imported_files:
            return False
    return True


def _strip_mode_and_schema(fingerprint: str) -> list[str]:
    """Return only the hashes of the location and of the files.

    A new import mode or schema doesn't change what an earlier import has read.
    """
    return fingerprint.split("-")[:2]


def _wait_for_import(
    state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime
) -> Step | None:
    """Wait for a running import of the dataset, whoever created it, or give up at the deadline."""
    job = next((job for job in state.imports if job.is_running), None)
    if job is None:
        return None

    counted_from = max(job.created_at, progress.began_at)
    if now < counted_from + timedelta(hours=spec.max_hours):
        age_seconds = (now - job.created_at).total_seconds()
        return Step("IMPORTING", pause=choose_poll_pause(spec.durations, age_seconds))

    return fail(
        "IMPORTING",
        f"{job.arn} is still running after {format_hours(spec.max_hours)}; no import can "
        "be stopped, so wait for its end, or ask AWS Support",
    )


def _confirm_import(state: DatasetState) -> Step | None:
    """Confirm an import whose export didn't change before it ended, whichever run created it."""
    confirmable = list_confirmable_imports(state.imports, state.export_states)
    if not confirmable:
        return None

    # The next polls confirm the others.
    return Step("CONFIRMING", ConfirmImport(confirmable[0]))


def _end_import(state: DatasetState, spec: ImportSpec) -> Step | None:
    """Succeed if the dataset has the export, or fail if this run's import has ended without it."""
    if find_confirmed_import(state, created_since=spec.requested_at) is not None:
        return Step("IMPORTED", outcome="IMPORTED")

    job = state.own_job
    if job is None:
        return None

    step = fail("IMPORTING", _explain_failure(job, state))
    if job.is_tainted and job.is_active and not state.is_full:
        # Only a FULL import replaces the rows. Until then, the dataset needs a tag, because later
        # runs don't read the import's tags once it's old.
        step = step._replace(action=TaintDataset(job))
    return step


def _explain_failure(job: Import, state: DatasetState) -> str:
    """Explain why the dataset lacks the export although this run's import has ended."""
    if not job.is_active:
        return job.failure or f"{job.arn} has failed without a reason"

    if job.is_confirmed and job.fingerprint == state.export.fingerprint:
        return f"another import has replaced the data of {job.arn}"
    if state.is_full:
        return "the export changed while it was imported; the next run imports it again"

    # Importing an INCREMENTAL export again would append its rows twice.
    if job.is_confirmed:
        return (
            "the export has changed since it was imported; write new rows to the location of a "
            "later day"
        )
    return explain_needed_full_import(job)


def _create_import(
    state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime
) -> Step:
    """Create the import, unless the export must not be appended or has problems."""
    is_requested = spec.requested_at is not None
    refusal = explain_refusal_to_append(state, is_requested=is_requested)
    if refusal is not None:
        return fail("CHECKING", refusal)

    # An earlier request may have created the import already.
    wait_step = progress.wait_before_create(spec.max_hours, now)
    if wait_step is not None:
        return wait_step

    if state.export.fingerprint != progress.validated_fingerprint:
        # The export has changed since it was last validated.
        return Step("CHECKING", ValidateExport(state.export.fingerprint))
    if progress.problems:
        return fail("CHECKING", *progress.problems)

    return Step("WAITING", CreateImport(state.export))


# Shared with planning. Unless noted otherwise, all `imports` belong to one dataset.


def find_confirmed_import(
    state: DatasetState, created_since: datetime | None = None
) -> Import | None:
    """Return the last confirmed import of the current export whose rows are still there, or None.

    In a FULL dataset, it must also be a FULL import, created since `created_since`. In an
    INCREMENTAL dataset, its age doesn't matter, because no export is appended twice.
    """
    if state.is_full and list_unconfirmed_imports(state.imports):
        # The dataset also has rows of an unconfirmed import, or only these.
        return None

    for job in reversed(list_effective_imports(state.imports)):
        if not job.is_confirmed or job.fingerprint != state.export.fingerprint:
            continue

        is_too_old = created_since is not None and job.created_at < created_since
        if not state.is_full or (job.is_full and not is_too_old):
            return job
    return None


def list_confirmable_imports(
    imports: Iterable[Import], export_states: Sequence[ExportState]
) -> list[Import]:
    """List the imports to confirm, because their export didn't change before they ended."""
    confirmable = []
    for job in imports:
        is_unchanged = any(export.is_unchanged_since(job) for export in export_states)
        if job.is_active and job.awaits_confirmation and is_unchanged:
            confirmable.append(job)
    return confirmable


def list_effective_imports(imports: Iterable[Import]) -> list[Import]:
    """List the imports whose rows a training uses, by end time.

    For each dataset, these are the newest FULL import, which replaced all earlier data, and the
    imports that ended after it. `imports` may belong to several datasets.
    """
    effective: list[Import] = []
    for job in _list_succeeded_imports(imports):
        if job.is_full:
            effective = [other for other in effective if other.dataset_arn != job.dataset_arn]
        effective.append(job)
    return effective


def _list_succeeded_imports(imports: Iterable[Import]) -> list[Import]:
    """List the imports that succeeded, by end time."""
    return sorted((job for job in imports if job.is_active), key=lambda job: job.ended_at)


def find_import_watermark(imports: Iterable[Import]) -> str:
    """Find the watermark: the exports of all earlier days (in UTC) count as imported.

    A FULL import contains all earlier data. If an import is so old that its tags aren't read, we
    don't know which exports it appended, so those count as imported, too. Returns "" if there's no
    such import.
    """
    watermark = ""
    for job in list_effective_imports(imports):
        # Imports whose tags aren't read count as confirmed, but have no run.
        has_unread_tags = job.is_confirmed and job.run_id is None
        if job.is_full or has_unread_tags:
            watermark = max(watermark, job.created_day)
    return watermark


def list_unconfirmed_imports(imports: Sequence[Import]) -> list[Import]:
    """List the imports that keep their datasets from being trained on, sorted by end time.

    These are the pipeline's imports that no run has confirmed, or that are tainted, as long as
    their rows are in the dataset.
    """
    succeeded = _list_succeeded_imports(imports)
    effective = list_effective_imports(imports)
    confirmed_full = [job for job in succeeded if job.is_full and job.is_confirmed]

    unconfirmed = []
    for job in succeeded:
        if job.is_tainted and not job.is_full:
            # Only a confirmed FULL import that was created after it has replaced all of its rows.
            is_listed = all(full.created_at < job.ended_at for full in confirmed_full)
        else:
            is_listed = job.run_id is not None and not job.is_confirmed and job in effective
        if is_listed:
            unconfirmed.append(job)
    return unconfirmed


def group_imports_by_location(imports: Sequence[Import]) -> dict[str, list[Import]]:
    """Group imports by the hash of their export's location, without those that were replaced.

    In each group, the confirmed imports come first, then the unconfirmed ones, both by end time.
    Running imports come last.
    """
    confirmed = [job for job in list_effective_imports(imports) if job.is_confirmed]
    running = [job for job in imports if job.is_running]

    jobs_by_location: dict[str, list[Import]] = {}
    for job in [*confirmed, *list_unconfirmed_imports(imports), *running]:
        jobs_by_location.setdefault(job.location_hash, []).append(job)
    return jobs_by_location


def list_imports_from_location(state: DatasetState) -> list[Import]:
    """List the imports from the current export's location, without those that were replaced."""
    return group_imports_by_location(state.imports).get(state.export.location_hash, [])


def find_unconfirmed_import(state: DatasetState) -> Import | None:
    """Return the last unconfirmed import from the current export's location, or None.

    It may have appended only a part of the export.
    """
    for job in reversed(list_imports_from_location(state)):
        if not job.is_confirmed and not job.is_running:
            return job
    return None


def explain_needed_full_import(job: Import) -> str:
    """Explain that the rows of an unconfirmed import can only be replaced by a FULL import."""
    return (
        f"{job.arn} may have imported other rows than its export has; to replace them, import a "
        'complete export with importMode FULL ("Replace bad data" in docs/emergencies.md)'
    )


def find_foreign_replacement(imports: Sequence[Import], *, is_full: bool) -> Import | None:
    """Return the foreign FULL import that replaced a dataset's data, or None if that's accepted.

    In an INCREMENTAL dataset, foreign data is accepted before the pipeline's first import, and once
    the pipeline has appended to it.
    """
    effective_imports = list_effective_imports(imports)
    if not effective_imports:
        return None

    # If there's a FULL import, it comes first, because it replaced everything before it.
    oldest = effective_imports[0]
    if not oldest.is_full or not oldest.is_foreign:
        return None

    if not is_full:
        was_appended_to = any(job.run_id for job in effective_imports)
        is_first_import = not any(job.is_active and job.run_id for job in imports)
        if was_appended_to or is_first_import:
            return None
    return oldest


def explain_refusal_to_append(state: DatasetState, *, is_requested: bool) -> Reason | None:
    """Explain why an INCREMENTAL export must not be appended, or return None if it may be.

    A person may insist on appending to foreign data, but not on appending an export again, because
    that would duplicate rows.
    """
    if state.is_full:
        return None

    unconfirmed = find_unconfirmed_import(state)
    if unconfirmed is not None:
        return explain_needed_full_import(unconfirmed)

    foreign = find_foreign_replacement(state.imports, is_full=False)
    if foreign is None or is_requested:
        return None
    return Message(
        text=(
            f"{foreign.arn}, which this pipeline did not start, has replaced the data; accept "
            "that, and append the export anyway"
        ),
        command="retrain start --force",
    )

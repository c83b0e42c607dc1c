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
from ..common.messages import (
    Message,
    Reason,
)
from .pacing import choose_poll_pause
from .steps import (
    Action,
    JobProgress,
    Step,
    fail,
)


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
        """Return True if the export still has exactly the files that the import was created for."""
        is_older = self.newest_at is None or self.newest_at <= job.created_at
        return is_older and job.fingerprint == self.fingerprint


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
    """Tag an import as tainted if its export no longer has the files it was created for.

    A stray file may have been imported even if it disappears a minute later. So the import stays
    tainted, and the request is repeated until the tag exists.
    """
    job = _find_import_to_taint(state, progress)
    if job is None:
        return None

    # The deadline counts from the first poll that found the import tainted.
    tainted_at = now
    if progress.tainted_at and job.arn == progress.tainted_arn:
        tainted_at = progress.tainted_at
    if now >= tainted_at + timedelta(hours=spec.max_hours):
        reason = f"{job.arn} is tainted, but the tag that says so cannot be written"
        return fail("IMPORTING", reason)

    progress_changes = {"tainted_arn": job.arn, "tainted_at": tainted_at}
    return Step("IMPORTING", TaintImport(job), progress_changes=progress_changes)


def _find_import_to_taint(state: DatasetState, progress: ImportProgress) -> Import | None:
    """Return an import that is tainted but has no tag for it yet, or None."""
    for job in state.imports:
        # The run that created a running import may have died, so every run that waits for the
        # import watches its files.
        is_watched = job.is_running or job == state.own_job
        has_changed = is_watched and _was_export_changed(job, state)

        # An earlier poll may have found the import tainted, but failed to tag it.
        if job.awaits_confirmation and (has_changed or job.arn == progress.tainted_arn):
            return job
    return None


def _was_export_changed(job: Import, state: DatasetState) -> bool:
    """Return True if the export no longer has the files that an import was created for."""
    if job.location_hash != state.export.location_hash:
        return False  # It was an export of another day or stack.

    # After an import by this run, there's also a state of its end. It counts as well, because a
    # file may have been rewritten since then with the same content.
    imported_files = _strip_mode_and_schema(job.fingerprint)
    return all(
        _strip_mode_and_schema(export.fingerprint) != imported_files
        for export in state.export_states
    )


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

    if now < max(job.created_at, progress.began_at) + timedelta(hours=spec.max_hours):
        elapsed = (now - job.created_at).total_seconds()
        return Step("IMPORTING", pause=choose_poll_pause(spec.durations, elapsed))

    return fail(
        "IMPORTING",
        f"{job.arn} is still running after {format_hours(spec.max_hours)}; no import can "
        "be stopped, so wait for its end, or ask AWS Support",
    )


def _confirm_import(state: DatasetState) -> Step | None:
    """Confirm an import whose export didn't change before it ended, whichever run created it."""
    jobs = find_confirmable_imports(state.imports, state.export_states)
    return Step("CONFIRMING", ConfirmImport(jobs[0])) if jobs else None


def _end_import(state: DatasetState, spec: ImportSpec) -> Step | None:
    """Succeed if the dataset has the export, or fail if this run's import has ended without it."""
    if find_confirmed_import(state, created_since=spec.requested_at):
        return Step("IMPORTED", outcome="IMPORTED")

    job = state.own_job
    if job is None:
        return None

    step = fail("IMPORTING", _explain_failure(job, state))
    needs_full_import = job.is_tainted and job.is_active and not state.is_full
    if not needs_full_import:
        return step
    # Later runs won't read the tags of this import once it's old, so tag the dataset as well.
    return step._replace(action=TaintDataset(job))


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
    """Create the import unless the export has problems.

    If the export has changed since it was last validated, validate it again first.
    """
    is_requested = spec.requested_at is not None
    if refusal := explain_refusal_to_append(state, is_requested=is_requested):
        return fail("CHECKING", refusal)
    if wait := progress.wait_before_create(spec.max_hours, now):
        return wait

    if state.export.fingerprint != progress.validated_fingerprint:
        return Step("CHECKING", ValidateExport(state.export.fingerprint))
    if progress.problems:
        return fail("CHECKING", *progress.problems)

    return Step("WAITING", CreateImport(state.export))


# Shared with planning. Unless noted otherwise, all `imports` belong to one dataset.


def find_confirmed_import(
    state: DatasetState, created_since: datetime | None = None
) -> Import | None:
    """Return a confirmed import of the current export, whose rows are still there, or None.

    - FULL: the newest FULL import, unless a later import is unconfirmed, or it's too old.
    - INCREMENTAL: any import since the newest FULL import. Its age doesn't matter, because no
      export is appended twice.
    """
    if state.is_full and list_unconfirmed_imports(state.imports):
        return None

    # Prefer the import that ended last.
    for job in reversed(list_effective_imports(state.imports)):
        is_too_old = created_since is not None and job.created_at < created_since
        if state.is_full and (is_too_old or not job.is_full):
            continue
        if job.is_confirmed and job.fingerprint == state.export.fingerprint:
            return job
    return None


def find_confirmable_imports(
    imports: Iterable[Import], export_states: Sequence[ExportState]
) -> list[Import]:
    """List the imports that can be confirmed, because their exports didn't change until the end."""
    return [
        job
        for job in imports
        if job.is_active and job.awaits_confirmation
        if any(export.is_unchanged_since(job) for export in export_states)
    ]


def list_effective_imports(imports: Iterable[Import]) -> list[Import]:
    """List the imports whose rows a training uses, by end time.

    For each dataset, these are the newest FULL import, which replaced all earlier data, and the
    imports that ended after it. `imports` may belong to several datasets.
    """
    effective: list[Import] = []
    for job in _list_succeeded_imports(imports):
        if job.is_full:
            effective = [earlier for earlier in effective if earlier.dataset_arn != job.dataset_arn]
        effective.append(job)
    return effective


def _list_succeeded_imports(imports: Iterable[Import]) -> list[Import]:
    """List the imports that succeeded, by end time."""
    return sorted((job for job in imports if job.is_active), key=lambda job: job.ended_at)


def find_import_watermark(imports: Iterable[Import]) -> str:
    """Return the day before which all exports count as imported, in UTC, or "".

    The newest FULL import contains all earlier data. Earlier exports also count as imported if an
    import is so old that its tags aren't read, because nothing else says which were appended.
    """
    days = []
    for job in list_effective_imports(imports):
        has_unread_tags = job.is_confirmed and job.run_id is None
        if job.is_full or has_unread_tags:
            days.append(job.created_day)
    return max(days, default="")


def list_unconfirmed_imports(imports: Sequence[Import]) -> list[Import]:
    """List the unconfirmed imports whose rows no FULL import has replaced, by end time.

    In an INCREMENTAL dataset, another import of the same export isn't a replacement, because it
    only appends the rows again. Foreign imports aren't listed.
    """
    succeeded = _list_succeeded_imports(imports)
    effective = list_effective_imports(imports)
    replacements = [job for job in succeeded if job.is_full and job.is_confirmed]

    unconfirmed = []
    for job in succeeded:
        is_listed = job.run_id is not None and not job.is_confirmed and job in effective
        if job.is_tainted and not job.is_full:
            # Only a confirmed FULL import that was created later is sure to replace its rows.
            is_listed = all(full.created_at < job.ended_at for full in replacements)
        if is_listed:
            unconfirmed.append(job)
    return unconfirmed


def group_imports_by_location(imports: Sequence[Import]) -> dict[str, list[Import]]:
    """Group imports by the hash of their export's location, without those that were replaced.

    Each group starts with confirmed imports, then unconfirmed ones, which may have appended only a
    part of their export. Both are sorted by end time. Running imports come last.
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
    """Return the last import that may have appended only a part of the export, or None."""
    # The list ends with the running imports, and the last unconfirmed one precedes them.
    for job in reversed(list_imports_from_location(state)):
        if not (job.is_confirmed or job.is_running):
            return job
    return None


def explain_needed_full_import(job: Import) -> str:
    """Ask for a FULL import, because nothing else replaces the rows of an unconfirmed one."""
    return (
        f"{job.arn} may have imported other rows than its export has; to replace them, import a "
        'complete export with importMode FULL ("Replace bad data" in docs/operations.md)'
    )


def find_foreign_replacement(imports: Sequence[Import], *, is_full: bool) -> Import | None:
    """Return the foreign FULL import that replaced a dataset's data, or None if it's accepted.

    With importMode INCREMENTAL, the pipeline's first import may append to foreign data. Later, a
    person must accept such data by requesting an import.
    """
    effective_imports = list_effective_imports(imports)
    if not effective_imports:
        return None

    # If there's a FULL import, it comes first, because it replaced everything before it.
    oldest = effective_imports[0]
    if not (oldest.is_full and oldest.is_foreign):
        return None

    was_appended_to = any(job.run_id for job in effective_imports)
    is_first_import = not any(job.is_active and job.run_id for job in imports)
    is_accepted = not is_full and (was_appended_to or is_first_import)
    return None if is_accepted else oldest


def explain_refusal_to_append(state: DatasetState, *, is_requested: bool) -> Reason | None:
    """Explain why an INCREMENTAL export must not be appended, or return None if it may be.

    A person may insist on appending to foreign data. But nobody may append an export twice, because
    that would duplicate rows.
    """
    if state.is_full:
        return None

    if job := find_unconfirmed_import(state):
        return explain_needed_full_import(job)

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

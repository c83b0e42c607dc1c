"""Decides how a dataset gets its export, and which exports it holds already.

Personalize doesn't say when an import reads its files, or which ones. So an import is *confirmed*
only if its export is found unchanged after the end. If a poll sees other files meanwhile, the
import is *tainted* for ever, because it may have read them. In a FULL dataset, the next import
replaces its rows. To an INCREMENTAL dataset, imports only append, so nothing but a FULL import
replaces them (docs/adr/0047-tainted-imports.md).

A *fingerprint* tells exports apart. It consists of three hashes: of the location, of the files, and
of import mode and schema, because the same files become different data in another mode or with
another schema.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from ..messages import Message, Reason
from .pacing import pause
from .steps import Action, JobProgress, Step, failed


class Import(NamedTuple):
    """One import job of a dataset."""

    arn: str
    dataset: str
    """The ARN of the dataset."""
    is_full: bool
    is_running: bool
    is_active: bool
    created_at: datetime
    ended_at: datetime
    """The time of the last change, which is the end if the import isn't running."""
    run: str | None = None
    """The run that created the job, or None for a foreign import."""
    fingerprint: str = ""
    """The export's fingerprint when the job was created. Empty for a foreign import."""
    is_confirmed: bool = False
    """True if the export was found unchanged after the end, so the dataset holds all of it. We
    don't read the tags of very old imports. Such an import counts as confirmed, and has no run."""
    is_tainted: bool = False
    """True if the import can't be confirmed any more, because other files were there meanwhile, or
    because a tag of the dataset names it."""
    size: int | None = None
    """The bytes of the export when the job was created, or None for a foreign import."""
    failure: str | None = None
    content: str = ""
    """What a tag says about the export's content. Empty without the tag."""

    @property
    def location(self) -> str:
        """The hash of the export's location. Empty for a foreign import."""
        return self.fingerprint.partition("-")[0]

    @property
    def day(self) -> str:
        """The creation day in UTC, because that's what `{date}` in a location stands for."""
        return self.created_at.astimezone(UTC).date().isoformat()

    @property
    def awaits_confirmation(self) -> bool:
        """True for an import that hasn't failed, until it is confirmed or tainted."""
        has_data = self.is_running or self.is_active
        return has_data and not (self.is_confirmed or self.is_tainted)

    @property
    def is_foreign(self) -> bool:
        """True if no run of any stack has created the import."""
        return self.run is None and not self.is_confirmed


class ExportState(NamedTuple):
    """The files of an export, as one poll shows them."""

    fingerprint: str
    size: int
    newest_at: datetime | None
    """When the newest file was written, or None without files."""

    @property
    def location(self) -> str:
        """The hash of the export's location."""
        return self.fingerprint.partition("-")[0]

    def is_unchanged_since(self, job: Import) -> bool:
        """Return True if the import was created for these files and no others."""
        is_older = self.newest_at is None or self.newest_at <= job.created_at
        return is_older and job.fingerprint == self.fingerprint


@dataclass(frozen=True, kw_only=True)
class DatasetState:
    """A dataset and its export, as one poll shows them."""

    is_full: bool
    """True if the configured importMode is FULL."""
    imports: Sequence[Import]
    exports: Sequence[ExportState]
    """The export as it is now. After an import by this run, also as it was at the import's end,
    because a file that was written later was certainly not imported."""
    own_job: Import | None = None
    """The import by this run, if there is one."""

    @property
    def export(self) -> ExportState:
        """The present export."""
        return self.exports[0]


@dataclass(frozen=True, kw_only=True)
class ImportSpec:
    """What a run is supposed to import."""

    requested_at: datetime | None = None
    """The start of the run if somebody has asked for the import, else None.

    On request, a FULL export is imported even if the dataset holds it, and an INCREMENTAL one is
    appended to data that a foreign import has replaced. But no export is appended twice."""
    durations: Sequence[int] = ()
    max_hours: float


@dataclass
class ImportProgress(JobProgress):
    """How far an import has come."""

    checked: str = ""
    """The fingerprint of the export whose content was checked last, for the first time by
    planning."""
    problems: list[Message] = field(default_factory=list)
    """The problems that the last check has found."""
    tainted_arn: str | None = None
    """The import during which a poll has seen other files. It's remembered here, because the
    request to tag the import may be lost."""
    tainted_at: datetime | None = None
    """The time of that poll."""


@dataclass(frozen=True)
class Create(Action):
    """Create the import job of this run for the present export."""

    export: ExportState


@dataclass(frozen=True)
class Confirm(Action):
    """Tag an import job as confirmed."""

    job: Import


@dataclass(frozen=True)
class Taint(Action):
    """Tag an import job as tainted."""

    job: Import


@dataclass(frozen=True)
class TaintDataset(Action):
    """Tag the dataset with an INCREMENTAL import whose rows only a FULL import can replace."""

    job: Import


@dataclass(frozen=True)
class CheckContent(Action):
    """Let the guards validate the content of the present export."""

    changes: ClassVar[bool] = False
    fingerprint: str


def decide(state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime) -> Step:
    """Return the next step of an import.

    Each rule returns a step, or None if it doesn't apply. The first one that applies decides.
    """
    return (
        _taint(state, spec, progress, now)
        or _wait_for_import(state, spec, progress, now)
        or _confirm(state)
        or _end(state, spec)
        or _create(state, spec, progress, now)
    )


def _taint(
    state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime
) -> Step | None:
    """Tag an import as tainted if its export has other files than those it was created for.

    A stray file that disappears a minute later may have been imported all the same. So the import
    stays tainted then, and the request is repeated until the tag is there.
    """
    job = _find_tainted_import(state, progress)
    if job is None:
        return None

    # If an earlier poll has found it tainted, the tag couldn't be written since then.
    tainted_at = now
    if progress.tainted_at and job.arn == progress.tainted_arn:
        tainted_at = progress.tainted_at
    if now >= tainted_at + timedelta(hours=spec.max_hours):
        reason = f"{job.arn} is tainted, but the tag that says so cannot be written"
        return failed("IMPORTING", reason)

    remembered = {"tainted_arn": job.arn, "tainted_at": tainted_at}
    return Step("IMPORTING", Taint(job), remembered=remembered)


def _find_tainted_import(state: DatasetState, progress: ImportProgress) -> Import | None:
    """Find an import that this or an earlier poll has found tainted, but that has no tag yet."""
    for job in state.imports:
        # The run that has created a running import may be dead, so every run that waits for the
        # import watches its files.
        is_watched = job.is_running or job == state.own_job
        is_tainted_now = is_watched and _has_other_files(job, state)

        if job.awaits_confirmation and (is_tainted_now or job.arn == progress.tainted_arn):
            return job
    return None


def _has_other_files(job: Import, state: DatasetState) -> bool:
    """Return True if the export doesn't have the files for which an import was created."""
    # A running import may be foreign, or that of another stack or day, with another location.
    if job.location != state.export.location:
        return False

    # A file that was written again unchanged is newer than the end of the import and therefore
    # missing from the export at that time, so compare with both states of the export.
    return all(_files(job) != _files(export) for export in state.exports)


def _files(exported: Import | ExportState) -> list[str]:
    """Cut import mode and schema off a fingerprint, because they don't change an old import."""
    return exported.fingerprint.split("-")[:2]


def _wait_for_import(
    state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime
) -> Step | None:
    """Wait while an import of the dataset is running, whoever has created it, or give up."""
    job = next((job for job in state.imports if job.is_running), None)
    if job is None:
        return None

    if now < max(job.created_at, progress.began_at) + timedelta(hours=spec.max_hours):
        elapsed = (now - job.created_at).total_seconds()
        return Step("IMPORTING", pause=pause(spec.durations, elapsed))

    return failed(
        "IMPORTING",
        f"{job.arn} is still running after {spec.max_hours:g} hours; no import can be "
        "stopped, so wait for its end, or ask AWS Support",
    )


def _confirm(state: DatasetState) -> Step | None:
    """Confirm an import whose export didn't change before its end, whichever run created it."""
    jobs = find_confirmable_imports(state.imports, state.exports)
    return Step("CONFIRMING", Confirm(jobs[0])) if jobs else None


def _end(state: DatasetState, spec: ImportSpec) -> Step | None:
    """End with IMPORTED if the dataset holds the export. Fail if this run's import was in vain."""
    if find_holding_import(state, since=spec.requested_at):
        return Step("IMPORTED", outcome="IMPORTED")

    job = state.own_job
    if job is None:
        return None

    step = failed("IMPORTING", _failure(job, state))
    needs_full_import = job.is_tainted and job.is_active and not state.is_full
    if not needs_full_import:
        return step
    # The tags of an old job aren't read any more, so the dataset gets a tag as well.
    return step._replace(action=TaintDataset(job))


def _failure(job: Import, state: DatasetState) -> str:
    """Explain why the dataset doesn't hold the export although the run's import has ended."""
    if not job.is_active:
        return job.failure or f"{job.arn} has failed without a reason"

    if job.is_confirmed and job.fingerprint == state.export.fingerprint:
        return f"another import has replaced the data of {job.arn}"
    if state.is_full:
        return "the export changed while it was imported; the next run imports it again"

    # Nobody could import an INCREMENTAL export again without appending its rows twice.
    if job.is_confirmed:
        return (
            "the export has changed since it was imported; write new rows to the location of a "
            "later day"
        )
    return ask_for_full_import(job)


def _create(state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime) -> Step:
    """Create the import, unless something is wrong with the export.

    If the export has changed since it was validated, it's validated again.
    """
    is_requested = spec.requested_at is not None
    if refusal := explain_refusal_to_append(state, is_requested=is_requested):
        return failed("CHECKING", refusal)
    if wait := progress.before_create(spec.max_hours, now):
        return wait

    if state.export.fingerprint != progress.checked:
        return Step("CHECKING", CheckContent(state.export.fingerprint))
    if progress.problems:
        return failed("CHECKING", *progress.problems)

    return Step("WAITING", Create(state.export))


# What the rules and planning share. If not said otherwise, `imports` are those of one dataset.


def find_holding_import(state: DatasetState, since: datetime | None = None) -> Import | None:
    """Find the confirmed import that brought the present export into the dataset, if there is one.

    - FULL: it's the newest FULL import, and isn't older than `since`. No import since then may be
      unconfirmed.
    - INCREMENTAL: it's any import since the newest FULL import, because no export is appended
      twice.
    """
    candidates = list_effective_imports(state.imports)
    if state.is_full:
        if list_unconfirmed_imports(state.imports):
            return None
        candidates = [
            job for job in candidates if job.is_full and (since is None or job.created_at >= since)
        ]

    # The import that ended last comes last.
    for job in reversed(candidates):
        if job.is_confirmed and job.fingerprint == state.export.fingerprint:
            return job
    return None


def find_confirmable_imports(
    imports: Iterable[Import], exports: Sequence[ExportState]
) -> list[Import]:
    """List the imports that can be confirmed, because their export didn't change before the end."""
    return [
        job
        for job in imports
        if job.is_active and job.awaits_confirmation
        if any(export.is_unchanged_since(job) for export in exports)
    ]


def list_effective_imports(imports: Iterable[Import]) -> list[Import]:
    """List the imports whose data a training uses, sorted by their end.

    For each dataset, that's the newest FULL import, which has replaced all earlier data, and the
    imports that ended after it. `imports` may be those of several datasets.
    """
    effective: list[Import] = []
    for job in _list_succeeded_imports(imports):
        if job.is_full:
            effective = [earlier for earlier in effective if earlier.dataset != job.dataset]
        effective.append(job)
    return effective


def _list_succeeded_imports(imports: Iterable[Import]) -> list[Import]:
    """List the imports that have succeeded, sorted by their end."""
    return sorted((job for job in imports if job.is_active), key=lambda job: job.ended_at)


def find_import_watermark(imports: Iterable[Import]) -> str:
    """Return the day in UTC before which all exports count as imported, or "".

    The newest FULL import contains all earlier data. If the tags of an import are too old to be
    read, we don't know which exports were imported before it, so nobody is asked to append them.
    """
    days = []
    for job in list_effective_imports(imports):
        has_unread_tags = job.is_confirmed and job.run is None
        if job.is_full or has_unread_tags:
            days.append(job.day)
    return max(days, default="")


def list_unconfirmed_imports(imports: Sequence[Import]) -> list[Import]:
    """List the unconfirmed imports whose rows no FULL import has replaced, sorted by their end.

    Another import of the same export doesn't count in an INCREMENTAL dataset, because it only
    appends the rows once more. Foreign imports aren't listed.
    """
    succeeded = _list_succeeded_imports(imports)
    effective = list_effective_imports(imports)
    replacements = [job for job in succeeded if job.is_full and job.is_confirmed]

    unconfirmed = []
    for job in succeeded:
        is_listed = job.run is not None and not job.is_confirmed and job in effective
        if job.is_tainted and not job.is_full:
            # Only a confirmed FULL import that was created later is certain to replace its rows.
            is_listed = all(full.created_at < job.ended_at for full in replacements)
        if is_listed:
            unconfirmed.append(job)
    return unconfirmed


def group_imports_by_location(imports: Sequence[Import]) -> dict[str, list[Import]]:
    """Group the imports whose rows are in the dataset by the hash of their location.

    In each group, confirmed imports come first, and running ones last. Both of them and the
    unconfirmed ones between them are sorted by their end. An unconfirmed import may have appended
    only a part of its export.
    """
    confirmed = [job for job in list_effective_imports(imports) if job.is_confirmed]
    running = [job for job in imports if job.is_running]

    jobs_by_location: dict[str, list[Import]] = {}
    for job in [*confirmed, *list_unconfirmed_imports(imports), *running]:
        jobs_by_location.setdefault(job.location, []).append(job)
    return jobs_by_location


def imports_of_export(state: DatasetState) -> list[Import]:
    """List the imports that have brought rows of the present export, perhaps not all of them."""
    return group_imports_by_location(state.imports).get(state.export.location, [])


def find_partial_import(state: DatasetState) -> Import | None:
    """Find the last import that may have appended only a part of the export, if there is one."""
    # Unconfirmed imports come after confirmed ones, and the last one of them comes last.
    for job in reversed(imports_of_export(state)):
        if not (job.is_confirmed or job.is_running):
            return job
    return None


def ask_for_full_import(job: Import) -> str:
    """Ask for a FULL import, because nothing else replaces what an unconfirmed one has appended."""
    return (
        f"{job.arn} may have imported other rows than its export has; to replace them, import a "
        'complete export with importMode FULL ("Replace bad data" in docs/operations.md)'
    )


def find_foreign_replacement(imports: Sequence[Import], *, is_full: bool) -> Import | None:
    """Find a foreign FULL import that has replaced a dataset's data, unless it's accepted.

    With importMode INCREMENTAL, the first import of a pipeline may append to foreign data. Later,
    a person has to accept such data by a request to append to it.
    """
    data = list_effective_imports(imports)
    # The FULL import comes first, because all others ended after it.
    if not (data and data[0].is_full and data[0].is_foreign):
        return None

    was_appended_to = any(job.run for job in data)
    is_first_import = not any(job.is_active and job.run for job in imports)
    is_accepted = not is_full and (was_appended_to or is_first_import)
    return None if is_accepted else data[0]


def explain_refusal_to_append(state: DatasetState, *, is_requested: bool) -> Reason | None:
    """Reject an INCREMENTAL export that must not be appended: return the reason, or None.

    A person may insist on appending to data that a foreign import has replaced. But nobody may
    append an export a second time, because some of its rows would then be there twice.
    """
    if state.is_full:
        return None

    if job := find_partial_import(state):
        return ask_for_full_import(job)

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

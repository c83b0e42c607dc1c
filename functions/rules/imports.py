"""Decides how a dataset gets its export, and which exports it holds already."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from .pacing import pause
from .steps import Action, JobProgress, Step, failed

PART_DIGITS = 8
"""The digits of a location and of a form in a fingerprint."""


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
    """The time of the last change, which is the end if the import is not running."""
    run: str | None = None
    """The run that created the job, or None for a foreign import."""
    fingerprint: str | None = None
    """The fingerprint of the export when the job was created: `<location>-<content>`."""
    is_confirmed: bool = False
    """True if the export was found unchanged after the end, so the dataset holds all of it. An
    import whose tags are too old to be read counts as confirmed, and as nobody's."""
    is_spoiled: bool = False
    """True if no poll can confirm the import any more, because other files were there meanwhile, or
    because a tag of the dataset names it."""
    size: int | None = None
    """The bytes of the export when the job was created, or None for a foreign import."""
    failure: str | None = None
    content: str = ""
    """What the tag says about the content of the export. It is empty without a tag."""

    @property
    def location(self) -> str:
        """The hash of the location, with which the fingerprint of the export begins."""
        return (self.fingerprint or "").partition("-")[0]

    @property
    def day(self) -> str:
        """The day in UTC on which the import was created."""
        return self.created_at.astimezone(UTC).date().isoformat()

    @property
    def is_open(self) -> bool:
        """True for an import that has not failed, until it is confirmed or spoiled."""
        has_data = self.is_running or self.is_active
        return has_data and not (self.is_confirmed or self.is_spoiled)

    @property
    def is_foreign(self) -> bool:
        """True if no run of any stack has created the import."""
        return self.run is None and not self.is_confirmed


class ExportState(NamedTuple):
    """What a poll has read of an export."""

    fingerprint: str
    """`<location>-<files>-<form>`: the form is the import mode and the schema."""
    size: int
    newest_at: datetime | None
    """When the newest file was written, or None without files."""

    def is_unchanged_since(self, job: Import) -> bool:
        """Return True if these files, and no others, were there when the import was created."""
        is_older = self.newest_at is None or self.newest_at <= job.created_at
        return is_older and job.fingerprint == self.fingerprint


@dataclass(frozen=True, kw_only=True)
class DatasetState:
    """A dataset and its export, as one poll shows them."""

    is_full: bool
    """True if the configured importMode is FULL."""
    imports: Sequence[Import]
    exports: Sequence[ExportState]
    """The present export and, in an import, what was there at the end of this run's job, because
    nothing was imported that was written later."""

    @property
    def export(self) -> ExportState:
        """The present export."""
        return self.exports[0]


@dataclass(frozen=True, kw_only=True)
class ImportSpec:
    """What a run wants to do with a dataset."""

    run: str
    requested_at: datetime | None = None
    """The start of the run if somebody asks for the import, else None. On request, a FULL export is
    imported although the dataset holds it, and an INCREMENTAL one is added to data that a foreign
    import has replaced. But no export is appended twice."""
    durations: Sequence[int] = ()
    max_hours: float


@dataclass
class ImportProgress(JobProgress):
    """What an import remembers between two polls."""

    checked: str = ""
    """The fingerprint of the export whose content was checked last. The first check is planning."""
    problems: list[str] = field(default_factory=list)
    """The problems that this check has found."""
    spoiled_arn: str | None = None
    """The import during which a poll has seen other files. The tag that says so may be lost."""
    spoiled_at: datetime | None = None
    """When that poll was."""


@dataclass(frozen=True)
class Create(Action):
    """Create the import job of this run for the present export."""

    export: ExportState


@dataclass(frozen=True)
class Confirm(Action):
    """Tag an import job as confirmed."""

    arn: str
    fingerprint: str


@dataclass(frozen=True)
class Spoil(Action):
    """Tag an import job as spoiled, for ever."""

    arn: str


@dataclass(frozen=True)
class MarkBroken(Action):
    """Tag the dataset with an INCREMENTAL import that only a FULL import repairs."""

    job: Import


@dataclass(frozen=True)
class CheckContent(Action):
    """Let the guards check the content of the present export."""

    changes: ClassVar[bool] = False
    fingerprint: str


def decide(state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime) -> Step:
    """Return the next step of an import."""
    return (
        _spoil(state, spec, progress, now)
        or _wait_for_import(state, spec, progress, now)
        or _confirm(state)
        or _end(state, spec)
        or _create(state, spec, progress, now)
    )


def _spoil(
    state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime
) -> Step | None:
    """Mark an import if other files are there than it was created for.

    A file that is gone a minute later was perhaps imported all the same, so nobody may confirm the
    import afterwards. That is why it is remembered until the tag is there. The run that has created
    a running import may be dead, so any run that waits for it watches its files.
    """
    for job in state.imports:
        is_watched = job.run == spec.run or (job.run is not None and job.is_running)
        spoiled_at = progress.spoiled_at if job.arn == progress.spoiled_arn else None
        if spoiled_at is None and is_watched and _has_other_files(job, state):
            spoiled_at = now

        if spoiled_at is None or not job.is_open:
            continue
        if now >= spoiled_at + timedelta(hours=spec.max_hours):
            reason = f"{job.arn} is spoiled, but the tag that says so cannot be written"
            return failed("IMPORTING", reason)
        step = Step("IMPORTING", Spoil(job.arn))
        return step.remembering(spoiled_arn=job.arn, spoiled_at=spoiled_at)
    return None


def _has_other_files(job: Import, state: DatasetState) -> bool:
    """Return True if the export does not have the files for which an import was created.

    Another mode or schema has no effect on an old import. A file that was written again as it was
    is missing from the export until the end, so both states of the export count.
    """
    known_files = [export.fingerprint.split("-")[:2] for export in state.exports]
    # A run of another stack may have the same id, and another location.
    is_of_location = job.location == known_files[0][0]
    return is_of_location and str(job.fingerprint).split("-")[:2] not in known_files


def _wait_for_import(
    state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime
) -> Step | None:
    """Look again until no import of the dataset is running. Give up at the deadline."""
    job = next((job for job in state.imports if job.is_running), None)
    if job is None:
        return None
    if now >= max(job.created_at, progress.began_at) + timedelta(hours=spec.max_hours):
        return failed(
            "IMPORTING",
            f"{job.arn} is still running after {spec.max_hours:g} hours; no import can be "
            "stopped, so wait for its end, or ask AWS Support",
        )
    return Step("IMPORTING", pause=pause(spec.durations, (now - job.created_at).total_seconds()))


def _confirm(state: DatasetState) -> Step | None:
    """Confirm an import whose export has not changed until its end, whichever run created it."""
    job = next(iter(confirmable_imports(state.imports, state.exports)), None)
    return Step("CONFIRMING", Confirm(job.arn, str(job.fingerprint))) if job else None


def _end(state: DatasetState, spec: ImportSpec) -> Step | None:
    """End the item if the dataset holds the export, or if the import of this run has ended."""
    if holding_import(state, since=spec.requested_at):
        return Step("IMPORTED", outcome="IMPORTED")

    job = import_of_run(state.imports, spec.run)
    if job is None:
        return None

    step = failed("IMPORTING", _failure(job, state))
    # The tag of the job is not enough, because nobody reads it once the job is old.
    needs_full = job.is_spoiled and job.is_active and not state.is_full
    return step._replace(action=MarkBroken(job)) if needs_full else step


def _failure(job: Import, state: DatasetState) -> str:
    """Return why the dataset does not hold the export although the run's import has ended."""
    if not job.is_active:
        return job.failure or f"{job.arn} has failed without a reason"
    if job.is_confirmed and job.fingerprint == state.export.fingerprint:
        return f"another import has replaced the data of {job.arn}"
    if state.is_full:
        return "the export changed while it was imported; the next run imports it again"
    if job.is_confirmed:
        return (
            "the export has changed since it was imported; write new rows to the location of a "
            "later day"
        )
    return only_full_import_repairs(job)


def _create(state: DatasetState, spec: ImportSpec, progress: ImportProgress, now: datetime) -> Step:
    """Create the import. If the export has changed since its last check, check it first."""
    is_requested = spec.requested_at is not None
    if refusal := refusal_to_append(state, is_requested=is_requested):
        return failed("CHECKING", refusal)
    if wait := progress.before_create(spec.max_hours, now):
        return wait
    if state.export.fingerprint != progress.checked:
        return Step("CHECKING", CheckContent(state.export.fingerprint))
    if progress.problems:
        return failed("CHECKING", *progress.problems)
    return Step("WAITING", Create(state.export))


# Facts that rules share. `imports` are those of one dataset.


def holding_import(state: DatasetState, since: datetime | None = None) -> Import | None:
    """Return the import by which the dataset holds the present export, or None.

    A FULL export must have been imported by the newest FULL import, and no import since then may be
    unchecked. With `since`, that FULL import must not be older. An INCREMENTAL export may have been
    imported by any import since the newest FULL import, because no export is appended twice.
    """
    if state.is_full and unchecked_imports(state.imports):
        return None

    for job in reversed(effective_imports(state.imports)):
        is_wanted = job.is_full and (since is None or job.created_at >= since)
        is_present = job.is_confirmed and job.fingerprint == state.export.fingerprint
        if is_present and (is_wanted or not state.is_full):
            return job
    return None


def import_of_run(imports: Iterable[Import], run: str) -> Import | None:
    """Return the import that a run has created, or None."""
    return next((job for job in imports if job.run == run), None)


def confirmable_imports(imports: Iterable[Import], exports: Sequence[ExportState]) -> list[Import]:
    """Return the imports that can be confirmed, because their export has not changed since."""
    return [
        job
        for job in imports
        if job.is_active and job.is_open
        if any(export.is_unchanged_since(job) for export in exports)
    ]


def effective_imports(imports: Iterable[Import]) -> list[Import]:
    """Return the imports whose data a training uses. The import that ended first is first.

    These are the newest FULL import of each dataset, which has replaced all earlier data, and the
    imports that ended after it.
    """
    ended = sorted((job for job in imports if job.is_active), key=lambda job: job.ended_at)
    newest_full = {job.dataset: index for index, job in enumerate(ended) if job.is_full}
    return [job for index, job in enumerate(ended) if index >= newest_full.get(job.dataset, 0)]


def settled_day(imports: Iterable[Import]) -> str:
    """Return the day in UTC before which all exports count as imported, or "".

    On this day the newest FULL import was created, or the last one whose tags were not read.
    """
    data = effective_imports(imports)
    days = (job.day for job in data if job.is_full or (job.is_confirmed and job.run is None))
    return max(days, default="")


def unchecked_imports(imports: Sequence[Import]) -> list[Import]:
    """Return the imports that nobody has confirmed, and that no FULL import has repaired.

    A later import of the same export repairs nothing, because it only adds the rows once more. A
    spoiled INCREMENTAL import is not even repaired by a FULL one that nobody confirms. The import
    that ended last is last.
    """
    data = effective_imports(imports)
    ended = sorted((job for job in imports if job.is_active), key=lambda job: job.ended_at)
    repairs = [job.created_at for job in ended if job.is_full and job.is_confirmed]

    def is_unchecked(job: Import) -> bool:
        if job.is_spoiled and not job.is_full:
            return all(job.ended_at > repair for repair in repairs)
        return not job.is_confirmed and job.run is not None and job in data

    return [job for job in ended if is_unchecked(job)]


def imports_by_location(imports: Sequence[Import]) -> dict[str, list[Import]]:
    """Return each location -> the imports that have brought its rows, or perhaps a part of them.

    Was an export imported? It was if each import of its location is confirmed. If one is not, it
    may have appended a part of the export, or it is still running. An import whose data was
    replaced is left out. A location is the hash with which fingerprints begin.
    """
    found: dict[str, list[Import]] = {}
    running = [job for job in imports if job.is_running]
    for job in [*effective_imports(imports), *unchecked_imports(imports), *running]:
        found.setdefault(job.location, []).append(job)
    return found


def imports_of_export(state: DatasetState) -> list[Import]:
    """Return the imports that have brought the rows of the present export, or perhaps a part."""
    location = state.export.fingerprint.partition("-")[0]
    return imports_by_location(state.imports).get(location, [])


def partly_appended_by(state: DatasetState) -> Import | None:
    """Return the last import that may have appended a part of the export, or None."""
    jobs = [job for job in imports_of_export(state) if not (job.is_confirmed or job.is_running)]
    return jobs[-1] if jobs else None


def fingerprint_part(text: str) -> str:
    """Return the hash of a location, or of a form, as fingerprints have it."""
    return hashlib.sha256(text.encode()).hexdigest()[:PART_DIGITS]


def only_full_import_repairs(job: Import) -> str:
    """Return the message about an INCREMENTAL dataset whose data is spoiled by an import."""
    return (
        f"{job.arn} may have imported other rows than its export has; to replace them, import a "
        'complete export with importMode FULL ("Replace bad data" in docs/operations.md)'
    )


def foreign_replacement(imports: Sequence[Import], *, is_full: bool) -> Import | None:
    """Return the foreign FULL import that has replaced the data of a dataset, or None.

    A pipeline that appends accepts a foreign FULL import from before its first import. It accepts a
    later one once a person has asked to append to it.
    """
    data = effective_imports(imports)
    if not data or not data[0].is_full or not data[0].is_foreign:
        return None
    is_accepted = any(job.run for job in data) or not any(
        job.is_active and job.run for job in imports
    )
    return None if is_accepted and not is_full else data[0]


def refusal_to_append(state: DatasetState, *, is_requested: bool) -> str | None:
    """Return why an INCREMENTAL export is not appended, or None.

    Somebody may ask for an import into data that a foreign import has replaced, but nobody for
    rows of which a part may be there.
    """
    if state.is_full:
        return None
    if job := partly_appended_by(state):
        return only_full_import_repairs(job)

    foreign = foreign_replacement(state.imports, is_full=False)
    if foreign is None or is_requested:
        return None
    return (
        f"{foreign.arn}, which this pipeline did not start, has replaced the data; to append the "
        "export anyway, use retrain start --force"
    )

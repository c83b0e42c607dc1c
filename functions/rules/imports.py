"""Decides how a dataset gets its export, and which exports it holds already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from .pacing import pause
from .steps import Action, Case, JobMemory, Step, failed


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
    """True if the export was found unchanged after the end, so the dataset holds all of it."""
    size: int | None = None
    """The bytes of the export when the job was created, or None for a foreign import."""
    failure: str | None = None
    content: str = ""
    """What the tag says about the content of the export. It is empty without a tag."""

    @property
    def location(self) -> str:
        """The hash of the location, with which the fingerprint of the export begins."""
        return (self.fingerprint or "").partition("-")[0]


class Export(NamedTuple):
    """The objects of an export, as S3 lists them."""

    fingerprint: str
    size: int
    newest_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class SeenDataset:
    """A dataset and its export, as one look shows them."""

    imports: Sequence[Import]
    export: Export


@dataclass(frozen=True, kw_only=True)
class WantedImport:
    """What a run wants to do with a dataset."""

    run: str
    is_full: bool
    requested_at: datetime | None = None
    """The start of the run if somebody asks for the import, else None. On request, a FULL export is
    imported although the dataset holds it, and an INCREMENTAL one is added to data that a foreign
    import has replaced. But no export is appended twice."""
    durations: Sequence[int] = ()
    max_hours: float


@dataclass
class Memory(JobMemory):
    """What an import remembers between two looks."""

    checked: str = ""
    """The fingerprint of the export whose content was checked last. The first check is planning."""
    problems: list[str] = field(default_factory=list)
    """The problems that this check has found."""


@dataclass(frozen=True)
class Create(Action):
    """Create the import job of this run for the present export."""

    export: Export


@dataclass(frozen=True)
class Confirm(Action):
    """Tag an import job as confirmed."""

    arn: str
    fingerprint: str


@dataclass(frozen=True)
class CheckContent(Action):
    """Let the guards check the content of the present export."""

    changes: ClassVar[bool] = False
    fingerprint: str


ImportCase = Case[SeenDataset, WantedImport, Memory]


def decide(seen: SeenDataset, wanted: WantedImport, memory: Memory, now: datetime) -> Step:
    """Return the next step of an import."""
    case = Case(seen, wanted, memory, now)
    return _wait_for_import(case) or _confirm(case) or _end(case) or _create(case)


def _wait_for_import(case: ImportCase) -> Step | None:
    """Look again until no import of the dataset is running. Give up at the deadline."""
    seen, wanted, memory, now = case
    job = next((job for job in seen.imports if job.is_running), None)
    if job is None:
        return None
    if now >= max(job.created_at, memory.began_at) + timedelta(hours=wanted.max_hours):
        return failed(
            "IMPORTING",
            f"{job.arn} is still running after {wanted.max_hours:g} hours; no import can be "
            "stopped, so wait for its end, or ask AWS Support",
        )
    return Step("IMPORTING", pause=pause(wanted.durations, (now - job.created_at).total_seconds()))


def _confirm(case: ImportCase) -> Step | None:
    seen = case.seen
    job = next(iter(confirmable_imports(seen.imports, [seen.export])), None)
    return Step("CONFIRMING", Confirm(job.arn, seen.export.fingerprint)) if job else None


def _end(case: ImportCase) -> Step | None:
    """End the item if the dataset holds the export, or if the import of this run has ended."""
    seen, wanted = case.seen, case.wanted
    if holding_import(seen, is_full=wanted.is_full, since=wanted.requested_at):
        return Step("IMPORTED", outcome="IMPORTED")
    job = import_of_run(seen.imports, wanted.run)
    if job is None:
        return None
    if not job.is_active:
        reason = job.failure or f"{job.arn} has failed without a reason"
    elif job.is_confirmed and job.fingerprint == seen.export.fingerprint:
        reason = f"another import has replaced the data of {job.arn}"
    else:
        reason = "the export changed while it was imported; the next run imports it again"
    return failed("IMPORTING", reason)


def _create(case: ImportCase) -> Step:
    """Create the import. If the export has changed since its last check, check it first."""
    seen, wanted, memory, now = case
    fingerprint = seen.export.fingerprint
    appends_unasked = not wanted.is_full and wanted.requested_at is None
    if appends_unasked and (refusal := refusal_to_append(seen.imports)):
        return failed("CHECKING", refusal)
    if wait := memory.before_create(wanted.max_hours, now):
        return wait
    if fingerprint != memory.checked:
        return Step("CHECKING", CheckContent(fingerprint))
    if memory.problems:
        return failed("CHECKING", *memory.problems)
    return Step("WAITING", Create(seen.export))


# Facts that rules share. `imports` are those of one dataset.


def holding_import(
    seen: SeenDataset, *, is_full: bool, since: datetime | None = None
) -> Import | None:
    """Return the import by which the dataset holds the present export, or None.

    A FULL export must have been imported by the newest FULL import. With `since`, that import must
    not be older. An INCREMENTAL export may have been imported by any import since the newest FULL
    import, because no export is appended twice.
    """
    for job in reversed(effective_imports(seen.imports)):
        is_wanted = job.is_full and (since is None or job.created_at >= since)
        is_present = job.is_confirmed and job.fingerprint == seen.export.fingerprint
        if is_present and (is_wanted or not is_full):
            return job
    return None


def import_of_run(imports: Iterable[Import], run: str) -> Import | None:
    """Return the import that a run has created, or None."""
    return next((job for job in imports if job.run == run), None)


def confirmable_imports(imports: Iterable[Import], exports: Sequence[Export]) -> list[Import]:
    """Return the imports that can be confirmed, because one of the exports is still what they read.

    Confirmed imports are left out. No object of the export may be newer than the import job.
    """
    newest = {export.fingerprint: export.newest_at for export in exports}
    return [
        job
        for job in imports
        if job.is_active and not job.is_confirmed and job.fingerprint in newest
        if (newest_at := newest[job.fingerprint]) is None or newest_at <= job.created_at
    ]


def effective_imports(imports: Iterable[Import], at: datetime | None = None) -> list[Import]:
    """Return the imports whose data a training uses. The import that ended first is first.

    These are the newest FULL import of each dataset, which has replaced all earlier data, and the
    imports that ended after it. With `at`, return the imports that a training used that began then.
    """
    ended = sorted(
        (job for job in imports if job.is_active and (at is None or job.ended_at <= at)),
        key=lambda job: job.ended_at,
    )
    newest_full = {job.dataset: index for index, job in enumerate(ended) if job.is_full}
    return [job for index, job in enumerate(ended) if index >= newest_full.get(job.dataset, 0)]


def full_import_day(data: Iterable[Import]) -> str:
    """Return the day in UTC on which the FULL import of the data was created, or "" without one."""
    days = [job.created_at.astimezone(UTC).date().isoformat() for job in data if job.is_full]
    return max(days, default="")


def partial_import(imports: Iterable[Import]) -> Import | None:
    """Return a location's last import if it may have imported a part of its export, or None."""
    newest = {job.location: job for job in effective_imports(imports) if job.run is not None}
    return next((job for job in newest.values() if not job.is_confirmed), None)


def foreign_replacement(imports: Sequence[Import], *, is_full: bool) -> Import | None:
    """Return the foreign FULL import that has replaced the data of a dataset, or None.

    A pipeline that appends accepts a foreign FULL import from before its first import. It accepts a
    later one once a person has asked to append to it.
    """
    data = effective_imports(imports)
    if not data or not data[0].is_full or data[0].run is not None:
        return None
    is_accepted = any(job.run for job in data) or not any(
        job.is_active and job.run for job in imports
    )
    return None if is_accepted and not is_full else data[0]


def refusal_to_append(imports: Sequence[Import]) -> str | None:
    """Return why an INCREMENTAL export is appended only if somebody asks for it, or None."""
    job = foreign_replacement(imports, is_full=False)
    return job and (
        f"{job.arn}, which this pipeline did not start, has replaced the data; to append the "
        "export anyway, use retrain start --force"
    )

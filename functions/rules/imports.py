"""Decides how a dataset gets its export, and which exports a dataset holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .pacing import pause
from .steps import BUSY_PAUSE, Action, Case, Step, first_step

if TYPE_CHECKING:
    from collections.abc import Sequence

UNLISTED = timedelta(minutes=3)
"""The time after which a list certainly shows a job whose create got no answer."""
CONFIRMED_WITHIN = timedelta(days=31)
"""An import that ended longer ago is not compared with its export any more."""

# What a look shows


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
    """The time of the last change, which is the end of an import that has ended."""
    run: str | None = None
    """The run that created the job, or None for a foreign import."""
    planned: str | None = None
    """The fingerprint of the export when the job was created: `<location>-<content>`."""
    is_held: bool = False
    """True if a look after the end has found the export unchanged."""
    size: int | None = None
    """The bytes of the export when the job was created, if the pipeline has written them."""
    failure: str | None = None


class Export(NamedTuple):
    """The objects of an export, as S3 lists them."""

    fingerprint: str
    newest_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class SeenDataset:
    """A dataset and its export, as one look shows them."""

    imports: Sequence[Import]
    export: Export


# What is given, and what is remembered


@dataclass(frozen=True, kw_only=True)
class WantedImport:
    """What a run wants of a dataset."""

    run: str
    is_full: bool
    planned: str
    """The fingerprint of the export whose content was checked when the run was planned."""
    requested_at: datetime | None = None
    """The start of the run if somebody asks for the import. Then a FULL export is imported although
    the dataset holds it, and an INCREMENTAL one is added to data that a foreign import has
    replaced. No export is appended twice."""
    durations: Sequence[int] = ()
    max_hours: float


@dataclass
class Memory:
    """What an import remembers between two looks."""

    began_at: datetime
    checked: str = ""
    """The fingerprint of the export whose content this run has checked last."""
    problems: list[str] = field(default_factory=list)
    """What the last check of the content has found."""
    sent_at: datetime | None = None
    """When a create was sent that got no answer, or whose name was taken."""
    refusal: str = ""
    """Why Personalize has last refused a create for now."""


# What may be done


@dataclass(frozen=True)
class Create(Action):
    """Create the import job of this run for the present export."""

    planned: str


@dataclass(frozen=True)
class Confirm(Action):
    """Write on an import job that it holds its export."""

    arn: str
    planned: str


@dataclass(frozen=True)
class CheckContent(Action):
    """Ask the guards about the content of the present export."""

    changes: ClassVar[bool] = False


ImportCase = Case[SeenDataset, WantedImport, Memory]


def decide(seen: SeenDataset, wanted: WantedImport, memory: Memory, now: datetime) -> Step:
    """Return the next step of an import."""
    return first_step(RULES, Case(seen, wanted, memory, now))


# The rules, in the order in which they are asked


def _wait_for_import(case: ImportCase) -> Step | None:
    """Look again until no import of the dataset is running. Give it up at its deadline."""
    seen, wanted, memory, now = case
    job = next((job for job in seen.imports if job.is_running), None)
    if job is None:
        return None
    since = job.created_at if job.run == wanted.run else max(job.created_at, memory.began_at)
    if now >= since + timedelta(hours=wanted.max_hours):
        reason = (
            f"{job.arn} is still running after {wanted.max_hours:g} hours; no import can be "
            "stopped, so wait for its end, or ask AWS Support"
        )
        return Step("IMPORTING", outcome="FAILED", reasons=(reason,))
    return Step("IMPORTING", pause=pause(wanted.durations, (now - job.created_at).total_seconds()))


def _confirm(case: ImportCase) -> Step | None:
    """Write on an import that it holds its export, once that is certain."""
    job = unconfirmed(case.seen, case.now)
    return Step("CONFIRMING", Confirm(job.arn, case.seen.export.fingerprint)) if job else None


def _is_imported(case: ImportCase) -> Step | None:
    """End the item if the dataset holds the export."""
    is_imported = wanted_holder(case.seen, case.wanted) is not None
    return Step("IMPORTED", outcome="IMPORTED") if is_imported else None


def _has_failed(case: ImportCase) -> Step | None:
    """Fail if the import of this run has ended and the dataset does not hold the export."""
    seen = case.seen
    job = import_of_run(seen.imports, case.wanted.run)
    if job is None:
        return None
    if not job.is_active:
        reason = job.failure or f"{job.arn} has failed without a reason"
    elif job.planned != seen.export.fingerprint or not job.is_held:
        reason = "the export changed while it was imported; the next run imports it again"
    else:
        reason = f"another import has replaced the data of {job.arn}"
    return Step("IMPORTING", outcome="FAILED", reasons=(reason,))


def _refuse_replaced(case: ImportCase) -> Step | None:
    """Add nothing to data that a foreign FULL import has replaced, unless somebody asks for it."""
    wanted = case.wanted
    if wanted.is_full or wanted.requested_at:
        return None
    reason = refusal_to_append(case.seen.imports)
    return Step("CHECKING", outcome="FAILED", reasons=(reason,)) if reason else None


def _wait_for_list(case: ImportCase) -> Step | None:
    """Wait for a job whose create got no answer. Give up at the deadline."""
    memory, now, hours = case.memory, case.now, case.wanted.max_hours
    if now >= memory.began_at + timedelta(hours=hours):
        reason = f"gave up after {hours:g} hours: {memory.refusal or 'Personalize did not answer'}"
        return Step("WAITING", outcome="FAILED", reasons=(reason,))
    if memory.sent_at and now < memory.sent_at + UNLISTED:
        return Step("WAITING", pause=BUSY_PAUSE)
    return None


def _create(case: ImportCase) -> Step:
    """Create the import, after the content of an export that has changed was checked again."""
    fingerprint, memory = case.seen.export.fingerprint, case.memory
    if fingerprint not in (case.wanted.planned, memory.checked):
        return Step("CHECKING", CheckContent())
    if fingerprint == memory.checked and memory.problems:
        return Step("CHECKING", outcome="FAILED", reasons=tuple(memory.problems))
    return Step("WAITING", Create(fingerprint))


RULES = (
    _wait_for_import,
    _confirm,
    _is_imported,
    _has_failed,
    _refuse_replaced,
    _wait_for_list,
    _create,
)
"""The rules of an import, in the order in which they are asked."""


# Facts that rules share. `imports` are those of one dataset.


def holding(seen: SeenDataset, *, is_full: bool) -> Import | None:
    """Return the import by which the dataset holds the present export, or None.

    A FULL export is held if the newest FULL import holds it, and an INCREMENTAL one if any import
    since the newest FULL import does.
    """
    return next(
        (
            job
            for job in reversed(learned(seen.imports))
            if job.is_held
            and job.planned == seen.export.fingerprint
            and (job.is_full or not is_full)
        ),
        None,
    )


def wanted_holder(seen: SeenDataset, wanted: WantedImport) -> Import | None:
    """Return the import by which the dataset holds the export as the run wants it, or None.

    If somebody asks for a FULL import, only an import of this run or a later one counts.
    """
    job, requested_at = holding(seen, is_full=wanted.is_full), wanted.requested_at
    if job is None or not wanted.is_full or requested_at is None:
        return job
    return job if job.run == wanted.run or job.created_at >= requested_at else None


def import_of_run(imports: Sequence[Import], run: str) -> Import | None:
    """Return the import that a run has created, or None."""
    own = [job for job in imports if job.run == run]
    return max(own, key=lambda job: job.created_at, default=None)


def unconfirmed(seen: SeenDataset, now: datetime) -> Import | None:
    """Return an import that holds the present export without saying so, or None."""
    return next((job for job in seen.imports if _is_unconfirmed(job, seen.export, now)), None)


def confirmed(imports: Sequence[Import], exports: Sequence[Export], now: datetime) -> list[Import]:
    """Return imports of which each that holds one of the exports says so."""
    return [
        job._replace(is_held=True)
        if any(_is_unconfirmed(job, export, now) for export in exports)
        else job
        for job in imports
    ]


def _is_unconfirmed(job: Import, export: Export, now: datetime) -> bool:
    """Return True if an import holds an export, as a look after its end shows, and has no `held`.

    No object of the export may be newer than the import job.
    """
    return (
        job.is_active
        and not job.is_held
        and job.planned == export.fingerprint
        and now < job.ended_at + CONFIRMED_WITHIN
        and (export.newest_at is None or export.newest_at <= job.created_at)
    )


def learned(imports: Sequence[Import], at: datetime | None = None) -> list[Import]:
    """Return the imports whose data a dataset holds, oldest first: the newest FULL and all later.

    With a time, return those that had ended by then.
    """
    ended = sorted(
        (job for job in imports if job.is_active and (at is None or job.ended_at <= at)),
        key=lambda job: job.ended_at,
    )
    full = [index for index, job in enumerate(ended) if job.is_full]
    return ended[full[-1] :] if full else ended


def is_partial(job: Import, later: Sequence[Import]) -> bool:
    """Return True if an import may have brought a part of its export only.

    An import of the same location that holds its export makes up for it.
    """
    location = (job.planned or "").partition("-")[0]
    return (
        job.run is not None
        and not job.is_held
        and not any(
            other.is_held and (other.planned or "").startswith(f"{location}-") for other in later
        )
    )


def refusal_to_append(imports: Sequence[Import]) -> str | None:
    """Return why nothing is added to the data unless somebody asks for it, or None."""
    if not has_been_replaced(imports):
        return None
    return (
        f"{learned(imports)[0].arn}, which this pipeline did not start, has replaced the data; "
        "`--force` adds the export to it"
    )


def has_been_replaced(imports: Sequence[Import]) -> bool:
    """Return True if a foreign FULL import has replaced the data and nothing was added since.

    A pipeline may add to a FULL import that is older than its first import.
    """
    present = learned(imports)
    is_foreign = bool(present) and present[0].is_full and present[0].run is None
    is_newest = all(job.run is None for job in present)
    return is_foreign and is_newest and any(job.is_active and job.run for job in imports)

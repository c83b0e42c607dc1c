"""Decides whether a solution is trained, and which version a run goes on with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from functions.rules.imports import UNLISTED, Import, has_been_replaced, is_partial, learned
from functions.rules.pacing import pause
from functions.rules.steps import BUSY_PAUSE, SHORT_PAUSE, Action, Case, Step, first_step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIGEST_DIGITS = 24
MONTH = timedelta(days=30)
"""The time in which trainings are counted."""
STOP_GRACE = timedelta(hours=1)
"""The time that a training may take to stop."""

# What a look shows


class Training(NamedTuple):
    """One version of a solution."""

    arn: str
    is_running: bool
    is_active: bool
    created_at: datetime
    ended_at: datetime
    run: str | None = None
    """The run that created the version, or None for a foreign version."""
    digest: str | None = None
    """What the version learns, as it was written at its creation."""
    was_stopped: bool = False
    is_stopping: bool = False
    is_of_pipeline: bool = False
    """True if a run of this pipeline created the version, in any stack."""
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class SeenSolution:
    """A solution, its versions and the imports of its dataset group, as one look shows them."""

    config: str
    """A hash of the recipe and the configuration."""
    is_being_updated: bool = False
    imports: Sequence[Import]
    """The imports of all datasets of the group."""
    trainings: Sequence[Training]


# What is given, and what is remembered


@dataclass(frozen=True, kw_only=True)
class WantedTraining:
    """What a run wants of a solution."""

    run: str
    datasets: Mapping[str, bool]
    """The ARN of each configured dataset -> True if its imports are FULL."""
    accepts_foreign: bool = False
    """True if the run uses the data that are there, with `skipImport`."""
    requested_since: datetime | None = None
    """The version has to be trained after this time, also if one with the present data exists."""
    max_per_month: int = 0
    """0 means no limit."""
    durations: Sequence[int] = ()
    max_hours: float


@dataclass
class Memory:
    """What a training remembers between two looks."""

    began_at: datetime
    stopping_since: datetime | None = None
    """When this run has asked to stop its training, or has seen that it is stopping."""
    sent_at: datetime | None = None
    """When a create was sent that got no answer, or whose name was taken."""
    refusal: str = ""


# What may be done


@dataclass(frozen=True)
class Create(Action):
    """Start the training of this run."""

    digest: str


@dataclass(frozen=True)
class Stop(Action):
    """Stop the training of this run."""

    arn: str


TrainingCase = Case[SeenSolution, WantedTraining, Memory]


def decide(seen: SeenSolution, wanted: WantedTraining, memory: Memory, now: datetime) -> Step:
    """Return the next step of a training."""
    return first_step(RULES, Case(seen, wanted, memory, now))


# The rules, in the order in which they are asked


def _follow_own(case: TrainingCase) -> Step | None:
    """Look at the training of this run until it ends, whatever is imported meanwhile."""
    own = [version for version in case.seen.trainings if version.run == case.wanted.run]
    if not own:
        return None
    version = max(own, key=lambda version: version.created_at)
    if version.is_active:
        return Step("TRAINED", outcome="TRAINED", reasons=(version.arn,))
    if not version.is_running:
        return Step("TRAINING", outcome="FAILED", reasons=(_failure(version, case),))
    if version.is_stopping or _is_late(version, case):
        return _stop(version, case)
    return Step("TRAINING", pause=_pause(version, case))


def _wait_for_data(case: TrainingCase) -> Step | None:
    """Look again while the data or the configuration are on the move."""
    running = next((job for job in case.seen.imports if job.is_running), None)
    if running:
        reason = f"{running.arn} is running"
    elif case.seen.is_being_updated:
        reason = "the solution is being updated"
    else:
        return None
    return _overdue(case, reason) or Step("WAITING", pause=BUSY_PAUSE)


def _refuse_data(case: TrainingCase) -> Step | None:
    """Fail if a training would learn data that no run has checked."""
    reason = unusable_data(case.seen.imports, case.wanted)
    return Step("CHECKING", outcome="FAILED", reasons=(reason,)) if reason else None


def _use_version(case: TrainingCase) -> Step | None:
    """Use a version that has learned the same, or wait for its training."""
    version = usable_version(case.seen, case.wanted, case.now)
    if version is None:
        return None
    if version.is_running:
        return Step("TRAINING", pause=_pause(version, case))
    if version.is_active:
        return Step("TRAINED", outcome="TRAINED", reasons=(version.arn,))
    reason = f"{version.arn} learned the same data and was stopped; `--force` trains again"
    return Step("TRAINING", outcome="FAILED", reasons=(reason,))


def _respect_limit(case: TrainingCase) -> Step | None:
    """Train no more than the limit of the month allows."""
    limit = case.wanted.max_per_month
    if not limit or trainings_of_month(case.seen.trainings, case.now) < limit:
        return None
    reason = f"limits.maxTrainingsPerMonth {limit} is reached"
    return Step("LIMITED", outcome="SKIPPED", reasons=(reason,))


def _wait_for_list(case: TrainingCase) -> Step | None:
    """Wait for a version whose create got no answer. Give up at the deadline."""
    sent_at = case.memory.sent_at
    if late := _overdue(case, case.memory.refusal or "Personalize did not answer"):
        return late
    is_unlisted = sent_at is not None and case.now < sent_at + UNLISTED
    return Step("WAITING", pause=BUSY_PAUSE) if is_unlisted else None


def _create(case: TrainingCase) -> Step:
    """Start the training."""
    return Step("TRAINING", Create(digest(case.seen, case.now)))


RULES = (
    _follow_own,
    _wait_for_data,
    _refuse_data,
    _use_version,
    _respect_limit,
    _wait_for_list,
    _create,
)
"""The rules of a training, in the order in which they are asked."""


# Facts that rules share


def digest(seen: SeenSolution, at: datetime) -> str:
    """Return a hash of what a training that begins at a time learns: imports and configuration."""
    arns = sorted(
        job.arn
        for dataset in {job.dataset for job in seen.imports}
        for job in learned(_imports_of(dataset, seen.imports), at)
    )
    imports = hashlib.sha256(" ".join(arns).encode()).hexdigest()[:DIGEST_DIGITS]
    return f"{imports}-{seen.config}"


def usable_version(seen: SeenSolution, wanted: WantedTraining, now: datetime) -> Training | None:
    """Return the newest version that has learned the present data and configuration, or None.

    A version that was stopped counts too, because somebody did not want this training. A version
    that has failed does not count.
    """
    present, since = digest(seen, now), wanted.requested_since
    known = [
        version
        for version in seen.trainings
        if version.run is not None
        and version.digest == present
        and (version.is_running or version.is_active or version.was_stopped)
        and (since is None or version.created_at >= since)
    ]
    return max(known, key=lambda version: version.created_at, default=None)


def trainings_of_month(trainings: Sequence[Training], now: datetime) -> int:
    """Return how many versions this pipeline has created in the last 30 days."""
    return sum(version.is_of_pipeline and version.created_at > now - MONTH for version in trainings)


def unusable_data(imports: Sequence[Import], wanted: WantedTraining) -> str | None:
    """Return why a training would learn data that no run has checked, or None."""
    for dataset, is_full in wanted.datasets.items():
        own_imports = _imports_of(dataset, imports)
        present = learned(own_imports)
        is_foreign = bool(present) and present[0].is_full and present[0].run is None
        is_replaced = is_foreign if is_full else has_been_replaced(own_imports)
        if is_replaced and not wanted.accepts_foreign:
            return f"{present[0].arn}, which this pipeline did not start, has replaced the data"
        for number, job in enumerate(present):
            if is_partial(job, present[number:]):
                return f"the export of {job.arn} changed while it was imported"
    return None


def _imports_of(dataset: str, imports: Sequence[Import]) -> list[Import]:
    return [job for job in imports if job.dataset == dataset]


def _is_late(version: Training, case: TrainingCase) -> bool:
    return case.now >= version.created_at + timedelta(hours=case.wanted.max_hours)


def _stop(version: Training, case: TrainingCase) -> Step:
    """Stop a training that is late, and look again until it has stopped."""
    memory, now = case.memory, case.now
    if memory.stopping_since is None and not version.is_stopping:
        return Step("STOPPING", Stop(version.arn))
    memory.stopping_since = memory.stopping_since or now
    if now >= memory.stopping_since + STOP_GRACE:
        reason = f"{version.arn} did not stop within an hour"
        return Step("STOPPING", outcome="FAILED", reasons=(reason,))
    return Step("STOPPING", pause=SHORT_PAUSE)


def _failure(version: Training, case: TrainingCase) -> str:
    """Return why the training of this run has not succeeded."""
    if not version.was_stopped:
        return version.failure or f"{version.arn} has failed without a reason"
    if case.memory.stopping_since:
        return f"it took more than {case.wanted.max_hours:g} hours, so it was stopped"
    return f"{version.arn} was stopped"


def _overdue(case: TrainingCase, reason: str) -> Step | None:
    """Return the end of an item that has waited until its deadline, or None."""
    hours = case.wanted.max_hours
    if case.now < case.memory.began_at + timedelta(hours=hours):
        return None
    return Step("WAITING", outcome="FAILED", reasons=(f"gave up after {hours:g} hours: {reason}",))


def _pause(version: Training, case: TrainingCase) -> float:
    return pause(case.wanted.durations, (case.now - version.created_at).total_seconds())

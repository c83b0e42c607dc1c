"""Decides whether a solution is trained, and which version a run goes on with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .imports import UNLISTED, Import, has_been_replaced, is_partial, learned
from .pacing import pause
from .steps import BUSY_PAUSE, SHORT_PAUSE, Action, Case, Step, first_step

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
    """True until the training has ended, so also while it is stopping."""
    is_active: bool
    created_at: datetime
    ended_at: datetime
    """The time of the last change, which is the end of a training that has ended."""
    run: str | None = None
    """The run that created the version, or None for a foreign version."""
    digest: str | None = None
    """What the version learns, as it was written at its creation."""
    was_stopped: bool = False
    is_stopping: bool = False
    failure: str | None = None
    status: str = ""
    """The status in the words of Personalize."""
    mode: str = "FULL"
    hours: float | None = None
    """The hours that Personalize charges for a training that has succeeded."""


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
    version: str | None = None
    """The ACTIVE version that the run goes on with, or None if the solution has to be trained."""
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
    version: str | None = None
    """The version that the run waits for or goes on with."""
    stopping_since: datetime | None = None
    """When this run has asked to stop the training, or has seen that it is stopping."""
    sent_at: datetime | None = None
    """When a create was sent that got no answer, or whose name was taken."""
    refusal: str = ""
    """Why Personalize has last refused a create for now."""
    warnings: list[str] = field(default_factory=list)
    """What a person should know about the training."""


# What may be done


@dataclass(frozen=True)
class Create(Action):
    """Start the training of this run."""

    digest: str


@dataclass(frozen=True)
class Stop(Action):
    """Stop a training of the pipeline that is late."""

    arn: str


TrainingCase = Case[SeenSolution, WantedTraining, Memory]


def decide(seen: SeenSolution, wanted: WantedTraining, memory: Memory, now: datetime) -> Step:
    """Return the next step of a training. The version that it is about is in the memory."""
    return first_step(RULES, Case(seen, wanted, memory, now))


# The rules, in the order in which they are asked


def _use_given(case: TrainingCase) -> Step | None:
    """Go on with the version that was trained before the run and that waits for a campaign."""
    if case.wanted.version is None:
        return None
    case.memory.version = case.wanted.version
    return Step("TRAINED", outcome="TRAINED")


def _follow_own(case: TrainingCase) -> Step | None:
    """Look at the training of this run until it ends, whatever is imported meanwhile."""
    own = [version for version in case.seen.trainings if version.run == case.wanted.run]
    return _follow(max(own, key=_creation), case) if own else None


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
    version = usable_version(case.seen, case.wanted)
    return _follow(version, case) if version else None


def _respect_limit(case: TrainingCase) -> Step | None:
    """Train no more than the limit of the month allows."""
    reason = reached_limit(case.seen.trainings, case.wanted, case.now)
    return Step("LIMITED", outcome="SKIPPED", reasons=(reason,)) if reason else None


def _wait_for_list(case: TrainingCase) -> Step | None:
    """Wait for a version whose create got no answer. Give up at the deadline."""
    sent_at = case.memory.sent_at
    if late := _overdue(case, case.memory.refusal or "Personalize did not answer"):
        return late
    is_unlisted = sent_at is not None and case.now < sent_at + UNLISTED
    return Step("WAITING", pause=BUSY_PAUSE) if is_unlisted else None


def _create(case: TrainingCase) -> Step:
    """Start the training, and note what a person should know about it."""
    case.memory.warnings = [*foreign_trainings(case.seen), *foreign_additions(case)]
    return Step("TRAINING", Create(digest(case.seen)))


RULES = (
    _use_given,
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


def digest(seen: SeenSolution, at: datetime | None = None) -> str:
    """Return a hash of what a training learns: imports and configuration.

    With a time, return the hash of a training that began then.
    """
    arns = sorted(
        job.arn
        for dataset in {job.dataset for job in seen.imports}
        for job in learned(_imports_of(dataset, seen.imports), at)
    )
    imports = hashlib.sha256(" ".join(arns).encode()).hexdigest()[:DIGEST_DIGITS]
    return f"{imports}-{seen.config}"


def usable_version(seen: SeenSolution, wanted: WantedTraining) -> Training | None:
    """Return the newest version that has learned the present data and configuration, or None.

    A version that was stopped counts too, because somebody did not want this training. A version
    that has failed does not count.
    """
    present, since = digest(seen), wanted.requested_since
    known = [
        version
        for version in seen.trainings
        if _counts(version)
        and version.digest == present
        and (since is None or version.created_at >= since)
    ]
    return max(known, key=_creation, default=None)


def newest_active(trainings: Sequence[Training]) -> Training | None:
    """Return the newest ACTIVE version that a run has trained, or None."""
    known = [version for version in trainings if version.is_active and version.run is not None]
    return max(known, key=_creation, default=None)


def reached_limit(
    trainings: Sequence[Training], wanted: WantedTraining, now: datetime
) -> str | None:
    """Return a message if the solution was trained as often as the limit of the month allows."""
    limit, count = wanted.max_per_month, trainings_of_month(trainings, now)
    if not limit or count < limit:
        return None
    return (
        f"trainings of this pipeline within 30 days: {count}, and limits.maxTrainingsPerMonth is "
        f"{limit}; wait some days, raise the limit, or use retrain start --force"
    )


def trainings_of_month(trainings: Sequence[Training], now: datetime) -> int:
    """Return how many trainings this pipeline has started in the last 30 days.

    A training that has failed does not count, because it costs nothing.
    """
    return sum(_counts(version) and version.created_at > now - MONTH for version in trainings)


def unusable_data(imports: Sequence[Import], wanted: WantedTraining) -> str | None:
    """Return why a training would learn data that no run has checked, or None."""
    for dataset, is_full in wanted.datasets.items():
        own_imports = _imports_of(dataset, imports)
        present = learned(own_imports)
        is_foreign = bool(present) and present[0].is_full and present[0].run is None
        is_replaced = is_foreign if is_full else has_been_replaced(own_imports)
        if is_replaced and not wanted.accepts_foreign:
            return (
                f"{present[0].arn}, which this pipeline did not start, is the newest FULL import "
                "of its dataset; import the export with retrain start, or train on these data "
                "with retrain start --skip-import"
            )
        for number, job in enumerate(present):
            if is_partial(job, present[number:]):
                return (
                    f"{job.arn} may have brought only a part of its export, because no run has "
                    "found the export unchanged after the import; import the export again with "
                    "retrain start"
                )
    return None


def foreign_trainings(seen: SeenSolution) -> list[str]:
    """Return a message about each training that a person or the service has started."""
    return [
        f"{version.arn} is in training too, but this pipeline did not start it; stop it if nobody "
        "needs it"
        for version in seen.trainings
        if version.run is None and version.is_running and not version.is_stopping
    ]


def foreign_additions(case: TrainingCase) -> list[str]:
    """Return a message about each foreign import that has added data to a dataset of the run."""
    return [
        f"{job.arn}, an import that this pipeline did not start, has added data, and the version "
        "learns them too; find out who started it"
        for dataset in case.wanted.datasets
        for job in learned(_imports_of(dataset, case.seen.imports))
        if job.run is None and not job.is_full
    ]


def _counts(version: Training) -> bool:
    """Return True if a run has started the training, and it has not failed."""
    has_not_failed = version.is_running or version.is_active or version.was_stopped
    return version.run is not None and has_not_failed


def _follow(version: Training, case: TrainingCase) -> Step:
    """Look at a training until it ends. Stop it past its deadline."""
    case.memory.version = version.arn
    if version.is_active:
        return Step("TRAINED", outcome="TRAINED")
    if not version.is_running:
        return Step("TRAINING", outcome="FAILED", reasons=(_failure(version, case),))
    if version.is_stopping or case.now >= _deadline(version, case):
        return _stop(version, case)
    elapsed = (case.now - version.created_at).total_seconds()
    to_deadline = (_deadline(version, case) - case.now).total_seconds()
    return Step("TRAINING", pause=min(pause(case.wanted.durations, elapsed), to_deadline))


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
    """Return why a training has not succeeded."""
    if not version.was_stopped:
        return version.failure or f"{version.arn} has failed, and Personalize gives no reason"
    stopped_at = case.memory.stopping_since
    if stopped_at and stopped_at >= _deadline(version, case):
        return f"it took more than {case.wanted.max_hours:g} hours, so it was stopped"
    if version.run == case.wanted.run:
        return f"{version.arn} was stopped"
    return (
        f"{version.arn}, which an earlier run has trained on the same data, was stopped; use "
        "retrain start --force to train again"
    )


def _deadline(version: Training, case: TrainingCase) -> datetime:
    return version.created_at + timedelta(hours=case.wanted.max_hours)


def _overdue(case: TrainingCase, reason: str) -> Step | None:
    """Return the end of an item that has waited until its deadline, or None."""
    hours = case.wanted.max_hours
    if case.now < case.memory.began_at + timedelta(hours=hours):
        return None
    return Step("WAITING", outcome="FAILED", reasons=(f"gave up after {hours:g} hours: {reason}",))


def _imports_of(dataset: str, imports: Sequence[Import]) -> list[Import]:
    return [job for job in imports if job.dataset == dataset]


def _creation(version: Training) -> datetime:
    return version.created_at

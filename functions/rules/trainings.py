"""Decides whether a solution is trained, and which version a run deploys.

A version's *digest* stands for the imports and the configuration that it was trained on. A version
with the present digest makes a training unnecessary, unless users were deleted since then, or a
person or streamed events ask for a newer one.

An import is *confirmed* if a run has found its export unchanged afterwards (`imports.py`). What
this pipeline hasn't created is *foreign*.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ..contract import Run, Settings
from ..hashes import hash_shortly
from ..messages import Message, Reason
from .imports import (
    Import,
    ask_for_full_import,
    find_foreign_replacement,
    list_effective_imports,
    list_unconfirmed_imports,
)
from .pacing import pause
from .steps import SHORT_PAUSE, Action, JobProgress, Step, failed
from .versions import SolutionVersion

DIGEST_DIGITS = 24
"""The length of the first part of a digest, which stands for the imports."""
MONTH = timedelta(days=30)
"""Trainings within this time count towards limits.maxTrainingsPerMonth."""
TRAINED: Final = Step("TRAINED", outcome="TRAINED")
"""The step that ends a training whose version can be used."""
STOP_GRACE = timedelta(hours=1)
"""How long a training may take to stop."""


class Deletion(NamedTuple):
    """A data deletion job, which deletes users from all datasets of a dataset group.

    AWS asks for a new solution version after each job, and for no import or training while it is
    running: https://docs.aws.amazon.com/personalize/latest/dg/delete-records.html.
    """

    arn: str
    is_running: bool
    has_completed: bool
    created_at: datetime
    ended_at: datetime


@dataclass(frozen=True, kw_only=True)
class SolutionState:
    """A solution, its versions and the imports of its dataset group, as one poll shows them."""

    config: str = ""
    """A hash of the solution's recipe and configuration."""
    is_being_updated: bool = False
    imports: Sequence[Import] = ()
    """The imports of all datasets in the group."""
    deletions: Sequence[Deletion] = ()
    """The group's data deletion jobs."""
    versions: Sequence[SolutionVersion] = ()
    """The solution's versions, newest first."""


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """What a run is supposed to train or deploy."""

    run: str
    datasets: Mapping[str, bool]
    """The ARN of each configured dataset -> True if its importMode is FULL."""
    accepts_foreign: bool = False
    """True if the run accepts foreign data, because a person has started it with `skipImport`."""
    version_arn: str | None = None
    """The ACTIVE version that the run deploys, or None if the solution has to be trained."""
    requested_since: datetime | None = None
    """A version counts only if it was created after this time. None if its age doesn't matter."""
    max_per_month: int = 0
    """0 means no limit."""
    durations: Sequence[int] = ()
    max_hours: float

    def is_for(self, version: SolutionVersion) -> bool:
        """Return True if this run has created the version, or has to deploy it without training."""
        return version.run == self.run or version.arn == self.version_arn


@dataclass
class TrainingProgress(JobProgress):
    """How far a training has come."""

    version_arn: str | None = None
    """The version that the run waits for or deploys."""
    stopping_since: datetime | None = None
    """When a poll first showed the training past its deadline, or being stopped."""
    warnings: list[str] = field(default_factory=list)
    """What a person should know about the training."""


@dataclass(frozen=True)
class Create(Action):
    """Start the training of this run."""

    digest: str


@dataclass(frozen=True)
class Stop(Action):
    """Stop a training of the pipeline that is past its deadline."""

    version_arn: str


def decide(
    state: SolutionState, spec: TrainingSpec, progress: TrainingProgress, now: datetime
) -> Step:
    """Return the next step of a training.

    Each rule returns a step, or None if it doesn't apply. The first one that applies decides.
    """
    return (
        _follow(_find_version_of_run(state, spec), spec, progress, now)
        or _wait_for_changes(state, spec, progress, now)
        or _require_confirmed_data(state, spec)
        or _follow(usable_version(state, spec.requested_since), spec, progress, now)
        or _respect_limit(state, spec, now)
        or progress.before_create(spec.max_hours, now)
        or _create(state, spec)
    )


# A version that makes a training unnecessary


def _find_version_of_run(state: SolutionState, spec: TrainingSpec) -> SolutionVersion | None:
    """Find the version that this run has created, or that it only deploys, if there is one.

    It comes first, because nothing that happens to the data meanwhile matters to its training.
    """
    return next((version for version in state.versions if spec.is_for(version)), None)


def _follow(
    version: SolutionVersion | None, spec: TrainingSpec, progress: TrainingProgress, now: datetime
) -> Step | None:
    """Wait for the end of a version's training, or stop it at its deadline."""
    if version is None:
        return None

    age = now - version.created_at
    max_age = timedelta(hours=spec.max_hours)

    if version.is_active:
        step = TRAINED
    elif not version.is_running:
        step = failed("TRAINING", _failure(version, spec))
    elif version.is_stopping or age >= max_age:
        step = _stop(version, progress, now)
    else:
        seconds = pause(spec.durations, age.total_seconds())
        remaining = (max_age - age).total_seconds()
        step = Step("TRAINING", pause=min(seconds, remaining))

    return step.remembering(version_arn=version.arn)


def _stop(version: SolutionVersion, progress: TrainingProgress, now: datetime) -> Step:
    """Stop a training, and wait for the end of it for an hour."""
    stopping_since = progress.stopping_since or now
    if now >= stopping_since + STOP_GRACE:
        return failed("STOPPING", f"{version.arn} did not stop within an hour")

    step = Step("STOPPING", pause=SHORT_PAUSE)
    if not version.is_stopping:
        step = step._replace(action=Stop(version.arn))

    return step.remembering(stopping_since=stopping_since)


def _failure(version: SolutionVersion, spec: TrainingSpec) -> Reason:
    """Explain why a training has ended without an ACTIVE version."""
    if not version.was_stopped:
        return version.failure or f"{version.arn} has failed, and Personalize gives no reason"

    if version.ended_at - version.created_at >= timedelta(hours=spec.max_hours):
        problem = f"{version.arn} was stopped after more than {spec.max_hours:g} hours"
    elif version.run == spec.run:
        problem = f"{version.arn} was stopped"
    else:
        problem = f"{version.arn}, which an earlier run has trained on the same data, was stopped"
    return Message(text=f"{problem}; train again", command="retrain start --skip-import --force")


# Reasons against a training


def _wait_for_changes(
    state: SolutionState, spec: TrainingSpec, progress: TrainingProgress, now: datetime
) -> Step | None:
    """Wait while jobs change the data of the dataset group, or somebody changes the solution."""
    jobs: list[Deletion | Import] = [*state.deletions, *state.imports]
    for job in jobs:
        if job.is_running:
            return progress.wait_for(f"{job.arn} is running", spec.max_hours, now)

    if state.is_being_updated:
        return progress.wait_for("the solution is being updated", spec.max_hours, now)
    return None


def _require_confirmed_data(state: SolutionState, spec: TrainingSpec) -> Step | None:
    """Don't train on data that no run has confirmed, because it may be incomplete or foreign.

    A person may accept foreign data, but not an import of ours that perhaps read half an export.
    """
    for dataset, is_full in spec.datasets.items():
        jobs = [job for job in state.imports if job.dataset == dataset]

        # A later foreign import is no help, because nobody has confirmed it either.
        if unconfirmed := list_unconfirmed_imports(jobs):
            return failed("CHECKING", _explain_unconfirmed(unconfirmed[-1], is_full=is_full))

        foreign = find_foreign_replacement(jobs, is_full=is_full)
        if foreign and not spec.accepts_foreign:
            reason = Message(
                text=(
                    f"{foreign.arn}, which this pipeline did not start, is the newest FULL import "
                    "of its dataset; let the next run import the export, or train on this data"
                ),
                command="retrain start --skip-import",
            )
            return failed("CHECKING", reason)
    return None


def _explain_unconfirmed(job: Import, *, is_full: bool) -> Reason:
    """Return the message about an import that no run has confirmed."""
    if not is_full and (job.is_full or job.is_tainted):
        return ask_for_full_import(job)

    # In an INCREMENTAL dataset, the next run may still confirm the import. If it can't, it tags the
    # dataset as tainted.
    return Message(
        text=(
            f"{job.arn} may have imported only a part of its export, because no run has found the "
            "export unchanged after the import; let another run look at it"
        ),
        command="retrain start",
    )


def _respect_limit(state: SolutionState, spec: TrainingSpec, now: datetime) -> Step | None:
    """Don't train more often than the monthly limit allows, because each training costs money."""
    reason = explain_reached_limit(state.versions, spec.max_per_month, now)
    if reason is None:
        return None

    return Step("LIMITED", outcome="SKIPPED", reasons=(reason,))


# A new version


def _create(state: SolutionState, spec: TrainingSpec) -> Step:
    """Start the training of this run, with warnings about foreign jobs."""
    step = Step("TRAINING", Create(digest(state)))
    return step.remembering(warnings=[*_warn_of_foreign_jobs(state, spec)])


def _warn_of_foreign_jobs(state: SolutionState, spec: TrainingSpec) -> Iterator[str]:
    """Warn of foreign jobs that compete with this training, or have changed its data.

    They're left alone, because a run can't know what somebody wanted them for.
    """
    for version in state.versions:
        if version.run is None and version.is_running and not version.is_stopping:
            yield (
                f"{version.arn} is in training too, but this pipeline did not start it; stop it if "
                "nobody needs it"
            )

    for job in list_effective_imports(state.imports):
        is_accepted = not job.is_full or spec.accepts_foreign
        if job.is_foreign and is_accepted and job.dataset in spec.datasets:
            yield (
                f"{job.arn}, an import that this pipeline did not start, has changed the data that "
                "the version is trained on; find out who started it"
            )


# What the rules and planning share


def digest(state: SolutionState) -> str:
    """Hash what a training depends on: the imports and the configuration."""
    arns = sorted(job.arn for job in list_effective_imports(state.imports))
    return f"{hash_shortly(' '.join(arns), DIGEST_DIGITS)}-{state.config}"


def find_running_deletion(deletions: Iterable[Deletion]) -> Deletion | None:
    """Find a data deletion job that is running, if there is one."""
    return next((job for job in deletions if job.is_running), None)


def usable_version(
    state: SolutionState, requested_since: datetime | None
) -> SolutionVersion | None:
    """Find the newest version trained on the present data and configuration, if there is one.

    A stopped training counts too, because somebody may have decided against it. A failed one
    doesn't, and neither does a version that may have learned users who were deleted.
    """
    present_digest = digest(state)
    for version in state.versions:
        is_too_old = requested_since is not None and version.created_at < requested_since
        if version.digest != present_digest or is_too_old or not _counts(version):
            continue

        if find_learned_deletion(version, state) is None:
            return version
    return None


def find_learned_deletion(version: SolutionVersion, state: SolutionState) -> Deletion | None:
    """Find the last deletion of users whom the version may have learned, if there is one."""
    learned_at = version.created_at
    if version.mode == "UPDATE":
        # An UPDATE may keep what the FULL version before it has learned of deleted users.
        full_times = [full.created_at for full in list_full_versions(state.versions)]
        earlier_times = [time for time in full_times if time < version.created_at]
        learned_at = max(earlier_times, default=version.created_at)

    later_jobs = [job for job in state.deletions if job.has_completed and job.ended_at > learned_at]
    return max(later_jobs, key=lambda job: job.ended_at, default=None)


def list_full_versions(versions: Iterable[SolutionVersion]) -> list[SolutionVersion]:
    """List the ACTIVE versions trained with mode FULL, whoever has trained them."""
    return [version for version in versions if version.is_active and version.mode == "FULL"]


def find_newest_active(versions: Iterable[SolutionVersion]) -> SolutionVersion | None:
    """Find the newest ACTIVE version that a run has trained. `versions` are newest first."""
    trained = (version for version in versions if version.is_active and version.run is not None)
    return next(trained, None)


def choose_monthly_limit(settings: Settings, run: Run) -> int:
    """Return how many trainings are allowed in 30 days. 0 means no limit, as with `force`."""
    if run["request"].get("force"):
        return 0
    return settings["limits"]["maxTrainingsPerMonth"]


def explain_reached_limit(
    versions: Iterable[SolutionVersion], max_per_month: int, now: datetime
) -> Message | None:
    """Require that the monthly limit isn't reached: return a message, or None."""
    # A failed training isn't billed, so it doesn't count.
    count = sum(_counts(version) and version.created_at > now - MONTH for version in versions)
    if not max_per_month or count < max_per_month:
        return None

    return Message(
        text=(
            f"trainings of this pipeline within 30 days: {count}, and limits.maxTrainingsPerMonth "
            f"is {max_per_month}; wait some days, raise the limit, or train beyond it"
        ),
        command="retrain start --skip-import --force",
    )


def _counts(version: SolutionVersion) -> bool:
    """Return True if a training counts: a run has started it, and it hasn't failed."""
    has_not_failed = version.is_running or version.is_active or version.was_stopped
    return version.run is not None and has_not_failed

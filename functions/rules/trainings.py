"""Decides whether to train a solution, and which version a run deploys.

A version's *digest* is a hash of the imports and the configuration that it was trained on. If a
version has the current digest, no training is needed, unless users were deleted since then, or a
person or streamed events require a newer version.

An import is *confirmed* if a run found its export unchanged afterwards (`imports.py`). Jobs and
versions are *foreign* if no run created them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ..common.formatting import format_hours
from ..common.messages import Message, Reason
from ..contract import Run, Settings, TrainedBy
from .imports import Import, list_effective_imports
from .pacing import choose_poll_pause
from .steps import SHORT_PAUSE_SECONDS, Action, JobProgress, Step, fail
from .training_data import compute_digest, explain_refused_training, find_untrusted_import
from .versions import SolutionVersion

MONTH = timedelta(days=30)
"""The period that limits.maxTrainingsPerMonth applies to."""
TRAINED: Final = Step("TRAINED", outcome="TRAINED")
"""The step that ends a training once there is a usable version."""
STOP_TIMEOUT = timedelta(hours=1)
"""How long a training may take to stop."""


class Deletion(NamedTuple):
    """A data deletion job, which deletes users from all datasets in a dataset group.

    AWS says not to import or train while it's running, and to create a new solution version
    afterwards: https://docs.aws.amazon.com/personalize/latest/dg/delete-records.html.
    """

    arn: str
    is_running: bool
    has_completed: bool
    created_at: datetime
    ended_at: datetime


@dataclass(frozen=True, kw_only=True)
class SolutionState:
    """A solution and its dataset group, as read by one poll."""

    config_hash: str = ""
    """A hash of the solution's recipe and configuration."""
    is_being_updated: bool = False
    imports: Sequence[Import] = ()
    """The imports of all the datasets in the group."""
    deletions: Sequence[Deletion] = ()
    """The group's data deletion jobs."""
    versions: Sequence[SolutionVersion] = ()
    """The solution's versions, newest first."""

    @property
    def digest(self) -> str:
        """The digest that a version would get if its training started now."""
        return compute_digest(self.imports, self.config_hash)


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """What a run should train or deploy."""

    run_id: str
    is_full_by_dataset_arn: Mapping[str, bool]
    """The ARN of each configured dataset -> True if its importMode is FULL."""
    daily_types: Mapping[str, str] = field(default_factory=dict)
    """The ARN of each dataset whose exports have a new location each day -> the dataset's type."""
    accepts_foreign_data: bool = False
    """True if a person started the run with `skipImport`, which allows training on foreign data."""
    existing_version_arn: str | None = None
    """An ACTIVE version to deploy without training, or None."""
    created_since: datetime | None = None
    """Versions created before this time don't count. None if their age doesn't matter."""
    max_trainings_per_month: int = 0
    """0 means no limit."""
    durations: Sequence[int] = ()
    max_hours: float

    def is_version_for_run(self, version: SolutionVersion) -> bool:
        """Return True if this run created the version, or deploys it without training."""
        return version.run_id == self.run_id or version.arn == self.existing_version_arn


@dataclass
class TrainingProgress(JobProgress):
    """What a training passes from one poll to the next."""

    version_arn: str | None = None
    """The version that the run waits for or deploys."""
    stopping_since: datetime | None = None
    """When a poll first found the training past its deadline, or being stopped."""
    warnings: list[str] = field(default_factory=list)
    """What a person should know about the training."""


@dataclass(frozen=True)
class StartTraining(Action):
    """Start this run's training."""

    digest: str


@dataclass(frozen=True)
class StopTraining(Action):
    """Stop a training that has reached its deadline. Foreign trainings aren't stopped."""

    version_arn: str


def decide(
    state: SolutionState, spec: TrainingSpec, progress: TrainingProgress, now: datetime
) -> Step:
    """Return the next step of a training.

    Each rule returns a step, or None if it doesn't apply. The first one that applies decides.
    """
    version_for_run = _find_version_for_run(state, spec)
    usable_version = find_usable_version(state, spec.created_since)

    return (
        # Later changes to the data don't affect a training that this run has started.
        _wait_for_training(version_for_run, spec, progress, now)
        or _wait_for_stable_data(state, spec, progress, now)
        or _refuse_untrusted_data(state, spec)
        or _wait_for_training(usable_version, spec, progress, now)
        or _respect_monthly_limit(state, spec, now)
        or progress.wait_before_create(spec.max_hours, now)
        or _start_training(state, spec)
    )


# Waiting for a version


def _find_version_for_run(state: SolutionState, spec: TrainingSpec) -> SolutionVersion | None:
    """Return the version that this run created, or deploys without training, or None."""
    for version in state.versions:
        if spec.is_version_for_run(version):
            return version
    return None


def _wait_for_training(
    version: SolutionVersion | None, spec: TrainingSpec, progress: TrainingProgress, now: datetime
) -> Step | None:
    """Wait for a version's training to end, and then succeed or fail. Stop it at the deadline."""
    if version is None:
        return None

    age_seconds = (now - version.created_at).total_seconds()
    remaining_seconds = timedelta(hours=spec.max_hours).total_seconds() - age_seconds

    if version.is_active:
        step = TRAINED
    elif not version.is_running:
        step = fail("TRAINING", _explain_failure(version, spec))
    elif version.is_stopping or remaining_seconds <= 0:
        step = _stop_training(version, progress, now)
    else:
        pause_seconds = choose_poll_pause(spec.durations, age_seconds)
        step = Step("TRAINING", pause=min(pause_seconds, remaining_seconds))

    return step.with_progress(version_arn=version.arn)


def _stop_training(version: SolutionVersion, progress: TrainingProgress, now: datetime) -> Step:
    """Stop a training if nobody has yet, and wait up to an hour for it to end."""
    stopping_since = progress.stopping_since or now
    if now >= stopping_since + STOP_TIMEOUT:
        return fail("STOPPING", f"{version.arn} did not stop within an hour")

    action = None if version.is_stopping else StopTraining(version.arn)
    step = Step("STOPPING", action, pause=SHORT_PAUSE_SECONDS)
    return step.with_progress(stopping_since=stopping_since)


def _explain_failure(version: SolutionVersion, spec: TrainingSpec) -> Reason:
    """Explain why a training ended without an ACTIVE version."""
    if not version.was_stopped:
        return version.failure or f"{version.arn} has failed, and Personalize gives no reason"

    duration = version.ended_at - version.created_at
    if duration >= timedelta(hours=spec.max_hours):
        problem = f"{version.arn} was stopped after more than {format_hours(spec.max_hours)}"
    elif version.run_id == spec.run_id:
        problem = f"{version.arn} was stopped"
    else:
        problem = f"{version.arn}, which an earlier run has trained on the same data, was stopped"
    return Message(text=f"{problem}; train again", command="retrain start --skip-import --force")


# Reasons against a training


def _wait_for_stable_data(
    state: SolutionState, spec: TrainingSpec, progress: TrainingProgress, now: datetime
) -> Step | None:
    """Wait while jobs change the dataset group's data, or the solution is being updated."""
    jobs: list[Deletion | Import] = [*state.deletions, *state.imports]
    for job in jobs:
        if job.is_running:
            return progress.wait_because(f"{job.arn} is running", spec.max_hours, now)

    if state.is_being_updated:
        return progress.wait_because("the solution is being updated", spec.max_hours, now)
    return None


def _refuse_untrusted_data(state: SolutionState, spec: TrainingSpec) -> Step | None:
    """Fail instead of training on data that may be incomplete or foreign."""
    untrusted = find_untrusted_import(
        state.imports,
        spec.is_full_by_dataset_arn,
        accepts_foreign_data=spec.accepts_foreign_data,
    )

    if untrusted is None:
        return None
    return fail("CHECKING", explain_refused_training(untrusted, spec.daily_types))


def _respect_monthly_limit(state: SolutionState, spec: TrainingSpec, now: datetime) -> Step | None:
    """Skip the training if the monthly limit is reached, because each training costs money."""
    reason = explain_reached_monthly_limit(state.versions, spec.max_trainings_per_month, now)
    if reason is None:
        return None

    return Step("LIMITED", outcome="SKIPPED", reasons=(reason,))


# Starting a training


def _start_training(state: SolutionState, spec: TrainingSpec) -> Step:
    """Start this run's training, with warnings about foreign jobs."""
    step = Step("TRAINING", StartTraining(state.digest))
    return step.with_progress(warnings=list(_warn_of_foreign_jobs(state, spec)))


def _warn_of_foreign_jobs(state: SolutionState, spec: TrainingSpec) -> Iterator[str]:
    """Yield a warning for each foreign training that is running, and foreign import in the data.

    Foreign trainings aren't stopped, because only a person can tell whether they're needed.
    """
    for version in state.versions:
        if version.run_id is None and version.is_running and not version.is_stopping:
            yield (
                f"{version.arn} is in training too, but this pipeline did not start it; stop it if "
                "nobody needs it"
            )

    for job in list_effective_imports(state.imports):
        is_accepted = not job.is_full or spec.accepts_foreign_data
        if job.is_foreign and is_accepted and job.dataset_arn in spec.is_full_by_dataset_arn:
            yield (
                f"{job.arn}, an import that this pipeline did not start, has changed the data that "
                "the version is trained on; find out who started it"
            )


# Shared with planning


def find_running_deletion(deletions: Iterable[Deletion]) -> Deletion | None:
    """Return a data deletion job that is running, or None."""
    return next((job for job in deletions if job.is_running), None)


def find_usable_version(
    state: SolutionState, created_since: datetime | None
) -> SolutionVersion | None:
    """Return the newest version trained on the current data and configuration, or None.

    A stopped training counts as well, because a person may have stopped it on purpose. A version
    doesn't count if it failed, if it's too old, or if users that it learned from were deleted.
    """
    current_digest = state.digest
    for version in state.versions:
        if version.digest != current_digest or not _has_not_failed(version):
            continue

        is_too_old = created_since is not None and version.created_at < created_since
        if not is_too_old and find_later_deletion(version, state) is None:
            return version
    return None


def find_later_deletion(version: SolutionVersion, state: SolutionState) -> Deletion | None:
    """Return the last deletion of users that the version may have learned from, or None."""
    learned_since = _find_start_of_learning(version, state.versions)

    later = [job for job in state.deletions if job.has_completed and job.ended_at > learned_since]
    return max(later, key=lambda job: job.ended_at, default=None)


def _find_start_of_learning(
    version: SolutionVersion, versions: Iterable[SolutionVersion]
) -> datetime:
    """Return when the version was created, or the FULL version that it updates.

    With training mode UPDATE, a version may keep what that one learned from users deleted since.
    """
    if version.training_mode != "UPDATE":
        return version.created_at

    earlier_times = [
        full.created_at
        for full in list_full_versions(versions)
        if full.created_at < version.created_at
    ]
    return max(earlier_times, default=version.created_at)


def list_full_versions(versions: Iterable[SolutionVersion]) -> list[SolutionVersion]:
    """List the ACTIVE versions with training mode FULL, whoever trained them."""
    return [
        version for version in versions if version.is_active and version.training_mode == "FULL"
    ]


def find_candidate(
    versions: Iterable[SolutionVersion], trained_by: TrainedBy
) -> SolutionVersion | None:
    """Return the version that runs deploy, or None: the newest that they may deploy.

    `versions` are newest first.
    """
    for version in versions:
        if is_deployable(version, trained_by):
            return version
    return None


def is_deployable(version: SolutionVersion, trained_by: TrainedBy) -> bool:
    """Return True if runs may deploy the version: it's ACTIVE, and a run trained it.

    If Personalize trains the solution, runs deploy any ACTIVE version, even if a person trained it.
    """
    return version.is_active and (trained_by == "personalize" or version.run_id is not None)


def choose_monthly_limit(settings: Settings, run: Run) -> int:
    """Return how many trainings are allowed in 30 days. 0 means no limit, as with `force`."""
    if run["request"].get("force"):
        return 0
    return settings["limits"]["maxTrainingsPerMonth"]


def explain_reached_monthly_limit(
    versions: Iterable[SolutionVersion], max_trainings_per_month: int, now: datetime
) -> Message | None:
    """Explain that the monthly limit is reached, or return None if it isn't."""
    if max_trainings_per_month == 0:
        return None  # There's no limit.

    # Failed trainings aren't billed, so they don't count.
    own_versions = [version for version in versions if version.run_id is not None]
    trained = [version for version in own_versions if _has_not_failed(version)]
    count = len([version for version in trained if version.created_at > now - MONTH])
    if count < max_trainings_per_month:
        return None

    return Message(
        text=(
            f"trainings of this pipeline within 30 days: {count}, and limits.maxTrainingsPerMonth "
            f"is {max_trainings_per_month}; wait some days, raise the limit, or train beyond it"
        ),
        command="retrain start --skip-import --force",
    )


def _has_not_failed(version: SolutionVersion) -> bool:
    """Return True if the training succeeded, was stopped or is still running."""
    return version.is_running or version.is_active or version.was_stopped

"""Decides whether a run writes the results of a batch job again, and with which version.

All jobs that write to the same output of the config belong to one *slot*, whoever has created them.
The *last results* there are those of its newest job that has succeeded. Everything on which results
depend is their *content*: the version, the input, the filter and some settings. As long as that
stays the same, nothing has to be written.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ..contract import BatchJobSettings, QualityRule
from ..hashes import hash_shortly
from ..messages import text_of
from .campaigns import CampaignState
from .gate import compare, wait_for_baselines
from .pacing import pause
from .recipes import EXPLORATION_KEYS
from .steps import Action, JobProgress, Step, failed
from .trainings import Deletion, find_running_deletion
from .versions import NO_VERSION, SolutionVersion

CONTENT_DIGITS = 32
"""The length of a content in a tag."""
KEYS_OF_RESULTS: Final = ("input", "numResults", "filterArn", "themes", *EXPLORATION_KEYS)
"""The settings on which the results of a batch job depend."""
WRITTEN: Final = Step("WRITING", outcome="WRITTEN")
"""The step that ends a batch job whose results are there."""


class BatchJob(NamedTuple):
    """One batch job."""

    arn: str
    version_arn: str
    is_running: bool
    is_active: bool
    created_at: datetime
    ended_at: datetime
    run: str | None = None
    content: str | None = None
    """A hash of everything on which the results depend, from the creation of the job. None if
    results were deleted since then."""
    failure: str | None = None
    day: str = ""
    """The day in the output."""


@dataclass(frozen=True, kw_only=True)
class BatchState:
    """A slot, and everything on which the results depend, as one poll shows them."""

    jobs: Sequence[BatchJob]
    """The job that has written the last results and those after it, newest first."""
    input_hash: str | None = None
    """None if the input has no objects."""
    filter_expression: str | None = None
    """A filter that was deleted and created again may have another one, but the same ARN."""
    deletions: Sequence[Deletion] = ()
    """The data deletion jobs of the dataset group."""
    campaigns: Sequence[CampaignState] = ()
    """The campaigns of the solution."""
    newest_version: SolutionVersion = NO_VERSION
    """What we know about the newest version, if the gate judges it (`with_versions()`)."""
    last_version: SolutionVersion = NO_VERSION
    """What we know about the version of the last results, with which the gate compares it."""


@dataclass(frozen=True, kw_only=True)
class BatchSpec:
    """What a run is supposed to write."""

    run: str
    version_arn: str
    """The newest version of the solution."""
    job: BatchJobSettings
    gate: Sequence[QualityRule] = ()


@dataclass
class BatchProgress(JobProgress):
    """How far a batch job has come."""

    job_arn: str | None = None
    """The job that the run waits for, or that has written the results."""
    version_arn: str | None = None
    """The version that it uses."""
    warnings: list[str] = field(default_factory=list)
    """What a person should know about the choice of the version."""


class VersionChoice(NamedTuple):
    """The version whose results are written, and why it isn't the newest one."""

    version_arn: str | None
    """None if the last results stay as they are."""
    rejections: Sequence[str] = ()
    """Why the newest version is rejected. Empty if it was chosen."""
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Create(Action):
    """Create the batch job of this run."""

    version_arn: str
    content: str


def decide(state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime) -> Step:
    """Return the next step of a batch job.

    Each rule returns a step, or None if it doesn't apply. The first one that applies decides.
    """
    return (
        _follow_job(state, spec, progress, now)
        or _require_input(state)
        or _wait_for_baselines(state, spec, progress, now)
        or _use_version(state, spec, progress, now)
    )


def with_versions(
    state: BatchState, spec: BatchSpec, read: Callable[[str], SolutionVersion]
) -> BatchState:
    """Return the state with what `decide()` has to know about the versions that the gate compares.

    Nothing is read while a job is running, or if campaigns judge the versions. The same version may
    be read twice.
    """
    if state.campaigns or find_job_to_follow(state.jobs, spec.run):
        return state

    last_version = NO_VERSION
    last_version_arn = _find_last_version(state, spec)
    if last_version_arn is not None:
        last_version = read(last_version_arn)
    return replace(state, newest_version=read(spec.version_arn), last_version=last_version)


def find_last_job(jobs: Sequence[BatchJob]) -> BatchJob | None:
    """Return the job that has written the last results, or None. The newest job is first."""
    return next((job for job in jobs if job.is_active), None)


def find_job_to_follow(jobs: Sequence[BatchJob], run: str) -> BatchJob | None:
    """Return the newest job that is running, or that the run has created, or None."""
    return next((job for job in jobs if job.is_running or job.run == run), None)


# A job that is running, or that this run has created


def _follow_job(
    state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step | None:
    """Wait for the end of a job. If the run has created it, end with its outcome.

    It doesn't matter who has created a job that is running, because two jobs would mix their files.
    """
    job = find_job_to_follow(state.jobs, spec.run)
    if job is None:
        return None

    if job.is_running:
        step = _pause_until_deadline(job, spec, progress, now)
    elif job.is_active:
        step = WRITTEN
    else:
        step = failed("WRITING", job.failure or f"{job.arn} has failed without a reason")
    return step.remembering(job_arn=job.arn, version_arn=job.version_arn)


def _pause_until_deadline(
    job: BatchJob, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step:
    """Pause, or give up at the deadline. The job goes on then."""
    max_hours = spec.job["maxHours"]
    if now < max(job.created_at, progress.began_at) + timedelta(hours=max_hours):
        return Step("WRITING", pause=pause((), (now - job.created_at).total_seconds()))

    reason = (
        f"{job.arn} is still running after {max_hours:g} hours; it goes on, because no batch job "
        "can be stopped, and the next run waits for it"
    )
    return failed("WRITING", reason)


# The version to use


def _require_input(state: BatchState) -> Step | None:
    """Fail without an input, whether or not there is a version to use.

    Otherwise, the same missing input would be FAILED in one run and SKIPPED in another.
    """
    if state.input_hash is not None:
        return None
    return failed("WRITING", "its input has no objects; check the job that writes it")


def _wait_for_baselines(
    state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step | None:
    """Hold the quality gate back until it can compare with the baselines."""
    step = wait_for_baselines("WRITING", state.newest_version, state.last_version, now)
    if step is None:
        return None
    return progress.at_deadline(text_of(step.reasons[0]), spec.job["maxHours"], now) or step


def _use_version(
    state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step:
    """Write the results of the version that is chosen, or keep the last results."""
    choice = _choose_by_campaigns(state, spec) or _choose_by_gate(state, spec)
    if choice.version_arn is None:
        step = Step("WRITING", outcome="SKIPPED", reasons=choice.rejections)
    else:
        step = _write(choice.version_arn, state, spec, progress, now)
    return step.remembering(version_arn=choice.version_arn, warnings=sorted({*choice.warnings}))


def _choose_by_campaigns(state: BatchState, spec: BatchSpec) -> VersionChoice | None:
    """Choose the newest version if it has passed on a campaign, or else perhaps the served one.

    With `onRejected: live`, the served version is always written instead. Without, only after a
    rollback: otherwise, the results of the bad version would stay until a newer one passes.
    """
    if not state.campaigns:
        return None
    if any(campaign.has_passed(spec.version_arn) for campaign in state.campaigns):
        return VersionChoice(spec.version_arn)

    served_version_arn = None
    warnings = _warn_of_unserved_results(state)
    if warnings or spec.job["onRejected"] == "live":
        # If several campaigns serve different versions, the first one decides.
        campaign = state.campaigns[0]
        is_bad = campaign.served_version_arn == campaign.record.blocked_version_arn
        if campaign.record.trial is None and not is_bad:
            served_version_arn = campaign.served_version_arn

    rejection = f"no campaign serves {spec.version_arn} as its good version"
    return VersionChoice(served_version_arn, [rejection], warnings)


def _choose_by_gate(state: BatchState, spec: BatchSpec) -> VersionChoice:
    """Choose the newest version if it passes the gate, or else perhaps that of the last results.

    A solution without campaigns serves no version, so the gate compares the newest one with the
    version of the last results instead.
    """
    verdict = compare(state.newest_version, state.last_version, spec.gate)
    version_arn: str | None = spec.version_arn
    if verdict.rejections:
        version_arn = None
        if spec.job["onRejected"] == "live":
            version_arn = _find_last_version(state, spec)
    return VersionChoice(version_arn, verdict.rejections, verdict.warnings)


def _warn_of_unserved_results(state: BatchState) -> list[str]:
    """Return a warning if no campaign serves the version of the last results, or nothing.

    A rollback doesn't change results. During a trial, it isn't certain yet what a campaign is going
    to serve, so there's no warning.
    """
    last = find_last_job(state.jobs)
    if last is None:
        return []
    for campaign in state.campaigns:
        if campaign.record.trial or campaign.served_version_arn == last.version_arn:
            return []

    warning = (
        f"its last results were made by {last.version_arn}, which no campaign of the solution "
        "serves, for example because it was rolled back"
    )
    return [warning]


def _find_last_version(state: BatchState, spec: BatchSpec) -> str | None:
    """Return the version of the last results, or None if they are of another solution."""
    last = find_last_job(state.jobs)
    solution_arn, _, _ = spec.version_arn.rpartition("/")
    if last is None or not last.version_arn.startswith(f"{solution_arn}/"):
        return None
    return last.version_arn


# The results of a version


def _write(
    version_arn: str, state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step:
    """Create the job of this run, unless the last results are those that it would write."""
    content = _content(version_arn, state, spec)
    last = find_last_job(state.jobs)
    if last is not None and last.content == content:
        # An earlier job with this content doesn't count, because its results were replaced.
        return WRITTEN.remembering(job_arn=last.arn)

    max_hours = spec.job["maxHours"]
    deletion = find_running_deletion(state.deletions)
    if deletion is not None:
        # AWS doesn't guarantee the deletion of users if a batch job is running at the same time.
        return progress.wait_for(f"{deletion.arn} is running", max_hours, now)
    return progress.before_create(max_hours, now) or Step("WRITING", Create(version_arn, content))


def _content(version_arn: str, state: BatchState, spec: BatchSpec) -> str:
    """Return a hash of everything on which the results depend."""
    settings = [spec.job[key] for key in KEYS_OF_RESULTS]
    parts = [version_arn, state.input_hash, state.filter_expression, *settings]
    return hash_shortly(json.dumps(parts), CONTENT_DIGITS)

"""Decides whether a run writes the results of a batch job again, and with which version.

Each configured output has its jobs, whoever created them. The newest one that succeeded wrote the
*last results*. They're only written again if something that they depend on has changed: the
version, the input, the filter or certain settings. A job's *content hash* is a hash of all these.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ..common.formatting import format_hours
from ..common.hashes import compute_short_hash
from ..contract import BatchJobSettings, QualityRule
from .campaigns import CampaignState
from .gate import apply_gate, find_baseline_delay
from .pacing import choose_poll_pause
from .recipes import EXPLORATION_KEYS
from .steps import Action, JobProgress, Step, fail
from .trainings import Deletion, find_running_deletion
from .versions import NO_VERSION, SolutionVersion

CONTENT_HASH_LENGTH = 32
"""The number of hexadecimal digits of a content hash."""
HASHED_SETTINGS: Final = ("input", "numResults", "filterArn", "themes", *EXPLORATION_KEYS)
"""The settings that are part of the content hash, because the results depend on them."""
WRITTEN: Final = Step("WRITING", outcome="WRITTEN")
"""The step that ends a batch job once its results exist."""


class BatchJob(NamedTuple):
    """One batch job."""

    arn: str
    version_arn: str
    is_running: bool
    is_active: bool
    created_at: datetime
    ended_at: datetime
    run_id: str | None = None
    content_hash: str | None = None
    """The content hash at the creation of the job. None if results were deleted since then."""
    failure: str | None = None
    day: str = ""
    """The day that replaced `{date}` in the output."""


@dataclass(frozen=True, kw_only=True)
class BatchState:
    """The jobs of one output, and everything its results depend on, as read by one poll."""

    jobs: Sequence[BatchJob]
    """The newest job that succeeded and all later jobs, newest first."""
    input_hash: str | None = None
    """None if the input has no objects."""
    filter_expression: str | None = None
    """A filter that is deleted and created again keeps its ARN, but the expression may change."""
    deletions: Sequence[Deletion] = ()
    """The data deletion jobs of the dataset group."""
    campaigns: Sequence[CampaignState] = ()
    """The campaigns of the solution."""
    newest_version: SolutionVersion = NO_VERSION
    """The newest version of the solution, read only if the gate judges it."""
    last_used_version: SolutionVersion = NO_VERSION
    """The version that wrote the last results, for the gate to compare the newest one with."""


@dataclass(frozen=True, kw_only=True)
class BatchSpec:
    """What a run is supposed to write."""

    run_id: str
    newest_version_arn: str
    """The version that the results should come from, unless it's rejected."""
    settings: BatchJobSettings
    gate: Sequence[QualityRule] = ()


@dataclass
class BatchProgress(JobProgress):
    """What a batch job passes from one poll to the next."""

    job_arn: str | None = None
    """The job that the run waits for, or that wrote the results."""
    version_arn: str | None = None
    """The version that this job uses."""
    warnings: list[str] = field(default_factory=list)
    """What a person should know about the choice of the version."""


class VersionChoice(NamedTuple):
    """The version that a batch job uses, and why if it isn't the newest one."""

    version_arn: str | None
    """None to keep the last results."""
    rejections: Sequence[str] = ()
    """Why the newest version was rejected. Empty if it was chosen."""
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class CreateBatchJob(Action):
    """Create this run's batch job."""

    version_arn: str
    content_hash: str


def decide(state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime) -> Step:
    """Return the next step of a batch job.

    Each rule returns a step, or None if it doesn't apply. The first one that applies decides.
    """
    return (
        _wait_for_job(state, spec, progress, now)
        or _require_input(state)
        or _wait_for_baselines(state, spec, progress, now)
        or _write_or_keep_results(state, spec, progress, now)
    )


def add_versions(
    state: BatchState, spec: BatchSpec, read_version: Callable[[str], SolutionVersion]
) -> BatchState:
    """Read the versions that the quality gate compares, and return the state with them."""
    # If the solution has campaigns, their trials decide instead of the gate.
    if state.campaigns:
        return state
    # The run only waits for this job, so there's no version to choose.
    if find_running_or_own_job(state.jobs, spec.run_id) is not None:
        return state

    last_used_version = NO_VERSION
    last_used_version_arn = _find_last_used_version_arn(state, spec)
    if last_used_version_arn is not None:
        last_used_version = read_version(last_used_version_arn)
    return replace(
        state,
        newest_version=read_version(spec.newest_version_arn),
        last_used_version=last_used_version,
    )


def find_last_successful_job(jobs: Sequence[BatchJob]) -> BatchJob | None:
    """Return the job that wrote the last results, or None. `jobs` are newest first."""
    return next((job for job in jobs if job.is_active), None)


def find_running_or_own_job(jobs: Sequence[BatchJob], run_id: str) -> BatchJob | None:
    """Return the newest job that is running or was created by this run, or None."""
    return next((job for job in jobs if job.is_running or job.run_id == run_id), None)


# Waiting for a job


def _wait_for_job(
    state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step | None:
    """Wait for any job with this output to end. If this run created it, end with its outcome.

    Other people's jobs also count, because two jobs at the same time would mix their files.
    """
    job = find_running_or_own_job(state.jobs, spec.run_id)
    if job is None:
        return None

    if job.is_running:
        step = _pause_until_deadline(job, spec, progress, now)
    elif job.is_active:
        step = WRITTEN
    else:
        step = fail("WRITING", job.failure or f"{job.arn} has failed without a reason")
    return step.with_progress(job_arn=job.arn, version_arn=job.version_arn)


def _pause_until_deadline(
    job: BatchJob, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step:
    """Pause, or give up at the deadline and leave the job running."""
    max_hours = spec.settings["maxHours"]
    counted_from = max(job.created_at, progress.began_at)
    if now < counted_from + timedelta(hours=max_hours):
        age_seconds = (now - job.created_at).total_seconds()
        return Step("WRITING", pause=choose_poll_pause(durations=(), elapsed=age_seconds))

    reason = (
        f"{job.arn} is still running after {format_hours(max_hours)}; it goes on, because no batch "
        "job can be stopped, and the next run waits for it"
    )
    return fail("WRITING", reason)


# Choosing a version


def _require_input(state: BatchState) -> Step | None:
    """Fail if the input is missing.

    This comes before the choice of a version. Otherwise, if the newest version was rejected, the
    run would be SKIPPED, and hide that the input is missing.
    """
    if state.input_hash is not None:
        return None
    return fail("WRITING", "its input has no objects; check the job that writes it")


def _wait_for_baselines(
    state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step | None:
    """Wait for the baselines that the quality gate needs, or give up at the deadline."""
    delay = find_baseline_delay(state.newest_version, state.last_used_version, now)
    if delay is None:
        return None

    pause = Step("WRITING", pause=delay.pause, reasons=(delay.reason,))
    return progress.give_up_at_deadline(delay.reason, spec.settings["maxHours"], now) or pause


def _write_or_keep_results(
    state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step:
    """Write results with the chosen version, or keep the last results."""
    choice = _choose_by_campaigns(state, spec) or _choose_by_gate(state, spec)
    if choice.version_arn is None:
        step = Step("WRITING", outcome="SKIPPED", reasons=choice.rejections)
    else:
        step = _write_results(choice.version_arn, state, spec, progress, now)
    return step.with_progress(version_arn=choice.version_arn, warnings=sorted({*choice.warnings}))


def _choose_by_campaigns(state: BatchState, spec: BatchSpec) -> VersionChoice | None:
    """Choose the newest version if a campaign serves it as its good version.

    Otherwise, choose the served version if the settings or a rollback ask for it, or no version.
    The result is None if the solution has no campaigns.
    """
    if not state.campaigns:
        return None
    for campaign in state.campaigns:
        if campaign.serves_as_good_version(spec.newest_version_arn):
            return VersionChoice(spec.newest_version_arn)

    fallback_arn = None
    warnings = _warn_of_unserved_version(state)
    # After a rollback, even without `onRejected: live`, the bad version's results must not stay
    # until a newer version passes.
    if warnings or spec.settings["onRejected"] == "live":
        # If several campaigns serve different versions, the first one decides.
        fallback_arn = _find_safe_served_version_arn(state.campaigns[0])

    rejection = f"no campaign serves {spec.newest_version_arn} as its good version"
    return VersionChoice(fallback_arn, [rejection], warnings)


def _find_safe_served_version_arn(campaign: CampaignState) -> str | None:
    """Return the ARN of the served version, or None if it's on trial or blocked."""
    is_blocked = campaign.served_version_arn == campaign.record.blocked_version_arn
    if is_blocked or campaign.record.trial is not None:
        return None
    return campaign.served_version_arn


def _choose_by_gate(state: BatchState, spec: BatchSpec) -> VersionChoice:
    """Choose the newest version if its data is trusted and it passes the quality gate.

    Otherwise, choose the last used version with `onRejected: live`, or no version. Since there's no
    served version, the gate compares with the version that wrote the last results.
    """
    newest = state.newest_version
    gate_result = apply_gate(newest, state.last_used_version, spec.gate)
    warnings = [*newest.data_warnings, *gate_result.warnings]
    rejections = gate_result.rejections
    if newest.untrusted_data is not None:
        rejections = [newest.untrusted_data]
    if not rejections:
        return VersionChoice(spec.newest_version_arn, warnings=warnings)

    fallback_arn = None
    if spec.settings["onRejected"] == "live":
        fallback_arn = _find_last_used_version_arn(state, spec)
    return VersionChoice(fallback_arn, rejections, warnings)


def _warn_of_unserved_version(state: BatchState) -> list[str]:
    """Return a warning if no campaign serves the version that wrote the last results.

    A rollback leaves batch results as they are, so they may come from a bad version.
    """
    last_job = find_last_successful_job(state.jobs)
    if last_job is None:
        return []

    for campaign in state.campaigns:
        # During a trial, it's too early to tell which version the campaign will serve.
        is_undecided = campaign.record.trial is not None
        if is_undecided or campaign.served_version_arn == last_job.version_arn:
            return []

    warning = (
        f"its last results were made by {last_job.version_arn}, which no campaign of the solution "
        "serves, for example because it was rolled back"
    )
    return [warning]


def _find_last_used_version_arn(state: BatchState, spec: BatchSpec) -> str | None:
    """Return the ARN of the version that wrote the last results, if it belongs to the solution."""
    last_job = find_last_successful_job(state.jobs)
    solution_arn, _, _ = spec.newest_version_arn.rpartition("/")
    if last_job is None or not last_job.version_arn.startswith(f"{solution_arn}/"):
        return None
    return last_job.version_arn


# Writing results


def _write_results(
    version_arn: str, state: BatchState, spec: BatchSpec, progress: BatchProgress, now: datetime
) -> Step:
    """Create this run's job, unless the last results are up to date.

    While users are being deleted, or a job may already exist, wait until the deadline.
    """
    content_hash = _hash_content(version_arn, state, spec)
    last_job = find_last_successful_job(state.jobs)
    if last_job is not None and last_job.content_hash == content_hash:
        # Only the last job counts, because later results replace earlier ones.
        return WRITTEN.with_progress(job_arn=last_job.arn)

    max_hours = spec.settings["maxHours"]
    deletion = find_running_deletion(state.deletions)
    if deletion is not None:
        # AWS doesn't guarantee that users are deleted if a batch job is running at the same time.
        return progress.wait_because(f"{deletion.arn} is running", max_hours, now)

    create_step = Step("WRITING", CreateBatchJob(version_arn, content_hash))
    return progress.wait_before_create(max_hours, now) or create_step


def _hash_content(version_arn: str, state: BatchState, spec: BatchSpec) -> str:
    """Compute the content hash that the results of a version would have now."""
    settings = [spec.settings[key] for key in HASHED_SETTINGS]
    parts = [version_arn, state.input_hash, state.filter_expression, *settings]
    return compute_short_hash(json.dumps(parts), CONTENT_HASH_LENGTH)

"""Decides which version a batch job uses, and whether its results have been written already."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ..contract import BatchJobSettings, QualityRule
from .campaigns import CampaignState
from .gate import NO_VERSION, VersionFacts, compare, wait_for_baselines
from .pacing import pause
from .recipes import EXPLORATION_KEYS
from .steps import Action, Case, JobMemory, Step, failed

KEYS_OF_RESULTS: Final = ("input", "numResults", "filterArn", "themes", *EXPLORATION_KEYS)
"""The settings on which the results of a batch job depend."""


class BatchJob(NamedTuple):
    """One batch job."""

    arn: str
    version: str
    is_running: bool
    is_active: bool
    created_at: datetime
    ended_at: datetime
    run: str | None = None
    content: str | None = None
    """A hash of everything on which the results depend, from the creation of the job."""
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class SeenBatchJobs:
    """The batch jobs that write to an output, as one look shows them."""

    jobs: Sequence[BatchJob]
    """The newest ACTIVE job and those after it, newest first."""
    input: str | None = None
    """The fingerprint of the input, or None if it has no objects."""
    campaigns: Sequence[CampaignState] = ()
    """The campaigns of the solution."""
    versions: Mapping[str, VersionFacts] = field(default_factory=dict)
    """What we know about each of `versions_to_compare()`."""


@dataclass(frozen=True, kw_only=True)
class WantedBatchJob:
    """What a run wants to write."""

    run: str
    version: str
    """The newest version of the solution."""
    job: BatchJobSettings
    gate: Sequence[QualityRule] = ()


@dataclass
class Memory(JobMemory):
    """What a batch job remembers between two looks."""

    job: str | None = None
    """The job that the run waits for, or that has written the results."""
    version: str | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Create(Action):
    """Create the batch job of this run."""

    version: str
    content: str


BatchCase = Case[SeenBatchJobs, WantedBatchJob, Memory]


def decide(seen: SeenBatchJobs, wanted: WantedBatchJob, memory: Memory, now: datetime) -> Step:
    """Return the next step of a batch job."""
    case = Case(seen, wanted, memory, now)
    return _follow(case) or _choose_version(case) or _write(case)


def versions_to_compare(seen: SeenBatchJobs, wanted: WantedBatchJob) -> list[str]:
    """Return the versions that `decide()` has to know more about.

    Those are the newest version and that of the last results, if no campaign judges versions. While
    a job is running, nothing is compared.
    """
    if seen.campaigns or any(job.is_running or job.run == wanted.run for job in seen.jobs):
        return []
    last = _last_written(seen.jobs)
    if last is None or last.version == wanted.version:
        return [wanted.version]
    return [wanted.version, last.version]


def _follow(case: BatchCase) -> Step | None:
    """Wait until no job writes to the output. End with the outcome of the job of this run."""
    seen, wanted, memory, now = case
    job = next((job for job in seen.jobs if job.is_running or job.run == wanted.run), None)
    if job is None:
        return None
    memory.job, memory.version = job.arn, job.version
    if job.is_active:
        return Step("WRITING", outcome="WRITTEN")
    if not job.is_running:
        return failed("WRITING", job.failure or f"{job.arn} has failed without a reason")
    if now >= max(job.created_at, memory.began_at) + timedelta(hours=wanted.job["maxHours"]):
        return failed(
            "WRITING",
            f"{job.arn} is still running after {wanted.job['maxHours']:g} hours; it goes on, "
            "because no batch job can be stopped, and the next run waits for it",
        )
    return Step("WRITING", pause=pause((), (now - job.created_at).total_seconds()))


def _choose_version(case: BatchCase) -> Step | None:
    """Remember the version to use: the newest one if it has passed, or else the one in use.

    A version passes on a campaign. Without campaigns, the quality gate compares it with the version
    of the last results. Skip the batch job if there is no version to use.
    """
    seen, wanted, memory, now = case
    new, last = wanted.version, _last_written(seen.jobs)
    if seen.campaigns:
        settled = [item for item in seen.campaigns if item.record.trial is None]
        has_passed = any(
            item.served_version_arn == new == item.record.good_version_arn for item in settled
        )
        reasons = [] if has_passed else [f"no campaign serves {new} as its good version"]
        first = seen.campaigns[0]
        is_doubtful = (
            first.record.trial or first.served_version_arn == first.record.blocked_version_arn
        )
        live = None if is_doubtful else first.served_version_arn
    else:
        live = last.version if last else None
        version, old = seen.versions[new], seen.versions[live] if live else NO_VERSION
        if wait := wait_for_baselines("WRITING", version, old, now):
            return memory.at_deadline(wait.reasons[0], wanted.job["maxHours"], now) or wait
        compared = compare(version, old, wanted.gate)
        memory.warnings = sorted({*memory.warnings, *compared.warnings})
        reasons = compared.rejections
    fallback = live if wanted.job["onRejected"] == "live" else None
    memory.version = fallback if reasons else new
    if memory.version is None:
        return Step("WRITING", outcome="SKIPPED", reasons=reasons)
    return None


def _write(case: BatchCase) -> Step:
    """Create the job, unless the last one was created for the same version, input and settings.

    An earlier job does not count, because the last one has replaced its results.
    """
    seen, wanted, memory, now = case
    last, version = _last_written(seen.jobs), f"{memory.version}"
    text = json.dumps([version, seen.input, *(wanted.job[key] for key in KEYS_OF_RESULTS)])
    content = hashlib.sha256(text.encode()).hexdigest()[:32]
    if last and last.content == content:
        memory.job = last.arn
        return Step("WRITING", outcome="WRITTEN")
    if seen.input is None:
        return failed("WRITING", "its input has no objects; check the job that writes it")
    if wait := memory.before_create(wanted.job["maxHours"], now):
        return wait
    return Step("WRITING", Create(version, content))


def _last_written(jobs: Sequence[BatchJob]) -> BatchJob | None:
    return next((job for job in jobs if job.is_active), None)

"""Builds the document of a job that was created, was described, or cannot be created yet."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .. import clock
from .pacing import LATE_SHARE, pause, whole_seconds
from .statuses import CREATE_PENDING, phase_of, status_warnings

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..contract import Job
    from ..workflow_settings import TrainingMode

    ImportJob = DatasetImportJobTypeDef | DatasetImportJobSummaryTypeDef
    Version = SolutionVersionTypeDef | SolutionVersionSummaryTypeDef


def import_mode_of(job: ImportJob) -> str:
    """Return the import mode of a job. A job from before there were modes was FULL."""
    return job.get("importMode", "FULL")


def training_mode_of(version: Version) -> str:
    """Return FULL, UPDATE or AUTOTRAIN. A version from before there were modes was FULL."""
    return version.get("trainingMode", "FULL")


def planned_mode_of(version: Version) -> TrainingMode:
    """Return the mode of a version in the words of a plan, in which AUTOTRAIN counts as FULL."""
    return "UPDATE" if training_mode_of(version) == "UPDATE" else "FULL"


def created_job(arn: str, durations: list[int]) -> Job:
    """Return the document of a job that was created just now.

    `durations` are the seconds that the last jobs of this kind took. The list may be empty.
    """
    return {
        "arn": arn,
        "phase": "UNDER_WAY",
        "seconds": whole_seconds(pause(durations, 0)),
        "status": CREATE_PENDING,
        "failure": None,
        "warnings": [],
        "foreign": False,
        "createdAt": clock.now().isoformat(),
    }


def described_job(
    arn: str,
    status: str,
    *,
    created: datetime,
    updated: datetime,
    failure: str | None,
    foreign: bool = False,
) -> Job:
    """Return the document of a job as Describe shows it. The next poll is due in one second.

    Args:
        arn: the ARN of the job, or of the campaign that is updated.
        status: the status that Describe shows.
        created: the time when the job was created.
        updated: the time when the status last changed, which is the end of a job that has ended.
        failure: the reason that Describe gives, or None.
        foreign: True if no run of this pipeline created the job.
    """
    phase = phase_of(status)
    job: Job = {
        "arn": arn,
        "phase": phase,
        "seconds": 1,
        "status": status,
        "failure": failure,
        "warnings": status_warnings(status),
        "foreign": foreign,
        "createdAt": created.isoformat(),
    }
    if phase != "UNDER_WAY":
        job["endedAt"] = updated.isoformat()
    if phase == "ENDED" and not failure:
        job["failure"] = f"{arn}: its status is {status}, and Personalize gives no reason"
    return job


def postponed_job(
    arn: str, reason: str, last_try: Job | None, *, max_hours: float, shortest_pause: int
) -> Job:
    """Return the document of a job that cannot be created now.

    The phase is AGAIN, or ENDED if the first try was `max_hours` ago or earlier. The pause until
    the next try grows with the time since the first try, but does not reach past the deadline.

    Args:
        arn: the ARN of the resource for which the job is planned.
        reason: why the job cannot be created now.
        last_try: the result of the last try, or None if there was no try yet.
        max_hours: the deadline, in hours after the first try.
        shortest_pause: seconds until the next try at least, unless the deadline comes first.
    """
    first_try = first_tried_at(last_try)
    seconds_waited = (clock.now() - datetime.fromisoformat(first_try)).total_seconds()
    seconds_to_deadline = max_hours * 3600 - seconds_waited
    is_overdue = seconds_to_deadline <= 0
    growing_pause = max(shortest_pause, seconds_waited * LATE_SHARE)
    return {
        "arn": arn,
        "phase": "ENDED" if is_overdue else "AGAIN",
        "seconds": whole_seconds(min(growing_pause, seconds_to_deadline)),
        "status": "WAITING",
        "failure": f"gave up after {max_hours:g} hours: {reason}" if is_overdue else None,
        "warnings": [],
        "foreign": False,
        "firstTriedAt": first_try,
    }


def refused_job(arn: str, reason: str) -> Job:
    """Return the document of a job that must not be started.

    Its ARN is the ARN of the resource for which the job was planned.
    """
    return {
        "arn": arn,
        "phase": "ENDED",
        "seconds": 0,
        "status": "SKIPPED",
        "failure": reason,
        "warnings": [],
        "foreign": False,
    }


def first_tried_at(last_try: Job | None) -> str:
    """Return the time of the first try to create a job. Without an earlier try this is now."""
    if last_try and "firstTriedAt" in last_try:
        return last_try["firstTriedAt"]
    return clock.now().isoformat()

"""Builds the document of a job: after it was created, described, or could not be created yet."""

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

    from ..contract import Job, TrainingMode

    ImportJob = DatasetImportJobTypeDef | DatasetImportJobSummaryTypeDef
    Version = SolutionVersionTypeDef | SolutionVersionSummaryTypeDef


def import_mode_of(job: ImportJob) -> str:
    """Return the import mode of a job. A job from before there were modes was FULL."""
    return job.get("importMode", "FULL")


def training_mode_of(version: Version) -> str:
    """Return FULL, UPDATE or AUTOTRAIN. A version from before there were modes was FULL."""
    return version.get("trainingMode", "FULL")


def planned_mode_of(version: Version) -> TrainingMode:
    """Return the mode with which a run plans for this version. AUTOTRAIN counts as FULL."""
    return "UPDATE" if training_mode_of(version) == "UPDATE" else "FULL"


def created_job(arn: str, durations: list[int]) -> Job:
    """Return the document of a job that was created just now."""
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
    """Return the document of a job as Describe shows it. The next poll is due in one second."""
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
        job["failure"] = f"its status is {status}"
    return job


def postponed_job(
    arn: str, reason: str, previous: Job | None, *, max_hours: float, seconds: int
) -> Job:
    """Return the document of a job that cannot be created now.

    The phase is AGAIN, or ENDED after `max_hours`. The hours count from the first try, which the
    document of the previous try contains. The next try is due after `seconds` or later: the pause
    grows with time, but the last try comes just before the deadline.
    """
    first_try = first_tried_at(previous)
    waited = (clock.now() - datetime.fromisoformat(first_try)).total_seconds()
    remaining = max_hours * 3600 - waited
    expired = remaining <= 0
    return {
        "arn": arn,
        "phase": "ENDED" if expired else "AGAIN",
        "seconds": whole_seconds(min(max(seconds, waited * LATE_SHARE), max(remaining, 1))),
        "status": "WAITING",
        "failure": f"{reason}, for {max_hours:g} hours" if expired else None,
        "warnings": [],
        "foreign": False,
        "firstTriedAt": first_try,
    }


def first_tried_at(previous: Job | None) -> str:
    """Return the time of the first try to create a job. Without a previous try this is now."""
    if previous and "firstTriedAt" in previous:
        return previous["firstTriedAt"]
    return clock.now().isoformat()

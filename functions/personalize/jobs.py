"""What all jobs have in common: how they are named and tagged, and how one becomes a document."""

from datetime import datetime
from typing import TYPE_CHECKING

from .. import clock
from ..contract import Job, Tags, TrainingMode
from ..executions import short_hash
from .pacing import THINNING, pause
from .statuses import phase_of, warnings_of
from .watch import whole

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import SolutionVersionTypeDef, TagTypeDef


def import_job_name(prefix: str, run_id: str, dataset_type: str, attempt: int) -> str:
    """Give the name of a run's import: unique in an account and region, as Personalize demands."""
    return f"{prefix}-{run_id}-{dataset_type}-{attempt}"


def version_name(prefix: str, run_id: str, solution_arn: str, attempt: int) -> str:
    """Give the name of a run's solution version; the solution is in it as 8 hex digits."""
    return f"{prefix}-{run_id}-{short_hash(solution_arn, 8)}-{attempt}"


def mode_of(version: "SolutionVersionTypeDef") -> TrainingMode:
    """Give how a version was trained: AUTOTRAIN, which a run adopts and never asks for, is FULL."""
    return "UPDATE" if version.get("trainingMode") == "UPDATE" else "FULL"


def api_tags(tags: Tags) -> "list[TagTypeDef]":
    """Give tags as Personalize takes them."""
    return [{"tagKey": key, "tagValue": value} for key, value in tags.items()]


def started(arn: str, durations: list[int]) -> Job:
    """Give the document of a job that was created just now."""
    return {
        "arn": arn,
        "phase": "UNDER_WAY",
        "seconds": whole(pause(durations, 0)),
        "status": "CREATE PENDING",
        "failure": None,
        "warnings": [],
        "ours": True,
        "createdAt": clock.now().isoformat(),
    }


def found(
    arn: str,
    status: str,
    *,
    created: datetime,
    updated: datetime,
    failure: str | None,
    ours: bool = True,
) -> Job:
    """Give the document of a job that was described; `seconds` is 1, so that it is watched next."""
    job: Job = {
        "arn": arn,
        "phase": phase_of(status),
        "seconds": 1,
        "status": status,
        "failure": failure,
        "warnings": warnings_of(status),
        "ours": ours,
        "createdAt": created.isoformat(),
    }
    if job["phase"] == "UNDER_WAY":
        return job
    return {**job, "endedAt": updated.isoformat(), "failure": failure or failure_of(job)}


def failure_of(job: Job) -> str | None:
    """Give why a job has failed for which the service gives no reason; None if it is ACTIVE."""
    return None if job["phase"] == "ACTIVE" else f"its status is {job['status']}"


def not_yet(arn: str, why: str, before: Job | None, *, max_hours: float, seconds: int) -> Job:
    """Give the document of a job that cannot be started now: AGAIN, or ENDED after `max_hours`.

    The hours count from the first try, which travels in the document as `firstTriedAt`. The next
    try comes after `seconds`, later where this has gone on for long, and at the very end.
    """
    first = first_tried_at(before)
    waited = (clock.now() - datetime.fromisoformat(first)).total_seconds()
    left = max_hours * 3600 - waited
    given_up = left <= 0
    return {
        "arn": arn,
        "phase": "ENDED" if given_up else "AGAIN",
        "seconds": whole(min(max(seconds, waited * THINNING), max(left, 1))),
        "status": "WAITING",
        "failure": f"{why}, for {max_hours:g} hours now" if given_up else None,
        "warnings": [],
        "ours": True,
        "firstTriedAt": first,
    }


def first_tried_at(before: Job | None) -> str:
    """Give when we first tried to start a job: as the try before says, or now."""
    if before and "firstTriedAt" in before:
        return before["firstTriedAt"]
    return clock.now().isoformat()

"""Interprets the statuses of jobs and resources in Amazon Personalize.

Except ACTIVE, a status is an operation and how far it has come, for example `CREATE PENDING`.
"""

from typing import Literal

Phase = Literal["UNDER_WAY", "ACTIVE", "ENDED"]

ACTIVE = "ACTIVE"
CREATE_PENDING = "CREATE PENDING"
STOPPING_SUFFIX = " STOPPING"
RUNNING_SUFFIXES = (" PENDING", " IN_PROGRESS", STOPPING_SUFFIX)
FAILED_SUFFIX = " FAILED"
ENDED_SUFFIXES = (FAILED_SUFFIX, " STOPPED")
DELETE_PREFIX = "DELETE "


def phase_of(status: str) -> Phase:
    """Return the phase of a job with this status: ACTIVE, ENDED or UNDER_WAY.

    An undocumented status counts as UNDER_WAY, so the job is polled until its deadline.
    """
    if is_active(status):
        return "ACTIVE"
    if _with_space(status).endswith(ENDED_SUFFIXES) or is_deleted(status):
        return "ENDED"
    return "UNDER_WAY"


def is_active(status: str) -> bool:
    """Return True if a job has succeeded, or if a resource can be used."""
    return status == ACTIVE


def is_running(status: str) -> bool:
    """Return True if a job has not ended yet."""
    return phase_of(status) == "UNDER_WAY"


def is_failed(status: str) -> bool:
    """Return True if a job has failed. A job that was stopped has not failed."""
    return _with_space(status).endswith(FAILED_SUFFIX)


def is_deleted(status: str) -> bool:
    """Return True if the deletion of a resource was requested. It may be running or have failed."""
    return _with_space(status).startswith(DELETE_PREFIX)


def cannot_succeed(status: str) -> bool:
    """Return True if a job will never be ACTIVE, because it has ended or is stopping."""
    return phase_of(status) == "ENDED" or _with_space(status).endswith(STOPPING_SUFFIX)


def status_warnings(status: str) -> list[str]:
    """Return a warning if the status is not documented."""
    if is_running(status) and not _with_space(status).endswith(RUNNING_SUFFIXES):
        return [f"the status {status!r} is unknown and counts as running"]
    return []


def _with_space(status: str) -> str:
    """Return a status with a space after its operation: `CREATE STOPPED` for `CREATE_STOPPED`.

    The guide of Personalize writes some statuses with an underscore, and others with a space.
    """
    operation, _, progress = status.partition("_")
    return f"{operation} {progress}" if " " not in status and progress else status

"""The statuses of jobs and resources in Amazon Personalize."""

from ..contract import Phase

ACTIVE = "ACTIVE"
CREATE_PENDING = "CREATE PENDING"
CREATE_FAILED = "CREATE FAILED"
RUNNING = (" PENDING", " IN_PROGRESS", " STOPPING")
ENDED = (" FAILED", " STOPPED")
DELETED = "DELETE "
STOPPING = " STOPPING"


def phase_of(status: str) -> Phase:
    """Return the phase of a job. An undocumented status counts as UNDER_WAY until the deadline."""
    if status == ACTIVE:
        return "ACTIVE"
    if status.endswith(ENDED) or is_deleted(status):
        return "ENDED"
    return "UNDER_WAY"


def is_active(status: str) -> bool:
    """Return True if a job has succeeded, or if a resource can be used."""
    return status == ACTIVE


def is_running(status: str) -> bool:
    """Return True if a job has neither succeeded nor failed."""
    return phase_of(status) == "UNDER_WAY"


def is_deleted(status: str) -> bool:
    """Return True if a resource is being deleted, or could not be deleted."""
    return status.startswith(DELETED)


def cannot_succeed(status: str) -> bool:
    """Return True if a job will never be ACTIVE. A job that is stopping has not ended yet."""
    return phase_of(status) == "ENDED" or status.endswith(STOPPING)


def status_warnings(status: str) -> list[str]:
    """Return a warning if the status is not documented."""
    if is_running(status) and not status.endswith(RUNNING):
        return [f"the status {status!r} is unknown and counts as running"]
    return []

"""Interprets the statuses of jobs and resources in Amazon Personalize.

Most statuses combine an operation with its progress, for example `CREATE PENDING`. But a batch job
is just `PENDING`, and the developer guide writes some statuses with an underscore. So we only look
at how they begin or end.
"""

ACTIVE = "ACTIVE"
COMPLETED = "COMPLETED"
"""The status of a data deletion job that succeeded."""


def is_active(status: str) -> bool:
    """Return True if a job succeeded or a resource is ready."""
    return status == ACTIVE


def is_running(status: str) -> bool:
    """Return True if a job hasn't ended yet. An unknown status counts as running."""
    has_succeeded = status in (ACTIVE, COMPLETED)
    has_ended = has_succeeded or status.endswith("FAILED") or is_stopped(status)
    return not has_ended and not is_deleted(status)


def is_stopped(status: str) -> bool:
    """Return True if a training was stopped."""
    return status.endswith("STOPPED")


def is_stopping(status: str) -> bool:
    """Return True if a training is being stopped. It's still running."""
    return status.endswith("STOPPING")


def is_deleted(status: str) -> bool:
    """Return True if somebody requested a resource's deletion, even if the deletion failed."""
    return status.startswith("DELETE")

"""Facts about data deletion jobs, which delete users from all datasets of a dataset group.

AWS asks for a new solution version after each job, and for no import or training while a job is
running: https://docs.aws.amazon.com/personalize/latest/dg/delete-records.html.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple


class Deletion(NamedTuple):
    """One data deletion job of a dataset group."""

    arn: str
    is_running: bool
    has_completed: bool
    created_at: datetime
    ended_at: datetime
    """The time of the last change, which is the end if the job is not running."""


def running_deletion(deletions: Iterable[Deletion]) -> Deletion | None:
    """Return a job that is running, or None."""
    return next((job for job in deletions if job.is_running), None)


def last_deletion(deletions: Iterable[Deletion]) -> Deletion | None:
    """Return the completed job that ended last, or None. A job that has failed does not count."""
    completed = (job for job in deletions if job.has_completed)
    return max(completed, key=lambda job: job.ended_at, default=None)

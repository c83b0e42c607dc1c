"""Facts about data deletion jobs, which delete users from all datasets of a dataset group.

AWS asks for a new solution version after each job, and for no import or training while a job is
running: https://docs.aws.amazon.com/personalize/latest/dg/delete-records.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .imports import Import
    from .trainings import Training

PAUSE_SHARE = 0.1
"""The pause between two looks at a job as a share of its age, because a job may take a day."""
SHORTEST_PAUSE, LONGEST_PAUSE = 1, 1800
"""In seconds. A job of a rehearsal takes seconds."""


class Deletion(NamedTuple):
    """One data deletion job of a dataset group."""

    arn: str
    is_running: bool
    has_completed: bool
    created_at: datetime
    ended_at: datetime
    """The time of the last change, which is the end if the job is not running."""

    def pause(self, now: datetime) -> float:
        """Return the seconds until the next look at the job while it is running."""
        age = (now - self.created_at).total_seconds()
        return min(max(age * PAUSE_SHARE, SHORTEST_PAUSE), LONGEST_PAUSE)

    def overlaps(self, job: Import | Training) -> bool:
        """Return True if an import or a training was running at the same time."""
        has_ended_before = not job.is_running and job.ended_at <= self.created_at
        return job.created_at < self.ended_at and not has_ended_before


def running_deletion(deletions: Sequence[Deletion]) -> Deletion | None:
    """Return a job that is running, or None."""
    return next((job for job in deletions if job.is_running), None)


def last_deletion(deletions: Sequence[Deletion]) -> Deletion | None:
    """Return the completed job that ended last, or None. A job that has failed does not count."""
    completed = (job for job in deletions if job.has_completed)
    return max(completed, key=lambda job: job.ended_at, default=None)

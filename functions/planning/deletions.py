"""Lets a run wait for data deletion jobs, and checks that the deleted users stay deleted."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..errors import RunRefused
from ..overlap import Pause
from ..rules.deletions import running_deletion
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..rules.imports import Import
    from ..rules.trainings import Training
    from .datasets import DatasetView
    from .plan_run import RunView

LONGEST_WAIT = timedelta(hours=26)
"""How long after its start a run waits at most. A job may take a day:
https://docs.aws.amazon.com/personalize/latest/dg/delete-records.html."""
DATASETS_WITH_USERS = ("interactions", "users", "actionInteractions")


def pause_for_deletion(view: RunView) -> Pause | None:
    """Return why the run may not import or train yet, or None if no users are being deleted.

    A run that only deploys versions does not wait.

    Raises:
        RunRefused: the run has waited too long.
    """
    deletion, now = running_deletion(view.world.deletions), view.world.now
    if deletion is None or "only" in view.run["request"]:
        return None
    reason = (
        f"users are being deleted by {deletion.arn}, and nothing may be imported or trained "
        "meanwhile"
    )
    end = datetime.fromisoformat(view.run["startedAt"]) + LONGEST_WAIT
    if now >= end:
        problem = (
            f"{reason}; this run has waited for {LONGEST_WAIT / timedelta(hours=1):g} hours; start "
            "a run when the job has ended, or ask AWS Support why it goes on"
        )
        raise RunRefused([problem])
    seconds = min(deletion.pause(now), (end - now).total_seconds())
    return Pause(reason, math.ceil(seconds))


@guard("deleted users", "REFUSE", "export")
def export_with_deleted_users(view: DatasetView) -> Iterator[str]:
    """Yield a message for an export that is older than the last data deletion job.

    To import it could bring the deleted users back. One older file in a folder is enough for a
    refusal, because every file may contain every user.
    """
    begun = [job for job in view.world.deletions if job.is_running or job.has_completed]
    if not begun or view.dataset["type"] not in DATASETS_WITH_USERS:
        return
    last, export = max(begun, key=lambda job: job.created_at), view.export
    old = [file.key for file in export.objects if file.modified_at < last.created_at]
    if old:
        url = export.url(old[0])
        yield (
            f"{len(old)} of {len(export.objects)} objects at {export.location} were written before "
            f"{last.arn} began, so an import could bring the deleted users back; write the export "
            f"again without them, or confirm that {url} never had them with `aws s3 cp {url} {url} "
            "--metadata-directive REPLACE`, which makes it new"
        )


@guard("interrupted deletion", "WARN", "run")
def uncertain_deletion(view: RunView) -> Iterator[str]:
    """Yield a message for a data deletion job that ran at the same time as an import or a training.

    AWS then does not guarantee that the users are deleted. Only the run that trains after it warns.
    """
    deletion = view.deletion
    jobs: list[Import | Training] = [job for jobs in view.world.imports.values() for job in jobs]
    jobs += [job for solution in view.solutions for job in solution.seen.trainings]
    if deletion and (found := [job for job in jobs if deletion.overlaps(job)]):
        yield (
            f"{found[0].arn} was running at the same time as {deletion.arn}, so AWS does not "
            "guarantee that the users are deleted; create another data deletion job with the same "
            "file"
        )

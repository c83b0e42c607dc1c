"""Decides which jobs belong to a run, and which were created by a run of this pipeline.

The name of a job contains the prefix of the stack and the id of the run. A stack that was recreated
or moved to another backend has a new prefix. So the tag `retraining-run` decides whether a run of
this pipeline created a job, and the name decides whether this run of this stack created it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..executions import short_hash
from .tags import ADOPTED, RUN

if TYPE_CHECKING:
    from ..contract import Run, Settings, Tags


def import_job_name(settings: Settings, run: Run, dataset_type: str, attempt: int) -> str:
    """Return the name of an import job. Names are unique in an account and region."""
    return f"{_name_prefix(settings, run)}{dataset_type}-{attempt}"


def version_name(settings: Settings, run: Run, solution_arn: str, attempt: int) -> str:
    """Return the name of a solution version. It contains a hash of the solution, 8 hex digits."""
    return f"{_name_prefix(settings, run)}{short_hash(solution_arn, 8)}-{attempt}"


def belongs_to_run(name: str, settings: Settings, run: Run) -> bool:
    """Return True if a job with this name belongs to the run, whichever attempt it is."""
    return name.startswith(_name_prefix(settings, run))


def created_by_a_run(tags: Tags) -> bool:
    """Return True if a run of this pipeline created the job, in this stack or an earlier one."""
    return RUN in tags


def adopted_by_a_run(tags: Tags) -> bool:
    """Return True if a run of this pipeline adopted the foreign version."""
    return ADOPTED in tags


def adopted_by_run(tags: Tags, settings: Settings, run: Run) -> bool:
    """Return True if this run adopted the foreign version."""
    return belongs_to_run(tags.get(ADOPTED, ""), settings, run)


def _name_prefix(settings: Settings, run: Run) -> str:
    return f"{settings['prefix']}-{run['id']}-"

"""Names the jobs of a run, and decides which jobs belong to it.

The name of a job contains the prefix of the stack and the id of the run, so it shows whether a run
of this stack created the job. A stack that was recreated or moved to another backend has a new
prefix. So the tag `retraining-run` shows whether any run created the job, in this or an earlier
stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..executions import short_hash

if TYPE_CHECKING:
    from ..contract import Run
    from ..workflow_settings import Settings


def import_job_name(settings: Settings, run: Run, dataset_type: str) -> str:
    """Return the name of an import job of this run. Names are unique in an account and region."""
    return f"{_name_prefix(settings, run)}{dataset_type}"


def version_name(settings: Settings, run: Run, solution_arn: str) -> str:
    """Return the name of a solution version of this run, with 8 hex digits for the solution."""
    return f"{_name_prefix(settings, run)}{short_hash(solution_arn, 8)}"


def belongs_to_run(name: str, settings: Settings, run: Run) -> bool:
    """Return True if a job with this name belongs to the run."""
    return name.startswith(_name_prefix(settings, run))


def _name_prefix(settings: Settings, run: Run) -> str:
    return f"{settings['prefix']}-{run['id']}-"

"""Computes the digest of what a training learns: imports of all datasets, and a configuration."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from ..executions import short_hash
from .jobs import import_mode_of
from .statuses import is_active

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        SolutionTypeDef,
        SolutionVersionTypeDef,
    )

    JobsOfDatasets = Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]]
    """Dataset ARN -> its import jobs."""

IMPORTS_DIGITS = 24
CONFIG_DIGITS = 8
CONFIG_KEYS = ("recipeArn", "performHPO", "performAutoML", "eventType")
"""The fields of a solution and of its versions that decide how a version is trained, besides
`solutionConfig`. Names, dates and automatic training make no difference."""


def digest_of(
    jobs_of_datasets: JobsOfDatasets,
    solution: SolutionTypeDef | SolutionVersionTypeDef,
    created_at: datetime,
) -> str:
    """Return the digest of a training of this solution that was created at a time."""
    return joined_digest(imports_digest(jobs_of_datasets, created_at), config_digest(solution))


def joined_digest(imports: str, config: str) -> str:
    """Return a digest from its two parts."""
    return f"{imports}-{config}"


def is_digest(text: str) -> bool:
    """Return True if a text has the form of a digest."""
    return (
        re.fullmatch(f"[0-9a-f]{{{IMPORTS_DIGITS}}}-[0-9a-f]{{{CONFIG_DIGITS}}}", text) is not None
    )


def imports_digest(jobs_of_datasets: JobsOfDatasets, created_at: datetime) -> str:
    """Return a hash of the import jobs whose data a training learns that was created at a time.

    Of each dataset these are the newest FULL import that had ended by then, and all imports that
    ended between it and the creation of the training.
    """
    arns = sorted(
        job["datasetImportJobArn"]
        for jobs in jobs_of_datasets.values()
        for job in learned_jobs(jobs, created_at)
    )
    return short_hash(" ".join(arns), IMPORTS_DIGITS)


def config_digest(solution: SolutionTypeDef | SolutionVersionTypeDef) -> str:
    """Return a hash of the recipe and the configuration of a solution or a solution version."""
    fields = cast("Mapping[str, object]", solution)
    config = dict(cast("Mapping[str, object]", fields.get("solutionConfig") or {}))
    config.pop("autoTrainingConfig", None)
    values = {**{key: fields.get(key) for key in CONFIG_KEYS}, "solutionConfig": config}
    values_in_use = {key: value for key, value in values.items() if value}
    return short_hash(json.dumps(values_in_use, sort_keys=True, default=str), CONFIG_DIGITS)


def newest_end(jobs_of_datasets: JobsOfDatasets) -> datetime | None:
    """Return when the last successful import of any dataset ended, or None if there is none."""
    ends = (
        job["lastUpdatedDateTime"]
        for jobs in jobs_of_datasets.values()
        for job in jobs
        if is_active(job["status"])
    )
    return max(ends, default=None)


def learned_jobs(
    jobs: Sequence[DatasetImportJobSummaryTypeDef], created_at: datetime
) -> Sequence[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of one dataset whose data a training learns, oldest first."""
    oldest_first = sorted(
        (
            job
            for job in jobs
            if is_active(job["status"]) and job["lastUpdatedDateTime"] <= created_at
        ),
        key=lambda job: job["lastUpdatedDateTime"],
    )
    full = [index for index, job in enumerate(oldest_first) if import_mode_of(job) == "FULL"]
    return oldest_first[full[-1] :] if full else oldest_first

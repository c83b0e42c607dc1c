"""Reads the tags of the import jobs that planning needs, and of no other import job."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ..personalize.import_lists import newest_import, running_imports
from ..personalize.jobs import import_mode_of
from ..personalize.ownership import created_by_any_run
from ..personalize.statuses import is_active
from ..personalize.tags import tags_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import DatasetImportJobSummaryTypeDef

    from ..workflow_settings import Tags
    from .situation import DatasetOfRun

SEARCHED_IMPORTS = 5
"""The number of FULL imports of a dataset whose tags are read, newest first.

The tags show whether a run created the import: docs/adr/0019-prefix-of-the-schedule-group.md.
"""
DATED_IMPORTS = 31
"""The number of imports of a dataset with `{date}` in its location whose tags are read."""


class ImportTags(NamedTuple):
    """The fields of `World` that need the tags of import jobs."""

    by_job: Mapping[str, Tags]
    last_full: Mapping[str, Tags]


def read_import_tags(
    client: PersonalizeClient,
    jobs_of_datasets: Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]],
    dataset_arns: Iterable[str],
    imported: Sequence[DatasetOfRun],
) -> ImportTags:
    """Read the tags of the newest import jobs of the configured datasets.

    Args:
        client: a client for reads.
        jobs_of_datasets: dataset ARN -> its import jobs, newest first.
        dataset_arns: the datasets whose import jobs are read.
        imported: the datasets that the run imports.
    """

    @cache
    def read_tags(job_arn: str) -> Tags:
        return tags_of(client, job_arn)

    by_job: dict[str, Tags] = {}
    last_full: dict[str, Tags] = {}
    dated = {dataset["datasetArn"] for dataset in imported if dataset["day"]}
    for dataset_arn in dataset_arns:
        jobs = jobs_of_datasets.get(dataset_arn, [])
        for job in _jobs_to_read(jobs, is_dated=dataset_arn in dated):
            by_job[job["datasetImportJobArn"]] = read_tags(job["datasetImportJobArn"])
        if full_tags := _first_tags_of_a_run(_newest_full(jobs), read_tags):
            last_full[dataset_arn] = full_tags
    return ImportTags(by_job, last_full)


def _jobs_to_read(
    jobs: Sequence[DatasetImportJobSummaryTypeDef], *, is_dated: bool
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the running import jobs of a dataset, and its newest ACTIVE import job.

    If its location has a date, also return the ACTIVE import jobs of the last days.
    """
    newest = newest_import(jobs)
    jobs_to_read = [*running_imports(jobs), *([newest] if newest else [])]
    if is_dated:
        jobs_to_read += [job for job in jobs if is_active(job["status"])][:DATED_IMPORTS]
    return jobs_to_read


def _newest_full(
    jobs: Sequence[DatasetImportJobSummaryTypeDef],
) -> Sequence[DatasetImportJobSummaryTypeDef]:
    """Return the newest ACTIVE FULL imports, whose tags are read until a run created one."""
    full = [job for job in jobs if is_active(job["status"]) and import_mode_of(job) == "FULL"]
    return full[:SEARCHED_IMPORTS]


def _first_tags_of_a_run(
    jobs: Sequence[DatasetImportJobSummaryTypeDef], read_tags: Callable[[str], Tags]
) -> Tags | None:
    """Return the tags of the first job that a run created, or None if no run created a job.

    The tags of the jobs after it are not read.
    """
    for job in jobs:
        tags = read_tags(job["datasetImportJobArn"])
        if created_by_any_run(tags):
            return tags
    return None

"""Lists dataset import jobs, with their present status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lists import PAGE_SIZE, Listed, read_pages
from .ownership import belongs_to_run
from .statuses import is_active, is_running

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import DatasetImportJobSummaryTypeDef

    from ..contract import Run
    from ..workflow_settings import Settings


def import_jobs(
    client: PersonalizeClient, dataset_arn: str, end: datetime | None = None
) -> Listed[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of a dataset, newest first.

    A list may be old, so a job that it shows as running is described. At `end` the reading stops.
    """
    listed = read_import_list(client, dataset_arn, end)
    jobs = [
        _with_present_status(client, job) if is_running(job["status"]) else job
        for job in listed.items
    ]
    jobs.sort(key=lambda job: job["creationDateTime"], reverse=True)
    return Listed(jobs, is_complete=listed.is_complete)


def read_import_list(
    client: PersonalizeClient, dataset_arn: str, end: datetime | None = None
) -> Listed[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of a dataset with the statuses in the list, which may be old."""
    pages = client.get_paginator("list_dataset_import_jobs").paginate(
        datasetArn=dataset_arn, PaginationConfig=PAGE_SIZE
    )
    return read_pages(pages, lambda page: page["datasetImportJobs"], end)


def newest_import(
    jobs: Iterable[DatasetImportJobSummaryTypeDef],
) -> DatasetImportJobSummaryTypeDef | None:
    """Return the ACTIVE import job that ended last, or None."""
    active = [job for job in jobs if is_active(job["status"])]
    return max(active, key=lambda job: job["lastUpdatedDateTime"], default=None)


def imports_of_run(
    client: PersonalizeClient, settings: Settings, run: Run, created_before: datetime
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs that any execution of a run created before a time."""
    return [
        job
        for dataset in settings["datasets"]
        for job in import_jobs(client, dataset["datasetArn"]).items
        if belongs_to_run(job["jobName"], settings, run)
        and job["creationDateTime"] < created_before
    ]


def _with_present_status(
    client: PersonalizeClient, job: DatasetImportJobSummaryTypeDef
) -> DatasetImportJobSummaryTypeDef:
    """Return the summary of an import job with the status and the time that Describe shows."""
    described = client.describe_dataset_import_job(datasetImportJobArn=job["datasetImportJobArn"])
    return {
        **job,
        "status": described["datasetImportJob"]["status"],
        "lastUpdatedDateTime": described["datasetImportJob"]["lastUpdatedDateTime"],
    }

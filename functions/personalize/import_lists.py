"""Lists dataset import jobs, with their present status."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import clock
from .lists import PAGE_SIZE, READING_TIME, Listed, read_pages
from .ownership import belongs_to_run
from .statuses import is_active, is_running

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import DatasetImportJobSummaryTypeDef

    from ..contract import Run
    from ..workflow_settings import Settings


class GroupImports(NamedTuple):
    """The import jobs of a dataset group.

    Attributes:
        jobs: dataset ARN -> its import jobs.
        is_complete: False if a list was too long to be read.
    """

    jobs: Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]]
    is_complete: bool


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


def group_imports(
    client: PersonalizeClient, group_arn: str, known_arns: Collection[str] = ()
) -> GroupImports:
    """Return the import jobs of all datasets of a group, including those that are not configured.

    A list may lack a new import job, so the import jobs in `known_arns` are described if they are
    not in the lists. All lists together are read for at most the reading time of one list.
    """
    end = clock.now() + READING_TIME
    pages = client.get_paginator("list_datasets").paginate(
        datasetGroupArn=group_arn, PaginationConfig=PAGE_SIZE
    )
    datasets = read_pages(pages, lambda page: page["datasets"])
    listed = {
        dataset["datasetArn"]: import_jobs(client, dataset["datasetArn"], end)
        for dataset in datasets.items
    }
    jobs = {arn: list(jobs_of_dataset.items) for arn, jobs_of_dataset in listed.items()}
    listed_arns = {
        job["datasetImportJobArn"] for jobs_of_dataset in jobs.values() for job in jobs_of_dataset
    }
    for arn in set(known_arns) - listed_arns:
        job = client.describe_dataset_import_job(datasetImportJobArn=arn)["datasetImportJob"]
        jobs.setdefault(job["datasetArn"], []).append(
            {
                "datasetImportJobArn": arn,
                "jobName": job["jobName"],
                "status": job["status"],
                "creationDateTime": job["creationDateTime"],
                "lastUpdatedDateTime": job["lastUpdatedDateTime"],
                "importMode": job.get("importMode", "FULL"),
            }
        )
    is_complete = datasets.is_complete and all(
        jobs_of_dataset.is_complete for jobs_of_dataset in listed.values()
    )
    return GroupImports(jobs, is_complete=is_complete)


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

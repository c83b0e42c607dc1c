"""Dataset import jobs: create one, adopt one that this run created before, see how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .. import aws, exports
from ..errors import NameTaken, ServiceUnavailable, Throttled
from .jobs import api_tags, found, not_yet, started
from .tags import FINGERPRINT
from .watch import watch

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
    )

    from ..contract import Job, PlannedImport, Run, Settings

SLOTS_TAKEN = "More than 5 resources with PENDING or IN_PROGRESS status"
"""The one quota that passes by itself, known by this message; any other is an error."""
SLOT_PAUSE = 120
"""Seconds between tries for an import slot; an import takes 10 to 40 minutes."""


def create_dataset_import_job(
    client: PersonalizeClient, dataset: PlannedImport, before: Job | None
) -> Job:
    """Start the import; adopt the job where this run started it before.

    Args:
        client: one that sends each request once.
        dataset: what to import, and the job's name.
        before: the answer of the try before, where no import slot was free.

    Raises:
        NameTaken: a job of that name exists and differs.
    """
    try:
        created = client.create_dataset_import_job(
            jobName=dataset["jobName"],
            datasetArn=dataset["datasetArn"],
            dataSource={"dataLocation": dataset["dataLocation"]},
            roleArn=dataset["roleArn"],
            importMode=dataset["importMode"],
            tags=api_tags(dataset["tags"]),
        )
    except client.exceptions.ResourceAlreadyExistsException:
        return _adopt(client, dataset)
    except client.exceptions.LimitExceededException as error:
        if SLOTS_TAKEN not in str(error):
            raise
        return not_yet(
            dataset["datasetArn"],
            SLOTS_TAKEN,
            before,
            max_hours=dataset["maxHours"],
            seconds=SLOT_PAUSE,
        )
    return started(created["datasetImportJobArn"], dataset["durations"])


def watch_dataset_import_job(client: PersonalizeClient, dataset: PlannedImport, job: Job) -> Job:
    """Poll the job until it ends or until this invocation has used its time.

    When it has imported, the location is listed again: what has changed since the plan may or may
    not be in the dataset. That is a warning; the next run finds a change, and imports.
    """
    seen = watch(
        lambda: _found(_describe(client, job["arn"])),
        durations=dataset["durations"],
        max_hours=dataset["maxHours"],
        warnings=job["warnings"],
    )
    if seen["phase"] == "ACTIVE" and (doubt := _doubt(dataset)):
        seen["warnings"].append(f"{dataset['dataLocation']} {doubt}")
    return seen


def import_jobs(
    client: PersonalizeClient, dataset_arn: str | None = None
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of a dataset, newest first. Without a dataset, return the region's."""
    paginator = client.get_paginator("list_dataset_import_jobs")
    pages = paginator.paginate(datasetArn=dataset_arn) if dataset_arn else paginator.paginate()
    found = [summary for page in pages for summary in page["datasetImportJobs"]]
    return sorted(found, key=lambda summary: summary["creationDateTime"], reverse=True)


def imports_of(
    client: PersonalizeClient, settings: Settings, run: Run, before: datetime
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs that a run created before a moment, of every attempt."""
    mine = f"{settings['prefix']}-{run['id']}-"
    return [
        job
        for dataset in settings["datasets"]
        for job in import_jobs(client, dataset["datasetArn"])
        if job["jobName"].startswith(mine) and job["creationDateTime"] < before
    ]


def _doubt(dataset: PlannedImport) -> str | None:
    """Return why the import may have read other objects than were planned; None if it did not."""
    try:
        objects = exports.listed(aws.s3(), dataset["dataLocation"])
    except (BotoCoreError, ClientError, ServiceUnavailable, Throttled) as error:
        return f"could not be listed after the import: {error}"
    now = exports.Export(location=dataset["dataLocation"], objects=objects)
    changed = now.fingerprint != dataset["tags"][FINGERPRINT]
    return "was changed during the import" if changed else None


def _describe(client: PersonalizeClient, arn: str) -> DatasetImportJobTypeDef:
    return client.describe_dataset_import_job(datasetImportJobArn=arn)["datasetImportJob"]


def _found(job: DatasetImportJobTypeDef) -> Job:
    return found(
        job["datasetImportJobArn"],
        job["status"],
        created=job["creationDateTime"],
        updated=job["lastUpdatedDateTime"],
        failure=job.get("failureReason"),
    )


def _adopt(client: PersonalizeClient, dataset: PlannedImport) -> Job:
    group_arn = dataset["datasetArn"].split(":dataset/")[0]
    arn = f"{group_arn}:dataset-import-job/{dataset['jobName']}"
    job = _describe(client, arn)
    wanted = (
        dataset["datasetArn"],
        dataset["dataLocation"],
        dataset["importMode"],
        dataset["roleArn"],
    )
    existing = (
        job["datasetArn"],
        job["dataSource"].get("dataLocation"),
        job.get("importMode", "FULL"),
        job.get("roleArn"),
    )
    if existing != wanted:
        raise NameTaken(f"{arn} exists and imports {existing}; this run wants to import {wanted}")
    return _found(job)

"""Creates, adopts, polls and lists dataset import jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from .. import aws, exports
from ..contract import dataset_settings
from ..errors import NameTaken, ServiceUnavailable, Throttled
from .jobs import created_job, described_job, import_mode_of, postponed_job
from .ownership import belongs_to_run
from .tags import FINGERPRINT, api_tags
from .watch import watch

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
    )

    from ..contract import Job, PlannedImport, Run, Settings

NO_FREE_SLOT = "More than 5 resources with PENDING or IN_PROGRESS status"
"""The message of the only quota that becomes free by itself. Any other quota is an error."""
SLOT_PAUSE = 120
"""Seconds between tries to get an import slot. An import takes 10 to 40 minutes."""


class _Import(NamedTuple):
    """What an import job imports. Two jobs with one name must agree in all fields."""

    dataset_arn: str
    location: str | None
    mode: str
    role_arn: str | None


def create_dataset_import_job(
    client: PersonalizeClient, settings: Settings, planned: PlannedImport, previous: Job | None
) -> Job:
    """Create the import job, or adopt it if an earlier try of this run created it.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        planned: the import to start.
        previous: the result of the previous try, if no import slot was free then.

    Raises:
        NameTaken: another job has this name.
    """
    dataset = dataset_settings(settings, planned["type"])
    wanted = _Import(
        dataset["datasetArn"],
        planned["dataLocation"],
        dataset["importMode"],
        settings["importRoleArn"],
    )
    try:
        response = client.create_dataset_import_job(
            jobName=planned["jobName"],
            datasetArn=dataset["datasetArn"],
            dataSource={"dataLocation": planned["dataLocation"]},
            roleArn=settings["importRoleArn"],
            importMode=dataset["importMode"],
            tags=api_tags({**settings["tags"], **planned["tags"]}),
        )
    except client.exceptions.ResourceAlreadyExistsException:
        return _adopt(client, planned["jobName"], wanted)
    except client.exceptions.LimitExceededException as error:
        if NO_FREE_SLOT not in str(error):
            raise
        return postponed_job(
            dataset["datasetArn"],
            NO_FREE_SLOT,
            previous,
            max_hours=settings["limits"]["maxImportHours"],
            seconds=SLOT_PAUSE,
        )
    return created_job(response["datasetImportJobArn"], planned["durations"])


def watch_dataset_import_job(
    client: PersonalizeClient, settings: Settings, planned: PlannedImport, job: Job
) -> Job:
    """Poll the job until it ends or until this invocation has used its time.

    After a successful import the location is listed again. If it has changed since the plan, the
    job gets a warning, because the dataset may or may not contain the change. The next run finds
    the change and imports it.
    """
    watched = watch(
        lambda: _job(_describe(client, job["arn"])),
        durations=planned["durations"],
        max_hours=settings["limits"]["maxImportHours"],
        warnings=job["warnings"],
    )
    if watched["phase"] == "ACTIVE" and (change := _change(planned)):
        watched["warnings"].append(f"{planned['dataLocation']} {change}")
    return watched


def import_jobs(
    client: PersonalizeClient, dataset_arn: str | None = None
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of a dataset, newest first. Without a dataset, return the region's."""
    paginator = client.get_paginator("list_dataset_import_jobs")
    pages = paginator.paginate(datasetArn=dataset_arn) if dataset_arn else paginator.paginate()
    summaries = [summary for page in pages for summary in page["datasetImportJobs"]]
    return sorted(summaries, key=lambda summary: summary["creationDateTime"], reverse=True)


def imports_of_run(
    client: PersonalizeClient, settings: Settings, run: Run, created_before: datetime
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs that a run created before a time, in every attempt."""
    return [
        job
        for dataset in settings["datasets"]
        for job in import_jobs(client, dataset["datasetArn"])
        if belongs_to_run(job["jobName"], settings, run)
        and job["creationDateTime"] < created_before
    ]


def _change(planned: PlannedImport) -> str | None:
    """Return why the import may have read other objects than planned, or None if it has not."""
    location = planned["dataLocation"]
    try:
        objects = exports.list_objects(aws.s3(), location)
    except (BotoCoreError, ClientError, ServiceUnavailable, Throttled) as error:
        return f"could not be listed after the import: {error}"
    export = exports.Export(location=location, objects=objects)
    if export.fingerprint == planned["tags"][FINGERPRINT]:
        return None
    return "was changed during the import"


def _describe(client: PersonalizeClient, arn: str) -> DatasetImportJobTypeDef:
    return client.describe_dataset_import_job(datasetImportJobArn=arn)["datasetImportJob"]


def _job(described: DatasetImportJobTypeDef) -> Job:
    return described_job(
        described["datasetImportJobArn"],
        described["status"],
        created=described["creationDateTime"],
        updated=described["lastUpdatedDateTime"],
        failure=described.get("failureReason"),
    )


def _adopt(client: PersonalizeClient, job_name: str, wanted: _Import) -> Job:
    """Return the job that has this name, whatever its status."""
    group_arn = wanted.dataset_arn.split(":dataset/")[0]
    arn = f"{group_arn}:dataset-import-job/{job_name}"
    described = _describe(client, arn)
    existing = _Import(
        described["datasetArn"],
        described["dataSource"].get("dataLocation"),
        import_mode_of(described),
        described.get("roleArn"),
    )
    if existing != wanted:
        raise NameTaken(
            f"{arn} exists and imports {tuple(existing)}; this run wants to import {tuple(wanted)}"
        )
    return _job(described)

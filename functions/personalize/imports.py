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
"""The message of Personalize if as many import jobs are running as the account may run at once.

The quota is the only one that becomes free by itself, so only this message leads to another try.
"""
SLOT_PAUSE = 120
"""Seconds between tries to get an import slot. An import takes 10 to 40 minutes."""


class _ImportParameters(NamedTuple):
    """The parameters of an import job. Two jobs with one name must agree in all of them."""

    dataset_arn: str
    location: str | None
    mode: str
    role_arn: str | None


def create_dataset_import_job(
    client: PersonalizeClient,
    settings: Settings,
    planned_import: PlannedImport,
    last_try: Job | None,
) -> Job:
    """Create the import job, or adopt it if an earlier try of this run created it.

    If no import slot is free, return a job that tries again later.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        planned_import: the import to start.
        last_try: the result of the last try, or None if there was no try yet.

    Raises:
        NameTaken: a job with other parameters has the planned name.
    """
    dataset = dataset_settings(settings, planned_import["type"])
    location = planned_import["dataLocation"]
    try:
        response = client.create_dataset_import_job(
            jobName=planned_import["jobName"],
            datasetArn=dataset["datasetArn"],
            dataSource={"dataLocation": location},
            roleArn=settings["importRoleArn"],
            importMode=dataset["importMode"],
            tags=api_tags({**settings["tags"], **planned_import["tags"]}),
        )
    except client.exceptions.ResourceAlreadyExistsException:
        wanted = _ImportParameters(
            dataset["datasetArn"], location, dataset["importMode"], settings["importRoleArn"]
        )
        return _adopt(client, planned_import["jobName"], wanted)
    except client.exceptions.LimitExceededException as error:
        if NO_FREE_SLOT not in str(error):
            raise
        return postponed_job(
            dataset["datasetArn"],
            f"no import slot is free: {NO_FREE_SLOT}",
            last_try,
            max_hours=settings["limits"]["maxImportHours"],
            shortest_pause=SLOT_PAUSE,
        )
    return created_job(response["datasetImportJobArn"], planned_import["durations"])


def watch_dataset_import_job(
    client: PersonalizeClient, settings: Settings, planned_import: PlannedImport, job: Job
) -> Job:
    """Poll the job until it ends or until this invocation has used its time.

    After a successful import the export is listed again. If the export has changed since the run
    was planned, the job gets a warning, because the dataset may or may not contain the change. The
    next run finds the change and imports the export again.
    """
    polled = watch(
        lambda: _job_of(_describe(client, job["arn"])),
        durations=planned_import["durations"],
        max_hours=settings["limits"]["maxImportHours"],
        warnings=job["warnings"],
    )
    if polled["phase"] == "ACTIVE":
        polled["warnings"] += _export_warnings(planned_import)
    return polled


def import_jobs(
    client: PersonalizeClient, dataset_arn: str | None = None
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of a dataset, newest first.

    If the ARN is None, return the import jobs of all datasets in the region.
    """
    paginator = client.get_paginator("list_dataset_import_jobs")
    pages = paginator.paginate(datasetArn=dataset_arn) if dataset_arn else paginator.paginate()
    summaries = [summary for page in pages for summary in page["datasetImportJobs"]]
    return sorted(summaries, key=lambda summary: summary["creationDateTime"], reverse=True)


def imports_of_run(
    client: PersonalizeClient, settings: Settings, run: Run, created_before: datetime
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs that a run created before a time, whichever execution created them."""
    return [
        job
        for dataset in settings["datasets"]
        for job in import_jobs(client, dataset["datasetArn"])
        if belongs_to_run(job["jobName"], settings, run)
        and job["creationDateTime"] < created_before
    ]


def _export_warnings(planned_import: PlannedImport) -> list[str]:
    """Return a warning if the export is not, or may not be, the export that was planned.

    An export that cannot be listed is only a warning, because the import has succeeded.
    """
    location = planned_import["dataLocation"]
    try:
        objects = exports.list_objects(aws.s3(), location)
    except (BotoCoreError, ClientError, ServiceUnavailable, Throttled) as error:
        return [f"{location} could not be listed after the import to find changes: {error}"]
    export = exports.Export(location=location, objects=objects)
    if export.fingerprint != planned_import["tags"][FINGERPRINT]:
        return [f"{location} was changed during the import; the next run imports it again"]
    return []


def _describe(client: PersonalizeClient, arn: str) -> DatasetImportJobTypeDef:
    return client.describe_dataset_import_job(datasetImportJobArn=arn)["datasetImportJob"]


def _job_of(import_job: DatasetImportJobTypeDef) -> Job:
    return described_job(
        import_job["datasetImportJobArn"],
        import_job["status"],
        created=import_job["creationDateTime"],
        updated=import_job["lastUpdatedDateTime"],
        failure=import_job.get("failureReason"),
    )


def _adopt(client: PersonalizeClient, job_name: str, wanted: _ImportParameters) -> Job:
    """Return the job of the import job that has this name. It may have ended or failed already.

    Raises:
        NameTaken: the import job has other parameters than this run wants.
    """
    arn_prefix = wanted.dataset_arn.split(":dataset/")[0]
    arn = f"{arn_prefix}:dataset-import-job/{job_name}"
    import_job = _describe(client, arn)
    existing = _ImportParameters(
        import_job["datasetArn"],
        import_job["dataSource"].get("dataLocation"),
        import_mode_of(import_job),
        import_job.get("roleArn"),
    )
    if existing != wanted:
        differences = [
            f"{name} {existing_value} instead of {wanted_value}"
            for name, existing_value, wanted_value in zip(
                ("datasetArn", "dataLocation", "importMode", "roleArn"),
                existing,
                wanted,
                strict=True,
            )
            if existing_value != wanted_value
        ]
        raise NameTaken(
            f"{arn} already exists, with {' and '.join(differences)}; start a new run, or set the "
            "config back and resume this run"
        )
    return _job_of(import_job)

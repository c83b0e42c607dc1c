"""Creates, adopts, polls and confirms dataset import jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from .. import aws, exports
from ..errors import NameTaken
from ..workflow_settings import dataset_settings
from .fingerprint import fingerprint_of
from .import_lists import import_jobs, newest_import, running_imports
from .jobs import created_job, described_job, import_mode_of, postponed_job
from .pacing import whole_seconds
from .tags import CONFIRMED, PLANNED, RUN, api_tags, tags_of, write_tag
from .watch import watch

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
    )

    from ..contract import Job, PlannedImport
    from ..workflow_settings import Settings

NO_FREE_SLOT = "More than 5 resources with PENDING or IN_PROGRESS status"
"""The message of Personalize if as many import jobs are running as the account may run at once.

Only this quota becomes free without a person, so only this message leads to another try.
"""
SLOT_PAUSE = 120
"""Seconds between tries to create an import job. An import takes 10 to 40 minutes."""
QUIET_SHARE = 5
"""An export that changed during its import is imported again after this many settle times."""


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
    """Create the import job, or adopt an import job that any run created for this export.

    If another import of the dataset is running or if no import slot is free, return a job that
    tries again later. The phase of an adopted job that has succeeded is NEAR, so it is watched and
    confirmed like any other job.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        planned_import: the import to start.
        last_try: the result of the last try, or None if there was no try yet.

    Raises:
        NameTaken: a job that this run cannot use has the planned name.
    """
    is_repeated = last_try is not None and (
        last_try["phase"] == "CHANGED" or last_try.get("isRepeated", False)
    )
    job = _created_or_adopted(client, settings, planned_import, last_try)
    if job["phase"] == "ACTIVE":
        job["phase"] = "NEAR"
    earlier_warnings = last_try["warnings"] if last_try else []
    return {**job, "warnings": [*earlier_warnings, *job["warnings"]], "isRepeated": is_repeated}


def watch_dataset_import_job(
    client: PersonalizeClient, settings: Settings, planned_import: PlannedImport, job: Job
) -> Job:
    """Poll the job until it ends or until this invocation has used its time.

    A successful import is confirmed: the export is listed again, and if it has not changed since
    the job was created, the job gets a tag that says so. If it has changed, the dataset may contain
    only a part of the change, so the phase is CHANGED, and after a second import ENDED.
    """
    polled = watch(
        lambda: _job_of(_describe(client, job["arn"])),
        durations=planned_import["durations"],
        max_hours=settings["limits"]["maxImportHours"],
        warnings=job["warnings"],
    )
    polled["isRepeated"] = job.get("isRepeated", False)
    if polled["phase"] != "ACTIVE" or _confirm(client, settings, planned_import, polled):
        return polled
    location = planned_import["dataLocation"]
    if polled["isRepeated"]:
        failure = (
            f"{location} was changed during two imports in a row, so the dataset may contain only "
            "a part of the export; write the export completely before the run starts, or set "
            "readyMarker"
        )
        return {**polled, "phase": "ENDED", "failure": failure}
    warning = f"{location} was changed during the import, so it is imported once more"
    return {
        **polled,
        "phase": "CHANGED",
        "seconds": whole_seconds(QUIET_SHARE * settings["limits"]["settleSeconds"]),
        "warnings": [*polled["warnings"], warning],
    }


def _created_or_adopted(
    client: PersonalizeClient,
    settings: Settings,
    planned_import: PlannedImport,
    last_try: Job | None,
) -> Job:
    """Return the job of a new import, of an import that can be adopted, or of a later try."""
    dataset_arn = dataset_settings(settings, planned_import["type"])["datasetArn"]

    def postponed(reason: str) -> Job:
        return postponed_job(
            dataset_arn,
            reason,
            last_try,
            max_hours=settings["limits"]["maxImportHours"],
            shortest_pause=SLOT_PAUSE,
        )

    jobs = import_jobs(client, dataset_arn).items
    running, newest = running_imports(jobs), newest_import(jobs)
    adoptable = running or ([newest] if newest else [])
    if len(adoptable) == 1 and _imports_this_export(client, adoptable[0], planned_import):
        return _job_of(_describe(client, adoptable[0]["datasetImportJobArn"]))
    if running:
        return postponed(
            f"{running[0]['datasetImportJobArn']} is importing into this dataset; no import can be "
            "stopped, so wait for its end, or ask AWS Support if it never ends"
        )
    try:
        return _create(client, settings, planned_import)
    except client.exceptions.ResourceAlreadyExistsException:
        return _adopt_by_name(client, settings, planned_import)
    except client.exceptions.ResourceInUseException as error:
        return postponed(f"the dataset is in use: {error.response['Error']['Message']}")
    except client.exceptions.LimitExceededException as error:
        if NO_FREE_SLOT not in str(error):
            raise
        return postponed(f"no import slot is free: {NO_FREE_SLOT}")


def _create(client: PersonalizeClient, settings: Settings, planned_import: PlannedImport) -> Job:
    """Create the import job."""
    dataset = dataset_settings(settings, planned_import["type"])
    response = client.create_dataset_import_job(
        jobName=planned_import["jobName"],
        datasetArn=dataset["datasetArn"],
        dataSource={"dataLocation": planned_import["dataLocation"]},
        roleArn=settings["importRoleArn"],
        importMode=dataset["importMode"],
        tags=api_tags({**settings["tags"], **planned_import["tags"]}),
    )
    return created_job(response["datasetImportJobArn"], planned_import["durations"])


def _imports_this_export(
    client: PersonalizeClient, job: DatasetImportJobSummaryTypeDef, planned_import: PlannedImport
) -> bool:
    """Return True if a run created the job for the planned export, which did not change since."""
    tags = tags_of(client, job["datasetImportJobArn"])
    planned_tags = planned_import["tags"]
    if RUN not in tags or (planned_import["isRequested"] and tags[RUN] != planned_tags[RUN]):
        return False
    if tags.get(CONFIRMED) == planned_tags[PLANNED]:
        return True
    newest = planned_import["newestObjectAt"]
    was_changed = newest is not None and datetime.fromisoformat(newest) > job["creationDateTime"]
    return tags.get(PLANNED) == planned_tags[PLANNED] and not was_changed


def _confirm(
    client: PersonalizeClient, settings: Settings, planned_import: PlannedImport, job: Job
) -> bool:
    """Return True if the job has imported the present export, and write that on the job.

    Nothing is written on a job that was confirmed before.
    """
    mode = dataset_settings(settings, planned_import["type"])["importMode"]
    location = planned_import["dataLocation"]
    objects = exports.list_objects(aws.s3(), location)
    export = exports.Export(location=location, objects=objects)
    fingerprint = fingerprint_of(export, mode, planned_import["schemaArn"])
    tags = tags_of(client, job["arn"])
    if tags.get(CONFIRMED) == fingerprint:
        return True
    created_at = datetime.fromisoformat(job["createdAt"])
    was_changed = any(file.modified_at > created_at for file in objects)
    if tags.get(PLANNED) != fingerprint or was_changed:
        return False
    write_tag(client, job["arn"], CONFIRMED, fingerprint)
    return True


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


def _adopt_by_name(
    client: PersonalizeClient, settings: Settings, planned_import: PlannedImport
) -> Job:
    """Return the job of the import job that has the planned name. It may have ended or failed.

    Raises:
        NameTaken: this run did not create the import job, or wants other parameters.
    """
    dataset = dataset_settings(settings, planned_import["type"])
    planned = _ImportParameters(
        dataset["datasetArn"],
        planned_import["dataLocation"],
        dataset["importMode"],
        settings["importRoleArn"],
    )
    arn_prefix = planned.dataset_arn.split(":dataset/")[0]
    arn = f"{arn_prefix}:dataset-import-job/{planned_import['jobName']}"
    import_job = _describe(client, arn)
    present = _ImportParameters(
        import_job["datasetArn"],
        import_job["dataSource"].get("dataLocation"),
        import_mode_of(import_job),
        import_job.get("roleArn"),
    )
    if present != planned:
        differences = [
            f"{name} {present_value} instead of {planned_value}"
            for name, present_value, planned_value in zip(
                ("datasetArn", "dataLocation", "importMode", "roleArn"),
                present,
                planned,
                strict=True,
            )
            if present_value != planned_value
        ]
        raise NameTaken(
            f"{arn} already exists, with {' and '.join(differences)}; start a new run, or set the "
            "config back and resume this run"
        )
    run_id = planned_import["tags"][RUN]
    if tags_of(client, arn).get(RUN) != run_id:
        raise NameTaken(
            f"{arn} already exists, but run {run_id} did not create it, because its tag {RUN} is "
            "missing or has another value; start a new run"
        )
    return _job_of(import_job)

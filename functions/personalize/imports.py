"""Reads import jobs and their tags for the rules, and writes the tags that the rules decide on.

`rules/imports.py` explains *confirmed*, *tainted* and *fingerprint*.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ..common import clock
from ..common.errors import RequestRefused
from ..common.formatting import resource_name
from ..rules.imports import Import
from .lists import read_list
from .statuses import is_active, is_running
from .tags import (
    CONFIRMED_TAG,
    CONTENT_TAG,
    EXPORT_BYTES_TAG,
    FINGERPRINT_TAG,
    RUN_TAG,
    TAINTED_BY_TAG,
    TAINTED_VALUE,
    read_tags,
    write_tags,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
        DatasetSummaryTypeDef,
        DatasetTypeDef,
    )

    from ..contract import DatasetSettings, Tags

    Dataset = DatasetTypeDef | DatasetSummaryTypeDef
    ImportJob = DatasetImportJobTypeDef | DatasetImportJobSummaryTypeDef

MAX_RECENT_AGE = timedelta(days=33)
"""How old a recent import may be. Planning searches the exports of the last 31 days."""
MAX_TAGGED_IMPORTS = {"INCREMENTAL": 60, "FULL": 20}
"""Import mode -> the most imports whose tags a poll reads, shared by all configured datasets with
this mode. A poll has a minute (`reconcile.py`), so the number of requests must not grow with the
history or with the number of datasets. For FULL, 20 are enough, because imports that a later one
replaced don't matter."""


def list_import_jobs(
    client: PersonalizeClient, dataset_arn: str
) -> list[DatasetImportJobSummaryTypeDef]:
    """List the import jobs of a dataset. The list may be 90 seconds old."""
    return read_list(
        client, "list_dataset_import_jobs", "datasetImportJobs", datasetArn=dataset_arn
    )


def build_import_job_arn(dataset_arn: str, job_name: str) -> str:
    """Build the ARN that an import job with this name has in the dataset's region and account."""
    return f"{dataset_arn.partition(':dataset/')[0]}:dataset-import-job/{job_name}"


def confirm_import(client: PersonalizeClient, job: Import) -> None:
    """Tag an import as confirmed."""
    write_tags(client, job.arn, {CONFIRMED_TAG: job.fingerprint})


def taint_import(client: PersonalizeClient, job: Import) -> None:
    """Tag an import as tainted, so that no run confirms it.

    Raises:
        RequestRefused: the tag couldn't be written, and the run must try again. If it gave up,
            the next run would confirm the import.
    """
    try:
        write_tags(client, job.arn, {CONFIRMED_TAG: TAINTED_VALUE})
    except ClientError as error:
        raise RequestRefused(str(error)) from error


def taint_dataset(client: PersonalizeClient, job: Import) -> None:
    """Tag a dataset with an import whose rows only a later FULL import can replace.

    This fails if the dataset already has 50 tags. The error is ignored, because a run must still
    be able to import the FULL export.
    """
    # The time is only for people. ImportReader compares the name.
    ended_at = job.ended_at.astimezone(UTC).isoformat(timespec="seconds")
    name_and_time = f"{resource_name(job.arn)} {ended_at}"
    with suppress(ClientError):
        write_tags(client, job.dataset_arn, {TAINTED_BY_TAG: name_and_time})


class ImportReader:
    """Reads the import jobs of datasets, and caches tags that can't change any more.

    `datasets` are the settings of all datasets of the stack, even if only one of them is read. They
    share MAX_TAGGED_IMPORTS, so an import reads the same tags as planning did.

    `newly_confirmed` are imports that count as confirmed, although they may not be tagged yet.
    """

    def __init__(
        self,
        client: PersonalizeClient,
        datasets: Sequence[DatasetSettings],
        newly_confirmed: Iterable[Import] = (),
    ) -> None:
        self.is_full_by_dataset_arn = {
            dataset["datasetArn"]: dataset["importMode"] == "FULL" for dataset in datasets
        }
        self._client = client
        self._newly_confirmed_arns = {job.arn for job in newly_confirmed}
        self._tags: dict[tuple[str, bool], Tags] = {}
        """(ARN of an import, is it running?) -> its tags, if they can't change in this state."""

        modes = [dataset["importMode"] for dataset in datasets]
        limits = {mode: MAX_TAGGED_IMPORTS[mode] // modes.count(mode) for mode in modes}
        self._tag_limits = {
            dataset["datasetArn"]: limits[dataset["importMode"]] for dataset in datasets
        }
        """ARN of a dataset -> the most of its imports whose tags a poll reads."""

    def list_group_imports(
        self, group_arn: str, trained_at: datetime | None = None
    ) -> list[Import]:
        """Read the imports of all datasets in a group, one dataset after the other.

        Within a dataset, the import that ended last comes first. `trained_at` is when an earlier
        training started, if its data matter instead of the present data.
        """
        datasets = read_list(self._client, "list_datasets", "datasets", datasetGroupArn=group_arn)
        return [
            job
            for dataset in datasets
            for job in self.list_dataset_imports(dataset, trained_at=trained_at)
        ]

    def list_dataset_imports(
        self,
        dataset: Dataset,
        own_job_arn: str | None = None,
        trained_at: datetime | None = None,
    ) -> list[Import]:
        """Read the imports of a dataset. The one that ended last comes first.

        `own_job_arn` is the import job that this run has requested, which may not exist. While it's
        running, no other import is read. `trained_at` is explained in `list_group_imports()`.
        """
        dataset_arn = dataset["datasetArn"]
        listed_imports = self._list_jobs(dataset, own_job_arn)
        # Runs don't import into a dataset that isn't configured, so there are no tags to read.
        if dataset_arn not in self._tag_limits:
            return listed_imports

        tag_limit = self._tag_limits[dataset_arn]
        tagged_imports = self._add_needed_tags(
            listed_imports, own_job_arn, tag_limit, trained_at or clock.now()
        )

        # Only an INCREMENTAL import makes a run tag the dataset as tainted.
        if all(job.is_full for job in tagged_imports if job.is_active):
            return tagged_imports
        return self._add_dataset_taint(tagged_imports, dataset_arn)

    def _add_dataset_taint(self, imports: Sequence[Import], dataset_arn: str) -> list[Import]:
        """Mark the import that the dataset's tag names as tainted.

        It may be an import whose own tags weren't read.
        """
        tag = read_tags(self._client, dataset_arn).get(TAINTED_BY_TAG, "")
        tainted_name, _, _ = tag.partition(" ")

        return [
            job._replace(is_tainted=True, is_confirmed=False)
            if resource_name(job.arn) == tainted_name
            else job
            for job in imports
        ]

    def _add_needed_tags(
        self,
        imports: Sequence[Import],
        own_job_arn: str | None,
        tag_limit: int,
        trained_at: datetime,
    ) -> list[Import]:
        """Add the tags that the rules need. The imports keep their order.

        - Tags of this run's import are always read, and those of the newest FULL import that had
          ended when the training started.
        - Tags of recent imports are read if they're among the first `tag_limit`.
        - Tags of older imports are only read until one of the pipeline's own imports is found,
          which shows that the pipeline has imported into this dataset before.
        """
        recent_since = clock.now() - MAX_RECENT_AGE
        # The import that ended last comes first.
        full_arns = [job.arn for job in imports if _has_replaced_data(job, trained_at)]
        required_arns = (own_job_arn, *full_arns[:1])
        is_pipeline_import_known = False
        is_data_replaced = False
        result = []

        for index, listed_job in enumerate(imports):
            job = listed_job

            is_required = job.arn in required_arns
            is_useful = job.ended_at > recent_since or not is_pipeline_import_known
            is_within_limit = index < tag_limit and not is_data_replaced
            if is_required or (is_useful and is_within_limit):
                job = self.add_tags(job)
            result.append(job)

            # Without its tags, an import has no `run_id`.
            if job.run_id and job.is_active:
                is_pipeline_import_known = True
                # The imports that follow in this loop ended before, so their rows were replaced.
                is_data_replaced = is_data_replaced or _has_replaced_data(job, trained_at)
        return result

    def _list_jobs(self, dataset: Dataset, own_job_arn: str | None) -> list[Import]:
        """Read a dataset's import jobs without their tags. The one that ended last comes first.

        Personalize's list may be outdated, and may lack this run's job. So this job is described,
        and so is each job that's running according to the list.
        """
        dataset_arn = dataset["datasetArn"]
        own_jobs: list[Import] = []
        if own_job_arn is not None:
            own_jobs = self._describe_jobs([own_job_arn], dataset_arn)
        if any(job.is_running for job in own_jobs):
            return own_jobs

        listed_jobs = [
            _parse_import(summary, dataset_arn)
            for summary in list_import_jobs(self._client, dataset_arn)
        ]
        running_jobs = self._describe_jobs(
            [job.arn for job in listed_jobs if job.is_running], dataset_arn
        )
        # A description is newer than the list, so it replaces the listed job with the same ARN.
        jobs_by_arn = {job.arn: job for job in [*listed_jobs, *running_jobs, *own_jobs]}

        # A job older than the dataset belongs to a deleted dataset with the same ARN.
        dataset_created_at = dataset["creationDateTime"]
        jobs = (job for job in jobs_by_arn.values() if job.created_at >= dataset_created_at)
        return sorted(jobs, key=lambda job: job.ended_at, reverse=True)

    def _describe_jobs(self, arns: Iterable[str], dataset_arn: str) -> list[Import]:
        """Describe import jobs, skipping those that don't exist."""
        jobs = []
        for arn in arns:
            with suppress(self._client.exceptions.ResourceNotFoundException):
                response = self._client.describe_dataset_import_job(datasetImportJobArn=arn)
                jobs.append(_parse_import(response["datasetImportJob"], dataset_arn))
        return jobs

    def add_tags(self, job: Import) -> Import:
        """Add what an import's tags say.

        Tags that can't change are cached, so that a poll doesn't need a request for each import.
        """
        tags = self._tags.get((job.arn, job.is_running))
        if tags is None:
            tags = read_tags(self._client, job.arn)
        tagged_job = _apply_tags(job, tags)
        if job.arn in self._newly_confirmed_arns:
            tagged_job = tagged_job._replace(is_confirmed=True)

        # No run tags a foreign or a confirmed import, and only this run tags a running one. Caching
        # the tags of running imports saves one request in four.
        if job.is_running or tagged_job.run_id is None or tagged_job.is_confirmed:
            self._tags[job.arn, job.is_running] = tags
        return tagged_job

    def forget_cached_tags(self, job: Import) -> None:
        """Let the next poll read a running import's tags again, because this run changes them."""
        self._tags.pop((job.arn, job.is_running), None)


def _has_replaced_data(job: Import, trained_at: datetime) -> bool:
    """Return True if a FULL import had replaced the data before a training started."""
    return job.is_full and job.is_active and job.ended_at <= trained_at


def _apply_tags(job: Import, tags: Tags) -> Import:
    """Fill in the fields of an import that come from its tags."""
    fingerprint = tags.get(FINGERPRINT_TAG, "")
    confirmed_value = tags.get(CONFIRMED_TAG)

    # A foreign import has no size, and people can edit tags.
    size = tags.get(EXPORT_BYTES_TAG, "")
    return job._replace(
        run_id=tags.get(RUN_TAG),
        fingerprint=fingerprint,
        is_confirmed=fingerprint != "" and confirmed_value == fingerprint,
        is_tainted=confirmed_value == TAINTED_VALUE,
        export_bytes=int(size) if size.isdecimal() else None,
        content_tag=tags.get(CONTENT_TAG, ""),
    )


def _parse_import(job: ImportJob, dataset_arn: str) -> Import:
    """Convert an import job from a response of Personalize, which doesn't include its tags.

    Until they're read, a job that succeeded counts as confirmed.
    """
    status = job["status"]

    return Import(
        arn=job["datasetImportJobArn"],
        dataset_arn=dataset_arn,
        # FULL is the default of the API.
        is_full=job.get("importMode", "FULL") == "FULL",
        is_running=is_running(status),
        is_active=is_active(status),
        created_at=job["creationDateTime"],
        ended_at=job["lastUpdatedDateTime"],
        is_confirmed=is_active(status),
        failure=job.get("failureReason"),
    )

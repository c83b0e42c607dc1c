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
from .lists import (
    PAGE_SIZE,
    read_list,
)
from .statuses import (
    is_active,
    is_running,
)
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

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
        DatasetSummaryTypeDef,
        DatasetTypeDef,
    )

    from ..contract import (
        DatasetSettings,
        Tags,
    )

    Dataset = DatasetTypeDef | DatasetSummaryTypeDef
    ImportJob = DatasetImportJobTypeDef | DatasetImportJobSummaryTypeDef

RECENT = timedelta(days=33)
"""How far back most tags are read. Planning searches the exports of the last 31 days."""
MAX_TAGS = {"INCREMENTAL": 60, "FULL": 20}
"""Import mode -> the most imports whose tags a poll reads, shared by all configured datasets with
this mode. A poll has a minute (`reconcile.py`), so the number of requests must not grow with the
history or with the number of datasets. For FULL, 20 are enough, because imports that a later one
replaced don't matter."""


def list_imports(
    client: PersonalizeClient, dataset_arn: str
) -> list[DatasetImportJobSummaryTypeDef]:
    """List the import jobs of a dataset. The list may be 90 seconds old."""
    pages = client.get_paginator("list_dataset_import_jobs").paginate(
        datasetArn=dataset_arn, PaginationConfig=PAGE_SIZE
    )
    return read_list(pages, lambda page: page["datasetImportJobs"])


def build_import_job_arn(dataset_arn: str, job_name: str) -> str:
    """Build an import job's ARN from its name. A solution version's can't be built like this."""
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

    The request fails if the dataset already has 50 tags. A run must still be able to import the
    FULL export, so errors are ignored.
    """
    # The time is only for people. ImportReader compares the name.
    ended_at = job.ended_at.astimezone(UTC).isoformat(timespec="seconds")
    with suppress(ClientError):
        write_tags(
            client, job.dataset_arn, {TAINTED_BY_TAG: f"{resource_name(job.arn)} {ended_at}"}
        )


class ImportReader:
    """Reads the import jobs of datasets, and caches tags that can't change any more.

    `datasets` are all datasets of the stack, even if only one of them is read. They share the
    number of tags that a poll may read, so an import reads the same tags as planning did.
    """

    def __init__(self, client: PersonalizeClient, datasets: Sequence[DatasetSettings]) -> None:
        self._client = client
        self._tags: dict[tuple[str, bool], Tags] = {}
        """(ARN of an import, is it running?) -> its tags, if they can't change in this state."""

        modes = [dataset["importMode"] for dataset in datasets]
        self._shares = {
            dataset["datasetArn"]: MAX_TAGS[mode] // modes.count(mode)
            for dataset, mode in zip(datasets, modes, strict=True)
        }
        """ARN of a dataset -> the most of its imports whose tags a poll reads."""

    def list_group_imports(self, group_arn: str) -> list[Import]:
        """Read the imports of all datasets in a group, one dataset after the other.

        Within a dataset, the import that ended last comes first.
        """
        pages = self._client.get_paginator("list_datasets").paginate(
            datasetGroupArn=group_arn, PaginationConfig=PAGE_SIZE
        )
        datasets = read_list(pages, lambda page: page["datasets"])

        return [job for dataset in datasets for job in self.list_dataset_imports(dataset)]

    def list_dataset_imports(self, dataset: Dataset, own_arn: str | None = None) -> list[Import]:
        """Read the imports of a dataset. The one that ended last comes first.

        An import named in the dataset's TAINTED_BY_TAG is tainted, even if its own tags aren't
        read. `own_arn` is this run's import job, once its creation was requested. The job may not
        exist. While it's running, no other import is read.
        """
        dataset_arn = dataset["datasetArn"]
        imports = self._list_jobs(dataset, own_arn)
        # Runs don't import into a dataset that isn't configured, so there are no tags to read.
        if dataset_arn not in self._shares:
            return imports

        imports = self._add_needed_tags(imports, own_arn, self._shares[dataset_arn])

        # Only an INCREMENTAL import makes a run tag the dataset as tainted.
        if all(job.is_full for job in imports if job.is_active):
            return imports

        # A value that no run wrote doesn't match any import.
        tag = read_tags(self._client, dataset_arn).get(TAINTED_BY_TAG, "")
        tainted_name, _, _ = tag.partition(" ")
        for index, job in enumerate(imports):
            if resource_name(job.arn) == tainted_name:
                imports[index] = job._replace(is_tainted=True, is_confirmed=False)
        return imports

    def _add_needed_tags(
        self, imports: Sequence[Import], own_arn: str | None, share: int
    ) -> list[Import]:
        """Add the tags that the rules need. The imports keep their order.

        Tags are always read for this run's import and for the newest FULL import. Within `share`,
        they're also read for all recent imports, and for older ones up to the first one by the
        pipeline, which shows that the pipeline has imported here before.
        """
        recent_since = clock.now() - RECENT
        # The import that ended last comes first.
        newest_full = next((job for job in imports if job.is_full and job.is_active), None)
        is_pipeline_found = False
        result = []

        for number, listed_job in enumerate(imports):
            job = listed_job

            is_needed = job is newest_full or job.arn == own_arn
            is_searched = job.ended_at > recent_since or not is_pipeline_found
            if is_needed or (is_searched and number < share):
                job = self._add_tags(job)
            result.append(job)

            # `run` is None if the tags were not read.
            if job.run_id and job.is_active:
                is_pipeline_found = True
                if job.is_full:
                    share = 0  # This import replaced the data of all earlier ones.
        return result

    def _list_jobs(self, dataset: Dataset, own_arn: str | None) -> list[Import]:
        """Read a dataset's import jobs without their tags. The one that ended last comes first.

        The list may be outdated, and this run's job may be missing from it. So this job is
        described, and so is each job that's running according to the list.
        """
        dataset_arn = dataset["datasetArn"]
        own_jobs = self._describe([own_arn] if own_arn else [], dataset_arn)
        if any(job.is_running for job in own_jobs):
            return own_jobs

        listed = [
            _parse_import(job, dataset_arn) for job in list_imports(self._client, dataset_arn)
        ]
        running_arns = [job.arn for job in listed if job.is_running]
        described = self._describe(running_arns, dataset_arn)
        # If a job was read more than once, the newest response comes last and replaces the others.
        jobs = {job.arn: job for job in [*listed, *described, *own_jobs]}

        # A job older than the dataset belongs to a deleted dataset with the same ARN.
        created_at = dataset["creationDateTime"]
        present_jobs = (job for job in jobs.values() if job.created_at >= created_at)
        return sorted(present_jobs, key=lambda job: job.ended_at, reverse=True)

    def _describe(self, arns: Iterable[str], dataset_arn: str) -> list[Import]:
        """Describe import jobs, skipping those that don't exist."""
        described = []
        for arn in arns:
            with suppress(self._client.exceptions.ResourceNotFoundException):
                response = self._client.describe_dataset_import_job(datasetImportJobArn=arn)
                described.append(_parse_import(response["datasetImportJob"], dataset_arn))
        return described

    def _add_tags(self, job: Import) -> Import:
        """Add the facts in an import's tags.

        Tags that can't change are cached. Otherwise, each poll would need a request per import.
        """
        tags = self._tags.get((job.arn, job.is_running))
        if tags is None:
            tags = read_tags(self._client, job.arn)

        fingerprint = tags.get(FINGERPRINT_TAG, "")
        size = tags.get(EXPORT_BYTES_TAG, "")
        tagged_job = job._replace(
            run_id=tags.get(RUN_TAG),
            fingerprint=fingerprint,
            is_confirmed=fingerprint != "" and tags.get(CONFIRMED_TAG) == fingerprint,
            is_tainted=tags.get(CONFIRMED_TAG) == TAINTED_VALUE,
            export_bytes=int(size) if size.isdecimal() else None,
            content_tag=tags.get(CONTENT_TAG, ""),
        )

        # The tags of a pipeline's imports change until they're confirmed. But only this run tags a
        # running import, so caching the tags of running imports saves one request in four.
        if job.is_running or tagged_job.run_id is None or tagged_job.is_confirmed:
            self._tags[job.arn, job.is_running] = tags
        return tagged_job

    def forget_tags(self, job: Import) -> None:
        """Let the next poll read a running import's tags again, because they're about to change."""
        self._tags.pop((job.arn, job.is_running), None)


def _parse_import(job: ImportJob, dataset_arn: str) -> Import:
    """Convert an import job for the rules.

    Until its tags are read, a job that succeeded counts as confirmed.
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

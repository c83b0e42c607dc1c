"""Reads import jobs and their tags as the facts that the rules need."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .. import clock
from ..errors import Refused
from ..rules.imports import Import
from .lists import PAGE_SIZE, read_list
from .statuses import is_active, is_running
from .tags import (
    BROKEN,
    BYTES,
    CONFIRMED,
    CONTENT,
    FINGERPRINT,
    RUN,
    SPOILED,
    tags_of,
    write_tags,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

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

RECENT = timedelta(days=33)
"""Imports that ended longer ago are hardly ever read: planning searches exports of 31 days."""
MAX_TAGS = {"INCREMENTAL": 60, "FULL": 20}
"""The most imports whose tags a poll reads, of all configured datasets with this mode together. So
the number of calls grows neither with the history nor with the number of datasets, because a poll
has a minute (`reconcile.py`). What a FULL import has replaced does not matter, so 20 are enough."""


def list_imports(
    client: PersonalizeClient, dataset_arn: str
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of a dataset. The list may be 90 seconds old."""
    pages = client.get_paginator("list_dataset_import_jobs").paginate(
        datasetArn=dataset_arn, PaginationConfig=PAGE_SIZE
    )
    return read_list(pages, lambda page: page["datasetImportJobs"])


def spoil(client: PersonalizeClient, arn: str) -> None:
    """Write on an import that nobody may confirm it.

    Raises:
        Refused: the tag cannot be written now. If the run gave up, the next one would confirm the
            import.
    """
    try:
        write_tags(client, arn, {CONFIRMED: SPOILED})
    except ClientError as error:
        raise Refused(str(error)) from error


def mark_broken(client: PersonalizeClient, job: Import) -> None:
    """Write on a dataset that only a later FULL import repairs what a job has imported.

    A dataset with 50 tags takes no more, but a run must be able to repair it all the same.
    """
    name = job.arn.rpartition("/")[2]
    ended = job.ended_at.astimezone(UTC).isoformat(timespec="seconds")
    with suppress(ClientError):
        write_tags(client, job.dataset, {BROKEN: f"{name} {ended}"})


class ImportReader:
    """Reads the import jobs of datasets. Tags that cannot change any more are read only once.

    All functions give it the datasets of the stack, so that they read the tags of the same imports.
    """

    def __init__(self, client: PersonalizeClient, datasets: Sequence[DatasetSettings]) -> None:
        self._client = client
        self._modes = {dataset["datasetArn"]: dataset["importMode"] for dataset in datasets}
        self._tags: dict[str, Tags] = {}

    def of_group(self, group_arn: str) -> list[Import]:
        """Return the imports of all datasets in a group. In each dataset, the last one is first."""
        pages = self._client.get_paginator("list_datasets").paginate(
            datasetGroupArn=group_arn, PaginationConfig=PAGE_SIZE
        )
        datasets = read_list(pages, lambda page: page["datasets"])
        return [job for dataset in datasets for job in self.of_dataset(dataset)]

    def of_dataset(self, dataset: Dataset, own_arn: str | None = None) -> list[Import]:
        """Return the imports of a dataset. The import that ended last is first.

        Args:
            dataset: the dataset as Describe or a list shows it. If it is not configured, no import
                has a tag of a run, so none is read.
            own_arn: the import job of this run, once its create was sent. It may not exist. Its
                tags are always read. While it is running, no other import is read.
        """
        dataset_arn = dataset["datasetArn"]
        jobs = self._jobs(dataset, own_arn)
        tags: dict[str, Tags] = {}
        broken = ""
        if dataset_arn in self._modes:
            tags = self._read_tags(jobs, own_arn, self._share_of(dataset_arn))
            if any(is_active(job["status"]) and not _is_full(job) for job in jobs):
                # A value that no run wrote names no import.
                broken = tags_of(self._client, dataset_arn).get(BROKEN, "").partition(" ")[0]
        return [
            _import_of(job, dataset_arn, tags.get(job["datasetImportJobArn"]), broken)
            for job in jobs
        ]

    def _share_of(self, dataset_arn: str) -> int:
        """Return how many of the tags that a poll may read are those of one dataset."""
        mode = self._modes[dataset_arn]
        return MAX_TAGS[mode] // list(self._modes.values()).count(mode)

    def _read_tags(
        self, jobs: Sequence[ImportJob], own_arn: str | None, share: int
    ) -> dict[str, Tags]:
        """Return the ARN of each import whose tags the rules need -> its tags.

        These are the newest FULL import, and of the others, as long as the share lasts, the recent
        ones, and those before them until one of this pipeline is found.
        """
        oldest = clock.now() - RECENT
        full = (job for job in jobs if is_active(job["status"]) and _is_full(job))
        newest_full = next(full, None)
        found: dict[str, Tags] = {}
        has_own = False
        for job in jobs:
            arn = job["datasetImportJobArn"]
            is_needed = job["lastUpdatedDateTime"] > oldest or not has_own
            if arn == own_arn or job is newest_full or (is_needed and len(found) < share):
                tags = found[arn] = self._tags_of(arn)
                if RUN in tags and is_active(job["status"]):
                    has_own = True
                    if _is_full(job):
                        share = 0  # It has replaced the data of all earlier imports.
        return found

    def _jobs(self, dataset: Dataset, own_arn: str | None) -> list[ImportJob]:
        """Return the import jobs of a dataset. The one that ended last is first.

        A list may be old and may lack the job of this run, so that job is described, and so is a
        job that the list shows as running. A job that is older than the dataset is left out,
        because it belongs to a deleted dataset with the same ARN.
        """
        own = self._described(own_arn) if own_arn else None
        if own is not None and is_running(own["status"]):
            return [own]
        jobs: dict[str, ImportJob] = {}
        for listed in list_imports(self._client, dataset["datasetArn"]):
            arn = listed["datasetImportJobArn"]
            described = self._described(arn) if is_running(listed["status"]) else None
            jobs[arn] = described or listed
        if own is not None:
            jobs[own["datasetImportJobArn"]] = own
        present = (
            job for job in jobs.values() if job["creationDateTime"] >= dataset["creationDateTime"]
        )
        return sorted(present, key=lambda job: job["lastUpdatedDateTime"], reverse=True)

    def _described(self, arn: str) -> DatasetImportJobTypeDef | None:
        """Return an import job as Describe shows it, or None if it does not exist."""
        with suppress(self._client.exceptions.ResourceNotFoundException):
            return self._client.describe_dataset_import_job(datasetImportJobArn=arn)[
                "datasetImportJob"
            ]
        return None

    def _tags_of(self, arn: str) -> Tags:
        """Return the tags of an import. Those of this pipeline's imports change until confirmed."""
        tags = self._tags.get(arn)
        if tags is None or (RUN in tags and not _is_confirmed(tags)):
            tags = self._tags[arn] = tags_of(self._client, arn)
        return tags


def _import_of(job: ImportJob, dataset_arn: str, tags: Tags | None, broken: str) -> Import:
    """Return a job as the rules see it. Without its tags, it counts as confirmed.

    `broken` is the name of the import that the tag of the dataset names.
    """
    arn, active = job["datasetImportJobArn"], is_active(job["status"])
    known_tags: Tags = tags or {}
    size = known_tags.get(BYTES, "")
    is_spoiled = known_tags.get(CONFIRMED) == SPOILED or arn.endswith(f"/{broken}")
    is_confirmed = active if tags is None else _is_confirmed(tags)
    return Import(
        arn=arn,
        dataset=dataset_arn,
        is_full=_is_full(job),
        is_running=is_running(job["status"]),
        is_active=active,
        created_at=job["creationDateTime"],
        ended_at=job["lastUpdatedDateTime"],
        run=known_tags.get(RUN),
        fingerprint=known_tags.get(FINGERPRINT),
        is_confirmed=is_confirmed and not is_spoiled,
        is_spoiled=is_spoiled,
        size=int(size) if size.isdecimal() else None,
        failure=job.get("failureReason"),
        content=known_tags.get(CONTENT, ""),
    )


def _is_full(job: ImportJob) -> bool:
    return job.get("importMode", "FULL") == "FULL"


def _is_confirmed(tags: Tags) -> bool:
    """Return True if the tags say that the export was found unchanged after the import."""
    return FINGERPRINT in tags and tags.get(CONFIRMED) == tags[FINGERPRINT]

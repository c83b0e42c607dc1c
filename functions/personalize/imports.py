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
        self._tags: dict[str, Tags] = {}
        modes = [dataset["importMode"] for dataset in datasets]
        self._shares = {
            dataset["datasetArn"]: MAX_TAGS[mode] // modes.count(mode)
            for dataset, mode in zip(datasets, modes, strict=True)
        }
        """Dataset -> how many of the tags that a poll may read are those of its imports."""

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
        imports = self._jobs(dataset, own_arn)
        if dataset_arn not in self._shares:
            return imports

        imports = self._with_tags(imports, own_arn, self._shares[dataset_arn])
        if all(job.is_full for job in imports if job.is_active):
            return imports
        # A value that no run wrote names no import.
        broken = tags_of(self._client, dataset_arn).get(BROKEN, "").partition(" ")[0]
        return [
            job._replace(is_spoiled=True, is_confirmed=False)
            if job.arn.endswith(f"/{broken}")
            else job
            for job in imports
        ]

    def _with_tags(
        self, imports: Sequence[Import], own_arn: str | None, share: int
    ) -> list[Import]:
        """Read the tags that the rules need. The import that ended last is first.

        These are the tags of the newest FULL import, and, as long as the share lasts, of the recent
        imports, and of those before them until one of this pipeline is found.
        """
        oldest = clock.now() - RECENT
        newest_full = next((job.arn for job in imports if job.is_full and job.is_active), None)
        has_own = False
        found = []
        for number, job in enumerate(imports):
            is_needed = number < share and (job.ended_at > oldest or not has_own)
            if is_needed or job.arn in (newest_full, own_arn):
                known = _with_facts(job, self._tags_of(job.arn))
                found.append(known)
                if known.run and job.is_active:
                    has_own = True
                    if job.is_full:
                        share = 0  # It has replaced the data of all earlier imports.
            else:
                found.append(job)
        return found

    def _jobs(self, dataset: Dataset, own_arn: str | None) -> list[Import]:
        """Return the import jobs of a dataset without their tags. The one that ended last is first.

        A list may be old and may lack the job of this run, so that job is described, and so is a
        job that the list shows as running. A job that is older than the dataset is left out,
        because it belongs to a deleted dataset with the same ARN.
        """
        dataset_arn = dataset["datasetArn"]
        own = self._described(own_arn, dataset_arn) if own_arn else None
        if own and own.is_running:
            return [own]

        jobs: dict[str, Import] = {}
        for summary in list_imports(self._client, dataset_arn):
            job = _import_of(summary, dataset_arn)
            described = self._described(job.arn, dataset_arn) if job.is_running else None
            jobs[job.arn] = described or job
        if own:
            jobs[own.arn] = own
        present = (job for job in jobs.values() if job.created_at >= dataset["creationDateTime"])
        return sorted(present, key=lambda job: job.ended_at, reverse=True)

    def _described(self, arn: str, dataset_arn: str) -> Import | None:
        """Return an import job as Describe shows it, or None if it does not exist."""
        with suppress(self._client.exceptions.ResourceNotFoundException):
            response = self._client.describe_dataset_import_job(datasetImportJobArn=arn)
            return _import_of(response["datasetImportJob"], dataset_arn)
        return None

    def _tags_of(self, arn: str) -> Tags:
        """Return the tags of an import. Those of this pipeline's imports change until confirmed."""
        tags = self._tags.get(arn)
        if tags is None or (RUN in tags and not _is_confirmed(tags)):
            tags = self._tags[arn] = tags_of(self._client, arn)
        return tags


def _import_of(job: ImportJob, dataset_arn: str) -> Import:
    """Return a job as the rules see it. Without its tags, it counts as confirmed."""
    active = is_active(job["status"])
    return Import(
        arn=job["datasetImportJobArn"],
        dataset=dataset_arn,
        is_full=job.get("importMode", "FULL") == "FULL",
        is_running=is_running(job["status"]),
        is_active=active,
        created_at=job["creationDateTime"],
        ended_at=job["lastUpdatedDateTime"],
        is_confirmed=active,
        failure=job.get("failureReason"),
    )


def _with_facts(job: Import, tags: Tags) -> Import:
    """Return an import with what its tags say."""
    size = tags.get(BYTES, "")
    return job._replace(
        run=tags.get(RUN),
        fingerprint=tags.get(FINGERPRINT),
        is_confirmed=_is_confirmed(tags),
        is_spoiled=tags.get(CONFIRMED) == SPOILED,
        size=int(size) if size.isdecimal() else None,
        content=tags.get(CONTENT, ""),
    )


def _is_confirmed(tags: Tags) -> bool:
    """Return True if the tags say that the export was found unchanged after the import."""
    return FINGERPRINT in tags and tags.get(CONFIRMED) == tags[FINGERPRINT]

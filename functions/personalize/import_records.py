"""Reads the import jobs of datasets with their tags, as the rules see them (`rules/imports.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import clock
from ..errors import ServiceUnavailable
from ..rules.imports import Import
from .lists import PAGE_SIZE, READING_TIME, read_pages
from .statuses import is_active, is_running
from .tags import BYTES, HELD, PLANNED, RUN, tags_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
    )

    from ..workflow_settings import Tags

    ImportJob = DatasetImportJobSummaryTypeDef | DatasetImportJobTypeDef


class ImportReader:
    """Reads the import jobs of datasets.

    A list may be old, so a job that it shows as running is described. Imports that are older than
    the dataset are left out, because they belong to an earlier dataset with its ARN. The reader
    remembers tags that cannot change any more, so it reads them once.
    """

    def __init__(self, client: PersonalizeClient) -> None:
        self._client = client
        self._tags: dict[str, Tags] = {}

    def of_dataset(
        self,
        dataset_arn: str,
        created_at: datetime,
        own_arn: str | None = None,
        *,
        may_be_unlisted: bool = False,
    ) -> list[Import]:
        """Return the imports of a dataset with their tags. The import that ended last is first.

        Args:
            dataset_arn: the dataset.
            created_at: when it was created.
            own_arn: the import job of the present run, which need not exist.
            may_be_unlisted: True if the run has just created its import job, so that the list may
                lack it.

        Raises:
            ServiceUnavailable: the list was not read to its end in time.
        """
        end = clock.now() + READING_TIME
        unlisted = [own_arn] if own_arn and may_be_unlisted else []
        return self._with_tags(self._imports(dataset_arn, created_at, unlisted, end), own_arn)

    def of_group(
        self,
        group_arn: str,
        configured_arns: Collection[str],
        unlisted_arns: Collection[str] = (),
    ) -> list[Import]:
        """Return the imports of all datasets of a group. In each dataset the last one is first.

        Only the imports of the configured datasets get their tags, because the imports of the other
        datasets are foreign.

        Args:
            group_arn: the dataset group.
            configured_arns: the datasets of the pipeline.
            unlisted_arns: jobs of the group that a list may lack. They need not exist.

        Raises:
            ServiceUnavailable: the lists were not read to their ends in time.
        """
        end = clock.now() + READING_TIME
        pages = self._client.get_paginator("list_datasets").paginate(
            datasetGroupArn=group_arn, PaginationConfig=PAGE_SIZE
        )
        datasets = read_pages(pages, lambda page: page["datasets"], end).items
        imports: list[Import] = []
        for dataset in datasets:
            arn = dataset["datasetArn"]
            listed = self._imports(arn, dataset["creationDateTime"], unlisted_arns, end)
            imports += self._with_tags(listed) if arn in configured_arns else listed
        return imports

    def _imports(
        self,
        dataset_arn: str,
        created_at: datetime,
        unlisted_arns: Collection[str],
        end: datetime,
    ) -> list[Import]:
        """Return the imports of a dataset without their tags. The one that ended last is first."""
        pages = self._client.get_paginator("list_dataset_import_jobs").paginate(
            datasetArn=dataset_arn, PaginationConfig=PAGE_SIZE
        )
        listed = read_pages(pages, lambda page: page["datasetImportJobs"], end)
        if not listed.is_complete:
            raise ServiceUnavailable(f"the list of the import jobs of {dataset_arn} is too slow")
        jobs: dict[str, ImportJob] = {job["datasetImportJobArn"]: job for job in listed.items}
        running = {arn for arn, job in jobs.items() if is_running(job["status"])}
        for arn in running | (set(unlisted_arns) - jobs.keys()):
            described = self._describe(arn)
            if described is not None and described["datasetArn"] == dataset_arn:
                jobs[arn] = described
        imports = [_import_of(dataset_arn, job) for job in jobs.values()]
        return sorted(
            (job for job in imports if job.created_at >= created_at),
            key=lambda job: job.ended_at,
            reverse=True,
        )

    def _describe(self, arn: str) -> DatasetImportJobTypeDef | None:
        """Return the import job, or None if it does not exist."""
        client = self._client
        try:
            return client.describe_dataset_import_job(datasetImportJobArn=arn)["datasetImportJob"]
        except client.exceptions.ResourceNotFoundException:
            return None

    def _with_tags(self, imports: Sequence[Import], own_arn: str | None = None) -> list[Import]:
        """Return the imports of one dataset with their tags. The one that ended last is first.

        Imports before the newest FULL import of the pipeline get no tags, because that import has
        replaced their data. Only that of the present run always has its tags.
        """
        tagged = []
        is_replaced = False
        for job in imports:
            reads_tags = not is_replaced or job.arn == own_arn
            tagged.append(self._with_its_tags(job) if reads_tags else job)
            is_full = tagged[-1].is_active and tagged[-1].is_full
            is_replaced = is_replaced or (is_full and tagged[-1].size is not None)
        return tagged

    def _with_its_tags(self, job: Import) -> Import:
        """Return an import with its tags."""
        tags = self._tags_of(job)
        planned = tags.get(PLANNED)
        return job._replace(
            run=tags.get(RUN),
            planned=planned,
            is_held=_is_held(tags),
            size=_number(tags.get(BYTES, "")) if RUN in tags else None,
        )

    def _tags_of(self, job: Import) -> Tags:
        """Return the tags of an import.

        Only the tags of an import of this pipeline change, once it has ended, until it is held.
        """
        tags = self._tags.get(job.arn)
        if tags is None or (RUN in tags and not job.is_running and not _is_held(tags)):
            tags = self._tags[job.arn] = tags_of(self._client, job.arn)
        return tags


def _is_held(tags: Tags) -> bool:
    """Return True if the tags say that the export was found unchanged after the import."""
    return PLANNED in tags and tags.get(HELD) == tags[PLANNED]


def _import_of(dataset_arn: str, job: ImportJob) -> Import:
    """Return an import job without its tags."""
    return Import(
        arn=job["datasetImportJobArn"],
        dataset=dataset_arn,
        is_full=job.get("importMode", "FULL") == "FULL",
        is_running=is_running(job["status"]),
        is_active=is_active(job["status"]),
        created_at=job["creationDateTime"],
        ended_at=job["lastUpdatedDateTime"],
        failure=job.get("failureReason"),
    )


def _number(text: str) -> int | None:
    """Return the number that a text is, or None if a person has written something else."""
    return int(text) if text.isascii() and text.isdigit() else None

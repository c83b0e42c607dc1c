"""Reads import jobs and their tags as the facts that the rules need."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..executions import short_hash
from ..rules.imports import Export, Import
from .lists import PAGE_SIZE, read_list
from .statuses import is_active, is_running
from .tags import BYTES, CONFIRMED, CONTENT, FINGERPRINT, RUN, tags_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
        DatasetSummaryTypeDef,
        DatasetTypeDef,
    )

    from .. import exports
    from ..contract import Tags

    Dataset = DatasetTypeDef | DatasetSummaryTypeDef
    ImportJob = DatasetImportJobTypeDef | DatasetImportJobSummaryTypeDef

LOCATION_DIGITS = 8
CONTENT_DIGITS = 32


def seen_export(export: exports.Export, import_mode: str, schema_arn: str) -> Export:
    """Return an export as the rules see it.

    The fingerprint is `<location>-<content>`, two hashes. The content includes import mode and
    schema, because the same files become other data in another mode or with another schema.
    """
    content = short_hash(f"{export.fingerprint} {import_mode} {schema_arn}", CONTENT_DIGITS)
    return Export(
        fingerprint=f"{location_digits(export.location)}-{content}",
        size=export.size,
        newest_at=max((file.modified_at for file in export.objects), default=None),
    )


def location_digits(location: str) -> str:
    """Return the hash of a location, with which the fingerprint of an export begins."""
    return short_hash(location, LOCATION_DIGITS)


def list_imports(
    client: PersonalizeClient, dataset_arn: str
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of a dataset. The list may be 90 seconds old."""
    pages = client.get_paginator("list_dataset_import_jobs").paginate(
        datasetArn=dataset_arn, PaginationConfig=PAGE_SIZE
    )
    return read_list(pages, lambda page: page["datasetImportJobs"])


class ImportReader:
    """Reads the import jobs of datasets. Tags that cannot change any more are read only once."""

    def __init__(self, client: PersonalizeClient) -> None:
        self._client = client
        self._tags: dict[str, Tags] = {}

    def of_group(self, group_arn: str, configured_arns: Collection[str]) -> list[Import]:
        """Return the imports of all datasets in a group. In each dataset, the last one is first."""
        pages = self._client.get_paginator("list_datasets").paginate(
            datasetGroupArn=group_arn, PaginationConfig=PAGE_SIZE
        )
        datasets = read_list(pages, lambda page: page["datasets"])
        return [
            job
            for dataset in datasets
            for job in self.of_dataset(
                dataset, is_configured=dataset["datasetArn"] in configured_arns
            )
        ]

    def of_dataset(
        self, dataset: Dataset, own_arn: str | None = None, *, is_configured: bool = True
    ) -> list[Import]:
        """Return the imports of a dataset. The import that ended last is first.

        The tags of imports before the pipeline's newest FULL import are not read, because that
        import has replaced their data.

        Args:
            dataset: the dataset as Describe or a list shows it.
            own_arn: the import job of this run, once its create was sent. It may not exist. Its
                tags are always read. While it is running, no other import is read.
            is_configured: False if the pipeline imports nothing into the dataset, so that no import
                has a tag of a run.
        """
        imports: list[Import] = []
        needs_tags = is_configured
        for job in self._jobs(dataset, own_arn):
            arn, is_in_progress = job["datasetImportJobArn"], is_running(job["status"])
            is_read = needs_tags or arn == own_arn
            tags = self._tags_of(arn, is_in_progress=is_in_progress) if is_read else {}
            size = tags.get(BYTES, "")
            found = Import(
                arn=arn,
                dataset=dataset["datasetArn"],
                is_full=job.get("importMode", "FULL") == "FULL",
                is_running=is_in_progress,
                is_active=is_active(job["status"]),
                created_at=job["creationDateTime"],
                ended_at=job["lastUpdatedDateTime"],
                run=tags.get(RUN),
                fingerprint=tags.get(FINGERPRINT),
                is_confirmed=_is_confirmed(tags),
                size=int(size) if size.isdecimal() else None,
                failure=job.get("failureReason"),
                content=tags.get(CONTENT, ""),
            )
            imports.append(found)
            if found.is_full and found.is_active and found.run:
                needs_tags = False
        return imports

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

    def _tags_of(self, arn: str, *, is_in_progress: bool) -> Tags:
        """Return the tags of an import. Those of this pipeline's imports change until confirmed."""
        tags = self._tags.get(arn)
        if tags is None or (RUN in tags and not is_in_progress and not _is_confirmed(tags)):
            tags = self._tags[arn] = tags_of(self._client, arn)
        return tags


def _is_confirmed(tags: Tags) -> bool:
    """Return True if the tags say that the export was found unchanged after the import."""
    return FINGERPRINT in tags and tags.get(CONFIRMED) == tags[FINGERPRINT]

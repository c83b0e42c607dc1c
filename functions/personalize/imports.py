"""Reads the import jobs of datasets, with their tags, as the rules of an import see them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from .. import clock, exports
from ..executions import short_hash
from ..rules import imports as rules
from ..rules.imports import Import
from .lists import PAGE_SIZE, READING_TIME, read_list
from .ownership import belongs_to_run
from .statuses import is_active, is_running
from .tags import BYTES, HELD, PLANNED, RUN, tags_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
        DatasetSummaryTypeDef,
        DatasetTypeDef,
    )

    from ..contract import Run
    from ..workflow_settings import Settings, Tags

    Dataset = DatasetTypeDef | DatasetSummaryTypeDef

LOCATION_DIGITS = 8
CONTENT_DIGITS = 32


def seen_export(export: exports.Export, import_mode: str, schema_arn: str) -> rules.Export:
    """Return an export as the rules see it.

    Its fingerprint is `<location>-<content>`, hashes of its location and of what it would import.
    The same files imported in another mode, or with another schema, make other data.
    """
    content = short_hash(f"{export.fingerprint} {import_mode} {schema_arn}", CONTENT_DIGITS)
    return rules.Export(
        fingerprint=f"{location_digits(export.location)}-{content}",
        size=export.size,
        newest_at=max((file.modified_at for file in export.objects), default=None),
    )


def location_digits(location: str) -> str:
    """Return the first part of the fingerprint of each export at a location."""
    return short_hash(location, LOCATION_DIGITS)


def list_imports(
    client: PersonalizeClient, dataset_arn: str, end: datetime | None = None
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of a dataset. The list may be 90 seconds old.

    Raises:
        ServiceUnavailable: the list was not read to its end in time.
    """
    pages = client.get_paginator("list_dataset_import_jobs").paginate(
        datasetArn=dataset_arn, PaginationConfig=PAGE_SIZE
    )
    return read_list(pages, lambda page: page["datasetImportJobs"], end)


def imports_of_run(
    client: PersonalizeClient, settings: Settings, run: Run
) -> list[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs that a run has created."""
    return [
        job
        for dataset in settings["datasets"]
        for job in list_imports(client, dataset["datasetArn"])
        if belongs_to_run(job["jobName"], settings, run)
    ]


class ImportReader:
    """Reads the import jobs of datasets, with their tags, as the rules see them.

    A list may be old, so a job that it shows as running is described. Imports that are older than
    the dataset are left out, because they belong to an earlier dataset with its ARN. The reader
    remembers tags that cannot change any more, so it reads them once.
    """

    def __init__(self, client: PersonalizeClient) -> None:
        self._client = client
        self._tags: dict[str, Tags] = {}

    def of_group(self, group_arn: str, configured_arns: Collection[str]) -> list[Import]:
        """Return the imports of all datasets of a group. In each dataset the last one is first.

        Only the imports of the configured datasets get their tags, because the imports of the other
        datasets are foreign.

        Raises:
            ServiceUnavailable: the lists were not read to their ends in time.
        """
        end = clock.now() + READING_TIME
        pages = self._client.get_paginator("list_datasets").paginate(
            datasetGroupArn=group_arn, PaginationConfig=PAGE_SIZE
        )
        imports: list[Import] = []
        for dataset in read_list(pages, lambda page: page["datasets"], end):
            listed = self._imports(dataset, end=end)
            is_configured = dataset["datasetArn"] in configured_arns
            imports += self._with_tags(listed) if is_configured else listed
        return imports

    def of_dataset(self, dataset: Dataset, own_arn: str) -> list[Import]:
        """Return the imports of a dataset. The import that ended last is first.

        The import job of the present run, which need not exist, is found although a list may lack
        it.

        Raises:
            ServiceUnavailable: the list was not read to its end in time.
        """
        return self._with_tags(self._imports(dataset, own_arn), own_arn)

    def _imports(
        self, dataset: Dataset, own_arn: str | None = None, end: datetime | None = None
    ) -> list[Import]:
        """Return the imports of a dataset without their tags. The one that ended last is first."""
        jobs: dict[str, DatasetImportJobSummaryTypeDef | DatasetImportJobTypeDef] = {
            job["datasetImportJobArn"]: job
            for job in list_imports(self._client, dataset["datasetArn"], end)
        }
        arns = [arn for arn, job in jobs.items() if is_running(job["status"])]
        if own_arn and own_arn not in jobs:
            arns.append(own_arn)
        for arn in arns:
            with suppress(self._client.exceptions.ResourceNotFoundException):
                described = self._client.describe_dataset_import_job(datasetImportJobArn=arn)
                jobs[arn] = described["datasetImportJob"]
        imports = [
            Import(
                arn=arn,
                dataset=dataset["datasetArn"],
                is_full=job.get("importMode", "FULL") == "FULL",
                is_running=is_running(job["status"]),
                is_active=is_active(job["status"]),
                created_at=job["creationDateTime"],
                ended_at=job["lastUpdatedDateTime"],
                failure=job.get("failureReason"),
            )
            for arn, job in jobs.items()
            if job["creationDateTime"] >= dataset["creationDateTime"]
        ]
        return sorted(imports, key=lambda job: job.ended_at, reverse=True)

    def _with_tags(self, imports: Sequence[Import], own_arn: str | None = None) -> list[Import]:
        """Return the imports of one dataset with their tags. The one that ended last is first.

        Imports before the newest FULL import of the pipeline get no tags, because that import has
        replaced their data. Only that of the present run always has its tags.
        """
        tagged = []
        is_replaced = False
        for listed in imports:
            job = listed
            if not is_replaced or job.arn == own_arn:
                tags = self._tags_of(job)
                size = tags.get(BYTES, "")
                job = job._replace(
                    run=tags.get(RUN),
                    planned=tags.get(PLANNED),
                    is_held=_is_held(tags),
                    size=int(size) if RUN in tags and size.isascii() and size.isdigit() else None,
                )
            is_replaced = is_replaced or (job.is_full and job.is_active and job.run is not None)
            tagged.append(job)
        return tagged

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

"""Reads import jobs and their tags as the facts that the rules need."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .. import clock, exports
from ..errors import Refused
from ..executions import short_hash
from ..rules.imports import Export, Import
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
    from collections.abc import Collection, Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
        DatasetSummaryTypeDef,
        DatasetTypeDef,
    )

    from ..contract import Tags

    Dataset = DatasetTypeDef | DatasetSummaryTypeDef
    ImportJob = DatasetImportJobTypeDef | DatasetImportJobSummaryTypeDef

LOCATION_DIGITS = 8
FORM_DIGITS = 8
RECENT = timedelta(days=33)
"""Imports that ended longer ago are hardly ever read: planning searches exports of 31 days."""
MAX_RECENT, MAX_OLDER = 60, 20
"""The most imports of a dataset whose tags a poll reads: of the recent ones, and of those before
them, while none of this pipeline was found. The number of calls must not grow with the history,
because a poll has a minute (`reconcile.py`)."""


def seen_export(
    export: exports.Export, import_mode: str, schema_arn: str, until: datetime | None = None
) -> Export:
    """Return an export as the rules see it. With `until`, leave out what was written later.

    The fingerprint is `<location>-<files>-<form>`, three hashes. The files are those that
    Personalize imports, so none in a subfolder. The form is import mode and schema, because the
    same files become other data in another mode or with another schema.
    """
    in_subfolders = set(export.subfolder_keys)
    files = replace(
        export,
        objects=[
            file
            for file in export.objects
            if file.key not in in_subfolders and (until is None or file.modified_at <= until)
        ],
    )
    form = short_hash(f"{import_mode} {schema_arn}", FORM_DIGITS)
    return Export(
        fingerprint=f"{location_digits(export.location)}-{files.fingerprint}-{form}",
        size=files.size,
        newest_at=max((file.modified_at for file in files.objects), default=None),
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


def mark_broken(client: PersonalizeClient, job: Import) -> None:
    """Write on a dataset that only a later FULL import repairs what a job has imported.

    A dataset with 50 tags takes no more, but a run must be able to repair it all the same.
    """
    name = job.arn.rpartition("/")[2]
    ended = job.ended_at.astimezone(UTC).isoformat(timespec="seconds")
    with suppress(ClientError):
        write_tags(client, job.dataset, {BROKEN: f"{name} {ended}"})


@dataclass
class _TagBudget:
    """How many more import jobs of a dataset have their tags read. The last job comes first."""

    recent: int = MAX_RECENT
    older: int = MAX_OLDER
    full: int = 1

    def includes(self, job: ImportJob) -> bool:
        """Return True if the tags of the next job are to be read."""
        if self.recent and job["lastUpdatedDateTime"] > clock.now() - RECENT:
            self.recent -= 1
            return True
        if self.full and is_active(job["status"]) and _is_full(job):
            return True
        self.older -= 1
        return self.older >= 0

    def note(self, job: Import) -> None:
        """Take into account what was found."""
        if not job.is_active:
            return

        if job.is_full:
            self.full = 0
        if job.run:
            self.older = 0
        if job.is_full and job.run:
            self.recent = 0  # It has replaced the data of all earlier imports.


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

        The tags of old imports are not read (`_TagBudget`).

        Args:
            dataset: the dataset as Describe or a list shows it.
            own_arn: the import job of this run, once its create was sent. It may not exist. Its
                tags are always read. While it is running, no other import is read.
            is_configured: False if the pipeline imports nothing into the dataset, so that no import
                has a tag of a run.
        """
        imports: list[Import] = []
        budget = _TagBudget()
        for job in self._jobs(dataset, own_arn):
            arn, is_in_progress = job["datasetImportJobArn"], is_running(job["status"])
            is_read = arn == own_arn or (is_configured and budget.includes(job))
            tags = self._tags_of(arn, is_in_progress=is_in_progress) if is_read else None
            found = _import_of(job, dataset["datasetArn"], tags)
            imports.append(found)
            budget.note(found)
        if is_configured and any(job.is_active and not job.is_full for job in imports):
            return self._with_broken(dataset["datasetArn"], imports)
        return imports

    def spoil(self, client: PersonalizeClient, arn: str) -> None:
        """Write on an import that nobody may confirm it, and read its tags again.

        Raises:
            Refused: the tag cannot be written now. If the run gave up, the next one would confirm
                the import.
        """
        try:
            write_tags(client, arn, {CONFIRMED: SPOILED})
        except ClientError as error:
            raise Refused(str(error)) from error
        self._tags.pop(arn, None)

    def _with_broken(self, dataset_arn: str, imports: Sequence[Import]) -> list[Import]:
        """Mark the import that the dataset's tag names. A value that no run wrote names none."""
        name = tags_of(self._client, dataset_arn).get(BROKEN, "").partition(" ")[0]
        return [
            job._replace(is_spoiled=True, is_confirmed=False)
            if job.arn.endswith(f"/{name}")
            else job
            for job in imports
        ]

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


def _import_of(job: ImportJob, dataset_arn: str, tags: Tags | None) -> Import:
    """Return a job as the rules see it. Without its tags, it counts as confirmed."""
    known_tags: Tags = tags or {}
    size = known_tags.get(BYTES, "")
    active = is_active(job["status"])
    return Import(
        arn=job["datasetImportJobArn"],
        dataset=dataset_arn,
        is_full=_is_full(job),
        is_running=is_running(job["status"]),
        is_active=active,
        created_at=job["creationDateTime"],
        ended_at=job["lastUpdatedDateTime"],
        run=known_tags.get(RUN),
        fingerprint=known_tags.get(FINGERPRINT),
        is_confirmed=active if tags is None else _is_confirmed(tags),
        is_spoiled=known_tags.get(CONFIRMED) == SPOILED,
        size=int(size) if size.isdecimal() else None,
        failure=job.get("failureReason"),
        content=known_tags.get(CONTENT, ""),
    )


def _is_full(job: ImportJob) -> bool:
    return job.get("importMode", "FULL") == "FULL"


def _is_confirmed(tags: Tags) -> bool:
    """Return True if the tags say that the export was found unchanged after the import."""
    return FINGERPRINT in tags and tags.get(CONFIRMED) == tags[FINGERPRINT]

"""Reads the import jobs of datasets, and imports an export: looks, does what the rules decide."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from .. import aws, clock, exports
from ..errors import Refused, Throttled
from ..executions import short_hash
from ..reconcile import from_document, reconcile
from ..rules import imports as rules
from ..rules.imports import CheckContent, Confirm, Create, Import, Memory, SeenDataset, WantedImport
from ..workflow_settings import dataset_settings
from .lists import PAGE_SIZE, READING_TIME, read_list
from .ownership import belongs_to_run, import_job_name
from .statuses import is_active, is_running
from .tags import BYTES, HELD, PLANNED, RUN, api_tags, tags_of, write_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        DatasetImportJobTypeDef,
        DatasetSummaryTypeDef,
        DatasetTypeDef,
    )

    from ..contract import DatasetIteration, ImportItem, Run
    from ..rules.steps import Action, JobMemory
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


@contextmanager
def creation(memory: JobMemory, name: str) -> Iterator[None]:
    """Remember that a job may exist after its create was sent, unless it certainly does not.

    Raises:
        Refused: Personalize cannot create the job now. Other jobs have to end first.
    """
    errors = aws.write_client().exceptions
    memory.sent_at = clock.now()
    try:
        yield
    except errors.ResourceAlreadyExistsException:
        memory.refusal = f"a job with the name {name} exists already"
    except (errors.LimitExceededException, errors.ResourceInUseException) as error:
        memory.sent_at = None
        memory.refusal = f"it cannot start yet: {error.response['Error']['Message']}"
        raise Refused(memory.refusal) from error
    except Throttled:
        memory.sent_at = None
        raise


class DatasetImport:
    """The import of a dataset in a run.

    Args:
        iteration: the document of the dataset.
        check_content: returns what the guards find in the present export.
    """

    def __init__(self, iteration: DatasetIteration, check_content: Callable[[], list[str]]) -> None:
        settings, run, planned = iteration["settings"], iteration["run"], iteration["dataset"]
        self._settings, self._location = settings, planned["dataLocation"]
        self._configured = dataset_settings(settings, planned["type"])
        self._wanted = WantedImport(
            run=run["id"],
            is_full=self._configured["importMode"] == "FULL",
            planned=planned["fingerprint"],
            requested_at=(
                datetime.fromisoformat(run["startedAt"]) if planned["isRequested"] else None
            ),
            durations=planned["durations"],
            max_hours=settings["limits"]["maxImportHours"],
        )
        item = iteration["item"]
        self._memory = from_document(Memory, item["memory"]) if item else Memory(clock.now())
        self._job_name = import_job_name(settings, run, planned["type"])
        self._check_content = check_content
        self._reader = ImportReader(aws.read_client())
        self._dataset: DatasetTypeDef | None = None
        self._export = exports.Export(location=self._location)
        self._seen: SeenDataset | None = None

    def item(self) -> ImportItem:
        """Look, decide and act. Return how far the import has come.

        Its job is the import job of this run, or else the one by which the dataset holds its
        export.
        """
        progress = reconcile(
            self._look,
            lambda seen: rules.decide(seen, self._wanted, self._memory, clock.now()),
            self._act,
        )
        job = None
        if seen := self._seen:
            own = rules.import_of_run(seen.imports, self._wanted.run)
            job = own or rules.holder(seen, is_full=self._wanted.is_full)
        return {
            **progress.item(self._memory),
            "arn": job.arn if job else None,
            "createdAt": job.created_at.isoformat() if job else None,
            "endedAt": job.ended_at.isoformat() if job and not job.is_running else None,
            "bytes": job.size if job and job.size is not None else self._export.size,
        }

    def _look(self) -> SeenDataset:
        """Return the dataset's import jobs and its export as they are now."""
        arn = self._configured["datasetArn"]
        if self._dataset is None:
            self._dataset = aws.read_client().describe_dataset(datasetArn=arn)["dataset"]
        own_arn = f"{arn.split(':dataset/')[0]}:dataset-import-job/{self._job_name}"
        jobs = self._reader.of_dataset(self._dataset, own_arn)
        # The export is listed last, so that a change before the end of an import is not missed.
        objects = exports.list_objects(aws.s3(), self._location)
        self._export = exports.Export(location=self._location, objects=objects)
        mode, schema_arn = self._configured["importMode"], self._dataset["schemaArn"]
        export = seen_export(self._export, mode, schema_arn)
        self._seen = SeenDataset(imports=jobs, export=export)
        return self._seen

    def _act(self, action: Action) -> None:
        """Do what the rules have decided.

        Raises:
            Refused: Personalize has certainly not created the import job.
        """
        match action:
            case CheckContent(fingerprint):
                self._memory.checked, self._memory.problems = fingerprint, self._check_content()
            case Confirm(arn, planned):
                write_tags(aws.write_client(), arn, {HELD: planned})
            case Create(planned):
                tags = {RUN: self._wanted.run, PLANNED: planned, BYTES: str(self._export.size)}
                with creation(self._memory, self._job_name):
                    aws.write_client().create_dataset_import_job(
                        jobName=self._job_name,
                        datasetArn=self._configured["datasetArn"],
                        dataSource={"dataLocation": self._location},
                        roleArn=self._settings["importRoleArn"],
                        importMode=self._configured["importMode"],
                        tags=api_tags({**self._settings["tags"], **tags}),
                    )

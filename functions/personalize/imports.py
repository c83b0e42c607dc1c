"""Reads a dataset and its export for the rules of an import, and sends what the rules decide."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from .. import aws, clock, exports
from ..errors import Refused, Throttled
from ..memory import from_document, to_document
from ..rules import imports
from ..rules.imports import CheckContent, Confirm, Create, Memory, SeenDataset, WantedImport
from ..workflow_settings import dataset_settings
from .fingerprint import seen_export
from .import_records import ImportReader
from .ownership import import_job_name
from .tags import BYTES, HELD, PLANNED, RUN, api_tags, write_tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_personalize.type_defs import DatasetTypeDef

    from ..contract import DatasetIteration, ImportItem, PlannedImport, Run
    from ..reconcile import Progress
    from ..rules.steps import Action, Step
    from ..workflow_settings import Settings

NO_FREE_SLOT = "More than 5 resources with PENDING or IN_PROGRESS status"
"""The message of Personalize if as many import jobs are running as the account may run at once.

Only this quota becomes free without a person, so only this message leads to another try.
"""


def wanted_import(settings: Settings, run: Run, planned: PlannedImport) -> WantedImport:
    """Return what a run wants of a dataset, according to its plan."""
    started_at = datetime.fromisoformat(run["startedAt"])
    return WantedImport(
        run=run["id"],
        is_full=dataset_settings(settings, planned["type"])["importMode"] == "FULL",
        planned=planned["fingerprint"],
        requested_at=started_at if planned["isRequested"] else None,
        durations=planned["durations"],
        max_hours=settings["limits"]["maxImportHours"],
    )


class Content(NamedTuple):
    """What the guards have found in an export."""

    fingerprint: str
    problems: list[str]


class DatasetImport:
    """The import of a dataset in a run: what it looks at, decides and does.

    Args:
        iteration: the document of the dataset.
        check_content: checks the content of the present export.
    """

    def __init__(self, iteration: DatasetIteration, check_content: Callable[[], Content]) -> None:
        self._settings, self._run = iteration["settings"], iteration["run"]
        self._planned = iteration["dataset"]
        self._check_content = check_content
        self._configured = dataset_settings(self._settings, self._planned["type"])
        self._wanted = wanted_import(self._settings, self._run, self._planned)
        item = iteration["item"]
        self._memory = from_document(Memory, item["memory"]) if item else Memory(clock.now())
        self._job_name = import_job_name(self._settings, self._run, self._planned["type"])
        self._reader = ImportReader(aws.read_client())
        self._dataset: DatasetTypeDef | None = None
        self._export = exports.Export(location=self._planned["dataLocation"])
        self._seen: SeenDataset | None = None

    def look(self) -> SeenDataset:
        """Return the dataset's import jobs and its export as they are now."""
        arn, location = self._configured["datasetArn"], self._planned["dataLocation"]
        if self._dataset is None:
            self._dataset = aws.read_client().describe_dataset(datasetArn=arn)["dataset"]
        own_arn = f"{arn.split(':dataset/')[0]}:dataset-import-job/{self._job_name}"
        created_at = self._dataset["creationDateTime"]
        may_be_unlisted = self._memory.sent_at is not None
        jobs = self._reader.of_dataset(arn, created_at, own_arn, may_be_unlisted=may_be_unlisted)
        # The export is listed last, so that a change before the end of an import is not missed.
        objects = exports.list_objects(aws.s3(), location)
        self._export = exports.Export(location=location, objects=objects)
        mode, schema_arn = self._configured["importMode"], self._dataset["schemaArn"]
        export = seen_export(self._export, mode, schema_arn)
        self._seen = SeenDataset(imports=jobs, export=export)
        return self._seen

    def decide(self, seen: SeenDataset) -> Step:
        """Return the next step."""
        return imports.decide(seen, self._wanted, self._memory, clock.now())

    def act(self, action: Action) -> None:
        """Do what the rules have decided.

        Raises:
            Refused: Personalize has certainly not created the import job.
        """
        match action:
            case CheckContent():
                content = self._check_content()
                self._memory.checked = content.fingerprint
                self._memory.problems = content.problems
            case Confirm(arn, planned):
                write_tag(aws.write_client(), arn, HELD, planned)
            case Create(planned):
                self._create(planned)

    def _create(self, planned: str) -> None:
        """Create the import job. Remember that it may exist, unless it certainly does not."""
        client = aws.write_client()
        memory = self._memory
        tags = {RUN: self._wanted.run, PLANNED: planned, BYTES: str(self._export.size)}
        memory.sent_at = clock.now()
        try:
            client.create_dataset_import_job(
                jobName=self._job_name,
                datasetArn=self._configured["datasetArn"],
                dataSource={"dataLocation": self._planned["dataLocation"]},
                roleArn=self._settings["importRoleArn"],
                importMode=self._configured["importMode"],
                tags=api_tags({**self._settings["tags"], **tags}),
            )
        except client.exceptions.ResourceAlreadyExistsException:
            memory.refusal = f"an import job with the name {self._job_name} exists already"
        except client.exceptions.ResourceInUseException as error:
            reason = f"the dataset is in use: {error.response['Error']['Message']}"
            raise self._refused(reason) from error
        except client.exceptions.LimitExceededException as error:
            if NO_FREE_SLOT not in str(error):
                raise
            raise self._refused(f"no import slot is free: {NO_FREE_SLOT}") from error
        except Throttled:
            memory.sent_at = None
            raise

    def _refused(self, reason: str) -> Refused:
        """Remember why Personalize has refused the create, and return the error."""
        self._memory.sent_at, self._memory.refusal = None, reason
        return Refused(reason)

    def item(self, progress: Progress) -> ImportItem:
        """Return how far the import has come.

        Its job is the import job of this run, or else the one by which the dataset holds its
        export.
        """
        step = progress.step
        job = None
        if self._seen is not None:
            own = imports.import_of_run(self._seen.imports, self._wanted.run)
            job = own or imports.holding(self._seen, is_full=self._wanted.is_full)
        return {
            "phase": step.phase,
            "seconds": progress.seconds,
            "outcome": step.outcome,
            "reasons": list(step.reasons),
            "warnings": [],
            "memory": to_document(self._memory),
            "arn": job.arn if job else None,
            "createdAt": job.created_at.isoformat() if job else None,
            "endedAt": job.ended_at.isoformat() if job and not job.is_running else None,
            "bytes": job.size if job and job.size is not None else self._export.size,
        }

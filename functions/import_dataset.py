"""Imports the export of a dataset: polls, decides and acts until the dataset holds it.

The rules are in `rules/imports.py`. This module reads what they have to know, and sends what they
have decided.
"""

from datetime import datetime

from . import aws, clock, exports, metrics
from .contract import (
    DatasetIteration,
    ImportItem,
    Request,
    Run,
    dataset_settings,
    pipeline_name,
)
from .log import log_item
from .personalize.imports import ImportReader, taint, taint_dataset
from .personalize.tags import BYTES, CONFIRMED, FINGERPRINT, RUN, api_tags, write_tags
from .planning.datasets import DatasetView
from .planning.export_content import content_tags
from .planning.export_search import datasets_to_import
from .planning.plan_run import GUARDS
from .planning.snapshot import read_data
from .reconcile import InvocationResult, creation, from_document, reconcile
from .rules import imports
from .rules.imports import (
    CheckContent,
    Confirm,
    Create,
    DatasetState,
    ExportState,
    ImportProgress,
    ImportSpec,
    Taint,
    TaintDataset,
)
from .rules.steps import Action
from .runs import job_name, run_began_at
from .texts import with_short_texts


@with_short_texts
def handler(event: DatasetIteration, _context: object) -> ImportItem:
    """Import the export until there's an outcome, or a long wait for the next poll."""
    job = DatasetImport(event)
    item = job.item(reconcile(job.poll, imports.decide, job.act, job.spec, job.progress))
    if item["outcome"] == "IMPORTED":
        _write_event_age(event)

    arn = item["arn"] or event["dataset"]["dataLocation"]
    return log_item("import_dataset", event["run"], arn, item)


def _write_event_age(event: DatasetIteration) -> None:
    """Publish the age of the newest event in the export, if planning has read all of its rows."""
    planned = event["dataset"]
    content = planned["content"]
    if content["areAllRowsRead"] and content["newestEventAt"]:
        age = clock.now() - datetime.fromisoformat(content["newestEventAt"])
        hours = {"NewestEventAgeHours": round(age.total_seconds() / 3600, 2)}
        metrics.write(pipeline_name(event["settings"]), hours, Dataset=planned["type"])


class DatasetImport:
    """The part of an import that happens in one invocation."""

    def __init__(self, event: DatasetIteration) -> None:
        settings = event["settings"]
        run = event["run"]
        planned = event["dataset"]
        item = event["item"]

        self._event = event
        self._location = planned["dataLocation"]
        self._configured = dataset_settings(settings, planned["type"])
        self.spec = ImportSpec(
            run=run["id"],
            requested_at=run_began_at(run) if planned["isRequested"] else None,
            durations=planned["durations"],
            max_hours=settings["limits"]["maxImportHours"],
        )
        if item:
            self.progress = from_document(ImportProgress, item["progress"])
        else:
            self.progress = ImportProgress(clock.now(), checked=planned["fingerprint"])

        dataset_arn = self._configured["datasetArn"]
        self._dataset = aws.read_client().describe_dataset(datasetArn=dataset_arn)["dataset"]
        self._reader = ImportReader(aws.read_client(), settings["datasets"])

        # Unlike that of a solution version, the ARN of an import job is made of its name.
        self._job_name = job_name(settings, run, planned["type"])
        arn_prefix = dataset_arn.split(":dataset/")[0]
        self._job_arn = f"{arn_prefix}:dataset-import-job/{self._job_name}"

    def poll(self) -> DatasetState:
        """Read the dataset's import jobs and its export."""
        own_arn = self._job_arn if self.progress.sent_at else None
        jobs = self._reader.of_dataset(self._dataset, own_arn)

        # The export comes last. Otherwise, we'd miss a change between both requests if the import
        # ends in between.
        objects = exports.list_objects(aws.s3(), self._location)
        export = exports.Export(location=self._location, objects=objects)

        form = (self._configured["importMode"], self._dataset["schemaArn"])
        own_job = imports.import_of_run(jobs, self.spec.run)
        until = None if own_job is None or own_job.is_running else own_job.ended_at
        return DatasetState(
            is_full=self._configured["importMode"] == "FULL",
            imports=jobs,
            exports=[export.state(*form), export.state(*form, until)],
        )

    def act(self, action: Action) -> None:
        """Do what the rules have decided."""
        match action:
            case CheckContent(fingerprint):
                self.progress.checked = fingerprint
                self.progress.problems = _content_problems(self._event)
            case Confirm(arn, fingerprint):
                write_tags(aws.write_client(), arn, {CONFIRMED: fingerprint})
            case Taint(arn):
                taint(aws.write_client(), arn)
            case TaintDataset(job):
                taint_dataset(aws.write_client(), job)
            case Create(export):
                # Personalize may refuse the import for now, because users are being deleted. Then
                # the guards have to look again, because an export from before the deletion would
                # bring these users back.
                self.progress.checked = ""
                self._create(export)

    def item(self, result: InvocationResult[DatasetState]) -> ImportItem:
        """Return the item, with the job of this run or else the one that brought the export."""
        state = result.state
        own_job = imports.import_of_run(state.imports, self.spec.run)
        job = own_job or imports.holding_import(state)

        return {
            **result.item(self.progress, job),
            "arn": job.arn if job else None,
            "bytes": job.size if job and job.size is not None else state.export.size,
        }

    def _create(self, export: ExportState) -> None:
        """Create the import job, with tags that say which export it imports."""
        settings = self._event["settings"]
        planned = self._event["dataset"]
        tags = {RUN: self.spec.run, FINGERPRINT: export.fingerprint, BYTES: str(export.size)}
        # What planning knows about the content is only true of the export that planning has read.
        if export.fingerprint == planned["fingerprint"]:
            tags |= content_tags(planned["content"])

        with creation(self.progress, self._job_name):
            aws.write_client().create_dataset_import_job(
                jobName=self._job_name,
                datasetArn=self._configured["datasetArn"],
                dataSource={"dataLocation": self._location},
                roleArn=settings["importRoleArn"],
                importMode=self._configured["importMode"],
                tags=api_tags({**settings["tags"], **tags}),
            )


def _content_problems(event: DatasetIteration) -> list[str]:
    """Validate an export that has changed since planning: return the messages of the guards."""
    # The guards check a whole run, so pretend that somebody has asked for this dataset only.
    dataset_type = event["dataset"]["type"]
    request: Request = {**event["run"]["request"], "datasets": [dataset_type]}
    run: Run = {**event["run"], "request": request}

    settings = event["settings"]
    (chosen_dataset,) = datasets_to_import(settings, run)
    data = read_data(aws.read_client(), settings, [chosen_dataset])
    dataset = DatasetView(settings, run, data, chosen_dataset)
    return [
        f"datasets.{dataset_type}: {message}"
        for guard in GUARDS
        if guard.verdict == "REFUSE" and guard.scope in ("dataset", "export")
        for message in guard.check(dataset)
    ]

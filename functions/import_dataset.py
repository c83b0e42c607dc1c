"""Imports the export of a dataset: polls, decides and acts until the dataset holds it."""

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
from .executions import job_name, run_began_at
from .log import log_item
from .personalize.imports import ImportReader, mark_broken, spoil
from .personalize.tags import BYTES, CONFIRMED, FINGERPRINT, RUN, api_tags, write_tags
from .planning.datasets import dataset_views
from .planning.export_content import content_tags
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
    MarkBroken,
    Spoil,
)
from .rules.steps import Action
from .texts import with_short_texts


@with_short_texts
def handler(event: DatasetIteration, _context: object) -> ImportItem:
    """Import the dataset until it has an outcome, or has to wait for long."""
    job = DatasetImport(event)
    item = job.item(reconcile(job.poll, imports.decide, job.act, job.spec, job.progress))
    content, dataset_type = event["dataset"]["content"], event["dataset"]["type"]
    if item["outcome"] == "IMPORTED" and content["areAllRowsRead"] and content["newestEventAt"]:
        age = clock.now() - datetime.fromisoformat(content["newestEventAt"])
        hours = {"NewestEventAgeHours": round(age.total_seconds() / 3600, 2)}
        metrics.write(pipeline_name(event["settings"]), hours, Dataset=dataset_type)
    arn = item["arn"] or event["dataset"]["dataLocation"]
    return log_item("import_dataset", event["run"], arn, item)


class DatasetImport:
    """The import of one dataset in one invocation. The item carries its progress on."""

    def __init__(self, event: DatasetIteration) -> None:
        settings, run, planned = event["settings"], event["run"], event["dataset"]
        self._event, self._location = event, planned["dataLocation"]
        self._configured = dataset_settings(settings, planned["type"])
        self.spec = ImportSpec(
            run=run["id"],
            requested_at=run_began_at(run) if planned["isRequested"] else None,
            durations=planned["durations"],
            max_hours=settings["limits"]["maxImportHours"],
        )
        item, arn = event["item"], self._configured["datasetArn"]
        self.progress = (
            from_document(ImportProgress, item["progress"])
            if item
            else ImportProgress(clock.now(), checked=planned["fingerprint"])
        )
        self._job_name = job_name(settings, run, planned["type"])
        self._job_arn = f"{arn.split(':dataset/')[0]}:dataset-import-job/{self._job_name}"
        self._dataset = aws.read_client().describe_dataset(datasetArn=arn)["dataset"]
        self._reader = ImportReader(aws.read_client(), settings["datasets"])

    def poll(self) -> DatasetState:
        """Return the dataset's import jobs and its export as they are now.

        The export is listed last, so that a change before the end of an import is not missed.
        """
        own_arn = self._job_arn if self.progress.sent_at else None
        jobs = self._reader.of_dataset(self._dataset, own_arn)
        objects = exports.list_objects(aws.s3(), self._location)
        export = exports.Export(location=self._location, objects=objects)
        form = (self._configured["importMode"], self._dataset["schemaArn"])
        own = imports.import_of_run(jobs, self.spec.run)
        until = None if own is None or own.is_running else own.ended_at
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
            case Spoil(arn):
                spoil(aws.write_client(), arn)
            case MarkBroken(job):
                mark_broken(aws.write_client(), job)
            case Create(export):
                # If Personalize refuses the import for now, because users are being deleted, the
                # export may have become older than the deletion when it is accepted.
                self.progress.checked = ""
                self._create(export)

    def item(self, result: InvocationResult[DatasetState]) -> ImportItem:
        """Return how far the import has come, with the job of this run or the one before it."""
        state = result.state
        own = imports.import_of_run(state.imports, self.spec.run)
        job = own or imports.holding_import(state)
        return {
            **result.item(self.progress, job),
            "arn": job.arn if job else None,
            "bytes": job.size if job and job.size is not None else state.export.size,
        }

    def _create(self, export: ExportState) -> None:
        settings, planned = self._event["settings"], self._event["dataset"]
        tags = {RUN: self.spec.run, FINGERPRINT: export.fingerprint, BYTES: str(export.size)}
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
    """Return the messages of the guards about an export that has changed since planning."""
    dataset_type = event["dataset"]["type"]
    settings = event["settings"]
    request: Request = {**event["run"]["request"], "datasets": [dataset_type]}
    run: Run = {**event["run"], "request": request}
    data = read_data(aws.read_client(), settings, run)
    (dataset,) = dataset_views(settings, run, data)
    return [
        f"datasets.{dataset_type}: {message}"
        for guard in GUARDS
        if guard.verdict == "REFUSE" and guard.scope in ("dataset", "export")
        for message in guard.check(dataset)
    ]

"""Imports the export of a dataset: polls, decides and acts until the dataset holds it.

The rules are in `rules/imports.py`. This module reads what they need and carries out their actions.
"""

from datetime import datetime
from functools import partial
from typing import Any

from .common import aws, clock, metrics
from .common.log import log_status
from .common.truncation import truncate_output
from .constants import NEWEST_EVENT_AGE_HOURS
from .contract import (
    ImportDatasetInput,
    ImportStatus,
    PlannedImport,
    find_dataset_settings,
    pipeline_name,
)
from .personalize.imports import (
    ImportReader,
    build_import_job_arn,
    confirm_import,
    taint_dataset,
    taint_import,
)
from .personalize.tags import EXPORT_BYTES_TAG, FINGERPRINT_TAG, RUN_TAG, build_api_tags
from .planning.export_content import build_content_tags
from .planning.plan_run import find_export_problems
from .reconcile import InvocationResult, reconcile, restore_progress, track_create_request
from .rules import imports
from .rules.imports import (
    ConfirmImport,
    CreateImport,
    DatasetState,
    ExportState,
    Import,
    ImportProgress,
    ImportSpec,
    TaintDataset,
    TaintImport,
    ValidateExport,
)
from .rules.steps import Action
from .run.execution_data import build_job_name, get_run_start
from .s3 import exports


@truncate_output
def handler(event: ImportDatasetInput, _context: object) -> ImportStatus:
    """Go on with the import of an export, and return its status.

    The state machine invokes the function again until the status has an outcome.
    """
    dataset_import = DatasetImport(event)
    result = reconcile(dataset_import, imports.decide)

    status = dataset_import.build_status(result)
    if status["outcome"] == "IMPORTED":
        _publish_event_age(event)

    job_or_export = status["arn"] or event["dataset"]["dataLocation"]
    log_status("import_dataset", event["run"], job_or_export, status)
    return status


def _publish_event_age(event: ImportDatasetInput) -> None:
    """Publish the age of the export's newest event, if planning read all rows."""
    content = event["dataset"]["content"]
    newest_at = content["newestEventAt"]
    # A row that wasn't read may be the newest event.
    if newest_at is None or not content["areAllRowsRead"]:
        return

    age = clock.now() - datetime.fromisoformat(newest_at)
    age_hours = round(age.total_seconds() / 3600, 2)
    metrics.publish(
        pipeline_name(event["settings"]),
        {NEWEST_EVENT_AGE_HOURS: age_hours},
        Dataset=event["dataset"]["type"],
    )


class DatasetImport:
    """One invocation's share of an import.

    `reconcile()` calls `poll` and `act` until the invocation ends. Then `build_status` returns what
    the next invocation or the report needs.
    """

    def __init__(self, event: ImportDatasetInput) -> None:
        client = aws.personalize_read_client()
        self._settings = event["settings"]
        self._run = event["run"]
        self._planned_import = event["dataset"]

        self._dataset_settings = find_dataset_settings(self._settings, self._planned_import["type"])
        dataset_arn = self._dataset_settings["datasetArn"]
        self._dataset = client.describe_dataset(datasetArn=dataset_arn)["dataset"]
        self._reader = ImportReader(client, self._settings["datasets"])

        self.spec = _build_spec(event)
        self.progress = restore_progress(event["status"], _begin_progress(self._planned_import))

    @property
    def _job_name(self) -> str:
        """The name of the import job that this run creates."""
        return build_job_name(self._settings, self._run, self._planned_import["type"])

    def poll(self) -> DatasetState:
        """Read the dataset's import jobs and its export."""
        own_arn = build_import_job_arn(self._dataset["datasetArn"], self._job_name)
        requested_arn = None
        if self.progress.sent_at:
            # The job may exist, and then the reader describes it.
            requested_arn = own_arn
        dataset_imports = self._reader.list_dataset_imports(self._dataset, requested_arn)
        own_job = next((job for job in dataset_imports if job.arn == own_arn), None)

        return DatasetState(
            is_full=self._dataset_settings["importMode"] == "FULL",
            imports=dataset_imports,
            # Read the export last. Otherwise, if the import ended between the two requests, we
            # could miss a change before its end.
            export_states=self._read_export_states(own_job),
            own_job=own_job,
        )

    def _read_export_states(self, own_job: Import | None) -> list[ExportState]:
        """Read the export as it is now, and as it was when this run's import ended."""
        location = self._planned_import["dataLocation"]
        objects = exports.list_objects(aws.s3(), location)
        export = exports.Export(location=location, objects=objects)
        build_state = partial(
            export.build_state, self._dataset_settings["importMode"], self._dataset["schemaArn"]
        )

        export_states = [build_state()]
        if own_job and not own_job.is_running:
            # Files written later were certainly not imported.
            export_states.append(build_state(written_until=own_job.ended_at))
        return export_states

    def act(self, action: Action) -> None:
        """Carry out the action of a step."""
        match action:
            case ValidateExport(fingerprint):
                self.progress.validated_fingerprint = fingerprint
                self.progress.problems = find_export_problems(
                    aws.personalize_read_client(),
                    self._settings,
                    self._run,
                    self._planned_import["type"],
                )
            case ConfirmImport(job):
                confirm_import(aws.personalize_write_client(), job)
            case TaintImport(job):
                # Do this first. If the response to the request is lost, the tag may be written
                # all the same, and polls with the old tags would miss it.
                self._reader.forget_cached_tags(job)
                taint_import(aws.personalize_write_client(), job)
            case TaintDataset(job):
                taint_dataset(aws.personalize_write_client(), job)
            case CreateImport(export):
                # Personalize refuses imports while users are being deleted. Then the guards must
                # check again, because an older export would bring these users back.
                self.progress.validated_fingerprint = ""
                self._create_import_job(export)

    def _create_import_job(self, export: ExportState) -> None:
        """Create the import job, with the export's fingerprint and size in its tags."""
        tags = {
            **self._settings["tags"],
            RUN_TAG: self._run["id"],
            FINGERPRINT_TAG: export.fingerprint,
            EXPORT_BYTES_TAG: str(export.total_bytes),
        }
        # Planning has described the content, but the export may have changed since.
        if export.fingerprint == self._planned_import["fingerprint"]:
            tags |= build_content_tags(self._planned_import["content"])

        options: dict[str, Any] = {}
        if self._dataset_settings["publishAttributionMetricsToS3"]:
            options["publishAttributionMetricsToS3"] = True

        role_arn = self._settings["importRoleArn"]
        assert role_arn is not None, "a pipeline with datasets has this role"

        with track_create_request(self.progress, self._job_name):
            aws.personalize_write_client().create_dataset_import_job(
                jobName=self._job_name,
                datasetArn=self._dataset["datasetArn"],
                dataSource={"dataLocation": self._planned_import["dataLocation"]},
                roleArn=role_arn,
                importMode=self._dataset_settings["importMode"],
                **options,
                tags=build_api_tags(tags),
            )

    def build_status(self, result: InvocationResult[DatasetState]) -> ImportStatus:
        """Build the status, with the job of this run or an earlier job that imported the export."""
        state = result.state
        job = state.own_job or imports.find_confirmed_import(state)

        job_arn = None
        export_bytes = state.export.total_bytes
        if job is not None:
            job_arn = job.arn
            # Only jobs that a run created have a tag with the size.
            if job.export_bytes is not None:
                export_bytes = job.export_bytes

        shared_fields = result.build_status(self.progress, job)
        return {**shared_fields, "arn": job_arn, "bytes": export_bytes}


def _begin_progress(planned_import: PlannedImport) -> ImportProgress:
    """Return the progress before the first poll. Planning has already validated the export."""
    return ImportProgress(clock.now(), validated_fingerprint=planned_import["fingerprint"])


def _build_spec(event: ImportDatasetInput) -> ImportSpec:
    """Build the spec of an import from the plan and the settings."""
    planned_import = event["dataset"]
    requested_at = None
    if planned_import["isRequested"]:
        requested_at = get_run_start(event["run"])

    return ImportSpec(
        requested_at=requested_at,
        durations=planned_import["durations"],
        max_hours=event["settings"]["limits"]["maxImportHours"],
    )

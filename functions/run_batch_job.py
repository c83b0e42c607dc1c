"""Runs a batch job: polls, decides and acts until its results are written.

The rules are in `rules/batch_jobs.py`, which also explains *last results* and *content hash*. This
module reads what they need and carries out their action.
"""

from collections.abc import Sequence
from functools import cache, partial

from botocore.exceptions import BotoCoreError

from .common import aws, clock
from .common.errors import AWS_ERRORS
from .common.log import log_status
from .common.truncation import truncate_output
from .contract import BatchJobStatus, RunBatchJobInput, find_solution_settings
from .personalize.batch_jobs import (
    clear_hashes_if_results_are_missing,
    create_batch_job,
    list_batch_jobs,
    read_results,
    resolve_batch_jobs,
    warn_of_failed_lines,
)
from .personalize.campaigns import read_campaign_state
from .personalize.imports import ImportReader
from .personalize.lists import list_deletions
from .personalize.tags import BATCH_TAG, RUN_TAG, build_api_tags
from .personalize.trainings import describe_version, read_version
from .reconcile import InvocationResult, reconcile, restore_progress, track_create_request
from .rules.batch_jobs import (
    BatchJob,
    BatchProgress,
    BatchSpec,
    BatchState,
    CreateBatchJob,
    add_versions,
    decide,
    find_running_or_own_job,
)
from .rules.steps import Action
from .run.execution_data import build_job_name, choose_export_day
from .s3 import exports
from .s3.exports import S3Listing


@truncate_output
def handler(event: RunBatchJobInput, _context: object) -> BatchJobStatus:
    """Go on with a batch job, and return its status.

    The state machine invokes the function again until the status has an outcome.
    """
    batch_job = RunningBatchJob(event)
    result = reconcile(batch_job, decide)

    status = batch_job.build_status(result)
    log_status("run_batch_job", event["run"], event["batchJob"], status)
    return status


class RunningBatchJob:
    """One invocation's share of a batch job.

    `reconcile()` calls `poll` and `act` until the invocation ends. Then `build_status` returns what
    the next invocation or the report needs.
    """

    def __init__(self, event: RunBatchJobInput) -> None:
        self._settings = event["settings"]
        self._run = event["run"]
        self._recipe = event["recipe"]

        # The plan identifies a solution by its ARN, and a batch job by its output.
        self._solution = find_solution_settings(self._settings, event["solutionArn"])
        resolved_batch_jobs = resolve_batch_jobs(self._solution, self._run)
        self._batch_settings = next(
            batch_settings
            for batch_settings in resolved_batch_jobs
            if batch_settings["output"] == event["batchJob"]
        )

        version_arn = event["training"]["arn"]
        assert version_arn, "batch jobs run after a successful training"

        self.progress = restore_progress(event["status"], BatchProgress(clock.now()))
        self.spec = BatchSpec(
            run_id=self._run["id"],
            newest_version_arn=version_arn,
            settings=self._batch_settings,
            gate=self._solution["qualityGate"],
        )

    def poll(self) -> BatchState:
        """Read the jobs that write to the output, and what the results depend on.

        Once a job is running or this run has created its own, the rules only need the jobs.
        """
        jobs = self._list_jobs()
        if find_running_or_own_job(jobs, self.spec.run_id):
            return BatchState(jobs=jobs)
        return self._read_dependencies(jobs)

    def _read_dependencies(self, jobs: Sequence[BatchJob]) -> BatchState:
        """Read what the results depend on: input, filter, deleted users, campaigns and versions."""
        client = aws.personalize_read_client()
        location = self._batch_settings["input"]
        batch_input = S3Listing(location=location, objects=exports.list_objects(aws.s3(), location))
        input_hash = None
        if batch_input.objects:
            input_hash = batch_input.files_hash

        version = describe_version(client, self.spec.newest_version_arn)
        results = read_results(self._batch_settings, jobs)
        state = BatchState(
            jobs=clear_hashes_if_results_are_missing(jobs, batch_input, results),
            input_hash=input_hash,
            filter_expression=self._read_filter(),
            deletions=list_deletions(client, version["datasetGroupArn"]),
            campaigns=[
                read_campaign_state(client, campaign["campaignArn"], self._solution["solutionArn"])
                for campaign in self._solution["campaigns"]
            ],
        )
        import_reader = ImportReader(client, self._settings["datasets"])
        read_version_once = cache(partial(read_version, client, self._solution, import_reader))
        return add_versions(state, self.spec, read_version_once)

    def _list_jobs(self) -> list[BatchJob]:
        """List the jobs that write to the output, only those of this run's version if possible."""
        list_output_jobs = partial(
            list_batch_jobs,
            aws.personalize_read_client(),
            self._recipe,
            self._batch_settings["output_hash"],
        )

        if self.progress.sent_at:
            # This run has requested a job. If it exists, it's in the list for its version, which is
            # shorter than the list of all jobs.
            version_jobs = list_output_jobs(self.progress.version_arn)
            if find_running_or_own_job(version_jobs, self.spec.run_id):
                return version_jobs

        return list_output_jobs()

    def _read_filter(self) -> str | None:
        """Read the filter expression of the batch job, if it has a filter."""
        filter_arn = self._batch_settings["filterArn"]
        if filter_arn is None:
            return None

        response = aws.personalize_read_client().describe_filter(filterArn=filter_arn)
        return response["filter"]["filterExpression"]

    def act(self, action: Action) -> None:
        """Create the batch job. The rules have no other action."""
        assert isinstance(action, CreateBatchJob)

        # Later runs find the job by the output's hash at the end of its name.
        name = build_job_name(self._settings, self._run, self._batch_settings["output_hash"])
        content_and_day = f"{action.content_hash} {choose_export_day(self._run)}"
        tags = {**self._settings["tags"], RUN_TAG: self.spec.run_id, BATCH_TAG: content_and_day}
        common_fields = {
            "jobName": name,
            "solutionVersionArn": action.version_arn,
            "roleArn": self._settings["batchRoleArn"],
            "tags": build_api_tags(tags),
        }

        with track_create_request(self.progress, name):
            create_batch_job(
                aws.personalize_write_client(),
                self._recipe,
                self._batch_settings,
                self._batch_settings["kmsKeyArn"] or self._settings["dataKmsKeyArn"],
                common_fields,
            )

    def build_status(self, result: InvocationResult[BatchState]) -> BatchJobStatus:
        """Build the status, with warnings about the results once they're written."""
        progress = self.progress
        jobs = result.state.jobs
        warnings = [*progress.warnings]
        if result.step.outcome == "WRITTEN":
            warnings += self._warn_of_results(jobs)

        own_job = next((job for job in jobs if job.run_id == self.spec.run_id), None)
        shared_fields = result.build_status(progress, own_job, warnings)
        return {
            **shared_fields,
            "arn": progress.job_arn,
            "versionArn": progress.version_arn,
        }

    def _warn_of_results(self, jobs: Sequence[BatchJob]) -> list[str]:
        """Return warnings about input lines that failed, or about results that can't be read.

        An error is only a warning, because the results are written all the same.
        """
        try:
            results = read_results(self._batch_settings, jobs)
            return warn_of_failed_lines(jobs, results)
        except (*AWS_ERRORS, BotoCoreError) as error:
            return [f"its results were not searched for lines that failed: {error}"]

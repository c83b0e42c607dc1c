"""Runs a batch job: polls, decides and acts until its results are written.

The rules are in `rules/batch_jobs.py`, which also explains *slot*, *last results* and *content*.
"""

from collections.abc import Sequence
from functools import cache, partial

from botocore.exceptions import BotoCoreError

from .common import (
    aws,
    clock,
)
from .common.errors import AWS_ERRORS
from .common.log import log_status
from .common.truncation import truncate_output
from .contract import (
    BatchJobStatus,
    RunBatchJobInput,
)
from .personalize.batch_jobs import (
    create_batch_job,
    forget_lost_results,
    list_batch_jobs,
    read_results,
    resolve_batch_jobs,
    warn_of_failed_lines,
)
from .personalize.campaigns import read_campaign
from .personalize.lists import list_deletions
from .personalize.tags import (
    BATCH_TAG,
    RUN_TAG,
    build_api_tags,
)
from .personalize.trainings import (
    describe_version,
    read_version,
)
from .reconcile import (
    InvocationResult,
    reconcile,
    restore_progress,
    track_create_request,
)
from .rules.batch_jobs import (
    BatchJob,
    BatchProgress,
    BatchSpec,
    BatchState,
    Create,
    add_versions,
    decide,
    find_job_to_follow,
)
from .rules.steps import (
    Action,
    Step,
)
from .run.documents import (
    build_job_name,
    choose_export_day,
)
from .s3 import exports
from .s3.exports import Listing


@truncate_output
def handler(event: RunBatchJobInput, _context: object) -> BatchJobStatus:
    """Run the batch job until there's an outcome, or the next poll is far off."""
    job = RunningBatchJob(event)
    result = reconcile(job)

    status = job.build_status(result)
    log_status("run_batch_job", event["run"], event["batchJob"], status)
    return status


class RunningBatchJob:
    """The part of a batch job that one invocation handles.

    `reconcile()` polls, decides and acts until there's an outcome or the invocation must end. Then
    `build_status` returns what the next invocation or the report needs.
    """

    def __init__(self, event: RunBatchJobInput) -> None:
        self._settings = event["settings"]
        self._run = event["run"]
        self._recipe = event["recipe"]

        # The plan names a solution by its ARN, and a batch job by its output.
        self._solution = next(
            solution
            for solution in self._settings["solutions"]
            if solution["solutionArn"] == event["solutionArn"]
        )
        jobs = resolve_batch_jobs(self._solution, self._run)
        self._job = next(job for job in jobs if job["output"] == event["batchJob"])

        version_arn = event["training"]["arn"]
        assert version_arn, "a training that has succeeded has a version"

        self.progress = restore_progress(event["status"], BatchProgress(clock.now()))
        self.spec = BatchSpec(
            run_id=self._run["id"],
            version_arn=version_arn,
            job=self._job,
            gate=self._solution["qualityGate"],
        )

    def poll(self) -> BatchState:
        """Read the slot of the batch job, and what its results depend on.

        If the run has a job to follow, only the slot is read, because the rules need nothing else.
        """
        jobs = self._list_jobs()
        if find_job_to_follow(jobs, self.spec.run_id):
            return BatchState(jobs=jobs)

        location = self._job["input"]
        batch_input = Listing(location=location, objects=exports.list_objects(aws.s3(), location))

        client = aws.read_client()
        version = describe_version(client, self.spec.version_arn)
        state = BatchState(
            jobs=forget_lost_results(jobs, batch_input, read_results(self._job, jobs)),
            input_hash=batch_input.files_hash if batch_input.objects else None,
            filter_expression=self._read_filter(),
            deletions=list_deletions(client, version["datasetGroupArn"]),
            campaigns=[
                read_campaign(client, campaign["campaignArn"], self._solution["solutionArn"])
                for campaign in self._solution["campaigns"]
            ],
        )
        return add_versions(state, self.spec, cache(partial(read_version, client, self._solution)))

    def _list_jobs(self) -> list[BatchJob]:
        """List the slot's jobs, limited to this run's version if possible."""
        list_jobs = partial(list_batch_jobs, aws.read_client(), self._recipe, self._job["slot"])

        if self.progress.sent_at:
            # This run has requested a job. If the job exists, its version's list includes it, and
            # this list is short.
            jobs = list_jobs(self.progress.version_arn)
            if find_job_to_follow(jobs, self.spec.run_id):
                return jobs

        return list_jobs()

    def _read_filter(self) -> str | None:
        """Read the filter expression of the batch job, if it has a filter."""
        filter_arn = self._job["filterArn"]
        if filter_arn is None:
            return None

        response = aws.read_client().describe_filter(filterArn=filter_arn)
        return response["filter"]["filterExpression"]

    def decide(self, state: BatchState) -> Step:
        """Let the rules decide on the next step."""
        return decide(state, self.spec, self.progress, clock.now())

    def act(self, action: Action) -> None:
        """Create the batch job. The rules have no other action."""
        assert isinstance(action, Create)

        # The name ends with the slot, so that later runs find the job in a list.
        name = build_job_name(self._settings, self._run, self._job["slot"])
        content_and_day = f"{action.content_hash} {choose_export_day(self._run)}"
        tags = {**self._settings["tags"], RUN_TAG: self.spec.run_id, BATCH_TAG: content_and_day}

        request = {
            "jobName": name,
            "solutionVersionArn": action.version_arn,
            "roleArn": self._settings["batchRoleArn"],
            "tags": build_api_tags(tags),
        }

        with track_create_request(self.progress, name):
            create_batch_job(aws.write_client(), self._recipe, self._job, request)

    def build_status(self, result: InvocationResult[BatchState]) -> BatchJobStatus:
        """Return the status, with warnings about the results once they're written."""
        progress = self.progress
        jobs = result.state.jobs
        warnings = [*progress.warnings]
        if result.step.outcome == "WRITTEN":
            warnings += self._warn_of_results(jobs)

        own_job = next((job for job in jobs if job.run_id == self.spec.run_id), None)
        return {
            **result.build_status(progress, own_job, warnings),
            "arn": progress.job_arn,
            "versionArn": progress.version_arn,
        }

    def _warn_of_results(self, jobs: Sequence[BatchJob]) -> list[str]:
        """Warn of lines in the results that failed, or of results that can't be read.

        These are only warnings, because the results are there.
        """
        try:
            return warn_of_failed_lines(jobs, read_results(self._job, jobs))
        except (*AWS_ERRORS, BotoCoreError) as error:
            return [f"its results were not searched for lines that failed: {error}"]

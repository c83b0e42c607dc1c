"""Runs a batch job: looks, decides and acts until its results are written."""

from dataclasses import replace

from . import aws, clock, exports
from .contract import BatchItem, BatchIteration
from .executions import job_name
from .log import log_item
from .personalize.batch_jobs import batch_jobs_of, create_batch_job, list_batch_jobs
from .personalize.campaigns import campaign_state, describe_campaign, read_version
from .personalize.tags import BATCH, RUN, api_tags, tags_of
from .reconcile import InvocationResult, creation, from_document, reconcile
from .rules import batch_jobs
from .rules.batch_jobs import Create, Memory, SeenBatchJobs, WantedBatchJob
from .rules.steps import Action
from .texts import with_short_texts


@with_short_texts
def handler(event: BatchIteration, _context: object) -> BatchItem:
    """Run the batch job until it has an outcome, or has to wait for long."""
    job = RunningBatchJob(event)
    item = job.item(reconcile(job.look, batch_jobs.decide, job.act, job.wanted, job.memory))
    return log_item("run_batch_job", event["run"], event["batchJob"], item)


class RunningBatchJob:
    """One batch job in one invocation. The item carries its memory to the next."""

    def __init__(self, event: BatchIteration) -> None:
        settings, run, version = event["settings"], event["run"], event["training"]["arn"]
        assert version, "a training that has succeeded has a version"
        solutions = {solution["solutionArn"]: solution for solution in settings["solutions"]}
        self._settings, self._solution = settings, solutions[event["solutionArn"]]
        jobs = {job["output"]: job for job in batch_jobs_of(self._solution, run)}
        self._job, gate = jobs[event["batchJob"]], self._solution["qualityGate"]
        self.wanted = WantedBatchJob(run=run["id"], version=version, job=self._job, gate=gate)
        item = event["item"]
        self.memory = from_document(Memory, item["memory"]) if item else Memory(clock.now())
        self._recipe = event["recipe"]
        self._name = job_name(settings, run, self._job["slot"])

    def look(self) -> SeenBatchJobs:
        """Return the batch jobs of the output, the input and the campaigns as they are now.

        Nothing else is read while a job is running, because the rules need nothing else.
        """
        client, arn, slot = aws.read_client(), self._solution["solutionArn"], self._job["slot"]
        # A job that was sent is in the list of its version, which is short.
        for version in [self.memory.version, None] if self.memory.sent_at else [None]:
            jobs = list_batch_jobs(client, arn, self._recipe, slot, version)
            if any(job.is_running or job.run == self.wanted.run for job in jobs):
                return SeenBatchJobs(jobs=jobs)
        objects = exports.list_objects(aws.s3(), self._job["input"], by_prefix=True)
        export = exports.Export(location=self._job["input"], objects=objects)
        seen = SeenBatchJobs(
            jobs=jobs,
            input=export.fingerprint if objects else None,
            campaigns=[
                campaign_state(describe_campaign(client, item), tags_of(client, item), arn)
                for item in (campaign["campaignArn"] for campaign in self._solution["campaigns"])
            ],
        )
        versions = {
            version: read_version(client, self._solution, version)
            for version in batch_jobs.versions_to_compare(seen, self.wanted)
        }
        return replace(seen, versions=versions)

    def act(self, action: Action) -> None:
        """Create the batch job, which is the only thing that the rules decide to do."""
        assert isinstance(action, Create)
        tags = {**self._settings["tags"], RUN: self.wanted.run, BATCH: action.content}
        request = {
            "jobName": self._name,
            "solutionVersionArn": action.version,
            "roleArn": self._settings["batchRoleArn"],
            "tags": api_tags(tags),
        }
        with creation(self.memory, self._name):
            create_batch_job(aws.write_client(), self._recipe, self._job, request)

    def item(self, progress: InvocationResult[SeenBatchJobs]) -> BatchItem:
        """Return how far the batch job has come."""
        memory = self.memory
        job = next((job for job in progress.seen.jobs if job.arn == memory.job), None)
        own_job = job if job and job.run == self.wanted.run else None
        item = progress.item(memory, own_job, memory.warnings)
        return {**item, "arn": memory.job, "versionArn": memory.version}

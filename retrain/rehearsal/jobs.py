"""Lists the jobs that a run started, and polls their statuses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_stepfunctions import SFNClient

MAX_PROGRESS_OF_RUNNING = 0.95
"""A bar is never full while its job is running, because the expected duration is a guess."""
RUNNING = ("PENDING", "IN_PROGRESS", "STOPPING")
"""The last words of the statuses of a running job."""
JobKind: TypeAlias = Literal["import", "train", "update"]


class JobOutput(NamedTuple):
    """Where the output of a state has the job that the state started."""

    kind: JobKind
    job_key: str
    target_key: str
    """The key of what the job imports, trains or updates. Its value has the `durations`."""


JOB_OUTPUTS = {
    "Import dataset": JobOutput("import", "item", "dataset"),
    "Train solution": JobOutput("train", "item", "solution"),
}
"""The states that start jobs, by their names."""


class JobDescription(NamedTuple):
    """What Personalize returns about a job."""

    status: str
    created_at: datetime | None
    """None if Personalize does not show the job, because it is the update of a campaign."""


@dataclass
class Job:
    """A job that a run started: an import job, a training or the update of a campaign."""

    kind: JobKind
    arn: str
    """The ARN of the import job, the solution version or the campaign."""
    target_version_arn: str | None
    """The version to which an update moves the campaign. None for other jobs."""
    earlier_durations: list[int]
    """Seconds that earlier jobs of this kind took, the newest first."""
    statuses: list[str]
    """Every status that a poll returned, in order, without repetitions."""
    seconds: float = 0
    """The job's age at the last poll."""
    created_after: datetime | None = None
    """When the state began that judges a version and may update the campaign, for an update."""

    @property
    def label(self) -> str:
        """The kind of the job and a short name, for example `train movies/1a2b3c4d`."""
        return f"{self.kind} {short_name(self.arn)}"

    @property
    def has_ended(self) -> bool:
        """True if the last status is final."""
        return not self.statuses[-1].endswith(RUNNING)

    def exists(self, personalize: PersonalizeClient) -> bool:
        """Return False for an update that was not created: a version may be rejected or wait."""
        if self.created_after is None:
            return True
        campaign = personalize.describe_campaign(campaignArn=self.arn)["campaign"]
        update = campaign.get("latestCampaignUpdate")
        return update is not None and update["creationDateTime"] >= self.created_after

    def progress(self) -> float:
        """Return the expected progress, between 0 and 1.

        The job is expected to take as long as the last job of its kind. Without such a job, the
        progress is 0 until the job ends.
        """
        if self.has_ended:
            return 1
        if not self.earlier_durations or self.earlier_durations[0] == 0:
            return 0
        return min(self.seconds / self.earlier_durations[0], MAX_PROGRESS_OF_RUNNING)

    def poll(self, personalize: PersonalizeClient) -> bool:
        """Update the job's status and age. Return True if the status has changed."""
        description = self._describe(personalize)
        if description.created_at:
            self.seconds = (datetime.now(UTC) - description.created_at).total_seconds()
        if description.status == self.statuses[-1]:
            return False
        self.statuses.append(description.status)
        return True

    def _describe(self, personalize: PersonalizeClient) -> JobDescription:
        """Request the description of the job from Personalize."""
        if self.kind == "import":
            response = personalize.describe_dataset_import_job(datasetImportJobArn=self.arn)
            import_job = response["datasetImportJob"]
            return JobDescription(import_job["status"], import_job["creationDateTime"])
        if self.kind == "train":
            version = personalize.describe_solution_version(solutionVersionArn=self.arn)[
                "solutionVersion"
            ]
            return JobDescription(version["status"], version["creationDateTime"])
        return self._describe_update(personalize)

    def _describe_update(self, personalize: PersonalizeClient) -> JobDescription:
        """Request the description of a campaign, and return that of its update.

        DescribeCampaign shows only the latest update. If that is another update, the campaign
        either serves the target version already, or this update is not visible yet. Without a
        target version, the run only ends a trial, and the latest update is its rollback.
        """
        campaign = personalize.describe_campaign(campaignArn=self.arn)["campaign"]
        update = campaign.get("latestCampaignUpdate")
        if update and self.target_version_arn in (None, update["solutionVersionArn"]):
            return JobDescription(update["status"], update["creationDateTime"])
        serves_target = campaign["solutionVersionArn"] == self.target_version_arn
        return JobDescription("ACTIVE" if serves_target else self.statuses[-1], None)


def started_jobs(step_functions: SFNClient, execution_arn: str) -> Iterator[Job]:
    """Yield the jobs in the history of an execution, each with the status at its creation.

    A job is yielded several times if several states returned it. An update is yielded as soon as
    its version is judged, so it may not exist (`Job.exists`).
    """
    pages = step_functions.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn, includeExecutionData=True
    )
    for event in (event for page in pages for event in page["events"]):
        details = event.get("stateExitedEventDetails", {})
        state_name = details.get("name", "")
        if event["type"] == "TaskStateExited" and state_name in JOB_OUTPUTS:
            job = _read_job(JOB_OUTPUTS[state_name], json.loads(details["output"]))
            if job is not None:
                yield job
        entered = event.get("stateEnteredEventDetails", {})
        if entered.get("name") == "Deploy version":
            document = json.loads(entered["input"])
            arn, training = document["campaign"]["campaignArn"], document["training"]
            version = training and training["arn"]
            began_at = event["timestamp"]
            yield Job("update", arn, version, [], ["CREATE PENDING"], created_after=began_at)


def _read_job(place: JobOutput, state_output: Mapping[str, Any]) -> Job | None:
    """Return the job in the output of a state, or None if the state started no job.

    The state started none if it failed, or if the job has to wait. Then it has no creation time.
    """
    job = state_output[place.job_key]
    if not job or job.get("createdAt") is None:
        return None
    durations = state_output[place.target_key]["durations"]
    return Job(place.kind, job["arn"], None, durations, ["CREATE PENDING"])

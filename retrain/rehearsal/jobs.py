"""Lists the jobs that a run started, and polls their statuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from retrain.rehearsal.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_stepfunctions import SFNClient

MAX_PROGRESS_OF_RUNNING = 0.95
"""A bar is never full while its job is running, because the expected duration is a guess."""
RUNNING = ("PENDING", "IN_PROGRESS", "STOPPING")
"""The last words of the statuses of a running job."""
JOB_KEYS = {
    "Create dataset import job": "job",
    "Create solution version": "version",
    "Update campaign": "update",
}
"""Each state that starts a job, and the key of the job in its output."""


class JobState(NamedTuple):
    """A job's status and the time of its creation, if that is known."""

    status: str
    created: datetime | None


@dataclass
class Job:
    """A job that a run started: an import job, a training or the update of a campaign."""

    kind: Literal["import", "train", "update"]
    arn: str
    """The ARN of the import job, the solution version or the campaign."""
    target_version_arn: str | None
    """The version to which an update moves the campaign. None for other jobs."""
    earlier_durations: list[int]
    """Seconds that earlier jobs of this kind took, the newest first."""
    statuses: list[str]
    """Every status that a poll returned, in order, without repetitions."""
    seconds: float = field(default=0)
    """From the job's creation to the last poll while it was running."""

    @property
    def label(self) -> str:
        """The kind and the short name."""
        return f"{self.kind} {short_name(self.arn)}"

    @property
    def has_ended(self) -> bool:
        """True if the last status is final."""
        return not self.statuses[-1].endswith(RUNNING)

    def progress(self) -> float:
        """Return the expected progress, between 0 and 1."""
        if self.has_ended:
            return 1
        expected = self.earlier_durations[0] if self.earlier_durations else 0
        return min(self.seconds / expected, MAX_PROGRESS_OF_RUNNING) if expected else 0

    def poll(self, personalize: PersonalizeClient) -> bool:
        """Read the job's status. Return True if the status has changed."""
        state = self._describe(personalize)
        if state.created:
            self.seconds = (datetime.now(UTC) - state.created).total_seconds()
        if state.status == self.statuses[-1]:
            return False
        self.statuses.append(state.status)
        return True

    def _describe(self, personalize: PersonalizeClient) -> JobState:
        if self.kind == "import":
            import_response = personalize.describe_dataset_import_job(datasetImportJobArn=self.arn)
            job = import_response["datasetImportJob"]
            return JobState(job["status"], job["creationDateTime"])
        if self.kind == "train":
            response = personalize.describe_solution_version(solutionVersionArn=self.arn)
            version = response["solutionVersion"]
            return JobState(version["status"], version["creationDateTime"])
        campaign = personalize.describe_campaign(campaignArn=self.arn)["campaign"]
        update = campaign.get("latestCampaignUpdate")
        if update and update["solutionVersionArn"] == self.target_version_arn:
            return JobState(update["status"], update["creationDateTime"])
        serves_target = campaign["solutionVersionArn"] == self.target_version_arn
        return JobState("ACTIVE" if serves_target else self.statuses[-1], None)


def started_jobs(states: SFNClient, execution_arn: str) -> Iterator[Job]:
    """Yield the jobs in the history of an execution, each with the status at its creation.

    A job is yielded once for each time that a state returned it.
    """
    pages = states.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn, includeExecutionData=True
    )
    for event in (event for page in pages for event in page["events"]):
        details = event.get("stateExitedEventDetails", {})
        key = JOB_KEYS.get(details.get("name", ""))
        if key is None or event["type"] != "TaskStateExited":
            continue
        document = json.loads(details["output"])
        # The result has no creation time if the job could not be started, or not yet.
        if document[key] and "createdAt" in document[key]:
            yield _job(document, document[key])


def _job(document: Mapping[str, dict[str, list[int]]], created: Mapping[str, str]) -> Job:
    """Return the job that a state created. `document` is the output of the state."""
    arn, statuses = created["arn"], [created["status"]]
    if "dataset" in document:
        return Job("import", arn, None, document["dataset"]["durations"], statuses)
    if "campaign" in document:
        target = str(document["version"]["arn"])
        return Job("update", arn, target, document["campaign"]["durations"], statuses)
    return Job("train", arn, None, document["solution"]["durations"], statuses)

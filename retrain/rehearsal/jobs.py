"""The jobs of a run: which ones it started, as its history tells, and how each stands."""

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

UNTIL_DONE = 0.95
"""How full a bar is at most while its job is under way: an expected end is a guess."""
UNDER_WAY = ("PENDING", "IN_PROGRESS", "STOPPING")
CREATE = {
    "Create dataset import job": "job",
    "Create solution version": "version",
    "Update campaign": "update",
}
"""The states that start jobs, and where each puts its job (`state_machine/definition.py`)."""


class Seen(NamedTuple):
    """A job's status, and when it was created."""

    status: str
    created: datetime | None


@dataclass
class Job:
    """A job that the run started: an import, a training, or a campaign's update."""

    kind: Literal["import", "train", "update"]
    arn: str
    """Of an update, the campaign's."""
    target: str | None
    """Of an update, the version that the campaign moves to."""
    durations: list[int]
    """Seconds that the last jobs of this kind took, the newest first."""
    statuses: list[str]
    """Each status that was seen, in order."""
    seconds: float = field(default=0)
    """From its creation until now, or until its end was seen."""

    @property
    def label(self) -> str:
        """What is done to what."""
        return f"{self.kind} {short_name(self.arn)}"

    @property
    def ended(self) -> bool:
        """Whether its last status is final."""
        return not self.statuses[-1].endswith(UNDER_WAY)

    def share(self) -> float:
        """How far it is, between 0 and 1."""
        if self.ended:
            return 1
        expected = self.durations[0] if self.durations else 0
        return min(self.seconds / expected, UNTIL_DONE) if expected else 0

    def look(self, personalize: PersonalizeClient) -> bool:
        """Ask how it stands; tell whether that is new."""
        seen = self._seen(personalize)
        if seen.created:
            self.seconds = (datetime.now(UTC) - seen.created).total_seconds()
        if seen.status == self.statuses[-1]:
            return False
        self.statuses.append(seen.status)
        return True

    def _seen(self, personalize: PersonalizeClient) -> Seen:
        if self.kind == "import":
            described = personalize.describe_dataset_import_job(datasetImportJobArn=self.arn)
            job = described["datasetImportJob"]
            return Seen(job["status"], job["creationDateTime"])
        if self.kind == "train":
            trained = personalize.describe_solution_version(solutionVersionArn=self.arn)
            version = trained["solutionVersion"]
            return Seen(version["status"], version["creationDateTime"])
        campaign = personalize.describe_campaign(campaignArn=self.arn)["campaign"]
        update = campaign.get("latestCampaignUpdate")
        if update and update["solutionVersionArn"] == self.target:
            return Seen(update["status"], update["creationDateTime"])
        served = campaign["solutionVersionArn"] == self.target
        return Seen("ACTIVE" if served else self.statuses[-1], None)


def started(states: SFNClient, execution_arn: str) -> Iterator[Job]:
    """Give the jobs that the execution's history tells of, as often as it does.

    Each has the status that its creation answered.
    """
    pages = states.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn, includeExecutionData=True
    )
    for event in (event for page in pages for event in page["events"]):
        exited = event.get("stateExitedEventDetails", {})
        if exited.get("name") in CREATE and event["type"] == "TaskStateExited":
            document = json.loads(exited["output"])
            made = document[CREATE[exited["name"]]]
            # One that could not be started yet, or at all, has no creation time.
            if made and "createdAt" in made:
                yield _job(document, made)


def _job(document: Mapping[str, dict[str, list[int]]], made: Mapping[str, str]) -> Job:
    arn, statuses = made["arn"], [made["status"]]
    if "dataset" in document:
        return Job("import", arn, None, document["dataset"]["durations"], statuses)
    if "campaign" in document:
        target = str(document["version"]["arn"])
        return Job("update", arn, target, document["campaign"]["durations"], statuses)
    return Job("train", arn, None, document["solution"]["durations"], statuses)

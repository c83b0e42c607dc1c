"""Follow a run: one bar per job, drawn from the execution's history and Personalize's answers."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_stepfunctions import SFNClient
    from rich.console import Console

LOOK_SECONDS = 0.3
UNTIL_DONE = 0.95
"""How full a bar is at most while its job is under way: an expected end is a guess."""


class Seen(NamedTuple):
    """A job's status, and when it was created."""

    status: str
    created: datetime | None


@dataclass
class Job:
    """A job that the run started: an import, a training, or a campaign's update."""

    label: str
    kind: str
    arn: str
    target: str
    durations: list[int]
    statuses: list[str] = field(default_factory=list)
    """Each status that was seen, in order."""
    seconds: float = 0
    """From its creation until its end was seen."""

    @property
    def ended(self) -> bool:
        """Whether its last status is final."""
        return bool(self.statuses) and not self.statuses[-1].endswith(
            ("PENDING", "IN_PROGRESS", "STOPPING")
        )

    def share(self) -> float:
        """How far it is, between 0 and 1."""
        if self.ended:
            return 1
        expected = self.durations[0] if self.durations else 0
        return min(self.seconds / expected, UNTIL_DONE) if expected else 0


def follow(
    console: Console, states: SFNClient, personalize: PersonalizeClient, execution_arn: str
) -> list[Job]:
    """Show the run until it ends; give its jobs.

    Without a terminal, each new status is a line.
    """
    jobs: dict[str, Job] = {}
    bars: dict[str, TaskID] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        while True:
            status = states.describe_execution(executionArn=execution_arn)["status"]
            for job in _started(states, execution_arn):
                if job.arn not in jobs:
                    jobs[job.arn] = job
                    bars[job.arn] = progress.add_task(job.label, total=1, status="")
            for arn, job in jobs.items():
                if not job.ended:
                    _look(personalize, job, console)
                    progress.update(bars[arn], completed=job.share(), status=job.statuses[-1])
                if job.ended:
                    progress.stop_task(bars[arn])
            if status != "RUNNING":
                return list(jobs.values())
            time.sleep(LOOK_SECONDS)


def _look(personalize: PersonalizeClient, job: Job, console: Console) -> None:
    seen = _seen(personalize, job)
    if seen.created:
        job.seconds = (datetime.now(UTC) - seen.created).total_seconds()
    if job.statuses[-1:] != [seen.status]:
        job.statuses.append(seen.status)
        if not console.is_terminal:
            console.print(f"{job.label}: {seen.status}")


def _seen(personalize: PersonalizeClient, job: Job) -> Seen:
    if job.kind == "import":
        described = personalize.describe_dataset_import_job(datasetImportJobArn=job.arn)
        import_job = described["datasetImportJob"]
        return Seen(import_job["status"], import_job["creationDateTime"])
    if job.kind == "training":
        version = personalize.describe_solution_version(solutionVersionArn=job.arn)
        return Seen(
            version["solutionVersion"]["status"], version["solutionVersion"]["creationDateTime"]
        )
    campaign = personalize.describe_campaign(campaignArn=job.arn)["campaign"]
    update = campaign.get("latestCampaignUpdate")
    if update and update["solutionVersionArn"] == job.target:
        return Seen(update["status"], update["creationDateTime"])
    served = campaign["solutionVersionArn"] == job.target
    return Seen("ACTIVE" if served else "CREATE PENDING", None)


def _started(states: SFNClient, execution_arn: str) -> Iterator[Job]:
    """Give the jobs that the execution's history tells of, as often as it does."""
    pages = states.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn, includeExecutionData=True
    )
    for event in (event for page in pages for event in page["events"]):
        exited = event.get("stateExitedEventDetails", {})
        if event["type"] != "TaskStateExited" or "output" not in exited:
            continue
        document = json.loads(exited["output"])
        if exited["name"] == "Create dataset import job" and document.get("job"):
            dataset, job = document["dataset"], document["job"]
            if ":dataset-import-job/" in job["arn"]:
                yield Job(
                    f"import {dataset['type']}", "import", job["arn"], "", dataset["durations"]
                )
        elif exited["name"] == "Create solution version" and document.get("version"):
            solution, arn = document["solution"], document["version"]["arn"]
            name = solution["solutionArn"].rpartition("/")[2]
            yield Job(f"train {name}", "training", arn, "", solution["durations"])
        elif exited["name"] == "Update campaign" and document.get("update"):
            campaign = document["campaign"]
            name = campaign["campaignArn"].rpartition("/")[2]
            yield Job(
                f"update {name}",
                "update",
                campaign["campaignArn"],
                document["version"]["arn"],
                campaign["durations"],
            )

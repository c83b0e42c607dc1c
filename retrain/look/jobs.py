"""Reads the jobs of a run from the events of its execution.

The document of each state names what it imports, trains or updates, so an event can be understood
without the events before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median_high
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from functions.report.model import error_text
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

    from functions.contract import Plan
    from functions.report.model import Report

Kind: TypeAlias = Literal["import", "train", "update"]
State: TypeAlias = Literal["planned", "waiting", "running", "done", "held", "failed"]
"""`held`: the job was not started, or not kept, although nothing failed: the gate has rejected the
version, the version waits for an approval, or the campaign serves a newer one."""
OPEN_STATES = ("planned", "waiting", "running")
Document: TypeAlias = "Mapping[str, Any]"

STAGES = {
    "Plan retraining": "planning",
    "Import datasets": "importing the datasets",
    "Retrain solutions": "retraining the solutions",
    "Report outcome": "reporting the outcome",
}
"""Each state outside the Maps that takes a while -> what the run does there."""
STATUS_OF_OUTCOME: Mapping[str, State] = {
    "IMPORTED": "done",
    "TRAINED": "done",
    "DEPLOYED": "done",
    "AWAITING_APPROVAL": "held",
    "REJECTED": "held",
    "ROLLED_BACK": "failed",
    "SKIPPED": "held",
    "FAILED": "failed",
}
USUAL_UPDATE_SECONDS = 900
"""An update takes 8 to 25 minutes, as users of Personalize have seen."""
RUNNING_PHASES = ("IMPORTING", "TRAINING", "STOPPING")
"""The phases of an item whose job has begun."""


@dataclass
class Job:
    """A job of a run: an import, a training, or the update of a campaign with its probe."""

    kind: Kind
    subject: str
    """The type of the dataset, or the ARN of the solution or the campaign."""
    expected_seconds: float | None
    """The seconds that the job probably takes, or None if that is not known."""
    state: State = "planned"
    status: str = ""
    """The phase of the item in the document of the run, or the outcome."""
    arn: str | None = None
    """The ARN of the import job or the solution version."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    failure: str | None = None
    of_earlier_run: bool = False
    """True if the job finishes a trial that an earlier run has left."""

    @property
    def label(self) -> str:
        """The kind of the job and what it works on, for example `train movies`."""
        name = short_name(self.subject) if ":" in self.subject else self.subject
        return f"{self.kind} {name}{' (earlier run)' if self.of_earlier_run else ''}"

    @property
    def is_open(self) -> bool:
        """True if the job has not ended yet."""
        return self.state in OPEN_STATES

    def seconds(self, now: datetime) -> float:
        """Return how long the job has been running, or ran. It is 0 before the job has started."""
        if self.started_at is None:
            return 0
        return max(((self.ended_at or now) - self.started_at).total_seconds(), 0)

    def remaining_seconds(self, now: datetime) -> float | None:
        """Return how long the open job probably still takes, or None if that is not known."""
        if self.expected_seconds is None:
            return None
        return max(self.expected_seconds - self.seconds(now), 0)


@dataclass
class RunProgress:
    """What a run has done, according to the events that have been read."""

    run_id: str | None = None
    stage: str = "starting"
    """What the run does now."""
    plan: Plan | None = None
    report: Report | None = None
    """The report at the end of the run. A run that was aborted has none."""
    jobs: dict[tuple[Kind, str, bool], Job] = field(default_factory=dict)
    """The jobs in the order in which they were planned."""

    def read(self, event: HistoryEventTypeDef) -> None:
        """Add what one event of the execution says. The events must come in their order."""
        entered, exited = (
            event.get("stateEnteredEventDetails"),
            event.get("stateExitedEventDetails"),
        )
        if entered:
            name, text = entered["name"], entered.get("input")
        elif exited:
            name, text = exited["name"], exited.get("output")
        else:
            return
        if entered and name in STAGES:
            trials = "finishing the trials of earlier runs"
            is_map = name == "Retrain solutions"
            self.stage = trials if is_map and self._plays_trials else STAGES[name]
        document = json.loads(text) if text else None
        if isinstance(document, dict):
            self._read_document(name, document, event["timestamp"], is_entry=entered is not None)

    def _read_document(
        self, name: str, document: Document, time: datetime, *, is_entry: bool
    ) -> None:
        """Add what the document says with which a state begins or ends."""
        if "dataset" in document:
            self._read_import(document)
        elif "campaign" in document:
            self._read_campaign(document, time, earlier=self._plays_trials)
        elif "solution" in document and not self._plays_trials:
            self._read_training(document)
        elif not is_entry:
            self._read_run(name, document, time)

    def _read_run(self, name: str, document: Document, time: datetime) -> None:
        """Add what the output of a state outside the Maps says."""
        if "run" in document:
            self.run_id = document["run"].get("id", self.run_id)
        if name == "Plan retraining" and "plan" in document:
            self._read_plan(document["plan"], document, time)
        if name == "Report outcome":
            self.report = document.get("report")

    @property
    def _plays_trials(self) -> bool:
        """Return True if the run ends the trials of earlier runs before it does anything else."""
        return self.plan is not None and self.plan["todo"] == "TRIALS"

    def _read_plan(self, plan: Plan, document: Document, time: datetime) -> None:
        """Add the jobs of a plan, or what the run does before it is planned."""
        self.plan = plan
        if plan["todo"] == "WAIT":
            end = (time + timedelta(seconds=plan["seconds"])).astimezone(UTC)
            self.stage = f"waiting until {end:%H:%M:%S} UTC or longer: {plan['reason']}"
        if plan["todo"] != "WORK":
            return
        for dataset in plan["imports"]:
            self.job("import", dataset["type"]).expected_seconds = median_seconds(
                dataset["durations"]
            )
        for solution in plan["solutions"]:
            training = self.job("train", solution["solutionArn"])
            training.arn = solution["existingVersionArn"]
            training.expected_seconds = median_seconds(solution["durations"])
            for campaign in solution["campaigns"]:
                arn = campaign["campaignArn"]
                seconds = USUAL_UPDATE_SECONDS + _probe_minutes(document, arn) * 60
                self.job("update", arn).expected_seconds = seconds

    def job(self, kind: Kind, subject: str, *, earlier: bool = False) -> Job:
        """Return the job of this kind and subject. Add it if it is new."""
        key = (kind, subject, earlier)
        if key not in self.jobs:
            self.jobs[key] = Job(kind, subject, None, of_earlier_run=earlier)
        return self.jobs[key]

    def _read_import(self, document: Document) -> None:
        job = self.job("import", document["dataset"]["type"])
        if document["item"]:
            read_item(job, document["item"])
        if document["error"]:
            job.state, job.status, job.failure = "failed", "FAILED", error_text(document["error"])

    def _read_training(self, document: Document) -> None:
        job = self.job("train", document["solution"]["solutionArn"])
        if item := document.get("item") or document.get("version"):
            read_item(job, item)
        if document["error"] and job.is_open:
            job.state, job.status, job.failure = "failed", "FAILED", error_text(document["error"])

    def _read_campaign(self, document: Document, time: datetime, *, earlier: bool) -> None:
        """Add what the document of a state says that moves or probes a campaign."""
        job, item = self.job("update", document["campaign"]["campaignArn"], earlier=earlier), None
        job.started_at = job.started_at or time
        if job.is_open:
            job.state = "running"
        if item := document["item"]:
            job.status = item["outcome"] or item["phase"]
            job.failure = "; ".join(item["reasons"]) or None
        if outcome := document.get("outcome"):
            job.state, job.status, job.ended_at = STATUS_OF_OUTCOME[outcome], outcome, time
        if document["error"]:
            job.failure = error_text(document["error"])


def read_item(job: Job, item: Document) -> None:
    """Add how far an import or a training has come (`functions/contract.py`)."""
    job.arn, job.status = item["arn"], item["outcome"] or item["phase"]
    job.started_at, job.ended_at = (
        datetime.fromisoformat(item[key]) if item[key] else None for key in ("createdAt", "endedAt")
    )
    job.failure = "; ".join(item["reasons"]) or None
    state: State = "running" if item["phase"] in RUNNING_PHASES else "waiting"
    job.state = STATUS_OF_OUTCOME[item["outcome"]] if item["outcome"] else state


def median_seconds(durations: Sequence[int]) -> float | None:
    """Return the median of the durations of earlier jobs, or None if there are none.

    The workflow expects the same duration (`functions/rules/pacing.py`).
    """
    return median_high(durations) if durations else None


def _probe_minutes(document: Document, campaign_arn: str) -> float:
    """Return the minutes of the probe of a campaign, or 0 if it has none."""
    solutions = document["settings"]["solutions"]
    campaigns = [campaign for solution in solutions for campaign in solution["campaigns"]]
    (probe,) = (each["probe"] for each in campaigns if each["campaignArn"] == campaign_arn)
    return probe["minutes"] if probe else 0


def expected_end_seconds(jobs: Sequence[Job], now: datetime) -> float | None:
    """Return the seconds until the last job of a run probably ends, or None if they are not known.

    The imports run in parallel, then the trainings, and after each training its campaigns. Every
    stage waits for its slowest job, so the sum may be too long.
    """
    total = 0.0
    for kinds in (("import",), ("train",), ("update",)):
        remaining = list(_remaining(jobs, kinds, now))
        if None in remaining:
            return None
        total += max((seconds for seconds in remaining if seconds), default=0)
    return total


def _remaining(jobs: Sequence[Job], kinds: Sequence[str], now: datetime) -> Iterator[float | None]:
    """Yield how long each open job of these kinds probably still takes."""
    for job in jobs:
        if job.kind in kinds and job.is_open:
            yield job.remaining_seconds(now)

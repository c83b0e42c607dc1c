"""Reads what a run plans, does and has done: from the events of its execution, or its report.

The document of each state names what it imports, trains or updates, so an event can be understood
without the events before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median_high
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from functions.common import clock
from functions.common.formatting import (
    format_duration,
    format_metric_lines,
    format_time,
)
from functions.common.messages import (
    Message,
    format_message,
)
from functions.contract import find_solution_of_campaign
from functions.report.model import explain_error
from functions.run.execution_data import identify_run
from retrain.look.lines import STYLES, Line
from retrain.look.runs import Execution, parse_execution
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

    from functions.contract import Settings
    from functions.report.model import Report, SolutionReport

Kind: TypeAlias = Literal["import", "train", "update", "write"]
Document: TypeAlias = "Mapping[str, Any]"
STAGES = {
    "Plan retraining": "planning",
    "Import datasets": "importing the datasets",
    "Retrain solutions": "retraining the solutions",
    "Report outcome": "reporting the outcome",
}
"""Each state outside the Maps that takes a while -> what the run does there."""
FIRST_STATE = "Configure run"
"""It begins with what somebody wrote, which may have any keys."""
ON_TRIAL = "its version stays on trial until the watcher or the next run ends the trial"
NOT_STARTED = "not started"
NOT_FINISHED = "not finished"
TRIALS = "finishing the trials of earlier runs"
USUAL_UPDATE_SECONDS = 900
"""An update takes 8 to 25 minutes, as users of Personalize have seen."""
MAX_SHARE = 0.97
"""A bar is never full while its job is running, because the expected duration is a guess."""
PAGE_SIZE = 200
"""The number of events in a request. A busy run adds fewer between two polls."""


@dataclass
class Job:
    """A job of a run: an import, a training, a batch job, or the update of a campaign."""

    kind: Kind
    subject: str
    """The type of the dataset, the ARN of the solution or campaign, or the batch job's output."""
    of_earlier_run: bool = False
    """True if the job finishes a trial that an earlier run has left."""
    is_used: bool = False
    """True if the run uses a version that existed before, and trains none."""
    phase: str = "PLANNED"
    """What the job is waiting for, in the words of `functions/rules`."""
    outcome: str | None = None
    """The outcome, or how far the job came if the run ended first."""
    expected_seconds: float = 0
    """The seconds that the job probably takes, or 0 if that is not known."""
    began_at: datetime | None = None
    took: float | None = None
    """The seconds that the job took."""
    reasons: Sequence[Message] = ()
    versions: str = ""
    """The ids of the version, and of the version that the campaign served before."""
    metrics: list[str] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        """True if the job has begun and has not ended."""
        return self.outcome is None and self.began_at is not None

    @property
    def label(self) -> str:
        """What the job does, and with what."""
        verb = "use" if self.is_used else self.kind
        earlier = " (earlier)" if self.of_earlier_run else ""
        if self.subject.startswith("arn:"):
            return f"{verb} {short_name(self.subject)}{earlier}"
        return f"{verb} {self.subject}{earlier}"

    @property
    def status(self) -> str:
        """The outcome, or what the job is waiting for."""
        if self.outcome:
            return self.outcome
        # A function that waits for an update may probe already, and says so only at its end.
        if self.kind == "update" and self.phase in ("IN_PROGRESS", "UPDATING"):
            return "updating or on trial"
        return self.phase.lower().replace("_", " ")

    def seconds(self, now: datetime) -> float:
        """Return how long the job has been running, or 0 if it is not running."""
        if self.began_at is None or self.outcome:
            return 0
        return max((now - self.began_at).total_seconds(), 0)

    def line(self, now: datetime) -> Line:
        """Build the line of the job: its phase or outcome, and how long it takes or took."""
        times = ", ".join(self._times(now))
        other_style = "" if self.is_running else "yellow"
        style = STYLES.get(self.status, other_style)
        return Line(1, self.label, self.status, style, times, self._share(now))

    def _times(self, now: datetime) -> Iterator[str]:
        """Yield how long the job took, or has been running, and when it probably ends."""
        if self.outcome:
            if self.took is not None:
                yield format_duration(self.took)
            if self.versions:
                yield self.versions
        elif self.is_running:
            seconds = self.seconds(now)
            yield format_duration(seconds)
            if seconds > self.expected_seconds > 0:
                yield f"{format_duration(seconds - self.expected_seconds)} late"
            elif self.expected_seconds:
                yield f"until ~{format_clock_time(self.expected_seconds - seconds, now)}"
        elif self.expected_seconds:
            yield f"takes about {format_duration(self.expected_seconds)}"

    def _share(self, now: datetime) -> float:
        """Estimate how much of the job is done, so that a terminal can draw a bar."""
        if self.outcome:
            return float(self.outcome not in (NOT_STARTED, NOT_FINISHED))
        if not self.expected_seconds:
            return 0
        return min(self.seconds(now) / self.expected_seconds, MAX_SHARE)

    def read(self, document: Document, time: datetime, *, is_entry: bool) -> None:
        """Add what the document of a state says with which the state begins or ends."""
        status = document.get("status") or document.get("version")
        if status:
            self._read_status(status)
        elif is_entry and self.began_at is None:
            self.phase = "IN_PROGRESS"
            self.began_at = time

        error = document.get("error")
        if error and not self.outcome:
            self.outcome = "FAILED"
            self.reasons = explain_error(error)

    def _read_status(self, status: Document) -> None:
        self.phase = status["phase"]
        self.outcome = status["outcome"]
        self.reasons = status["reasons"]

        began_at = status["createdAt"] and datetime.fromisoformat(status["createdAt"])
        ended_at = status["endedAt"] and datetime.fromisoformat(status["endedAt"])
        if began_at or self.kind != "update":
            self.began_at = began_at
        if self.outcome and began_at and ended_at:
            self.took = (ended_at - began_at).total_seconds()

    def end(self, result: Document, outcome: str) -> None:
        """Add what the report says about the job."""
        self.outcome = outcome
        self.took = result["seconds"]
        self.reasons = result["reasons"]
        self.metrics = format_metric_lines(result.get("metrics", []))

        arns = [result.get("versionArn"), result.get("solutionVersionArn")]
        if outcome == "DEPLOYED":
            arns.insert(0, result.get("previousVersionArn"))
        self.versions = " → ".join(arn.rpartition("/")[2] for arn in arns if arn)


@dataclass
class ShownRun:
    """A run: its execution, its plan, its jobs and its report, as far as they have been read."""

    execution: Execution
    pipeline_options: Sequence[str] = ()
    """The options with which a printed command names the pipeline."""
    run_id: str | None = None
    """The id, or None if the execution has only just begun."""
    trigger: str | None = None
    """What started the run (`functions/contract.py`), or None like the id."""
    stage: str = "starting"
    """What the run does now, or did when it ended without a report."""
    why: Sequence[Message] = ()
    """What the run waits for before it begins."""
    report: Report | None = None
    """The report at the end of the run. A run that was aborted or timed out has none."""
    is_trial: bool = False
    """True while the run ends the trials of earlier runs before it does anything else."""
    update_seconds: float = USUAL_UPDATE_SECONDS
    """The seconds that the first update of a campaign probably takes without its probe."""
    last_event: int = 0
    """The id of the last event that was read."""
    all_jobs: dict[tuple[Kind, str, bool], Job] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id of the run, or the name of an execution that has only just begun."""
        return self.run_id or self.execution.name

    @property
    def outcome(self) -> str:
        """The outcome in the report, or the status of the execution."""
        if self.report:
            return self.report["outcome"]
        return self.execution.status

    @property
    def jobs(self) -> list[Job]:
        """The jobs in the order in which they were planned, but no version that was ready."""
        jobs = self.all_jobs.values()
        return [job for job in jobs if not (job.is_used and job.outcome == "TRAINED")]

    @property
    def reasons(self) -> Sequence[Message]:
        """Why the run ended like this, or nothing while it goes on or if the jobs say it."""
        if self.report:
            return self.report["reasons"]
        if self.execution.status in ("RUNNING", "SUCCEEDED"):
            return []
        return [Message(text=self.execution.failure)]

    def document(self) -> dict[str, object]:
        """Describe for JSON the execution, its outcome, and its report, which may be null."""
        execution = self.execution
        has_succeeded = self.report is not None and not self.report["error"]
        return {
            "runId": self.run_id,
            "executionArn": execution.arn,
            "executionStatus": execution.status,
            "outcome": self.outcome,
            "trigger": self.trigger,
            "startedAt": execution.started_at,
            "stoppedAt": execution.stopped_at,
            "seconds": round(execution.seconds(clock.now())),
            "stage": None if has_succeeded else self.stage,
            "reasons": self.reasons,
            "report": self.report,
        }

    def job(self, kind: Kind, subject: str, *, earlier: bool = False) -> Job:
        """Find the job of this kind and subject. Add it if it is new."""
        job = Job(kind, subject, of_earlier_run=earlier)
        return self.all_jobs.setdefault((kind, subject, earlier), job)

    def read_events(self, client: SFNClient) -> None:
        """Add what the events of the execution say that have not been read yet."""
        for event in list_events_after(client, self.execution.arn, self.last_event):
            self.read(event)
            self.last_event = event["id"]

    def read(self, event: HistoryEventTypeDef) -> None:
        """Add what one event of the execution says. The events must come in their order."""
        time = event["timestamp"]
        entered = event.get("stateEnteredEventDetails")
        exited = event.get("stateExitedEventDetails")
        if entered and entered["name"] != FIRST_STATE:
            self._read_state(entered["name"], entered.get("input"), time, is_entry=True)
        if exited:
            self._read_state(exited["name"], exited.get("output"), time, is_entry=False)

    def _read_state(self, name: str, text: str | None, time: datetime, *, is_entry: bool) -> None:
        """Add what the document says with which a state begins or ends."""
        document = json.loads(text or "null")
        if not isinstance(document, dict):
            return

        job = self._find_job(document)
        if job is not None:
            job.read(document, time, is_entry=is_entry)
        elif "solution" not in document and is_entry:
            self._enter(name, document)
        elif "solution" not in document:
            self._read_output(name, document, time)

    def _find_job(self, document: Document) -> Job | None:
        """Find the job that the document of a state is about, if it is about one."""
        if "dataset" in document:
            return self.job("import", document["dataset"]["type"])
        if "campaign" in document:
            arn = document["campaign"]["campaignArn"]
            return self.job("update", arn, earlier=self.is_trial)

        if "batchJob" in document:
            return self.job("write", document["batchJob"])
        if "solution" in document and not self.is_trial:
            return self.job("train", document["solution"]["solutionArn"])
        return None

    def _enter(self, state_name: str, document: Document) -> None:
        """Say what the run does now. A failure keeps the stage that failed."""
        if state_name not in STAGES or "error" in document:
            return
        self.why = ()
        self.stage = STAGES[state_name]
        if self.is_trial and state_name == "Retrain solutions":
            self.stage = TRIALS

    def _read_output(self, state_name: str, document: Document, time: datetime) -> None:
        """Add the output of a state outside the Maps."""
        if "run" in document:
            run = identify_run(document["run"])
            self.run_id = run["id"]
            self.trigger = run["trigger"]

        if state_name == "Plan retraining" and "plan" in document:
            self._read_plan(document["plan"], document["settings"], time)
        if document.get("report"):
            self.read_report(document["report"])

    def _read_plan(self, plan: Document, settings: Settings, time: datetime) -> None:
        """Add the jobs of a plan, or what the run does before it is planned."""
        self.is_trial = plan["todo"] == "TRIALS"
        self.why = ()
        if plan["todo"] == "WAIT":
            end = time + timedelta(seconds=plan["seconds"])
            self.stage = f"waiting until {format_time(end)} UTC or longer"
            self.why = plan["reasons"]

        if plan["todo"] == "WORK":
            for dataset in plan["imports"]:
                self._expect("import", dataset["type"], dataset["durations"])
            for solution in plan["solutions"]:
                self._read_planned_solution(solution, settings)

    def _read_planned_solution(self, solution: Document, settings: Settings) -> None:
        training = self._expect("train", solution["solutionArn"], solution["durations"])
        training.is_used = solution["existingVersionArn"] is not None

        for campaign in solution["campaigns"]:
            arn = campaign["campaignArn"]
            update_seconds = campaign.get("updateSeconds", self.update_seconds)
            trial_seconds = _expected_trial_seconds(settings, arn)
            self.job("update", arn).expected_seconds = update_seconds + trial_seconds

        for output in solution.get("batchJobs", ()):
            self.job("write", output)

    def _expect(self, kind: Kind, subject: str, durations: Sequence[float]) -> Job:
        """Add a job that probably takes as long as the last ones."""
        job = self.job(kind, subject)
        if durations:
            job.expected_seconds = median_high(durations)
        return job

    def read_report(self, report: Report) -> None:
        """Add the report, which has the last word about each job, unless it lacks a key."""
        self.run_id = report["runId"]
        self.trigger = report["trigger"]

        try:
            for item in report["imports"]:
                self.job("import", item["type"]).end(item, item["outcome"])
            for trial in report["trials"]:
                self.job("update", trial["campaignArn"], earlier=True).end(trial, trial["outcome"])
            for solution in report["solutions"]:
                self._read_solution_report(solution)
        except KeyError:
            self.stage = f"{report['outcome']}, says a report of another release"
        else:
            self.report = report

    def _read_solution_report(self, solution: SolutionReport) -> None:
        training = self.job("train", solution["solutionArn"])
        has_version = solution["solutionVersionArn"] is not None
        training.is_used = has_version and not solution["isTrained"]
        training.end(solution, solution["outcome"] if solution["reasons"] else "TRAINED")

        for campaign in solution["campaigns"]:
            self.job("update", campaign["campaignArn"]).end(campaign, campaign["outcome"])
        # The report of an earlier release lacks the key.
        for batch_job in solution.get("batchJobs", ()):
            self.job("write", batch_job["output"]).end(batch_job, batch_job["outcome"])

    def end_with(self, execution: Execution) -> None:
        """Add the status of the execution. If it has ended, no job without an outcome is open."""
        self.execution = execution
        if execution.is_running:
            return

        for job in self.all_jobs.values():
            if job.outcome:
                continue
            job.outcome = NOT_STARTED if job.phase == "PLANNED" else NOT_FINISHED
            if job.kind == "update" and job.began_at:
                job.reasons = [Message(text=ON_TRIAL)]

    def remaining_seconds(self, now: datetime) -> float:
        """Estimate the seconds until the run ends, or return 0 if they are not known.

        The imports run in parallel, then the trainings, and after each training its campaigns.
        Every stage waits for its slowest job, so the sum may be too long.
        """
        remaining: dict[Kind, float] = {}

        for job in self.jobs:
            if job.outcome:
                continue
            if not job.expected_seconds:
                return 0
            seconds = job.expected_seconds - job.seconds(now)
            remaining[job.kind] = max(seconds, remaining.get(job.kind, 0))

        return sum(remaining.values())

    def lines(
        self, notes: Mapping[str, str] | None = None, *, only_running: bool = False
    ) -> Iterator[Line]:
        """Yield the lines of a run: when it ran, why it ended, and its jobs.

        `notes`: the ARN of a campaign -> what has happened there to the version since the run.
        `only_running`: leave out the jobs that are not running.
        """
        now = clock.now()
        style = STYLES.get(self.outcome, "")
        times = ", ".join(self._times(now))
        yield Line(0, self.id, self.outcome, style, times, label_style="bold")

        yield from self._describe_cause(style)
        jobs = [job for job in self.jobs if job.is_running or not only_running]
        for job in jobs:
            yield job.line(now)
            yield from self._explain(job, notes or {})

        hidden_count = len(self.jobs) - len(jobs)
        if hidden_count:
            yield Line(1, f"and {hidden_count} more jobs")

    def _describe_cause(self, style: str) -> Iterator[Line]:
        """Yield what the run does now and why, or why it ended."""
        report = self.report
        if report is None or report["error"]:
            yield Line(1, self.stage)

        for reason in self.reasons or self.why:
            yield Line(2, "", format_message(reason, self.pipeline_options), style)

        # A report of an earlier release lacks the key.
        if report is not None and report.get("dataDeletionJobArn"):
            deletion = short_name(str(report["dataDeletionJobArn"]))
            yield Line(1, f"trained again, because {deletion} deleted users")

    def _times(self, now: datetime) -> Iterator[str]:
        """Yield when the run began, how long it took, and when it probably ends or its trigger."""
        yield f"{format_time(self.execution.started_at)} UTC"
        yield format_duration(self.execution.seconds(now))

        remaining_seconds = self.remaining_seconds(now)
        if self.execution.is_running and remaining_seconds:
            # A terminal of 80 columns has no room for the trigger too.
            yield f"until ~{format_clock_time(remaining_seconds, now)}"
        elif self.trigger:
            yield self.trigger

    def _explain(self, job: Job, notes: Mapping[str, str]) -> Iterator[Line]:
        """Yield the metrics of a job, and a note or the reasons for its outcome."""
        if job.outcome != "REJECTED":  # its reason has the metrics that have decided
            yield from (Line(2, "", metric) for metric in job.metrics)

        reasons = [format_message(reason, self.pipeline_options) for reason in job.reasons]
        note = notes.get(job.subject, "; ".join(reasons))
        if note:
            yield Line(2, "", note)


def _expected_trial_seconds(settings: Settings, campaign_arn: str) -> float:
    """Expect a trial to take as long as the longer one of its probe and its bake."""
    campaigns = find_solution_of_campaign(settings, campaign_arn)["campaigns"]
    campaign = next(item for item in campaigns if item["campaignArn"] == campaign_arn)

    seconds = 0.0
    if campaign["probe"]:
        seconds = campaign["probe"]["minutes"] * 60
    if campaign["bake"]:
        seconds = max(seconds, campaign["bake"]["hours"] * 3600)
    return seconds


def read_run(
    client: SFNClient, execution_arn: str, pipeline_options: Sequence[str] = ()
) -> ShownRun:
    """Read a run from its report if it succeeded, and otherwise from its events."""
    described = client.describe_execution(executionArn=execution_arn)
    view = ShownRun(parse_execution(described), pipeline_options)

    if described["status"] == "SUCCEEDED":
        view.read_report(json.loads(described["output"])["report"])
        return view

    view.read_events(client)
    view.end_with(view.execution)
    return view


def list_events_after(client: SFNClient, arn: str, last_event: int) -> list[HistoryEventTypeDef]:
    """List the events of an execution after the event with this id, in their order.

    The history is read backwards, so that old events are not read again.
    """
    newest_first: list[HistoryEventTypeDef] = []
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=arn,
        reverseOrder=True,
        includeExecutionData=True,
        PaginationConfig={"PageSize": PAGE_SIZE},
    )
    for page in pages:
        newest_first += [event for event in page["events"] if event["id"] > last_event]
        if not page["events"] or page["events"][-1]["id"] <= last_event:
            break
    return newest_first[::-1]


def format_clock_time(seconds: float, now: datetime) -> str:
    """Format the time some seconds from now. If it is today, its day is left out."""
    time = format_time(now + timedelta(seconds=seconds))
    today = format_time(now).partition(" ")[0]
    return time.removeprefix(f"{today} ")

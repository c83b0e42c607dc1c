"""Reads what a run plans, does and has done: from the events of its execution, or its report.

The document of each state names what it imports, trains or updates, so an event can be understood
without the events before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median_high
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

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
from functions.report.mail import ERROR_HEADLINES
from functions.report.model import explain_error
from functions.run.execution_data import identify_run
from retrain.look.lines import STYLES, Line
from retrain.look.runs import Execution, execution_of
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

    from functions.report.model import Report

Kind: TypeAlias = Literal["import", "train", "update", "write"]
Document: TypeAlias = "Mapping[str, Any]"
STAGES = {
    "Plan retraining": "planning",
    "Import datasets": "importing the datasets",
    "Retrain solutions": "retraining the solutions",
    "Report outcome": "reporting the outcome",
}
"""Each state outside the Maps that takes a while -> what the run does there."""
ON_TRIAL = "its version stays on trial until the watcher or the next run ends the trial"
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

    def seconds(self, now: datetime) -> float:
        """Return how long the job has been running, or 0 if it is not running."""
        began_at = self.began_at if self.is_running else None
        return max((now - began_at).total_seconds(), 0) if began_at else 0

    def line(self, now: datetime) -> Line:
        """Return the line of the job: its phase or outcome, and how long it takes or took."""
        name = short_name(self.subject) if self.subject.startswith("arn:") else self.subject
        earlier = " (earlier)" if self.of_earlier_run else ""
        label = f"{'use' if self.is_used else self.kind} {name}{earlier}"
        # A function that waits for an update may probe already, and says so only at its end.
        is_open = self.kind == "update" and self.phase in ("IN_PROGRESS", "UPDATING")
        phase = "UPDATING OR ON_TRIAL" if is_open else self.phase
        status = self.outcome or phase.lower().replace("_", " ")
        seconds, expected, share = self.seconds(now), self.expected_seconds, 0.0
        times = [format_duration(seconds)] if self.is_running else []
        if self.outcome:
            times = [] if self.took is None else [format_duration(self.took)]
            times += [self.versions] if self.versions else []
            share = not self.outcome.startswith("not ")
        elif expected and not self.is_running:
            times = [f"takes about {format_duration(expected)}"]
        elif expected:
            late = f"{format_duration(seconds - expected)} late"
            until = f"until ~{clock_text(expected - seconds, now)}"
            times.append(late if seconds > expected else until)
            share = min(seconds / expected, MAX_SHARE)
        style = STYLES.get(status, "" if self.is_running else "yellow")
        return Line(1, label, status, style, ", ".join(times), share)

    def read(self, document: Document, time: datetime, *, is_entry: bool) -> None:
        """Add what the document of a state says with which the state begins or ends."""
        item, error = document.get("status") or document.get("version"), document.get("error")
        if item:
            self.phase, self.outcome = item["phase"], item["outcome"]
            self.reasons = item["reasons"]
            began, ended = (
                datetime.fromisoformat(item[key]) if item[key] else None
                for key in ("createdAt", "endedAt")
            )
            self.began_at = began or (self.began_at if self.kind == "update" else None)
            if self.outcome and began and ended:
                self.took = (ended - began).total_seconds()
        elif is_entry and self.began_at is None:
            self.phase, self.began_at = "IN_PROGRESS", time
        if error and not self.outcome:
            self.outcome = "FAILED"
            self.reasons = explain_error(error)

    def end(self, result: Document, outcome: str) -> None:
        """Add what the report says about the job."""
        self.outcome, self.took = outcome, result["seconds"]
        self.reasons = result["reasons"]
        version = result.get("versionArn") or result.get("solutionVersionArn")
        previous = result.get("previousVersionArn") if outcome == "DEPLOYED" else None
        self.versions = " → ".join(arn.rpartition("/")[2] for arn in (previous, version) if arn)
        self.metrics = format_metric_lines(result.get("metrics", []))


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
    all_jobs: dict[tuple[Kind, str, bool], Job] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id of the run, or the name of an execution that has only just begun."""
        return self.run_id or self.execution.name

    @property
    def outcome(self) -> str:
        """The outcome in the report, or the status of the execution."""
        return self.report["outcome"] if self.report else self.execution.status

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
        text = self.execution.error or ERROR_HEADLINES.get(self.execution.status, "no cause given")
        return [Message(text=text)]

    def document(self) -> dict[str, object]:
        """Return the run as JSON: the execution, its outcome, and its report, which may be null."""
        execution, report = self.execution, self.report
        return {
            "runId": self.run_id,
            "executionArn": execution.arn,
            "executionStatus": execution.status,
            "outcome": self.outcome,
            "trigger": self.trigger,
            "startedAt": execution.started_at,
            "stoppedAt": execution.stopped_at,
            "seconds": round(execution.seconds(clock.now())),
            "stage": None if report and not report["error"] else self.stage,
            "reasons": self.reasons,
            "report": report,
        }

    def job(self, kind: Kind, subject: str, *, earlier: bool = False) -> Job:
        """Return the job of this kind and subject. Add it if it is new."""
        job = Job(kind, subject, of_earlier_run=earlier)
        return self.all_jobs.setdefault((kind, subject, earlier), job)

    def read(self, event: HistoryEventTypeDef) -> None:
        """Add what one event of the execution says. The events must come in their order."""
        entered = event.get("stateEnteredEventDetails")
        details = cast("Document", entered or event.get("stateExitedEventDetails") or {})
        text = details.get("input") or details.get("output")
        document = json.loads(text) if text else None
        # The first state enters with what somebody wrote, which may have any keys.
        if not isinstance(document, dict) or (entered and details["name"] == "Configure run"):
            return
        name, job = details["name"], None
        if "dataset" in document:
            job = self.job("import", document["dataset"]["type"])
        elif "campaign" in document:
            arn = document["campaign"]["campaignArn"]
            job = self.job("update", arn, earlier=self.is_trial)
        elif "batchJob" in document:
            job = self.job("write", document["batchJob"])
        elif "solution" in document:
            if not self.is_trial:
                job = self.job("train", document["solution"]["solutionArn"])
        elif entered:
            if name in STAGES and "error" not in document:  # a failure keeps the stage that failed
                is_trial = self.is_trial and name == "Retrain solutions"
                self.stage = TRIALS if is_trial else STAGES[name]
                self.why = ()
        else:
            self._read_run(name, document, event["timestamp"])
        if job:
            job.read(document, event["timestamp"], is_entry=entered is not None)

    def _read_run(self, name: str, document: Document, time: datetime) -> None:
        """Add the output of a state outside the Maps."""
        if "run" in document:
            run = identify_run(document["run"])
            self.run_id, self.trigger = run["id"], run["trigger"]
        if name == "Plan retraining" and "plan" in document:
            self._read_plan(document, time)
        if report := document.get("report"):
            self.read_report(report)

    def _read_plan(self, document: Document, time: datetime) -> None:
        """Add the jobs of a plan, or what the run does before it is planned."""
        plan, settings = document["plan"], document["settings"]
        self.is_trial, self.why = plan["todo"] == "TRIALS", ()
        if plan["todo"] == "WAIT":
            end = time + timedelta(seconds=plan["seconds"])
            self.stage = f"waiting until {format_time(end)} UTC or longer"
            self.why = plan["reasons"]
        if plan["todo"] != "WORK":
            return
        for dataset in plan["imports"]:
            job = self.job("import", dataset["type"])
            job.expected_seconds = median_high(dataset["durations"] or [0])
        for solution in plan["solutions"]:
            job = self.job("train", solution["solutionArn"])
            job.expected_seconds = median_high(solution["durations"] or [0])
            job.is_used = solution["existingVersionArn"] is not None
            for planned in solution["campaigns"]:
                arn = planned["campaignArn"]
                campaigns = find_solution_of_campaign(settings, arn)["campaigns"]
                (campaign,) = (item for item in campaigns if item["campaignArn"] == arn)
                probe, bake = campaign["probe"], campaign["bake"]
                minutes = max(probe["minutes"] if probe else 0, bake["hours"] * 60 if bake else 0)
                update_seconds = planned.get("updateSeconds", self.update_seconds)
                self.job("update", arn).expected_seconds = update_seconds + minutes * 60
            for output in solution.get("batchJobs", ()):
                self.job("write", output)

    def read_report(self, report: Report) -> None:
        """Add the report, which has the last word about each job, unless it lacks a key."""
        self.run_id, self.trigger = report["runId"], report["trigger"]
        try:
            for item in report["imports"]:
                self.job("import", item["type"]).end(item, item["outcome"])
            for trial in report["trials"]:
                self.job("update", trial["campaignArn"], earlier=True).end(trial, trial["outcome"])
            for solution in report["solutions"]:
                training = self.job("train", solution["solutionArn"])
                has_version = solution["solutionVersionArn"] is not None
                training.is_used = has_version and not solution["isTrained"]
                training.end(solution, solution["outcome"] if solution["reasons"] else "TRAINED")
                for campaign in solution["campaigns"]:
                    self.job("update", campaign["campaignArn"]).end(campaign, campaign["outcome"])
                # The report of an earlier release lacks the key.
                for batch_job in solution.get("batchJobs", ()):
                    self.job("write", batch_job["output"]).end(batch_job, batch_job["outcome"])
        except KeyError:
            self.stage = f"{report['outcome']}, says a report of another release"
        else:
            self.report = report

    def end_with(self, execution: Execution) -> None:
        """Add the status of the execution. If it has ended, no job without an outcome is open."""
        self.execution = execution
        for job in self.all_jobs.values():
            if not (execution.is_running or job.outcome):
                job.outcome = "not started" if job.phase == "PLANNED" else "not finished"
                if job.kind == "update" and job.began_at:
                    job.reasons = [Message(text=ON_TRIAL)]

    def remaining_seconds(self, now: datetime) -> float:
        """Return the seconds until the run probably ends, or 0 if they are not known.

        The imports run in parallel, then the trainings, and after each training its campaigns.
        Every stage waits for its slowest job, so the sum may be too long.
        """
        remaining: dict[Kind, float] = {}
        for job in self.jobs:
            if not (job.outcome or job.expected_seconds):
                return 0
            left = 0 if job.outcome else job.expected_seconds - job.seconds(now)
            remaining[job.kind] = max(left, remaining.get(job.kind, 0))
        return sum(remaining.values())

    def lines(
        self, notes: Mapping[str, str] | None = None, *, only_running: bool = False
    ) -> Iterator[Line]:
        """Yield the lines of a run: when it ran, why it ended, and its jobs.

        `notes`: the ARN of a campaign -> what has happened there to the version since the run.
        `only_running`: leave out the jobs that are not running.
        """
        now, execution = clock.now(), self.execution
        started_at = f"{format_time(execution.started_at)} UTC"
        times = [started_at, format_duration(execution.seconds(now))]
        if execution.is_running and (seconds := self.remaining_seconds(now)):
            # A terminal of 80 columns has no room for the trigger too.
            times.append(f"until ~{clock_text(seconds, now)}")
        elif self.trigger:
            times.append(self.trigger)
        style = STYLES.get(self.outcome, "")
        yield Line(0, self.id, self.outcome, style, ", ".join(times), label_style="bold")
        if not self.report or self.report["error"]:
            yield Line(1, self.stage)
        for reason in self.reasons or self.why:
            yield Line(2, "", format_message(reason, self.pipeline_options), style)
        # A report of an earlier release lacks the key.
        if self.report and (deletion := self.report.get("dataDeletionJobArn")):
            yield Line(1, f"trained again, because {short_name(deletion)} deleted users")
        jobs = [job for job in self.jobs if job.is_running or not only_running]
        for job in jobs:
            yield job.line(now)
            if job.outcome != "REJECTED":  # its reason has the metrics that have decided
                yield from (Line(2, "", metric) for metric in job.metrics)
            reasons = [format_message(reason, self.pipeline_options) for reason in job.reasons]
            note = (notes or {}).get(job.subject) or "; ".join(reasons)
            yield from [Line(2, "", note)] if note else []
        if hidden := len(self.jobs) - len(jobs):
            yield Line(1, f"and {hidden} more jobs")


def read_run(
    client: SFNClient, execution_arn: str, pipeline_options: Sequence[str] = ()
) -> ShownRun:
    """Return a run. A run that succeeded is read from its report, and any other from its events."""
    described = client.describe_execution(executionArn=execution_arn)
    view = ShownRun(execution_of(described), pipeline_options)
    if described["status"] == "SUCCEEDED":
        view.read_report(json.loads(described["output"])["report"])
    else:
        for event in events_after(client, execution_arn, 0):
            view.read(event)
        view.end_with(view.execution)
    return view


def events_after(client: SFNClient, arn: str, last_event: int) -> list[HistoryEventTypeDef]:
    """Return the events of an execution after the event with this id, in their order.

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


def clock_text(seconds: float, now: datetime) -> str:
    """Return the time some seconds from now, without its day if that is today."""
    time = format_time(now + timedelta(seconds=seconds))
    today = format_time(now).partition(" ")[0]
    return time.removeprefix(f"{today} ")

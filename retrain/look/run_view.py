"""A run as the commands show it: its times, its stage or outcome, and its jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.common import clock
from functions.common.formatting import format_duration, format_time
from functions.common.messages import Message, format_message
from functions.report.mail import ERROR_HEADLINES, describe_recommender
from retrain.look.jobs import Job, format_expected_end
from retrain.look.lines import STYLES, Line
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from functions.report.model import RecommenderReport, Report, SolutionReport
    from retrain.look.jobs import Kind
    from retrain.look.runs import Execution

NO_NOTES: Mapping[str, str] = {}


@dataclass
class ShownRun:
    """What's known about a run from its events (`run_events.py`) or its report."""

    execution: Execution
    pipeline_options: Sequence[str] = ()
    """The options that identify the pipeline in printed commands."""
    run_id: str | None = None
    """The id, or None if it's still unknown because the execution has only just begun."""
    trigger: str | None = None
    """What started the run (see `functions/contract.py`). None as long as the id is unknown."""
    stage: str = "starting"
    """What the run is doing or, if it ended without a report, what it did last."""
    waiting_reasons: Sequence[Message] = ()
    """Why the run is waiting, if it can't begin yet."""
    failure: str = ""
    """The error that ended the execution, and its cause."""
    report: Report | None = None
    """The report at the end of the run. A run that was aborted or timed out has none."""
    jobs: dict[tuple[Kind, str], Job] = field(default_factory=dict)
    """Kind and subject -> the job, in the order in which the jobs were planned."""
    recommenders: Sequence[RecommenderReport] = ()
    """The recommenders at the end of the run, if the pipeline only imports."""

    @property
    def id(self) -> str:
        """The id of the run, or the name of its execution until the id is known."""
        return self.run_id or self.execution.name

    @property
    def outcome(self) -> str:
        """The outcome in the report or, without a report, the status of the execution."""
        if self.report:
            return self.report["outcome"]
        return self.execution.status

    @property
    def reasons(self) -> Sequence[Message]:
        """Why the run ended as it did. Empty while it's running, or if its jobs say why."""
        if self.report:
            return self.report["reasons"]
        if self.execution.status in ("RUNNING", "SUCCEEDED"):
            return []
        headline = ERROR_HEADLINES.get(self.execution.status, "no cause given")
        return [Message(text=self.failure or headline)]

    def get_or_add_job(self, kind: Kind, subject: str, expected_seconds: float = 0) -> Job:
        """Return the job of this kind and subject, and add it first if it's new."""
        return self.jobs.setdefault((kind, subject), Job(kind, subject, expected_seconds))

    def apply_report(self, report: Report) -> None:
        """Update the run and its jobs from the report.

        A report written by another release may lack a key. In that case, only its outcome is shown.
        """
        self.run_id = report["runId"]
        self.trigger = report["trigger"]

        try:
            self._apply_results(report)
        except KeyError:
            self.stage = f"{report['outcome']}, says a report of another release"
        else:
            self.report = report

    def _apply_results(self, report: Report) -> None:
        for dataset in report["imports"]:
            self.get_or_add_job("import", dataset["type"]).apply_result(dataset)
        for trial in report["trials"]:
            self.get_or_add_job("trial at", trial["campaignArn"]).apply_result(trial)
        for solution in report["solutions"]:
            self._apply_solution_report(solution)
        # Null means that they could not be listed.
        self.recommenders = report["recommenders"] or []

    def _apply_solution_report(self, solution: SolutionReport) -> None:
        # A version of an earlier run has no training to show, only the jobs of its campaigns.
        if solution["isTrained"] or solution["reasons"]:
            # Without reasons of its own, a solution has the outcome of its campaigns.
            outcome = solution["outcome"] if solution["reasons"] else "TRAINED"
            job = self.get_or_add_job("train", solution["solutionArn"])
            job.apply_result({**solution, "outcome": outcome})

        for campaign in solution["campaigns"]:
            job = self.get_or_add_job("update", campaign["campaignArn"])
            job.apply_result({**campaign, "trainedBy": solution["trainedBy"]})
        for batch_job in solution["batchJobs"]:
            self.get_or_add_job("write", batch_job["output"]).apply_result(batch_job)

    def apply_execution(self, execution: Execution) -> None:
        """Replace the execution with a newer description, and close all jobs if it has ended."""
        self.execution = execution
        if not execution.is_running:
            for job in self.jobs.values():
                job.close()

    def document(self) -> dict[str, object]:
        """Build the JSON document about the run. `report` is None if there isn't one yet."""
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
            "seconds": round(execution.elapsed_seconds(clock.now())),
            "stage": None if has_succeeded else self.stage,
            "reasons": self.reasons,
            "report": self.report,
        }

    def lines(self, notes: Mapping[str, str] = NO_NOTES) -> Iterator[Line]:
        """Yield the lines of the run: its times, its stage or why it ended, and its jobs.

        `notes` maps the ARN of a campaign to what happened there to the version after the run.
        """
        now = clock.now()
        style = STYLES.get(self.outcome, "")
        times = ", ".join(self._describe_times(now))
        yield Line(0, self.id, self.outcome, style, times, label_style="bold")

        yield from self._explain(style)
        for job in self.jobs.values():
            yield from job.lines(now, self.pipeline_options, notes.get(job.subject, ""))
        yield from self._recommender_lines()

    def _recommender_lines(self) -> Iterator[Line]:
        for recommender in self.recommenders:
            label = f"recommender {short_name(recommender['recommenderArn'])}"
            style = STYLES.get(recommender["status"], "yellow")
            yield Line(1, label, describe_recommender(recommender), style)

    def _explain(self, style: str) -> Iterator[Line]:
        """Yield what the run is doing and why it's waiting, or why it ended."""
        if self.report is None or self.report["error"]:
            yield Line(1, self.stage)
        for reason in self.reasons or self.waiting_reasons:
            yield Line(2, "", format_message(reason, self.pipeline_options), style)

        if self.report is not None and self.report["dataDeletionJobArn"]:
            deletion_name = short_name(self.report["dataDeletionJobArn"])
            yield Line(1, f"trained again, because {deletion_name} deleted users")

    def _describe_times(self, now: datetime) -> Iterator[str]:
        """Yield when the run began, its duration, and its expected end or else its trigger."""
        yield f"{format_time(self.execution.started_at)} UTC"
        yield format_duration(self.execution.elapsed_seconds(now))

        remaining_seconds = self.estimate_remaining_seconds(now)
        if self.execution.is_running and remaining_seconds:
            # A terminal with 80 columns has no room for the trigger as well.
            yield format_expected_end(remaining_seconds, now)
        elif self.trigger:
            yield self.trigger

    def estimate_remaining_seconds(self, now: datetime) -> float:
        """Estimate how long the run will go on, or return 0 if a job's duration is unknown.

        The imports run in parallel, then the trainings, and after each training its campaigns. We
        add up the slowest job of each kind, which may be too long, because a campaign waits only
        for its own training.
        """
        seconds_by_kind: dict[Kind, float] = {}
        for job in self.jobs.values():
            if job.outcome:
                continue
            if not job.expected_seconds:
                return 0

            seconds = job.expected_seconds - job.elapsed_seconds(now)
            seconds_by_kind[job.kind] = max(seconds, seconds_by_kind.get(job.kind, 0))

        return sum(seconds_by_kind.values())

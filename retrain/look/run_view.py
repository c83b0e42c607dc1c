"""What the commands show of a run: when it ran, what it does or why it ended, and its jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.common import clock
from functions.common.formatting import format_duration, format_time
from functions.common.messages import Message, format_message
from retrain.look.jobs import Job, format_expected_end
from retrain.look.lines import STYLES, Line
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from functions.report.model import Report, SolutionReport
    from retrain.look.jobs import Kind
    from retrain.look.runs import Execution

NO_NOTES: Mapping[str, str] = {}


@dataclass
class ShownRun:
    """A run, as far as it has been read from its events (`run_events.py`) or its report."""

    execution: Execution
    pipeline_options: Sequence[str] = ()
    """The options with which a printed command names the pipeline."""
    run_id: str | None = None
    """The id, or None if the execution has only just begun."""
    trigger: str | None = None
    """What started the run (`functions/contract.py`), or None like the id."""
    stage: str = "starting"
    """What the run does now, or did last if it has ended without a report."""
    waiting_reasons: Sequence[Message] = ()
    """Why the run waits before it begins."""
    report: Report | None = None
    """The report at the end of the run. A run that was aborted or timed out has none."""
    jobs: dict[tuple[Kind, str], Job] = field(default_factory=dict)
    """The kind and the subject of a job -> the job, in the order in which they were planned."""

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
    def reasons(self) -> Sequence[Message]:
        """Why the run ended like this, or nothing while it goes on or if the jobs say it."""
        if self.report:
            return self.report["reasons"]
        if self.execution.status in ("RUNNING", "SUCCEEDED"):
            return []
        return [Message(text=self.execution.failure)]

    def job(self, kind: Kind, subject: str) -> Job:
        """Find the job of this kind and subject. Add it if it is new."""
        return self.jobs.setdefault((kind, subject), Job(kind, subject))

    def read_report(self, report: Report) -> None:
        """Add what the report says about the run and its jobs.

        A report of another release may lack a key. Then only its outcome is shown.
        """
        self.run_id = report["runId"]
        self.trigger = report["trigger"]

        try:
            self._read_results(report)
        except KeyError:
            self.stage = f"{report['outcome']}, says a report of another release"
        else:
            self.report = report

    def _read_results(self, report: Report) -> None:
        for dataset in report["imports"]:
            self.job("import", dataset["type"]).read_result(dataset)
        for trial in report["trials"]:
            self.job("trial at", trial["campaignArn"]).read_result(trial)
        for solution in report["solutions"]:
            self._read_solution_report(solution)

    def _read_solution_report(self, solution: SolutionReport) -> None:
        # A version that was ready needs no line: its campaigns say what became of it.
        if solution["isTrained"] or solution["reasons"]:
            # The outcome is that of the campaigns, unless there is a reason at the solution itself.
            outcome = solution["outcome"] if solution["reasons"] else "TRAINED"
            job = self.job("train", solution["solutionArn"])
            job.read_result({**solution, "outcome": outcome})

        for campaign in solution["campaigns"]:
            self.job("update", campaign["campaignArn"]).read_result(campaign)
        for batch_job in solution["batchJobs"]:
            self.job("write", batch_job["output"]).read_result(batch_job)

    def read_execution(self, execution: Execution) -> None:
        """Add the status of the execution. Once it has ended, it doesn't go on with any job."""
        self.execution = execution
        if not execution.is_running:
            for job in self.jobs.values():
                job.close()

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

    def lines(
        self, notes: Mapping[str, str] = NO_NOTES, *, only_running: bool = False
    ) -> Iterator[Line]:
        """Yield the lines of a run: when it ran, why it ended, and its jobs.

        `notes` maps the ARN of a campaign to what happened there to the version after the run.
        With `only_running`, the other jobs are only counted.
        """
        now = clock.now()
        yield self._build_header(now)
        yield from self._explain()

        shown_jobs = [job for job in self.jobs.values() if job.is_running or not only_running]
        for job in shown_jobs:
            yield from job.lines(now, self.pipeline_options, notes.get(job.subject, ""))
        hidden_count = len(self.jobs) - len(shown_jobs)
        if hidden_count:
            yield Line(1, f"and {hidden_count} more jobs")

    def _build_header(self, now: datetime) -> Line:
        times = ", ".join(self._describe_times(now))
        return Line(0, self.id, self.outcome, self._style, times, label_style="bold")

    @property
    def _style(self) -> str:
        return STYLES.get(self.outcome, "")

    def _describe_times(self, now: datetime) -> Iterator[str]:
        """Yield when the run began, how long it took, and when it probably ends or its trigger."""
        yield f"{format_time(self.execution.started_at)} UTC"
        yield format_duration(self.execution.seconds(now))

        remaining_seconds = self.estimate_remaining_seconds(now)
        if self.execution.is_running and remaining_seconds:
            # A terminal of 80 columns has no room for the trigger too.
            yield format_expected_end(remaining_seconds, now)
        elif self.trigger:
            yield self.trigger

    def estimate_remaining_seconds(self, now: datetime) -> float:
        """Estimate the seconds until the run ends, or return 0 if they are not known.

        The imports run in parallel, then the trainings, and after each training its campaigns.
        Every stage waits for its slowest job, so the sum may be too long.
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

    def _explain(self) -> Iterator[Line]:
        """Yield what the run does now and why, or why it ended."""
        report = self.report
        if report is None or report["error"]:
            yield Line(1, self.stage)
        for reason in self.reasons or self.waiting_reasons:
            yield Line(2, "", format_message(reason, self.pipeline_options), self._style)

        if report is not None and report["dataDeletionJobArn"]:
            deletion_name = short_name(report["dataDeletionJobArn"])
            yield Line(1, f"trained again, because {deletion_name} deleted users")

"""A job of a run as the commands show it: its progress, its expected end, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from functions.common.formatting import (
    format_duration,
    format_metric_lines,
    format_time,
    resource_name,
)
from functions.common.messages import Message, format_message
from functions.report.model import explain_error
from retrain.look.lines import STYLES, Line
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from functions.contract import JobStatus

Kind: TypeAlias = Literal["import", "train", "update", "trial at", "write"]
"""The first words on a job's line. A job of kind `trial at` ends a trial that an earlier run left
unfinished."""
CAMPAIGN_KINDS: Sequence[Kind] = ("update", "trial at")
NOT_STARTED = "not started"
NOT_FINISHED = "not finished"
STILL_ON_TRIAL = "its version stays on trial until the watcher or the next run ends the trial"
MAX_SHARE = 0.97
"""A bar is never full while its job is running, because the expected duration is an estimate."""
DAY_SECONDS = timedelta(days=1).total_seconds()


@dataclass
class Job:
    """A job of a run: an import, a training, a batch job, or the update of a campaign."""

    kind: Kind
    subject: str
    """The type of the dataset, the ARN of the solution or campaign, or the batch job's output."""
    expected_seconds: float = 0
    """How long the job probably takes, or 0 if that's unknown."""
    phase: str = "PLANNED"
    """What the job is doing or waiting for. The phases are those of `functions/rules`."""
    outcome: str | None = None
    """The outcome. If the run ended before the job, it says how far the job came."""
    began_at: datetime | None = None
    seconds_taken: float | None = None
    reasons: Sequence[Message] = ()
    versions: str = ""
    """The id of the version. If it was deployed, the id of the replaced version comes first. If
    Personalize has trained it, that's said as well."""
    metric_lines: Sequence[str] = ()
    """What the quality gate compared."""

    @property
    def is_running(self) -> bool:
        """True if the job has begun, but hasn't ended yet."""
        return self.outcome is None and self.began_at is not None

    # What the run says about the job

    def apply_state(self, document: Mapping[str, Any], time: datetime) -> None:
        """Update the job from the input or output of a state that works on it."""
        # Once a solution is finished, its training is under `version`.
        status = document.get("status") or document.get("version")
        if status:
            self._apply_status(status)
        elif self.began_at is None:
            self.phase = "IN_PROGRESS"
            self.began_at = time

        error = document.get("error")
        if error and not self.outcome:
            self.outcome = "FAILED"
            self.reasons = explain_error(error)

    def _apply_status(self, status: JobStatus) -> None:
        """Update the job from the status that its function returned last."""
        self.phase = status["phase"]
        self.outcome = status["outcome"]
        self.reasons = status["reasons"]

        # Without a creation time, the job is still waiting, for example for another job.
        self.began_at = None
        if status["createdAt"]:
            self.began_at = datetime.fromisoformat(status["createdAt"])
        if self.outcome and self.began_at and status["endedAt"]:
            ended_at = datetime.fromisoformat(status["endedAt"])
            self.seconds_taken = (ended_at - self.began_at).total_seconds()

    def apply_result(self, result: Mapping[str, Any]) -> None:
        """Update the job from the report, which overrides the events, because it's written last."""
        self.outcome = result["outcome"]
        self.seconds_taken = result["seconds"]
        self.reasons = result["reasons"]
        self.metric_lines = format_metric_lines(result.get("metrics", []))

        arns = [result.get("versionArn"), result.get("solutionVersionArn")]
        if self.outcome == "DEPLOYED":
            arns.insert(0, result.get("previousVersionArn"))
        self.versions = " → ".join(resource_name(arn) for arn in arns if arn)
        if self.versions and result.get("trainedBy") == "personalize":
            self.versions += ", trained by Personalize"

    def close(self) -> None:
        """Record how far the job came when its run ended, unless it already has an outcome."""
        if self.outcome:
            return

        self.outcome = NOT_FINISHED
        if self.phase == "PLANNED":
            self.outcome = NOT_STARTED
        if self.kind in CAMPAIGN_KINDS and self.began_at:
            self.reasons = [Message(text=STILL_ON_TRIAL)]

    # What the screen shows

    def elapsed_seconds(self, now: datetime) -> float:
        """Return how long ago the job began, or 0 if it hasn't begun yet."""
        if self.began_at is None:
            return 0
        return (now - self.began_at).total_seconds()

    def lines(
        self, now: datetime, pipeline_options: Sequence[str], note: str = ""
    ) -> Iterator[Line]:
        """Yield the job's line, then its metrics and the reasons for its outcome.

        `note` says what happened to the version after the run, and replaces the reasons.
        """
        yield self._build_line(now)

        # The reasons for a rejection already contain the metrics.
        if self.outcome != "REJECTED":
            for metric_line in self.metric_lines:
                yield Line(2, "", metric_line)

        reasons = [format_message(reason, pipeline_options) for reason in self.reasons]
        explanation = note or "; ".join(reasons)
        if explanation:
            yield Line(2, "", explanation)

    def _build_line(self, now: datetime) -> Line:
        """Build the line with the phase or outcome, and how long the job takes or took."""
        name = self.subject
        if name.startswith("arn:"):
            name = short_name(name)

        status = self._describe_status()
        other_style = "" if self.is_running else "yellow"
        style = STYLES.get(status, other_style)
        time = self._describe_time(now)
        return Line(1, f"{self.kind} {name}", status, style, time, self._estimate_share(now))

    def _describe_status(self) -> str:
        if self.outcome:
            return self.outcome
        # While the function is still running, it may have moved on from the update to the trial.
        if self.kind in CAMPAIGN_KINDS and self.phase in ("IN_PROGRESS", "UPDATING"):
            return "updating or on trial"
        return self.phase.lower().replace("_", " ")

    def _describe_time(self, now: datetime) -> str:
        """Describe how long the job took and its versions, or when it should end."""
        if self.outcome:
            duration = ""
            if self.seconds_taken is not None:
                duration = format_duration(self.seconds_taken)
            return ", ".join(filter(None, [duration, self.versions]))

        if self.is_running:
            return self._describe_progress(now)
        if self.expected_seconds:
            return f"takes about {format_duration(self.expected_seconds)}"
        return ""

    def _describe_progress(self, now: datetime) -> str:
        """Describe how long the job has been running, and when it should end or how late it is."""
        elapsed = format_duration(self.elapsed_seconds(now))
        if not self.expected_seconds:
            return elapsed

        remaining_seconds = self.expected_seconds - self.elapsed_seconds(now)
        if remaining_seconds < 0:
            return f"{elapsed}, {format_duration(-remaining_seconds)} late"
        return f"{elapsed}, {format_expected_end(remaining_seconds, now)}"

    def _estimate_share(self, now: datetime) -> float:
        """Estimate the share of the job that's done, which a terminal draws as a bar."""
        if self.outcome:
            return float(self.outcome not in (NOT_STARTED, NOT_FINISHED))
        if not self.expected_seconds:
            return 0
        return min(self.elapsed_seconds(now) / self.expected_seconds, MAX_SHARE)


def format_expected_end(seconds: float, now: datetime) -> str:
    """Format the time when something probably ends, without the date if that's within a day."""
    expected_end = format_time(now + timedelta(seconds=seconds))
    if seconds < DAY_SECONDS:
        expected_end = expected_end.partition(" ")[2]
    return f"until ~{expected_end}"

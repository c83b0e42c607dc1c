"""The timeline of a job: which status it has at which time.

A job's statuses are planned when the job is created, as a list of transitions. A transition may
have a callback that does the work of the job, for example imports the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple


class Duration(NamedTuple):
    """How many seconds a job stays PENDING, and then IN_PROGRESS."""

    pending: float
    in_progress: float


Timings = Callable[[str, str], Duration | tuple[float, float]]
"""Returns the duration of a job, given the kind of the job and the ARN of its resource.

The kind is, for example, "dataset-import-job" or "campaign-update". It's "deletion" for the
deletion of any resource, and "stop" for the time that a training stays in CREATE STOPPING."""

JOB_DURATION = Duration(pending=1, in_progress=2)
CONTAINER_DURATION = Duration(pending=0.1, in_progress=0.2)
STOP_DURATION = Duration(pending=0, in_progress=1)

SLOW_JOB_KINDS = (
    "dataset-import-job",
    "data-deletion-job",
    "solution-version",
    "campaign",
    "campaign-update",
    "recommender",
    "batch-inference-job",
    "batch-segment-job",
)


@dataclass(frozen=True)
class FixedTimings:
    """The same duration for all slow jobs, and a shorter one for resources like dataset groups."""

    jobs: Duration = JOB_DURATION
    containers: Duration = CONTAINER_DURATION
    stop: Duration = STOP_DURATION

    def __call__(self, job_kind: str, _arn: str, /) -> Duration:
        """Return the duration of this kind of job, regardless of its resource."""
        if job_kind == "stop":
            return self.stop
        if job_kind in SLOW_JOB_KINDS:
            return self.jobs

        return self.containers


@dataclass
class Transition:
    """A change of a job's status, with an optional callback."""

    time: datetime

    status: str
    """The status from this time on."""

    callback: Callable[[], None] | None = None

    def run_callback(self) -> None:
        """Run the callback once. If it raises an exception, it isn't retried."""
        callback = self.callback
        self.callback = None
        if callback is not None:
            callback()


@dataclass
class Timeline:
    """The past and planned statuses of one job."""

    transitions: list[Transition]
    """The transitions of the job, oldest first. The first one is its creation."""

    verb: str = "CREATE"
    """The first word of the statuses before the outcome, for example of CREATE PENDING."""

    fault: str = field(default="", init=False)
    """The kind of fault that was injected into the job, if any.

    Some faults only affect what a solution version returns later."""

    failure_reason: str | None = field(default=None, init=False)

    @classmethod
    def plan(
        cls, start: datetime, progress: datetime, end: datetime, *, verb: str, outcome: str
    ) -> "Timeline":
        """Plan a job that's PENDING at `start`, IN_PROGRESS at `progress`, and done at `end`."""
        transitions = [
            Transition(start, f"{verb} PENDING"),
            Transition(progress, f"{verb} IN_PROGRESS"),
            Transition(end, outcome),
        ]
        return cls(transitions, verb)

    @property
    def created(self) -> datetime:
        """The time at which the job was created."""
        return self.transitions[0].time

    def find_transition(self, time: datetime) -> Transition:
        """Find the last transition up to `time`, or the first one if the job is created later.

        A stale Describe, for example, asks about a time before the newest update of a campaign.
        """
        past_transitions = [
            transition for transition in self.transitions if transition.time <= time
        ]
        if not past_transitions:
            return self.transitions[0]

        return past_transitions[-1]

    def status(self, time: datetime) -> str:
        """Return the job's status at a given time."""
        return self.find_transition(time).status

    def is_active(self, time: datetime) -> bool:
        """Return True if the job had succeeded by then."""
        return self.status(time) == "ACTIVE"

    def has_ended(self, time: datetime) -> bool:
        """Return True if the job had succeeded, failed or been stopped by then."""
        return self.status(time).endswith(("ACTIVE", "FAILED", "STOPPED"))

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Return the response fields for the job's status, times and failure reason."""
        transition = self.find_transition(time)
        fields: dict[str, object] = {
            "status": transition.status,
            "creationDateTime": self.created,
            "lastUpdatedDateTime": transition.time,
        }

        if transition.status.endswith("FAILED"):
            fields["failureReason"] = self.failure_reason

        return fields

    def on_in_progress(self, callback: Callable[[], None]) -> None:
        """Run `callback` once the job is IN_PROGRESS. It may raise JobFailed to fail the job."""
        self.transitions[1].callback = callback

    def on_active(self, callback: Callable[[], None]) -> None:
        """Run `callback` when the job would become ACTIVE. It may raise JobFailed to fail the job.

        If an injected fault makes the job fail, stop or hang, the callback never runs.
        """
        end = self.transitions[-1]
        if end.status == "ACTIVE":
            end.callback = callback

    def fail(self, transition: Transition, reason: str) -> None:
        """Turn a transition into the failure of the job, and cancel all later ones."""
        # Compare positions instead of times, which are all the same for a job that takes no time.
        del self.transitions[self.transitions.index(transition) + 1 :]
        transition.status = f"{self.verb} FAILED"
        self.failure_reason = reason

    def stop(self, time: datetime, stopping_seconds: float) -> None:
        """Stop the job at `time`.

        A job that's still PENDING is STOPPED immediately. Otherwise, it's STOPPING first.
        """
        is_pending = self.status(time).endswith("PENDING")
        self.transitions = [
            transition for transition in self.transitions if transition.time <= time
        ]

        end_time = time
        if not is_pending:
            self.transitions.append(Transition(time, f"{self.verb} STOPPING"))
            end_time += timedelta(seconds=stopping_seconds)

        self.transitions.append(Transition(end_time, f"{self.verb} STOPPED"))

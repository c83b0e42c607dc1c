"""The status of a job over time, as a list of moments with the effect of each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol


class Duration(NamedTuple):
    """The seconds that a job stays PENDING and then IN_PROGRESS. They can be infinite."""

    pending: float
    in_progress: float

    @property
    def total(self) -> float:
        """The seconds from the job's creation to its end."""
        return self.pending + self.in_progress


class Timings(Protocol):
    """A function that returns how long a job takes."""

    def __call__(self, kind: str, arn: str, /) -> Duration | tuple[float, float]:
        """Return the seconds PENDING and IN_PROGRESS of a job.

        `kind` is the kind of the job ("dataset-import-job", "campaign-update"), `arn` its ARN.
        """


SHORT = Duration(pending=1, in_progress=2)
SHORTER = Duration(pending=0.1, in_progress=0.2)
STOPPING = Duration(pending=0, in_progress=1)
JOBS = ("dataset-import-job", "solution-version", "campaign", "campaign-update")


@dataclass(frozen=True)
class FixedTimings:
    """One duration for all jobs, and a shorter one for resources like dataset groups."""

    jobs: Duration = SHORT
    containers: Duration = SHORTER
    stop: Duration = STOPPING

    def __call__(self, kind: str, _arn: str, /) -> Duration:
        """Return the duration of a kind of job. The ARN makes no difference."""
        if kind == "stop":
            return self.stop
        return self.jobs if kind in JOBS else self.containers


@dataclass
class Moment:
    """The time from which a job has a status. `effect` is called once at this time."""

    time: datetime
    status: str
    effect: Callable[[], None] | None = None


@dataclass
class Timeline:
    """The moments of one job, oldest first. The status at a time depends on nothing else."""

    moments: list[Moment]
    verb: str = "CREATE"
    failure_reason: str | None = field(default=None, init=False)

    @property
    def created(self) -> datetime:
        """The time of the call that created the job."""
        return self.moments[0].time

    def at(self, time: datetime) -> Moment:
        """Return the last moment that is not after `time`, or the first one if all are after it."""
        reached = [moment for moment in self.moments if moment.time <= time]
        return reached[-1] if reached else self.moments[0]

    def status(self, time: datetime) -> str:
        """Return the status that Describe shows at a time."""
        return self.at(time).status

    def is_active(self, time: datetime) -> bool:
        """Return True if the job has succeeded."""
        return self.status(time) == "ACTIVE"

    def has_ended(self, time: datetime) -> bool:
        """Return True if the status does not change any more by itself."""
        return self.status(time).endswith(("ACTIVE", "FAILED", "STOPPED"))

    def shown(self, time: datetime) -> dict[str, object]:
        """Return the fields that every Describe has for a job."""
        moment = self.at(time)
        fields: dict[str, object] = {
            "status": moment.status,
            "creationDateTime": self.created,
            "lastUpdatedDateTime": moment.time,
        }
        if self.failure_reason and moment.status.endswith("FAILED"):
            fields["failureReason"] = self.failure_reason
        return fields

    def fail(self, moment: Moment, reason: str) -> None:
        """End the job as failed at `moment`, and drop all later moments."""
        self.cut(moment.time)
        moment.status = f"{self.verb} FAILED"
        self.failure_reason = reason

    def stop(self, time: datetime, seconds: float) -> None:
        """Stop the job at `time`. A job in progress is STOPPING for `seconds` first."""
        is_pending = self.status(time).endswith("PENDING")
        self.cut(time)
        if not is_pending:
            self.moments.append(Moment(time, f"{self.verb} STOPPING"))
            time += timedelta(seconds=seconds)
        self.moments.append(Moment(time, f"{self.verb} STOPPED"))

    def cut(self, time: datetime) -> None:
        """Drop the moments after `time` and their effects."""
        for moment in self.moments:
            if moment.time > time:
                moment.effect = None
        self.moments = [moment for moment in self.moments if moment.time <= time]


def timeline(
    now: datetime,
    duration: Duration,
    *,
    verb: str = "CREATE",
    on_progress: Callable[[], None] | None = None,
    on_end: Callable[[], None] | None = None,
    outcome: str = "ACTIVE",
) -> Timeline:
    """Return the timeline of a job that starts now: PENDING, IN_PROGRESS, and then `outcome`.

    A phase with an infinite duration is the last one.
    """
    moments = [Moment(now, f"{verb} PENDING")]
    if duration.pending != float("inf"):
        progress = now + timedelta(seconds=duration.pending)
        moments.append(Moment(progress, f"{verb} IN_PROGRESS", on_progress))
    if duration.total != float("inf"):
        end = now + timedelta(seconds=duration.total)
        moments.append(Moment(end, outcome, on_end))
    return Timeline(moments, verb)

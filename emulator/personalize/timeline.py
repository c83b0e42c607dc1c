"""How a job's status moves through time: a list of moments, each with what happens then."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol


class Duration(NamedTuple):
    """How long a job stays PENDING and then IN_PROGRESS, in seconds; infinity is for ever."""

    pending: float
    in_progress: float

    @property
    def total(self) -> float:
        """Seconds from the job's creation to its end."""
        return self.pending + self.in_progress


class Timings(Protocol):
    """Tells a job of a kind ("dataset-import-job", "campaign-update") how long it takes."""

    def __call__(self, kind: str, arn: str, /) -> Duration | tuple[float, float]:
        """Seconds of PENDING and of IN_PROGRESS; `arn` is the job's own."""


SHORT = Duration(pending=1, in_progress=2)
SHORTER = Duration(pending=0.1, in_progress=0.2)
STOPPING = Duration(pending=0, in_progress=1)
JOBS = ("dataset-import-job", "solution-version", "campaign", "campaign-update")


@dataclass(frozen=True)
class FixedTimings:
    """The same durations for every job, and shorter ones for the containers around them."""

    jobs: Duration = SHORT
    containers: Duration = SHORTER
    stop: Duration = STOPPING

    def __call__(self, kind: str, _arn: str, /) -> Duration:
        """By kind alone."""
        if kind == "stop":
            return self.stop
        return self.jobs if kind in JOBS else self.containers


@dataclass
class Moment:
    """From this time on the status is this one; `effect` is what else happens, once."""

    time: datetime
    status: str
    effect: Callable[[], None] | None = None


@dataclass
class Timeline:
    """The moments of one job, in order. Its status at any time follows from them alone."""

    moments: list[Moment]
    verb: str = "CREATE"
    failure_reason: str | None = field(default=None, init=False)

    @property
    def created(self) -> datetime:
        """When the job was asked for."""
        return self.moments[0].time

    def at(self, time: datetime) -> Moment:
        """The last moment that is not after this time (the first one before all of them)."""
        return [m for m in self.moments if m.time <= time or m is self.moments[0]][-1]

    def status(self, time: datetime) -> str:
        """What Describe shows at this time."""
        return self.at(time).status

    def active(self, time: datetime) -> bool:
        """Whether the job has ended well."""
        return self.status(time) == "ACTIVE"

    def ended(self, time: datetime) -> bool:
        """Whether the status is one that does not change by itself any more."""
        return self.status(time).endswith(("ACTIVE", "FAILED", "STOPPED"))

    def shown(self, time: datetime) -> dict[str, object]:
        """The fields that every Describe has for a job."""
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
        """At this moment the job failed; nothing that was planned for later comes."""
        self.cut(moment.time)
        moment.status = f"{self.verb} FAILED"
        self.failure_reason = reason

    def stop(self, time: datetime, seconds: float) -> None:
        """From this time on the job is stopped; out of progress that takes some seconds."""
        pending = self.status(time).endswith("PENDING")
        self.cut(time)
        if not pending:
            self.moments.append(Moment(time, f"{self.verb} STOPPING"))
            time += timedelta(seconds=seconds)
        self.moments.append(Moment(time, f"{self.verb} STOPPED"))

    def cut(self, time: datetime) -> None:
        """Drop what was planned for after this time."""
        for moment in self.moments:
            if moment.time > time:
                moment.effect = None
        self.moments = [m for m in self.moments if m.time <= time]


def timeline(
    now: datetime,
    duration: Duration,
    *,
    verb: str = "CREATE",
    begin: Callable[[], None] | None = None,
    end: Callable[[], None] | None = None,
    outcome: str = "ACTIVE",
) -> Timeline:
    """PENDING, IN_PROGRESS, outcome; a phase that lasts for ever is the last one."""
    moments = [Moment(now, f"{verb} PENDING")]
    if duration.pending != float("inf"):
        begins = now + timedelta(seconds=duration.pending)
        moments.append(Moment(begins, f"{verb} IN_PROGRESS", begin))
    if duration.total != float("inf"):
        ends = now + timedelta(seconds=duration.total)
        moments.append(Moment(ends, outcome, end))
    return Timeline(moments, verb)

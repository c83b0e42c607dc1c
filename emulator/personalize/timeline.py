"""The status of a job over time, as a list of moments with the effect of each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple


class Duration(NamedTuple):
    """The seconds that a job stays PENDING and then IN_PROGRESS."""

    pending: float
    in_progress: float


Timings = Callable[[str, str], Duration | tuple[float, float]]
"""Returns how long a job takes. The first argument is the kind of the job, for example
"dataset-import-job" or "campaign-update". It is "deletion" for the deletion of a resource, and
"stop" for the time in CREATE STOPPING. The second argument is the ARN of the resource."""
DURATION_OF_JOB = Duration(pending=1, in_progress=2)
DURATION_OF_CONTAINER = Duration(pending=0.1, in_progress=0.2)
DURATION_OF_STOP = Duration(pending=0, in_progress=1)
SLOW_JOB_KINDS = (
    "dataset-import-job",
    "data-deletion-job",
    "solution-version",
    "campaign",
    "campaign-update",
    "batch-inference-job",
    "batch-segment-job",
)


@dataclass(frozen=True)
class FixedTimings:
    """One duration for all slow jobs, and a shorter one for resources like dataset groups."""

    jobs: Duration = DURATION_OF_JOB
    containers: Duration = DURATION_OF_CONTAINER
    stop: Duration = DURATION_OF_STOP

    def __call__(self, kind: str, _arn: str, /) -> Duration:
        """Choose the duration of a kind of job, whichever resource it is for."""
        if kind == "stop":
            return self.stop
        if kind in SLOW_JOB_KINDS:
            return self.jobs

        return self.containers


@dataclass
class Moment:
    """The time from which a job has a status. `effect` is called once at this time."""

    time: datetime
    status: str
    effect: Callable[[], None] | None = None

    def take_effect(self) -> None:
        """Call the effect, and forget it first, so that it happens only once even if it fails."""
        effect = self.effect
        self.effect = None
        if effect is not None:
            effect()


@dataclass
class Timeline:
    """The course of one job. Its moments alone decide the status at any time."""

    moments: list[Moment]
    """The moments of the job, oldest first."""

    verb: str = "CREATE"
    """The first word of the statuses on the way."""

    fault: str = field(default="", init=False)
    """The kind of the injected fault that the job met. Some only show in what a version returns."""

    failure_reason: str | None = field(default=None, init=False)

    @classmethod
    def plan(
        cls, start: datetime, progress: datetime, end: datetime, *, verb: str, outcome: str
    ) -> "Timeline":
        """Plan a job that is PENDING from its start, then IN_PROGRESS, and ends in an outcome."""
        moments = [
            Moment(start, f"{verb} PENDING"),
            Moment(progress, f"{verb} IN_PROGRESS"),
            Moment(end, outcome),
        ]
        return cls(moments, verb)

    @property
    def created(self) -> datetime:
        """The time of the call that created the job."""
        return self.moments[0].time

    def moment_at(self, time: datetime) -> Moment:
        """Find the last moment that is not after `time`, or the first one if all are after it."""
        reached = [moment for moment in self.moments if moment.time <= time]
        if not reached:
            return self.moments[0]

        return reached[-1]

    def status(self, time: datetime) -> str:
        """Tell the status at a time."""
        return self.moment_at(time).status

    def is_active(self, time: datetime) -> bool:
        """Return True if the job has succeeded."""
        return self.status(time) == "ACTIVE"

    def has_ended(self, time: datetime) -> bool:
        """Return True if the status no longer changes by itself."""
        return self.status(time).endswith(("ACTIVE", "FAILED", "STOPPED"))

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Collect the status, the times and the failure reason, named as in the API."""
        moment = self.moment_at(time)
        fields: dict[str, object] = {
            "status": moment.status,
            "creationDateTime": self.created,
            "lastUpdatedDateTime": moment.time,
        }

        if moment.status.endswith("FAILED"):
            fields["failureReason"] = self.failure_reason

        return fields

    def when_in_progress(self, effect: Callable[[], None]) -> None:
        """Call `effect` when the job becomes IN_PROGRESS. If it raises JobFailed, the job fails."""
        self.moments[1].effect = effect

    def when_active(self, effect: Callable[[], None]) -> None:
        """Call `effect` when the job becomes ACTIVE. If it raises JobFailed, the job fails instead.

        A job that an injected fault lets fail, stop or hang never gets there.
        """
        end = self.moments[-1]
        if end.status == "ACTIVE":
            end.effect = effect

    def fail(self, moment: Moment, reason: str) -> None:
        """End the job as failed at `moment`, and drop all later moments.

        They may have the same time, if the job takes no time.
        """
        del self.moments[self.moments.index(moment) + 1 :]
        moment.status = f"{self.verb} FAILED"
        self.failure_reason = reason

    def stop(self, time: datetime, seconds: float) -> None:
        """Stop the job at `time`. A job in progress is first STOPPING, for `seconds` seconds."""
        is_pending = self.status(time).endswith("PENDING")
        self.moments = [moment for moment in self.moments if moment.time <= time]

        end_time = time
        if not is_pending:
            self.moments.append(Moment(time, f"{self.verb} STOPPING"))
            end_time += timedelta(seconds=seconds)

        self.moments.append(Moment(end_time, f"{self.verb} STOPPED"))

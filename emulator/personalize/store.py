"""The resources of one account in one region, and the agenda of what happens to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar

from emulator.personalize.errors import JobFailed, not_found
from emulator.personalize.faults import Faults
from emulator.personalize.resources import Resource
from emulator.personalize.timeline import Moment, Timeline, Timings

R = TypeVar("R", bound=Resource)
Request = Mapping[str, Any]
"""The fields of a request. They are those of the service model."""
Response = dict[str, object]
"""The fields of a response, perhaps with others that the service model does not have."""


class Objects(Protocol):
    """The S3 objects that jobs read and write. Each call names the role of the job."""

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """List every key that begins with the prefix.

        The job fails if its role may not list the bucket, or if there is no such bucket.
        """

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Read an object. The job fails if that is not possible."""

    def write(self, bucket: str, key: str, content: bytes, role_arn: str) -> None:
        """Write an object. The job fails if its role may not do that."""


@dataclass(frozen=True)
class Switches:
    """Behaviours of the service that are not documented, so that both ways can be tried.

    The defaults follow AWS's own samples. Where the samples show nothing, the default is the
    behaviour that is harder for a client.
    """

    unique_version_names: bool = False
    """A second version of a solution with the same name is refused."""

    update_visible_after: float = 0
    """The seconds until Describe shows an update that was just accepted."""

    update_keeps_settings: bool = True
    """An UpdateCampaign with only a version keeps the other settings."""

    update_verb: Literal["CREATE", "UPDATE"] = "CREATE"
    """The first word in the status of an update."""

    senseless_campaign_settings: bool = False
    """Describe shows settings that UpdateCampaign refuses."""

    underscore_in_stop_status: bool = False
    """The statuses are CREATE_STOPPING and CREATE_STOPPED."""

    list_order: Literal["oldest first", "newest first", "shuffled"] = "oldest first"
    """The order of all lists."""

    page_size: int = 100
    """The most resources on a page, even if the request asks for more."""

    import_reads: Literal["start", "end"] = "end"
    """An import job reads its files at the start or the end of its work."""

    deletions_exclude_jobs: bool = True
    """A data deletion job excludes imports, trainings and batch jobs, and the other way round."""

    unknown_user: Literal["popular", "nothing"] = "popular"
    """What a user without interactions gets."""


@dataclass(eq=False)
class Store:
    """The resources of one account and region, and the time.

    Nothing runs in the background. `advance` performs everything that is due, oldest first, and
    the service calls it before it responds to a call.
    """

    account: str
    region: str

    now: datetime
    """The time of the call, or of the effect that `advance` performs.

    It is earlier in a call whose response is stale.
    """

    objects: Objects
    timings: Timings
    switches: Switches
    faults: Faults

    resources: dict[str, Resource] = field(default_factory=dict)
    """The resources by their ARNs, oldest first."""

    _jobs: list[Timeline] = field(default_factory=list)
    """The jobs that may still have an effect."""

    def build_arn(self, kind: str, name: str) -> str:
        """Build the ARN of a resource in this account and region."""
        return f"arn:aws:personalize:{self.region}:{self.account}:{kind}/{name}"

    def get(self, kind: type[R], arn: str) -> R:
        """Find the resource with an ARN. With `Resource` as the kind, it can be any.

        Raises:
            ApiError: ResourceNotFoundException if there is none of this kind at the time `now`.
        """
        resource = self.resources.get(arn)
        if not isinstance(resource, kind) or resource.timeline.created > self.now:
            raise not_found(arn)

        return resource

    def list_resources(self, kind: type[R], belonging_to: str | None = None) -> list[R]:
        """List the resources of a kind that exist at the time `now`, oldest first.

        `belonging_to` is the ARN of the resource that contains them. With None, list all.
        """
        return [
            resource
            for resource in self.resources.values()
            if isinstance(resource, kind)
            and belonging_to in (None, *resource.belongs_to)
            and resource.timeline.created <= self.now
        ]

    def start_job(
        self, kind: str, arn: str, *names: str, verb: str = "CREATE", outcome: str = "ACTIVE"
    ) -> Timeline:
        """Start a job that is PENDING, then IN_PROGRESS, and ends in `outcome`.

        `verb` is the first word of the status before the outcome. An injected fault for the job's
        ARN, or for one of `names`, changes its course.
        """
        pending_seconds, progress_seconds = self._plan_duration(kind, arn)
        progress_time = self.now + timedelta(seconds=pending_seconds)
        end_time = progress_time + timedelta(seconds=progress_seconds)
        timeline = Timeline.plan(self.now, progress_time, end_time, verb=verb, outcome=outcome)

        fault = self.faults.take_for_job(kind, (arn, *names))
        fault.change_course(timeline, self.stop_seconds(arn))
        self._jobs.append(timeline)
        return timeline

    def _plan_duration(self, kind: str, arn: str) -> tuple[float, float]:
        """Choose the seconds that a job will be PENDING and IN_PROGRESS."""
        if kind == "schema":
            # A schema has no status, and exists at once.
            return 0, 0
        return self.timings(kind, arn)

    def stop_seconds(self, arn: str) -> float:
        """Look up for how long the training of a version is STOPPING."""
        return sum(self.timings("stop", arn))

    def advance(self, time: datetime) -> None:
        """Perform every effect that is due at `time` or earlier, once, and set `now` to `time`.

        The oldest effect comes first. Each effect sees its own time as `now`. If it raises
        JobFailed, the job ends there.
        """
        # Look again after each effect, because a job that fails loses its later moments.
        while due_moments := self._list_due_moments(time):
            timeline, moment = min(due_moments, key=lambda due: due[1].time)
            self.now = moment.time
            try:
                moment.take_effect()
            except JobFailed as failure:
                timeline.fail(moment, str(failure))

        self._jobs = [
            timeline for timeline in self._jobs if any(moment.effect for moment in timeline.moments)
        ]
        self.now = time

    def _list_due_moments(self, time: datetime) -> list[tuple[Timeline, Moment]]:
        """List the moments until `time` that have an effect, each with its job."""
        return [
            (timeline, moment)
            for timeline in self._jobs
            for moment in timeline.moments
            if moment.effect and moment.time <= time
        ]

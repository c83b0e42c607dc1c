"""The state of the emulated service in one account and region: resources and unfinished jobs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from emulator.personalize.errors import JobFailed, not_found
from emulator.personalize.faults import Faults
from emulator.personalize.resources import Resource
from emulator.personalize.s3_files import S3Objects
from emulator.personalize.timeline import Timeline, Timings, Transition

ResourceT = TypeVar("ResourceT", bound=Resource)
Request = Mapping[str, Any]
"""The fields of a request, named as in the service model."""
Response = dict[str, object]
"""The fields of a response. Those that aren't in the service model are dropped before it's sent."""


@dataclass(frozen=True)
class Switches:
    """Behaviours that AWS doesn't document, so that clients can be tested with either variant.

    The defaults follow AWS's own samples. Where the samples show nothing, the default is the
    behaviour that is harder for a client.
    """

    unique_version_names: bool = False
    """Two versions of the same solution can't have the same name."""

    update_visible_after: float = 0
    """How many seconds it takes until Describe shows an accepted update."""

    update_keeps_settings: bool = True
    """UpdateCampaign keeps the settings that aren't in the request, instead of resetting them."""

    update_verb: Literal["CREATE", "UPDATE"] = "CREATE"
    """The first word of an update's status, for example of CREATE PENDING."""

    describe_shows_invalid_settings: bool = False
    """DescribeCampaign returns settings that UpdateCampaign wouldn't accept."""

    underscore_in_stop_status: bool = False
    """The statuses of a stopped training are CREATE_STOPPING and CREATE_STOPPED."""

    list_order: Literal["oldest first", "newest first", "shuffled"] = "oldest first"
    """The order in which List operations return resources."""

    page_size: int = 100
    """The maximum number of resources on a page, even if the request asks for more."""

    import_reads: Literal["start", "end"] = "end"
    """Whether an import job reads its files when it starts or when it ends."""

    deletions_exclude_jobs: bool = True
    """A data deletion job can't run at the same time as imports, trainings and batch jobs."""

    unknown_user: Literal["popular", "nothing"] = "popular"
    """What is recommended to a user without interactions."""

    manual_training_postpones: bool = True
    """The next automatic training starts at its rate after the last one by hand."""

    auto_training_without_data: Literal["skips", "waits"] = "skips"
    """What automatic training does at its time if no interactions have come since the last one."""


@dataclass(eq=False)
class Store:
    """The resources in one account and region.

    Nothing runs in the background. Instead, the service calls `advance` at the start of each API
    call, to catch up on everything that jobs should have done since the previous call.
    """

    account: str
    region: str

    now: datetime
    """The time of the current API call or, while `advance` runs a callback, of its transition.

    If a fault makes the response stale, it's the earlier time that the response shows.
    """

    objects: S3Objects
    timings: Timings
    switches: Switches
    faults: Faults

    resources: dict[str, Resource] = field(default_factory=dict)
    """The resources by ARN, oldest first."""

    _jobs: list[Timeline] = field(default_factory=list)
    """The jobs that still have callbacks to run."""

    def build_arn(self, resource_type: str, suffix: str) -> str:
        """Build the ARN of a resource in this account and region."""
        return f"arn:aws:personalize:{self.region}:{self.account}:{resource_type}/{suffix}"

    def get(self, resource_class: type[ResourceT], arn: str) -> ResourceT:
        """Look up a resource by its ARN. To accept any class, pass `Resource`.

        Raises:
            ApiError: ResourceNotFoundException if no such resource exists at the time `now`.
        """
        resource = self.resources.get(arn)
        if not isinstance(resource, resource_class) or resource.timeline.created > self.now:
            raise not_found(arn)

        return resource

    def list_resources(
        self, resource_class: type[ResourceT], parent_arn: str | None = None
    ) -> list[ResourceT]:
        """List the resources of a class that exist at the time `now`, oldest first.

        With `parent_arn`, list only those that belong to that resource or use it.
        """
        return [
            resource
            for resource in self.resources.values()
            if isinstance(resource, resource_class)
            and parent_arn in (None, *resource.parent_arns)
            and resource.timeline.created <= self.now
        ]

    def start_job(
        self,
        job_kind: str,
        arn: str,
        *related_names: str,
        verb: str = "CREATE",
        outcome: str = "ACTIVE",
    ) -> Timeline:
        """Start a job, and return its timeline, already changed by an injected fault, if any.

        A fault can target the job by its `arn`, or by any of the `related_names`, such as the name
        of the resource, and the ARNs of the resources that it uses.
        """
        pending_seconds, progress_seconds = self._look_up_duration(job_kind, arn)
        progress_time = self.now + timedelta(seconds=pending_seconds)
        end_time = progress_time + timedelta(seconds=progress_seconds)
        timeline = Timeline.plan(self.now, progress_time, end_time, verb=verb, outcome=outcome)

        fault = self.faults.take_for_job(job_kind, (arn, *related_names))
        fault.change_timeline(timeline, self.look_up_stopping_seconds(arn))

        self._jobs.append(timeline)
        return timeline

    def plan(self, time: datetime, effect: Callable[[], None]) -> None:
        """Schedule an effect that doesn't belong to a job."""
        self._jobs.append(Timeline([Transition(time, "PLANNED", effect)]))

    def _look_up_duration(self, job_kind: str, arn: str) -> tuple[float, float]:
        """Look up for how many seconds a job will be PENDING, and then IN_PROGRESS."""
        if job_kind == "schema":
            # Schemas have no status in the API, so they have to be usable immediately.
            return 0, 0
        return self.timings(job_kind, arn)

    def look_up_stopping_seconds(self, arn: str) -> float:
        """Look up for how many seconds a training stays in CREATE STOPPING."""
        return sum(self.timings("stop", arn))

    def advance(self, time: datetime) -> None:
        """Move the clock forward to `time`, and run all callbacks that are due by then.

        They run in order of time, and `now` is the time at which each of them was due. If a
        callback raises JobFailed, its job fails.
        """
        # Search again after each callback, because a job that fails loses its later transitions.
        while due := self._list_due_transitions(time):
            timeline, transition = min(due, key=lambda pair: pair[1].time)
            self.now = transition.time
            try:
                transition.run_callback()
            except JobFailed as failure:
                timeline.fail(transition, str(failure))

        self._jobs = [
            timeline
            for timeline in self._jobs
            if any(transition.callback for transition in timeline.transitions)
        ]
        self.now = time

    def _list_due_transitions(self, time: datetime) -> list[tuple[Timeline, Transition]]:
        """List all transitions up to `time` whose callbacks haven't run yet, with their jobs."""
        return [
            (timeline, transition)
            for timeline in self._jobs
            for transition in timeline.transitions
            if transition.callback and transition.time <= time
        ]

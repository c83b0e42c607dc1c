"""The resources of one account in one region, and the agenda of what happens to them."""

import heapq
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Literal, NamedTuple, Protocol, TypeVar

from emulator.personalize.errors import JobFailed, not_found
from emulator.personalize.faults import Fault, Faults
from emulator.personalize.recipes import RECIPES, Recipe
from emulator.personalize.resources import RecipeResource, Resource
from emulator.personalize.timeline import Duration, JobPlan, Moment, Timeline, Timings

R = TypeVar("R", bound=Resource)

RECIPES_SINCE = datetime(2019, 6, 10, tzinfo=UTC)  # Personalize became generally available


class Objects(Protocol):
    """The S3 objects that import jobs read. Each read names the import role."""

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """Return the key itself, or every key below a prefix that ends in "/".

        The list is empty if the key does not exist.

        Raises:
            ObjectError: AccessDenied, or NoSuchKey for a missing bucket. The import job fails.
        """

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """Return the bytes of an object.

        Raises:
            ObjectError: AccessDenied, or NoSuchKey for a missing bucket or object.
        """


@dataclass(frozen=True)
class Switches:
    """Behaviours of the service that are not documented, so that both ways can be tried.

    The defaults follow AWS's own samples. Where the samples show nothing, the default is the
    behaviour that is harder for a client.

    Attributes:
        unique_version_names: Refuse a second version with the same name in a solution.
        update_visible_after: Seconds until a Describe shows an update that was just accepted.
        update_keeps_settings: Keep all other settings in an UpdateCampaign that has only
            solutionVersionArn. If False, they return to their defaults.
        other_files: "fail" an import job that finds files other than CSV below its prefix, or
            "skip" these files.
        byte_order_mark: "skip" the mark at the beginning of a CSV file, or "keep" it as a part of
            the first column's name.
        update_verb: The first word of an update's status. The API's reference has CREATE, some of
            AWS's own tests have UPDATE.
        update_needs_new_data: An UPDATE training fails if no dataset was updated since the last
            training of the solution.
        version_name_has_solution: Describe shows the name of a version as `<solution>/<name>`.
        latest_in_describe: Describe shows `<solution>/$LATEST` instead of the version of a
            campaign that follows the latest version.
        senseless_campaign_settings: Describe shows `minProvisionedTPS` 0 instead of 1, and an empty
            `itemExplorationConfig`. UpdateCampaign refuses both.
        underscore_in_stop_status: The statuses CREATE_STOPPING and CREATE_STOPPED have an
            underscore, as in the documentation of StopSolutionVersionCreation.
        solution_time_includes_versions: A new version moves `lastUpdatedDateTime` of its solution.
        list_order: The order of all lists. "shuffled" is always the same order, but has no meaning.
        page_size: The most resources on a page, even if the request asks for more.
        automatic_training: Solutions with `performAutoTraining` train by themselves. It is a switch
            because it would surprise most tests.
        refuses_while_importing: While a dataset is imported, a second import of it and a training
            on it are refused with ResourceInUseException, which means "not now".
        version_permission: The ARN on which a caller needs the permission for a solution version:
            that of the "version", or that of its "solution". The authorization reference knows only
            solutions.
        s3_calls_have_source: The calls of import jobs to S3 carry `aws:SourceAccount` and
            `aws:SourceArn`, which a bucket policy may ask for.
        import_reads: An import job reads its files at the "start" or the "end" of its work.
        unknown_user: What a campaign answers for a user without interactions: the "popular" items,
            "nothing", or an "error".
    """

    unique_version_names: bool = False
    update_visible_after: float = 0
    update_keeps_settings: bool = True
    other_files: Literal["fail", "skip"] = "fail"
    byte_order_mark: Literal["skip", "keep"] = "skip"
    update_verb: Literal["CREATE", "UPDATE"] = "CREATE"
    update_needs_new_data: bool = True
    version_name_has_solution: bool = False
    latest_in_describe: bool = False
    senseless_campaign_settings: bool = False
    underscore_in_stop_status: bool = False
    solution_time_includes_versions: bool = False
    list_order: Literal["oldest first", "newest first", "shuffled"] = "oldest first"
    page_size: int = 100
    automatic_training: bool = False
    refuses_while_importing: bool = False
    version_permission: Literal["version", "solution"] = "version"
    s3_calls_have_source: bool = True
    import_reads: Literal["start", "end"] = "end"
    unknown_user: Literal["popular", "nothing", "error"] = "popular"


@dataclass(frozen=True)
class ServiceOptions:
    """The parts that the stores of all accounts and regions share."""

    objects: Objects
    timings: Timings
    switches: Switches
    faults: Faults


class AgendaEntry(NamedTuple):
    """A moment whose effect is not yet performed. `number` decides between equal times."""

    time: datetime
    number: int
    timeline: Timeline
    moment: Moment


class Store:
    """The resources of one account and region, and the time.

    Nothing runs in the background. `advance` performs everything that is due, oldest first, and
    the service calls it before it responds to a call. `now` is the time of the call, or the time
    of the effect that `advance` performs.
    """

    def __init__(self, account: str, region: str, options: ServiceOptions, now: datetime) -> None:
        self.account = account
        self.region = region
        self.options = options
        self.now = now
        self._resources: dict[str, Resource] = {}
        self._agenda: list[AgendaEntry] = []  # a heap with the earliest entry first
        self._entry_numbers = count()
        for recipe in RECIPES:
            self.add(_recipe_resource(recipe, self.partition))

    @property
    def partition(self) -> str:
        """The partition of the region, which is the second word of an ARN."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of a resource in this account and region."""
        return f"arn:{self.partition}:personalize:{self.region}:{self.account}:{kind}/{name}"

    def add(self, resource: R) -> R:
        """Add a new resource and schedule the effects of its timeline."""
        self._resources[resource.arn] = resource
        self.schedule(resource.timeline)
        return resource

    def __contains__(self, arn: str) -> bool:
        return arn in self._resources

    def get(self, kind: type[R], arn: str, at: datetime | None = None) -> R:
        """Return the resource with an ARN if it is of this kind and existed at a time.

        The kind `Resource` stands for any kind. The time is by default now.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        resource = self._resources.get(arn)
        if not isinstance(resource, kind) or resource.timeline.created > (at or self.now):
            raise not_found(arn)
        return resource

    def all(
        self, kind: type[R], belonging_to: str | None = None, at: datetime | None = None
    ) -> list[R]:
        """Return the resources of a kind that existed at a time (by default now), oldest first.

        `belonging_to` is the ARN of the resource that contains them. With None, return all.
        """
        return [
            resource
            for resource in self._resources.values()
            if isinstance(resource, kind)
            and belonging_to in (None, *resource.belongs_to)
            and resource.timeline.created <= (at or self.now)
        ]

    def start_job(
        self,
        kind: str,
        arn: str,
        *names: str,
        on_progress: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
        verb: str = "CREATE",
    ) -> Timeline:
        """Return the timeline of a job that starts now. `JobPlan` explains the keyword arguments.

        An injected fault that matches the job changes the timeline and is used up. It matches the
        job by its ARN or by one of `names`.
        """
        plan = JobPlan(
            duration=self.duration(kind, arn), verb=verb, on_progress=on_progress, on_end=on_end
        )
        fault = self.options.faults.take_for_job(kind, (arn, *names))
        return plan.timeline(self.now) if fault is None else self._faulty_timeline(plan, fault)

    def duration(self, kind: str, arn: str) -> Duration:
        """Return how long a job of this kind takes. `Timings` names the kinds."""
        return Duration(*self.options.timings(kind, arn))

    def schedule(self, timeline: Timeline) -> None:
        """Put the effects of a timeline on the agenda."""
        for moment in timeline.moments:
            if moment.effect is not None:
                number = next(self._entry_numbers)
                heapq.heappush(self._agenda, AgendaEntry(moment.time, number, timeline, moment))

    def call_at(self, time: datetime, effect: Callable[[], None]) -> None:
        """Call a function at a time. It belongs to no resource."""
        self.schedule(Timeline([Moment(time, "DUE", effect)]))

    def advance(self, time: datetime) -> None:
        """Perform every effect that is due at `time` or earlier, and set `now` to `time`.

        The oldest effect comes first. Each effect sees its own time as `now`.
        """
        while self._agenda and self._agenda[0].time <= time:
            entry = heapq.heappop(self._agenda)
            self.now = entry.time
            _perform_effect(entry.timeline, entry.moment)
        self.now = time

    def delete(self, resource: Resource, *dependants: Resource) -> None:
        """Start to delete a resource. When the deletion ends, its dependants disappear too."""
        deletion = JobPlan(
            duration=self.duration("deletion", resource.arn),
            verb="DELETE",
            outcome="DELETED",
            on_end=lambda: self._remove((resource, *dependants)),
        ).timeline(self.now)
        resource.timeline.drop_after(self.now)
        resource.timeline.moments += deletion.moments
        self.schedule(deletion)

    def _remove(self, resources: Iterable[Resource]) -> None:
        """Remove resources from the store at once. `delete` also lets time pass."""
        for resource in resources:
            del self._resources[resource.arn]

    def _faulty_timeline(self, plan: JobPlan, fault: Fault) -> Timeline:
        """Return the timeline of a job that starts now with one of the faults `JOB_FAULTS`."""
        in_progress_seconds = plan.duration.in_progress
        if fault.name == "take":
            in_progress_seconds = fault.number("seconds")
        if fault.name == "hang":
            in_progress_seconds = math.inf
        plan = replace(plan, duration=Duration(plan.duration.pending, in_progress_seconds))
        if fault.name == "fail":
            plan = replace(plan, on_end=_failing_effect(str(fault.parameters["reason"])))
        timeline = plan.timeline(self.now)
        if fault.name == "unknown-status":
            for moment in timeline.moments:
                if moment.status.endswith("IN_PROGRESS"):
                    moment.status = str(fault.parameters["status"])
        if fault.name == "stop":
            planned_end = timeline.moments.pop().time
            timeline.stop(planned_end, self.duration("stop", "").total)
        timeline.gives_results = fault.name != "no-results"
        return timeline


def _perform_effect(timeline: Timeline, moment: Moment) -> None:
    """Perform the effect of a moment, once. If it raises an error, the job has failed.

    Only JobFailed is expected. Any other error is raised again after the job has failed.
    """
    effect, moment.effect = moment.effect, None
    if effect is None:
        return
    try:
        effect()
    except JobFailed as failure:
        timeline.fail(moment, str(failure))
    except Exception:
        timeline.fail(moment, "Internal service error")
        raise


def _failing_effect(reason: str) -> Callable[[], None]:
    """Return an effect that makes its job fail with `reason`."""

    def fail() -> None:
        raise JobFailed(reason)

    return fail


def _recipe_resource(recipe: Recipe, partition: str) -> RecipeResource:
    """Return the resource that DescribeRecipe and ListRecipes show for a recipe."""
    arn = recipe.arn(partition)
    details: dict[str, object] = {
        "name": recipe.name,
        "recipeArn": arn,
        "algorithmArn": arn.replace(":recipe/", ":algorithm/"),
        "featureTransformationArn": arn.replace(":recipe/aws-", ":feature-transformation/"),
        "recipeType": recipe.type,
    }
    active = Timeline([Moment(RECIPES_SINCE, "ACTIVE")])
    return RecipeResource(arn=arn, details=details, timeline=active)

"""All resources of one account in one region, and the agenda of what is to happen to them."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Literal, Protocol, TypeVar

from emulator.personalize.errors import JobFailed, not_found
from emulator.personalize.faults import Fault, Faults
from emulator.personalize.recipes import RECIPES
from emulator.personalize.resources import RecipeResource, Resource
from emulator.personalize.timeline import Duration, Moment, Timeline, Timings, timeline

R = TypeVar("R", bound=Resource)

RECIPES_SINCE = datetime(2019, 6, 10, tzinfo=UTC)  # Personalize became generally available


class Objects(Protocol):
    """Where import data is read from, always as the import role."""

    def keys(self, bucket: str, prefix: str, role_arn: str) -> list[str]:
        """The key itself, or every key below a prefix that ends in "/"; none if there is none.

        Raises:
            ObjectError: AccessDenied or NoSuchKey (also for the bucket); the job then fails.
        """

    def read(self, bucket: str, key: str, role_arn: str) -> bytes:
        """The object's bytes.

        Raises:
            ObjectError: As for `keys`.
        """


@dataclass(frozen=True)
class Switches:
    """What is not established about the service, to be tried both ways.

    The defaults are what AWS's own samples rely on, and where they are silent, what asks more of
    a client.

    Attributes:
        unique_version_names: A second version of the same name in a solution is refused.
        update_visible_after: Seconds until a Describe shows an update that was just accepted.
        update_keeps_settings: An UpdateCampaign with only solutionVersionArn leaves the other
            settings as they are; else they return to their defaults.
        other_files: What files in an import prefix do that are not CSV files ("fail" the job, or
            are "skip"ped).
        update_verb: First word of an update's statuses, CREATE in the API's reference, UPDATE in
            some of AWS's own tests.
    """

    unique_version_names: bool = False
    update_visible_after: float = 0
    update_keeps_settings: bool = True
    other_files: Literal["fail", "skip"] = "fail"
    update_verb: Literal["CREATE", "UPDATE"] = "CREATE"


@dataclass(frozen=True)
class Surroundings:
    """What every store works with."""

    objects: Objects
    timings: Timings
    switches: Switches
    faults: Faults


class Store:
    """The resources, and time: `now` is the time of the call, or of what happens meanwhile.

    Nothing runs in the background. `advance` lets happen, in the order of time, what is due;
    only then is a call answered.
    """

    def __init__(self, account: str, region: str, around: Surroundings, now: datetime) -> None:
        self.account = account
        self.region = region
        self.around = around
        self.now = now
        self._resources: dict[str, Resource] = {}
        self._agenda: list[tuple[datetime, int, Timeline, Moment]] = []
        self._order = count()
        for recipe in RECIPES:
            self.add(_recipe_resource(recipe.arn(self.partition), recipe.name, recipe.type))

    @property
    def partition(self) -> str:
        """The partition of the region, the second word of an ARN."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a resource here."""
        return f"arn:{self.partition}:personalize:{self.region}:{self.account}:{kind}/{name}"

    def add(self, resource: R) -> R:
        """Take in a new resource."""
        self._resources[resource.arn] = resource
        self.schedule(resource.timeline)
        return resource

    def __contains__(self, arn: str) -> bool:
        return arn in self._resources

    def get(self, kind: type[R], arn: str, at: datetime | None = None) -> R:
        """The resource of this kind, if it was there at the time (now).

        Raises:
            ApiError: ResourceNotFoundException.
        """
        resource = self._resources.get(arn)
        if not isinstance(resource, kind) or resource.timeline.created > (at or self.now):
            raise not_found(arn)
        return resource

    def any(self, arn: str) -> Resource:
        """The resource of whatever kind.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        return self.get(Resource, arn)

    def all(
        self, kind: type[R], belonging_to: str | None = None, at: datetime | None = None
    ) -> list[R]:
        """The resources of a kind, the oldest first."""
        return [
            resource
            for resource in self._resources.values()
            if isinstance(resource, kind)
            and belonging_to in (None, *resource.belongs_to)
            and resource.timeline.created <= (at or self.now)
        ]

    def start(
        self,
        kind: str,
        arn: str,
        *names: str,
        begin: Callable[[], None] | None = None,
        end: Callable[[], None] | None = None,
        verb: str = "CREATE",
    ) -> Timeline:
        """A job that starts now: its duration from the timings, bent by a fault on order.

        `begin` happens when it comes into progress, `end` just before it becomes ACTIVE; both may
        raise JobFailed. `names` are what faults may call it by, besides its ARN.
        """
        duration = self.duration(kind, arn)
        fault = self.around.faults.for_job(kind, (arn, *names))
        if fault is None:
            return timeline(self.now, duration, verb=verb, begin=begin, end=end)
        return self._bent(fault, duration, verb, begin, end)

    def duration(self, kind: str, arn: str) -> Duration:
        """How long a job of this kind takes."""
        return Duration(*self.around.timings(kind, arn))

    def schedule(self, line: Timeline) -> None:
        """Put what happens in a timeline on the agenda."""
        for moment in line.moments:
            if moment.effect is not None:
                heapq.heappush(self._agenda, (moment.time, next(self._order), line, moment))

    def advance(self, to: datetime) -> None:
        """Let everything happen that is due by then, in the order of time."""
        while self._agenda and self._agenda[0][0] <= to:
            self.now, _, line, moment = heapq.heappop(self._agenda)
            _happen(line, moment)
        self.now = to

    def delete(self, resource: Resource, *along: Resource) -> None:
        """Delete a resource, and others along with it, by way of DELETE PENDING."""
        duration = self.duration("deletion", resource.arn)
        resource.timeline.cut(self.now)
        ending = timeline(
            self.now,
            duration,
            verb="DELETE",
            outcome="DELETED",
            end=lambda: self._remove((resource, *along)),
        )
        resource.timeline.moments += ending.moments
        self.schedule(ending)

    def _remove(self, resources: Iterable[Resource]) -> None:
        for resource in resources:
            del self._resources[resource.arn]

    def _bent(
        self,
        fault: Fault,
        duration: Duration,
        verb: str,
        begin: Callable[[], None] | None,
        end: Callable[[], None] | None,
    ) -> Timeline:
        if fault.fault == "take":
            duration = duration._replace(in_progress=fault.number("seconds"))
        if fault.fault == "hang":
            duration = duration._replace(in_progress=float("inf"))
        if fault.fault == "fail":
            end = _failing(str(fault.parameters["reason"]))
        line = timeline(self.now, duration, verb=verb, begin=begin, end=end)
        if fault.fault == "unknown-status":
            for in_progress in line.moments[1:2]:
                in_progress.status = str(fault.parameters["status"])
        if fault.fault == "stop":
            line.stop(line.moments.pop().time, self.duration("stop", "").total)
        return line


def _happen(line: Timeline, moment: Moment) -> None:
    effect, moment.effect = moment.effect, None
    if effect is None:
        return
    try:
        effect()
    except JobFailed as failure:
        line.fail(moment, str(failure))
    except Exception:
        line.fail(moment, "Internal service error")
        raise


def _failing(reason: str) -> Callable[[], None]:
    def fail() -> None:
        raise JobFailed(reason)

    return fail


def _recipe_resource(arn: str, name: str, kind: str) -> RecipeResource:
    details: dict[str, object] = {
        "name": name,
        "recipeArn": arn,
        "algorithmArn": arn.replace(":recipe/", ":algorithm/"),
        "featureTransformationArn": arn.replace(":recipe/aws-", ":feature-transformation/"),
        "recipeType": kind,
    }
    line = Timeline([Moment(RECIPES_SINCE, "ACTIVE")])
    return RecipeResource(arn=arn, details=details, timeline=line)

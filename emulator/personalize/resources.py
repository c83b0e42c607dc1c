"""The resources of Personalize: what each of them remembers, and what it shows at a time."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from emulator.personalize.tables import RowSchema, Table
from emulator.personalize.timeline import Timeline

if TYPE_CHECKING:
    from emulator.personalize.recipes import Recipe
    from emulator.personalize.training import Model


@dataclass(kw_only=True, eq=False)
class Resource:
    """Anything with an ARN.

    `details` are the fields that Describe shows for as long as the resource lives, in the API's
    own words; status and times come from the timeline. `belongs_to` are the ARNs above it.
    """

    kind: ClassVar[str]
    arn: str
    details: dict[str, object]
    timeline: Timeline
    belongs_to: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    def status(self, time: datetime) -> str:
        """The resource's status at a time."""
        return self.timeline.status(time)

    def active(self, time: datetime) -> bool:
        """Whether the resource can be used."""
        return self.status(time) == "ACTIVE"

    def under_way(self, time: datetime) -> bool:
        """Whether its creation is pending or in progress."""
        return not self.timeline.ended(time)

    def shown(self, time: datetime) -> dict[str, object]:
        """Everything that can be told at a time; the output shape decides what is."""
        return {**self.details, **self.timeline.shown(time)}


@dataclass(eq=False)
class Change:
    """Settings that hold from when their timeline is ACTIVE, seen from `visible_from` on."""

    details: dict[str, object]
    timeline: Timeline
    visible_from: datetime

    def shown(self, time: datetime) -> dict[str, object]:
        """What `latest...Update` shows."""
        return {**self.details, **self.timeline.shown(time)}


@dataclass(kw_only=True, eq=False)
class Changeable(Resource):
    """A resource with settings that updates change while it stays ACTIVE."""

    changes: list[Change] = field(default_factory=list)

    def settings(self, time: datetime) -> dict[str, object]:
        """The settings in force: those of the last change that is ACTIVE, else the first ones."""
        active = [c for c in self.changes if c.timeline.active(time)]
        return {**self.details, **active[-1].details} if active else self.details

    def latest(self, time: datetime) -> Change | None:
        """The newest change that can be seen."""
        visible = [c for c in self.changes if c.visible_from <= time]
        return visible[-1] if visible else None

    def changing(self, time: datetime) -> bool:
        """Whether an update is under way."""
        return any(not c.timeline.ended(time) for c in self.changes)


@dataclass(kw_only=True, eq=False)
class DatasetGroup(Resource):
    """A container for everything else; perhaps of a domain."""

    kind = "dataset-group"


@dataclass(kw_only=True, eq=False)
class Schema(Resource):
    """The columns of datasets."""

    kind = "schema"
    rows: RowSchema


@dataclass(kw_only=True, eq=False)
class Dataset(Resource):
    """One of the five types, with its rows."""

    kind = "dataset"
    type: str
    schema: Schema
    table: Table


@dataclass(kw_only=True, eq=False)
class ImportJob(Resource):
    """One import; it is never deleted, so its name is spent for ever."""

    kind = "dataset-import-job"


@dataclass(kw_only=True, eq=False)
class Solution(Changeable):
    """A recipe with its configuration."""

    kind = "solution"
    recipe: "Recipe"
    group_arn: str
    versions: list["SolutionVersion"] = field(default_factory=list)

    def shown(self, time: datetime) -> dict[str, object]:
        """With the newest version and the newest update."""
        created = [v for v in self.versions if v.timeline.created <= time]
        fields = {**super().shown(time), **self.settings(time), **self.timeline.shown(time)}
        if created:
            fields["latestSolutionVersion"] = created[-1].shown(time)
        if update := self.latest(time):
            fields["latestSolutionUpdate"] = update.shown(time)
        return fields


@dataclass(kw_only=True, eq=False)
class SolutionVersion(Resource):
    """A trained model, or one in training."""

    kind = "solution-version"
    solution: Solution
    data: Table = field(default_factory=Table)
    model: "Model | None" = None

    def shown(self, time: datetime) -> dict[str, object]:
        """`trainingHours` appears only after success."""
        fields = super().shown(time)
        if self.active(time):
            *_, began, ended = self.timeline.moments
            hours = (ended.time - began.time).total_seconds() / 3600
            fields["trainingHours"] = round(hours, 6)
        return fields


@dataclass(kw_only=True, eq=False)
class Campaign(Changeable):
    """An endpoint that serves one version; the old one until an update is ACTIVE."""

    kind = "campaign"

    def status(self, time: datetime) -> str:
        """ACTIVE throughout updates; a failed campaign becomes ACTIVE by one."""
        own = super().status(time)
        repaired = any(c.timeline.active(time) for c in self.changes)
        return "ACTIVE" if repaired and not own.startswith("DELETE") else own

    def serves(self, time: datetime) -> str:
        """The ARN of the version that answers."""
        return str(self.settings(time)["solutionVersionArn"])

    def shown(self, time: datetime) -> dict[str, object]:
        """`latestCampaignUpdate` is there only after an update was asked for."""
        fields = {**super().shown(time), **self.settings(time), "status": self.status(time)}
        done = [c.timeline.at(time).time for c in self.changes if c.timeline.active(time)]
        fields["lastUpdatedDateTime"] = max([self.timeline.at(time).time, *done])
        if update := self.latest(time):
            fields["latestCampaignUpdate"] = update.shown(time)
        return fields


@dataclass(kw_only=True, eq=False)
class EventTracker(Resource):
    """The door for streamed interactions."""

    kind = "event-tracker"


@dataclass(kw_only=True, eq=False)
class RecipeResource(Resource):
    """A recipe of the service's."""

    kind = "recipe"

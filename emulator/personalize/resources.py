"""The resources of Personalize: what each of them stores, and what it shows at a time."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from emulator.personalize.tables import RowSchema, Table
from emulator.personalize.timeline import Timeline

if TYPE_CHECKING:
    from emulator.personalize.recipes import Recipe
    from emulator.personalize.training import Model


@dataclass(kw_only=True, eq=False)
class Resource:
    """Anything that has an ARN.

    `details` are the fields of Describe that do not change, named as in the API. The status and
    the times come from the timeline. `belongs_to` has the ARNs of the resources that contain this
    resource.
    """

    arn: str
    details: dict[str, object]
    timeline: Timeline
    belongs_to: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    def status(self, time: datetime) -> str:
        """Return the status at a time."""
        return self.timeline.status(time)

    def is_active(self, time: datetime) -> bool:
        """Return True if other resources can use this resource."""
        return self.status(time) == "ACTIVE"

    def is_unfinished(self, time: datetime) -> bool:
        """Return True if the creation of this resource is PENDING, IN_PROGRESS or STOPPING."""
        return not self.timeline.has_ended(time)

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Return all fields of the resource at a time, named as in the API.

        A response contains only those that its shape in the service model has.
        """
        return {**self.details, **self.timeline.fields_at(time)}


@dataclass(eq=False)
class Change:
    """An update of a resource's settings.

    The settings in `details` are in force when the timeline is ACTIVE. Describe does not show the
    update before `visible_from`.
    """

    details: dict[str, object]
    timeline: Timeline
    visible_from: datetime

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Return the fields of `latestCampaignUpdate` or `latestSolutionUpdate`."""
        return {**self.details, **self.timeline.fields_at(time)}


@dataclass(kw_only=True, eq=False)
class Changeable(Resource):
    """A resource whose settings can be updated while it stays ACTIVE."""

    changes: list[Change] = field(default_factory=list)

    def settings(self, time: datetime) -> dict[str, object]:
        """Return the settings that are in force at a time.

        They are those of the last ACTIVE change, or of the creation if no change is ACTIVE.
        """
        active = [change for change in self.changes if change.timeline.is_active(time)]
        return {**self.details, **active[-1].details} if active else self.details

    def latest_change(self, time: datetime) -> Change | None:
        """Return the newest change that Describe shows at a time, or None."""
        visible = [change for change in self.changes if change.visible_from <= time]
        return visible[-1] if visible else None

    def last_updated(self, time: datetime) -> datetime:
        """Return the time of the last status before `time`, or of the last update if it is later.

        An update counts from the time at which it is ACTIVE.
        """
        update_times = [
            change.timeline.moment_at(time).time
            for change in self.changes
            if change.timeline.is_active(time)
        ]
        return max([self.timeline.moment_at(time).time, *update_times])

    def is_changing(self, time: datetime) -> bool:
        """Return True if an update is pending or in progress."""
        return any(not change.timeline.has_ended(time) for change in self.changes)


@dataclass(kw_only=True, eq=False)
class DatasetGroup(Resource):
    """A group of datasets, solutions and an event tracker. It may have a domain."""


@dataclass(kw_only=True, eq=False)
class Schema(Resource):
    """The columns of a dataset."""

    rows: RowSchema


@dataclass(kw_only=True, eq=False)
class Dataset(Resource):
    """A dataset of one of the five types, with its rows.

    `imports` has the ARNs of the import jobs that brought the rows, oldest first. A FULL import
    replaces those before it.
    """

    type: str
    schema: Schema
    table: Table
    imports: tuple[str, ...] = ()


@dataclass(kw_only=True, eq=False)
class ImportJob(Resource):
    """An import job. It is never deleted, so its name can never be used again.

    `hashes` has the SHA-256 hash of each file that the job imported, by the file's URL. `files` has
    their bytes between reading and importing.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False)
class Solution(Changeable):
    """A recipe with its configuration. `versions` has the oldest version first."""

    recipe: "Recipe"
    group_arn: str
    versions: list["SolutionVersion"] = field(default_factory=list)

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Return all fields at a time, with the newest version and the newest visible update."""
        created = [version for version in self.versions if version.timeline.created <= time]
        fields = {**super().fields_at(time), **self.settings(time), **self.timeline.fields_at(time)}
        fields["lastUpdatedDateTime"] = self.last_updated(time)
        if created:
            fields["latestSolutionVersion"] = created[-1].fields_at(time)
        if update := self.latest_change(time):
            fields["latestSolutionUpdate"] = update.fields_at(time)
        return fields


@dataclass(kw_only=True, eq=False)
class SolutionVersion(Resource):
    """A trained model, or a model in training.

    `data` has rows only during the training. `data_time` is the time at which the training took
    its data, or None if it has not begun. `learned` has the imports of each dataset of the group at
    this time, by the ARN of the dataset.
    """

    solution: Solution
    data: Table = field(default_factory=Table)
    data_time: datetime | None = None
    learned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    model: "Model | None" = None

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Return all fields at a time. An ACTIVE version also has `trainingHours`."""
        fields = super().fields_at(time)
        if self.is_active(time):
            *_, in_progress, active = self.timeline.moments
            hours = (active.time - in_progress.time).total_seconds() / 3600
            fields["trainingHours"] = round(hours, 6)
        return fields


@dataclass(kw_only=True, eq=False)
class Campaign(Changeable):
    """An endpoint that serves one solution version.

    During an update it serves the old version, until the update is ACTIVE.
    """

    def status(self, time: datetime) -> str:
        """Return the status at a time. An ACTIVE campaign stays ACTIVE during updates.

        A campaign whose creation failed becomes ACTIVE when an update succeeds.
        """
        creation_status = super().status(time)
        is_updated = any(change.timeline.is_active(time) for change in self.changes)
        is_deleting = creation_status.startswith("DELETE")
        return "ACTIVE" if is_updated and not is_deleting else creation_status

    def served_version_arn(self, time: datetime) -> str:
        """Return the ARN of the solution version that the campaign serves at a time."""
        return str(self.settings(time)["solutionVersionArn"])

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Return all fields at a time, with the newest update that Describe shows."""
        fields = {**super().fields_at(time), **self.settings(time), "status": self.status(time)}
        fields["lastUpdatedDateTime"] = self.last_updated(time)
        if update := self.latest_change(time):
            fields["latestCampaignUpdate"] = update.fields_at(time)
        return fields


@dataclass(kw_only=True, eq=False)
class EventTracker(Resource):
    """The receiver of streamed interactions."""


@dataclass(kw_only=True, eq=False)
class RecipeResource(Resource):
    """A recipe of the service."""

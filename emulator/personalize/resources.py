"""The resources of Personalize: what each of them stores, and what it shows at a time."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from emulator.personalize.tables import Field, Table
from emulator.personalize.timeline import Timeline

if TYPE_CHECKING:
    from emulator.personalize.recipes import Recipe
    from emulator.personalize.training import Model


@dataclass(kw_only=True, eq=False)
class Resource:
    """Anything that has an ARN.

    `kind` is the word for the resource in ARNs and for its creation in timings and faults. The
    names of operations and of fields are made of it. A region has at most `unfinished_quota`
    resources that are unfinished (guide, "Amazon Personalize endpoints and quotas").

    `details` are the fields of Describe that do not change, named as in the API. The status and
    the times come from the timeline. `belongs_to` has the ARNs of the resources that contain this
    resource, or that it uses. If one of them is a dataset group, it is the last one.
    """

    kind: ClassVar[str]
    unfinished_quota: ClassVar[float] = float("inf")

    arn: str
    details: dict[str, object]
    timeline: Timeline
    belongs_to: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def noun(cls) -> str:
        """Name the resource as operations do, for example "DatasetImportJob"."""
        return cls.kind.title().replace("-", "")

    @classmethod
    def response_field(cls) -> str:
        """Name the field of responses with the resource, for example "datasetImportJob"."""
        return f"{cls.noun()[0].lower()}{cls.noun()[1:]}"

    @classmethod
    def arn_field(cls) -> str:
        """Name the field of requests and responses with the ARN."""
        return f"{cls.response_field()}Arn"

    def status(self, time: datetime) -> str:
        """Tell the status at a time."""
        return self.timeline.status(time)

    def is_active(self, time: datetime) -> bool:
        """Return True if other resources can use this resource."""
        return self.status(time) == "ACTIVE"

    def is_unfinished(self, time: datetime) -> bool:
        """Return True if the creation of this resource is PENDING, IN_PROGRESS or STOPPING."""
        return not self.timeline.has_ended(time)

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Collect all fields of the resource at a time, named as in the API.

        A response contains only those that its shape in the service model has.
        """
        fields = {**self.details, **self.timeline.fields_at(time)}
        return {**fields, "status": self.status(time)}


@dataclass(eq=False)
class Change:
    """An update of a resource's settings.

    The settings in `details` are in force when the timeline is ACTIVE. Describe does not show the
    update before `visible_from`.
    """

    details: dict[str, object]
    timeline: Timeline
    visible_from: datetime


@dataclass(kw_only=True, eq=False)
class Changeable(Resource):
    """A resource whose settings can be updated while it stays ACTIVE."""

    changes: list[Change] = field(default_factory=list)

    def settings(self, time: datetime) -> dict[str, object]:
        """Find the settings that are in force at a time: those of the last ACTIVE change.

        Until a change is ACTIVE, they are those of the creation.
        """
        settings = self.details
        for change in self.changes:
            if change.timeline.is_active(time):
                settings = {**self.details, **change.details}
        return settings

    def is_changing(self, time: datetime) -> bool:
        """Return True if an update is pending or in progress."""
        return any(not change.timeline.has_ended(time) for change in self.changes)

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Collect all fields at a time, with the newest update that Describe shows.

        An ACTIVE update moves `lastUpdatedDateTime` to the time at which it became ACTIVE.
        """
        fields = {**super().fields_at(time), **self.settings(time)}
        timelines = [change.timeline for change in self.changes]
        active_timelines = [timeline for timeline in timelines if timeline.is_active(time)]
        moments = [timeline.moment_at(time) for timeline in (self.timeline, *active_timelines)]
        fields["lastUpdatedDateTime"] = max(moment.time for moment in moments)

        for change in self.changes:
            if change.visible_from <= time:
                newest_update = {**change.details, **change.timeline.fields_at(time)}
                fields[f"latest{self.noun()}Update"] = newest_update
        return fields


class DatasetGroup(Resource):
    """A group of datasets, solutions and an event tracker. It may have a domain."""

    kind = "dataset-group"


@dataclass(kw_only=True, eq=False)
class Schema(Resource):
    """The columns of a dataset."""

    kind = "schema"
    columns: tuple[Field, ...]


@dataclass(kw_only=True, eq=False)
class Dataset(Resource):
    """A dataset of one of the five types, with its rows.

    `imports` has the ARNs of the import jobs that brought the rows, oldest first. A FULL import
    replaces those before it.
    """

    kind = "dataset"
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

    kind = "dataset-import-job"
    unfinished_quota = 5
    files: dict[str, bytes] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False)
class Solution(Changeable):
    """A recipe with its configuration."""

    kind = "solution"
    recipe: "Recipe"

    @property
    def group_arn(self) -> str:
        """The ARN of the dataset group."""
        return self.belongs_to[-1]


@dataclass(kw_only=True, eq=False)
class SolutionVersion(Resource):
    """A trained model, or a model in training.

    `data` has rows only during the training. `learned` has the imports of each dataset of the group
    at the time when the training took its data, by the ARN of the dataset.
    """

    kind = "solution-version"
    unfinished_quota = 20
    solution: Solution
    data: Table = field(default_factory=Table)
    learned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    model: "Model | None" = None

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Collect all fields at a time. An ACTIVE version also has `trainingHours`."""
        fields = super().fields_at(time)
        if self.is_active(time):
            *_, in_progress, active = self.timeline.moments
            hours = (active.time - in_progress.time).total_seconds() / 3600
            fields["trainingHours"] = round(hours, 6)
        return fields


class Campaign(Changeable):
    """An endpoint that serves one solution version.

    During an update it serves the old version, until the update is ACTIVE.
    """

    kind = "campaign"

    def status(self, time: datetime) -> str:
        """Tell the status at a time. An ACTIVE campaign stays ACTIVE during updates.

        A campaign whose creation failed becomes ACTIVE when an update succeeds.
        """
        creation_status = super().status(time)
        if creation_status.startswith("DELETE"):
            return creation_status

        if any(change.timeline.is_active(time) for change in self.changes):
            return "ACTIVE"
        return creation_status

    def served_version_arn(self, time: datetime) -> str:
        """Return the ARN of the solution version that the campaign serves at a time."""
        return str(self.settings(time)["solutionVersionArn"])


class EventTracker(Resource):
    """The receiver of streamed interactions. A dataset group has at most one."""

    kind = "event-tracker"


class DataDeletionJob(Resource):
    """A job that deletes users from all datasets of a dataset group."""

    kind = "data-deletion-job"

    def status(self, time: datetime) -> str:
        """Tell the status at a time. Its words are not those of other jobs."""
        status = super().status(time)
        if status == "ACTIVE":
            return "COMPLETED"
        return status.removeprefix("CREATE ")


@dataclass(frozen=True)
class Condition:
    """One expression of a filter, which compares a column of a dataset.

    `values` is a list of texts in quotes. It is empty if there is a parameter like "GENRE" instead.
    """

    includes: bool
    dataset: Dataset
    column: str
    values: str
    parameter: str


@dataclass(kw_only=True, eq=False)
class Filter(Resource):
    """A filter of recommendations or user segments."""

    kind = "filter"
    conditions: tuple[Condition, ...]


class BatchJob(Resource):
    """A job that writes a result for each line of its input to S3.

    It cannot be stopped or deleted, so its name can never be used again.
    """

    unfinished_quota = 5

    def status(self, time: datetime) -> str:
        """Tell the status at a time, for example IN PROGRESS. Only CREATE FAILED has CREATE."""
        status = super().status(time)
        if self.is_unfinished(time):
            return status.removeprefix("CREATE ").replace("_", " ")
        return status


class BatchInferenceJob(BatchJob):
    """A batch job that recommends items."""

    kind = "batch-inference-job"


class BatchSegmentJob(BatchJob):
    """A batch job that lists the users who like an item, or items with an attribute."""

    kind = "batch-segment-job"


RESOURCE_CLASSES: dict[str, type[Resource]] = {
    resource_class.noun(): resource_class
    for resource_class in (
        *(BatchInferenceJob, BatchSegmentJob, Campaign, DataDeletionJob, Dataset, DatasetGroup),
        *(EventTracker, Filter, ImportJob, Schema, Solution, SolutionVersion),
    )
}
"""The classes by the noun of their operations."""

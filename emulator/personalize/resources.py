"""The resources of Personalize: what each of them stores, and what it shows at a time."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from emulator.personalize.tables import Field, Table
from emulator.personalize.timeline import Timeline

if TYPE_CHECKING:
    from emulator.personalize.recipes import Recipe
    from emulator.personalize.s3_files import Location
    from emulator.personalize.training import Model


@dataclass(kw_only=True, eq=False)
class Resource:
    """Anything that has an ARN, and that the API can describe."""

    resource_type: ClassVar[str]
    """The word for the resource in ARNs.

    Timings and faults use it for the job that creates the resource. The names of operations and of
    fields are made of it.
    """

    unfinished_quota: ClassVar[float] = float("inf")
    """The most resources of this kind that can be unfinished in a region (guide, "Amazon
    Personalize endpoints and quotas")."""

    arn: str

    details: dict[str, Any]
    """The fields of Describe that do not change, named as in the API."""

    timeline: Timeline
    """The status of the creation, and then of the deletion, over time."""

    belongs_to: tuple[str, ...] = ()
    """The ARNs of the resources that contain this resource, or that it uses.

    If one of them is a dataset group, it is the last one.
    """

    tags: dict[str, str] = field(default_factory=dict)

    @property
    def group_arn(self) -> str:
        """The ARN of the dataset group."""
        return self.belongs_to[-1]

    @classmethod
    def noun(cls) -> str:
        """Name the resource as operations do, for example "DatasetImportJob"."""
        return cls.resource_type.title().replace("-", "")

    @classmethod
    def response_field(cls) -> str:
        """Name the field of responses with the resource, for example "datasetImportJob"."""
        return f"{cls.noun()[0].lower()}{cls.noun()[1:]}"

    @classmethod
    def arn_field(cls) -> str:
        """Name the field of requests and responses with the ARN."""
        return f"{cls.response_field()}Arn"

    def status(self, time: datetime) -> str:
        """Tell the status at a time, in the words of the API."""
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


class Job(Resource):
    """Work that is done once, like an import or a training. It uses other resources until it ends.

    It cannot be deleted, so its name can never be used again.
    """


@dataclass(eq=False)
class Update:
    """An update of a resource's settings."""

    details: dict[str, Any]
    """The settings that are in force when the timeline is ACTIVE."""

    timeline: Timeline

    visible_from: datetime
    """The time before which Describe does not show the update."""


@dataclass(kw_only=True, eq=False)
class Updatable(Resource):
    """A resource whose settings can be updated while it stays ACTIVE."""

    updates: list[Update] = field(default_factory=list)

    def settings(self, time: datetime) -> dict[str, Any]:
        """Find the settings that are in force at a time: those of the last ACTIVE update.

        Until an update is ACTIVE, they are those of the creation.
        """
        settings = self.details
        for update in self.updates:
            if update.timeline.is_active(time):
                settings = {**self.details, **update.details}

        return settings

    def is_updating(self, time: datetime) -> bool:
        """Return True if an update is pending or in progress."""
        return any(not update.timeline.has_ended(time) for update in self.updates)

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Collect all fields at a time, with the newest update that Describe shows.

        `lastUpdatedDateTime` is the time at which the last update became ACTIVE, if there was one.
        """
        fields = {**super().fields_at(time), **self.settings(time)}
        fields["lastUpdatedDateTime"] = self._last_updated(time)

        for update in self.updates:
            if update.visible_from <= time:
                newest_update = {**update.details, **update.timeline.fields_at(time)}
                fields[f"latest{self.noun()}Update"] = newest_update

        return fields

    def _last_updated(self, time: datetime) -> datetime:
        """Find the last time at which an update became ACTIVE, or the resource itself changed."""
        last_updated = self.timeline.moment_at(time).time
        for update in self.updates:
            if update.timeline.is_active(time):
                last_updated = max(last_updated, update.timeline.moment_at(time).time)

        return last_updated


class DatasetGroup(Resource):
    """A group of datasets, solutions and an event tracker. It may have a domain."""

    resource_type = "dataset-group"


@dataclass(kw_only=True, eq=False)
class Schema(Resource):
    """The columns of a dataset."""

    resource_type = "schema"
    columns: tuple[Field, ...]


@dataclass(kw_only=True, eq=False)
class Dataset(Resource):
    """A dataset of one of the five types, with its rows."""

    resource_type = "dataset"
    type: str
    schema: Schema
    table: Table

    imports: tuple[str, ...] = ()
    """The ARNs of the import jobs that brought the rows, oldest first.

    A FULL import replaces those before it.
    """


@dataclass(kw_only=True, eq=False)
class ImportJob(Job):
    """A job that imports the rows of a dataset."""

    resource_type = "dataset-import-job"
    unfinished_quota = 5
    dataset: Dataset
    location: "Location"

    files: dict[str, bytes] = field(default_factory=dict)
    """The bytes of each file by its URL, between reading and importing."""

    hashes: dict[str, str] = field(default_factory=dict)
    """The SHA-256 hash of each file that was imported, by its URL."""

    @property
    def is_incremental(self) -> bool:
        """True if the job adds rows to those of the dataset, instead of replacing them."""
        return bool(self.details["importMode"] == "INCREMENTAL")


@dataclass(kw_only=True, eq=False)
class Solution(Updatable):
    """A recipe with its configuration."""

    resource_type = "solution"
    recipe: "Recipe"


@dataclass(kw_only=True, eq=False)
class SolutionVersion(Job):
    """A trained model, or a model in training. It is only deleted together with its solution."""

    resource_type = "solution-version"
    unfinished_quota = 20
    solution: Solution

    data: Table = field(default_factory=Table)
    """The rows to learn from, which it only has during the training."""

    learned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The imports of each dataset of the group when the training took its data, by the dataset."""

    model: "Model" = field(init=False, repr=False)
    """What an ACTIVE version has learned. Other versions don't have this attribute."""

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Collect all fields at a time. An ACTIVE version also has `trainingHours`."""
        fields = super().fields_at(time)
        if self.is_active(time):
            # Nothing happens to a version after it has become ACTIVE.
            *_, in_progress, active = self.timeline.moments
            hours = (active.time - in_progress.time).total_seconds() / 3600
            fields["trainingHours"] = round(hours, 6)

        return fields


class Campaign(Updatable):
    """An endpoint that serves one solution version.

    During an update it serves the old version, until the update is ACTIVE.
    """

    resource_type = "campaign"

    def status(self, time: datetime) -> str:
        """Tell the status at a time. An ACTIVE campaign stays ACTIVE during updates.

        A campaign whose creation failed becomes ACTIVE when an update succeeds.
        """
        creation_status = super().status(time)
        if creation_status.startswith("DELETE"):
            return creation_status

        if any(update.timeline.is_active(time) for update in self.updates):
            return "ACTIVE"

        return creation_status

    def served_version_arn(self, time: datetime) -> str:
        """Return the ARN of the solution version that the campaign serves at a time."""
        return str(self.settings(time)["solutionVersionArn"])


class EventTracker(Resource):
    """The receiver of streamed interactions. A dataset group has at most one."""

    resource_type = "event-tracker"


@dataclass(kw_only=True, eq=False)
class DataDeletionJob(Job):
    """A job that deletes users from all datasets of a dataset group."""

    resource_type = "data-deletion-job"
    location: "Location"

    def status(self, time: datetime) -> str:
        """Tell the status at a time. Its words are not those of other jobs."""
        status = super().status(time)
        if status == "ACTIVE":
            return "COMPLETED"

        return status.removeprefix("CREATE ")


class DatasetColumn(NamedTuple):
    """A column of a dataset."""

    dataset: Dataset
    name: str


class Condition(NamedTuple):
    """One expression of a filter, which compares a column of a dataset."""

    includes: bool
    """True for INCLUDE, and False for EXCLUDE."""

    column: DatasetColumn

    values: str
    """Texts in double quotes, separated by commas. Empty if there is a parameter instead."""

    parameter: str
    """The name of the parameter whose values are in the request, for example "GENRE"."""


@dataclass(kw_only=True, eq=False)
class Filter(Resource):
    """A filter of recommendations or user segments, with one condition for each expression."""

    resource_type = "filter"
    conditions: tuple[Condition, ...]


@dataclass(kw_only=True, eq=False)
class BatchJob(Job):
    """A job that writes a result for each line of its input to S3. It cannot be stopped."""

    unfinished_quota = 5
    version: SolutionVersion
    filter: Filter | None
    source: "Location"
    destination: "Location"

    def status(self, time: datetime) -> str:
        """Tell the status at a time, for example IN PROGRESS. Only CREATE FAILED has CREATE."""
        status = super().status(time)
        if self.is_unfinished(time):
            return status.removeprefix("CREATE ").replace("_", " ")

        return status


class BatchInferenceJob(BatchJob):
    """A batch job that recommends items."""

    resource_type = "batch-inference-job"


class BatchSegmentJob(BatchJob):
    """A batch job that lists the users who like an item, or items with an attribute."""

    resource_type = "batch-segment-job"


RESOURCE_CLASSES: dict[str, type[Resource]] = {
    resource_class.noun(): resource_class
    for resource_class in (
        BatchInferenceJob,
        BatchSegmentJob,
        Campaign,
        DataDeletionJob,
        Dataset,
        DatasetGroup,
        EventTracker,
        Filter,
        ImportJob,
        Schema,
        Solution,
        SolutionVersion,
    )
}
"""The classes by the noun of their operations."""

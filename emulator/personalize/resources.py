"""The classes of resources, with the fields that Describe returns at a given time.

A resource is created by a job, whose timeline tells its status. Methods take the time as an
argument, because a stale response shows the past.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from emulator.personalize.recipes import Recipe
from emulator.personalize.s3_files import Location
from emulator.personalize.tables import Field, Table
from emulator.personalize.timeline import Timeline

if TYPE_CHECKING:
    # At runtime, this import would be slow because of numpy and implicit.
    from emulator.personalize.training import Model


@dataclass(kw_only=True, eq=False)
class Resource:
    """A resource in an account, such as a dataset or a campaign."""

    resource_type: ClassVar[str]
    """The resource type in ARNs, for example "dataset-import-job".

    The names of operations and fields are derived from it. Timings and faults use it as the kind
    of the job that creates the resource.
    """

    unfinished_quota: ClassVar[float] = float("inf")
    """The maximum number of unfinished resources of this class in a region (guide, "Amazon
    Personalize endpoints and quotas")."""

    arn: str

    details: dict[str, Any]
    """The fields of Describe that don't depend on the time, named as in the API."""

    timeline: Timeline
    """The statuses during the creation, and later during the deletion."""

    parent_arns: tuple[str, ...] = ()
    """The ARNs of the resources that this one belongs to or uses.

    The dataset group, if there is one, comes last.
    """

    tags: dict[str, str] = field(default_factory=dict)

    @property
    def group_arn(self) -> str:
        """The ARN of the dataset group that the resource belongs to."""
        return self.parent_arns[-1]

    @classmethod
    def noun(cls) -> str:
        """Return the noun in the names of operations, for example "DatasetImportJob"."""
        return cls.resource_type.title().replace("-", "")

    @classmethod
    def response_field(cls) -> str:
        """Return the field that contains the resource in a response: "datasetImportJob"."""
        return f"{cls.noun()[0].lower()}{cls.noun()[1:]}"

    @classmethod
    def arn_field(cls) -> str:
        """Return the field that contains the ARN: "datasetImportJobArn"."""
        return f"{cls.response_field()}Arn"

    def status(self, time: datetime) -> str:
        """Return the status that the API shows at a given time."""
        return self.timeline.status(time)

    def is_active(self, time: datetime) -> bool:
        """Return True if other resources can use this one at a given time."""
        return self.status(time) == "ACTIVE"

    def is_unfinished(self, time: datetime) -> bool:
        """Return True while a job is still creating or deleting the resource."""
        return not self.timeline.has_ended(time)

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Return all fields that Describe or List could show at a given time.

        Which of them a response actually contains depends on its shape in the service model.
        """
        fields = {**self.details, **self.timeline.fields_at(time)}
        return {**fields, "status": self.status(time)}


class Job(Resource):
    """A resource that stands for work that's done once, such as an import or a training.

    It can't be deleted, so its name is taken forever. Once it has ended, it no longer prevents the
    deletion of the resources that it used.
    """


@dataclass(eq=False)
class Update:
    """An update of a resource, which takes effect once its timeline is ACTIVE."""

    settings: dict[str, Any]
    """The new settings, named as in the API."""

    timeline: Timeline

    visible_from: datetime
    """When Describe starts to show the update."""


@dataclass(kw_only=True, eq=False)
class Updatable(Resource):
    """A resource that stays ACTIVE while its settings are updated."""

    updates: list[Update] = field(default_factory=list)

    def settings_at(self, time: datetime) -> dict[str, Any]:
        """Return the settings in effect at a given time.

        They come from the last ACTIVE update or, before the first one, from the Create request.
        """
        settings = self.details
        for update in self.updates:
            if update.timeline.is_active(time):
                settings = {**self.details, **update.settings}

        return settings

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Return all fields at a given time, including the newest update that's visible by then."""
        fields = {**super().fields_at(time), **self.settings_at(time)}
        fields["lastUpdatedDateTime"] = self._find_last_update_time(time)

        for update in self.updates:
            if update.visible_from <= time:
                newest_update = {**update.settings, **update.timeline.fields_at(time)}
                fields[f"latest{self.noun()}Update"] = newest_update

        return fields

    def _find_last_update_time(self, time: datetime) -> datetime:
        """Return when the resource last changed its own status, or an update became ACTIVE."""
        last_updated = self.timeline.find_transition(time).time
        for update in self.updates:
            if update.timeline.is_active(time):
                last_updated = max(last_updated, update.timeline.find_transition(time).time)

        return last_updated


class DatasetGroup(Resource):
    """A container for datasets, solutions and their campaigns, and an event tracker."""

    resource_type = "dataset-group"


@dataclass(kw_only=True, eq=False)
class Schema(Resource):
    """An Avro schema, which defines the columns of datasets."""

    resource_type = "schema"
    columns: tuple[Field, ...]


@dataclass(kw_only=True, eq=False)
class Dataset(Resource):
    """A dataset, with all rows that have been imported so far."""

    resource_type = "dataset"
    type: str
    """The type in upper case, for example "INTERACTIONS"."""

    schema: Schema
    table: Table
    events: Table
    """The rows that PutEvents has added, which a FULL import keeps."""

    last_event_at: datetime | None = None
    """When PutEvents last added a row."""

    import_arns: tuple[str, ...] = ()
    """The ARNs of the import jobs that the rows came from, oldest first.

    A FULL import replaces all earlier rows, so it's always the first.
    """


@dataclass(kw_only=True, eq=False)
class ImportJob(Job):
    """A dataset import job, which reads rows from CSV files in S3."""

    resource_type = "dataset-import-job"
    unfinished_quota = 5
    dataset: Dataset
    location: Location

    files: dict[str, bytes] = field(default_factory=dict)
    """The contents of the files by S3 URL. It's empty before they are read and after the import."""

    hashes: dict[str, str] = field(default_factory=dict)
    """The SHA-256 hashes of the imported files by S3 URL."""

    @property
    def is_incremental(self) -> bool:
        """True if the job keeps the dataset's existing rows, instead of replacing all of them."""
        return bool(self.details["importMode"] == "INCREMENTAL")


@dataclass(frozen=True, eq=False)
class PlannedTraining:
    """The next automatic training of a solution."""

    planned_at: datetime
    """When the training was planned, which is earlier than when it should start."""

    is_first: bool
    """Whether the solution is new, or its automatic training was just turned on."""


@dataclass(kw_only=True, eq=False)
class Solution(Updatable):
    """A recipe with a configuration, from which solution versions are trained."""

    resource_type = "solution"
    recipe: Recipe

    planned_training: PlannedTraining | None = None
    """The next automatic training. It's None for a solution that never had any planned."""


@dataclass(kw_only=True, eq=False)
class SolutionVersion(Job):
    """A model that is being trained or was trained. It can only be deleted with its solution."""

    resource_type = "solution-version"
    unfinished_quota = 20
    solution: Solution

    training_data: Table = field(default_factory=Table)
    """A snapshot of the rows to train on. It's empty before and after the training."""

    trained_imports: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Dataset ARN -> the ARNs of the import jobs whose rows were there when the training began."""

    model: "Model" = field(init=False, repr=False)
    """The trained model. Only ACTIVE versions have this attribute."""

    def fields_at(self, time: datetime) -> dict[str, object]:
        """Return all fields at a given time. An ACTIVE version also has `trainingHours`."""
        fields = super().fields_at(time)
        if self.is_active(time):
            # An ACTIVE version is never updated or deleted alone, so nothing comes after ACTIVE.
            *_, in_progress, active = self.timeline.transitions
            hours = (active.time - in_progress.time).total_seconds() / 3600
            fields["trainingHours"] = round(hours, 6)

        return fields


class Campaign(Updatable):
    """An endpoint that serves recommendations from one solution version.

    While it's being updated, it keeps serving the old version.
    """

    resource_type = "campaign"

    def status(self, time: datetime) -> str:
        """Return the status that the API shows at a given time.

        Updates don't change it, with one exception: a campaign whose creation failed becomes ACTIVE
        with its first successful update.
        """
        creation_status = super().status(time)
        if creation_status.startswith("DELETE"):
            return creation_status

        if any(update.timeline.is_active(time) for update in self.updates):
            return "ACTIVE"

        return creation_status

    def served_version_arn(self, time: datetime) -> str:
        """Return the ARN of the solution version that the campaign serves at a given time."""
        return str(self.settings_at(time)["solutionVersionArn"])


class Recommender(Resource):
    """An endpoint that serves recommendations for one use case of a domain.

    Personalize trains its model and deploys it, so it has neither solution versions nor campaigns.
    """

    resource_type = "recommender"


class EventTracker(Resource):
    """An endpoint that receives interactions in real time. A dataset group has at most one."""

    resource_type = "event-tracker"


@dataclass(kw_only=True, eq=False)
class DataDeletionJob(Job):
    """A job that deletes certain users from all datasets of a dataset group."""

    resource_type = "data-deletion-job"
    location: Location

    def status(self, time: datetime) -> str:
        """Return the status at a given time. Unlike other jobs, this one ends as COMPLETED."""
        status = super().status(time)
        if status == "ACTIVE":
            return "COMPLETED"

        return status.removeprefix("CREATE ")


class DatasetColumn(NamedTuple):
    """A column that a filter compares, and its dataset."""

    dataset: Dataset
    name: str


class Condition(NamedTuple):
    """A parsed filter expression, which compares one column with a list of values."""

    includes: bool
    """True for INCLUDE, and False for EXCLUDE."""

    column: DatasetColumn

    quoted_values: str
    """The values, each in double quotes, separated by commas. Empty if there's a parameter."""

    parameter: str
    """The name of the placeholder whose values each request provides: "GENRE" for $GENRE.

    It's empty if the expression contains the values itself."""


@dataclass(kw_only=True, eq=False)
class Filter(Resource):
    """A filter for recommendations or user segments, with one condition per expression."""

    resource_type = "filter"
    conditions: tuple[Condition, ...]


@dataclass(kw_only=True, eq=False)
class BatchJob(Job):
    """A job that reads lines from S3, and writes a result for each of them."""

    unfinished_quota = 5
    version: SolutionVersion
    filter: Filter | None
    source: Location
    destination: Location

    def status(self, time: datetime) -> str:
        """Return the status at a given time: IN PROGRESS, for example, not CREATE IN_PROGRESS."""
        status = super().status(time)
        if self.is_unfinished(time):
            return status.removeprefix("CREATE ").replace("_", " ")

        return status


class BatchInferenceJob(BatchJob):
    """A batch job that recommends items, for each user or item in its input."""

    resource_type = "batch-inference-job"


class BatchSegmentJob(BatchJob):
    """A batch job that lists the users with an affinity for each item or attribute in its input."""

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
        Recommender,
        Schema,
        Solution,
        SolutionVersion,
    )
}
"""Noun in the names of operations -> resource class."""

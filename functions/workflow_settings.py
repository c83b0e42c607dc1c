"""The settings with which the state machine was deployed, and functions that find one of them.

`components/workflow_settings.py` writes the settings. They stay in the document until the end of
the run. Durations have their unit in the name. Keys are camelCase, as in the API.
"""

from typing import Literal, NotRequired, TypedDict

ImportMode = Literal["FULL", "INCREMENTAL"]
TrainingMode = Literal["FULL", "UPDATE"]

Tags = dict[str, str]


class DatasetSettings(TypedDict):
    """A dataset of the stack's config."""

    type: str
    datasetArn: str
    dataLocation: str
    """The location of the export. It may contain `{date}`."""
    importMode: ImportMode
    minRelativeSize: float
    """The smallest size that a FULL export may have, as a share of the last FULL import."""
    readyMarker: str | None
    """The location of the object that is written after the export, or null."""
    streamed: bool
    """True if records also reach the dataset through the API."""


class ProbeSettings(TypedDict):
    """The probe of a campaign, which requests recommendations after each update.

    The request names a user, an item, or a user with a list of items to rank.
    """

    userId: NotRequired[str | None]
    itemId: NotRequired[str | None]
    inputList: NotRequired[list[str] | None]
    minResults: int
    """A response with fewer results is bad."""
    minutes: float
    """The time for which the probe sends requests."""


class QualityRule(TypedDict):
    """One rule of the quality gate. It has `maxDrop`, `minimum`, or both."""

    metric: str
    maxDrop: NotRequired[float | None]
    """The share of the live version's value by which the new version may be worse."""
    minimum: NotRequired[float | None]
    """The smallest value that is accepted."""


class CampaignSettings(TypedDict):
    """A campaign of the stack's config."""

    campaignArn: str
    probe: ProbeSettings | None


class ApprovalSettings(TypedDict):
    """A person has to approve each new version of a solution."""

    timeoutHours: float
    """For how many hours after the last request a version can be approved."""


class SolutionSettings(TypedDict):
    """A solution of the stack's config."""

    solutionArn: str
    trainingMode: TrainingMode
    qualityGate: list[QualityRule]
    approval: ApprovalSettings | None
    """Null if nobody has to approve."""
    campaigns: list[CampaignSettings]


class Limits(TypedDict):
    """The deadline of each kind of job in hours, and other numbers that limit a run."""

    maxImportHours: float
    maxTrainingHours: float
    maxCampaignHours: float
    maxTrainingsPerMonth: int
    """0 means no limit."""
    maxModelAgeDays: float
    """The age at which the alarm about the model rings."""


class NotificationSettings(TypedDict):
    """Where the report of a run goes, and which runs send one."""

    topicArn: str
    """The SNS topic that gets the message."""
    on: Literal["always", "problems"]
    """`problems` means that only a run that needs a person sends a message."""
    dashboardUrl: str | None
    """The address of the dashboard in the console of AWS, or null if there is none."""


class Settings(TypedDict):
    """The settings with which the state machine was deployed."""

    prefix: str
    importRoleArn: str
    datasets: list[DatasetSettings]
    solutions: list[SolutionSettings]
    limits: Limits
    cadenceSeconds: int
    """The shortest time between two firings of the schedule within a year."""
    skipWhenUnchanged: bool
    autoTraining: Literal["warn", "refuse"]
    notifications: NotificationSettings
    trainingHourPrice: float | None
    """The price of a training hour in dollars, or null."""
    triggerOnExport: bool
    """True if ready markers start runs."""
    tags: Tags
    """The tags of every job. One of them is the name of the pipeline."""


PIPELINE_TAG = "retraining-pipeline"
"""Key of the tag that names the pipeline."""


def pipeline_name(settings: Settings) -> str:
    """Return the name of the pipeline, which is the name of its component in Pulumi."""
    return settings["tags"][PIPELINE_TAG]


def dataset_settings(settings: Settings, dataset_type: str) -> DatasetSettings:
    """Return the settings of the dataset of a type, for example `interactions`."""
    return next(dataset for dataset in settings["datasets"] if dataset["type"] == dataset_type)


def solution_of_campaign(settings: Settings, campaign_arn: str) -> SolutionSettings:
    """Return the settings of the solution under which a campaign is configured."""
    return next(
        solution
        for solution in settings["solutions"]
        for campaign in solution["campaigns"]
        if campaign["campaignArn"] == campaign_arn
    )

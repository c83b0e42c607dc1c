"""What the state machine was deployed with, and what an execution was started with.

`components/args.py` writes the settings; keys are camelCase, as in the API and the stack's config.
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
    importMode: ImportMode
    minRelativeSize: float
    readyMarker: str | None


class Probe(TypedDict):
    """What to ask a campaign after its update: one of the ids, or a list to rank for a user."""

    userId: NotRequired[str]
    itemId: NotRequired[str]
    inputList: NotRequired[list[str]]
    minResults: int
    minutes: float


class QualityRule(TypedDict):
    """One rule of the gate: how far a metric may drop, as a share, and what it has to reach."""

    metric: str
    maxDrop: NotRequired[float]
    minimum: NotRequired[float]


class CampaignSettings(TypedDict):
    """A campaign of the stack's config."""

    campaignArn: str
    probe: Probe | None


class SolutionSettings(TypedDict):
    """A solution of the stack's config."""

    solutionArn: str
    trainingMode: TrainingMode
    fullEveryDays: NotRequired[float]
    qualityGate: list[QualityRule]
    campaigns: list[CampaignSettings]


class Limits(TypedDict):
    """How long each stage may take, in hours, and how often may be trained in 30 days."""

    maxImportHours: float
    maxTrainingHours: float
    maxCampaignHours: float
    maxTrainingsPerMonth: int
    """0 is no limit."""


class Settings(TypedDict):
    """What the state machine was deployed with (components/args.py writes it)."""

    prefix: str
    importRoleArn: str
    datasets: list[DatasetSettings]
    solutions: list[SolutionSettings]
    limits: Limits
    skipWhenUnchanged: bool
    autoTraining: Literal["warn", "refuse"]
    tags: Tags


class Request(TypedDict, total=False):
    """What an execution was started with; all of it may be left out."""

    trigger: Literal["schedule", "manual"]
    scheduledTime: str
    scheduleArn: str
    skipImport: bool
    datasets: list[str]
    solutions: list[str]
    trainingMode: TrainingMode
    force: bool
    dryRun: bool
    resume: str


class Configured(TypedDict):
    """What the first state makes, and plan_retraining reads."""

    settings: Settings
    request: Request
    executionArn: str
    startedAt: str

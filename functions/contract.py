"""The documents that travel through the state machine: its settings, and what each state adds.

Times are ISO 8601 with zone, durations whole seconds. Keys are camelCase, as in the API.
`components/document.py` writes the settings.
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


Phase = Literal[
    "UNDER_WAY", "NEAR", "ACTIVE", "ENDED", "OVERDUE", "AGAIN", "SUPERSEDED", "CHANGED", "SKIPPED"
]
"""Where a job stands, in the words that the workflow's Choices know.

UNDER_WAY: look again in `seconds`. NEAR: look again at once. ACTIVE: done. ENDED: failed, stopped
or deleted, as `failure` says. OVERDUE: past its deadline. AGAIN: could not be started yet; try in
`seconds`. SUPERSEDED: the campaign serves a newer version than ours, and keeps it. CHANGED: the
campaign serves another version than the gate compared with, or another campaign was rolled back
from ours. SKIPPED: not started, as `failure` says.
"""
Outcome = Literal["DEPLOYED", "TRAINED", "REJECTED", "ROLLED_BACK", "SKIPPED", "FAILED"]


class Run(TypedDict):
    """Which run this is."""

    id: str
    trigger: str
    startedAt: str
    executionArn: str
    request: Request


class PlannedImport(TypedDict):
    """One dataset import job to create, or to adopt where it was created before."""

    type: str
    jobName: str
    datasetArn: str
    dataLocation: str
    importMode: ImportMode
    roleArn: str
    tags: Tags
    durations: list[int]
    maxHours: float


class PlannedCampaign(TypedDict):
    """One campaign to update."""

    campaignArn: str
    probe: Probe | None
    durations: list[int]
    maxHours: float


class PlannedSolution(TypedDict):
    """One solution version to create, and the campaigns that shall serve it.

    `existingVersionArn` is set if the run uses a version that was trained before. That version is
    foreign if no run trained it, and then no run may stop it. `dataAsOf` is the end of the newest
    import before this run, or null without an import.
    """

    solutionArn: str
    versionName: str
    trainingMode: TrainingMode
    existingVersionArn: str | None
    existingVersionIsForeign: bool
    dataAsOf: str | None
    tags: Tags
    qualityGate: list[QualityRule]
    durations: list[int]
    maxHours: float
    campaigns: list[PlannedCampaign]


class Plan(TypedDict):
    """What the run will do; `skipped` says why nothing, and is null otherwise."""

    imports: list[PlannedImport]
    solutions: list[PlannedSolution]
    skipped: str | None
    warnings: list[str]


class Planned(TypedDict):
    """The document after planning."""

    run: Run
    plan: Plan


class Job(TypedDict):
    """A dataset import job, solution version or campaign update, as last seen."""

    arn: str
    phase: Phase
    seconds: int
    status: str
    failure: str | None
    warnings: list[str]
    ours: bool
    """False where it was adopted from somebody else; such a job is never stopped."""
    createdAt: NotRequired[str]
    endedAt: NotRequired[str]
    firstTriedAt: NotRequired[str]
    """When we first tried to start it, where that took more than one try."""
    stopRequestedAt: NotRequired[str]
    previousUpdateAt: NotRequired[str | None]
    """Campaigns: when the update before ours was made, null where there was none."""
    previousVersionArn: NotRequired[str | None]
    """Campaigns: what to go back to, null where there is nothing: the version served before our
    update, or the one before that if that was judged bad."""
    targetVersionArn: NotRequired[str]
    """Campaigns: what the update moves to."""


class MetricValues(TypedDict):
    """A metric of the new version and of the live one; null where it is missing."""

    new: float | None
    live: float | None


class Evaluation(TypedDict):
    """What the gate says of a version for one campaign."""

    verdict: Literal["ACCEPTED", "REJECTED"]
    comparedWith: str | None
    """The version that the campaign served, null where it served none."""
    reasons: list[str]
    notes: list[str]
    metrics: dict[str, MetricValues]


class Probing(TypedDict):
    """How a probe goes."""

    phase: Literal["NEAR", "PASSED", "FAILED"]
    startedAt: str
    badInARow: int
    failure: str | None
    """The last bad answer."""


class StateError(TypedDict):
    """What a Catch writes; of a function that raised, the cause is JSON with `errorMessage`."""

    Error: str
    Cause: NotRequired[str]


class DatasetIteration(TypedDict):
    """The document inside `Import datasets`."""

    run: Run
    dataset: PlannedImport
    job: Job | None
    error: StateError | None


class DatasetJob(TypedDict):
    """The same, once the job was created."""

    run: Run
    dataset: PlannedImport
    job: Job


class DatasetResult(TypedDict):
    """How one import ended."""

    dataset: PlannedImport
    job: Job | None
    error: StateError | None
    outcome: Literal["IMPORTED", "FAILED"]


class SolutionIteration(TypedDict):
    """The document inside `Retrain solutions`."""

    run: Run
    imports: list[DatasetResult]
    solution: PlannedSolution
    version: Job | None
    campaigns: list["CampaignResult"]
    error: StateError | None


class SolutionVersion(TypedDict):
    """The same, once the version was created."""

    run: Run
    solution: PlannedSolution
    version: Job


class CampaignIteration(TypedDict):
    """The document inside `Update campaigns`; what a state has not made yet is null."""

    run: Run
    version: Job
    qualityGate: list[QualityRule]
    campaign: PlannedCampaign
    evaluation: Evaluation | None
    update: Job | None
    probing: Probing | None
    rollback: Job | None
    error: StateError | None


class EvaluatedCampaign(TypedDict):
    """The same, once the gate was asked."""

    run: Run
    version: Job
    campaign: PlannedCampaign
    evaluation: Evaluation
    update: Job | None


class UpdatedCampaign(TypedDict):
    """The same, once the update was made."""

    run: Run
    campaign: PlannedCampaign
    update: Job
    probing: Probing | None
    rollback: Job | None


class CampaignResult(TypedDict):
    """How one campaign fared."""

    campaign: PlannedCampaign
    evaluation: Evaluation | None
    update: Job | None
    probing: Probing | None
    rollback: Job | None
    error: StateError | None
    outcome: Literal["DEPLOYED", "REJECTED", "ROLLED_BACK", "SKIPPED", "FAILED"]


class SolutionResult(TypedDict):
    """How one solution's retraining ended."""

    solution: PlannedSolution
    version: Job | None
    campaigns: list[CampaignResult]
    error: StateError | None


class ImportResults(TypedDict):
    """How all imports ended."""

    results: list[DatasetResult]
    anyFailed: bool


class Finished(TypedDict, total=False):
    """The document that report_outcome reads: as much of it as the run got to.

    Where planning failed, it is `Configured` with an `error`.
    """

    settings: Settings
    request: Request
    executionArn: str
    startedAt: str
    run: Run
    plan: Plan
    imports: ImportResults
    solutions: list[SolutionResult]
    error: StateError

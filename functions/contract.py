"""The documents that travel through the state machine: the settings, and what each state adds.

Times are ISO 8601 with a zone, durations are whole seconds. Keys are camelCase, as in the API.
`components/workflow_settings.py` writes the settings. They stay in the document until the end of
the run, so a function that needs an option reads it from there with one of the functions below.
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


class ProbeSettings(TypedDict):
    """The request that tests a campaign after its update: a user, an item, or a list to rank."""

    userId: NotRequired[str]
    itemId: NotRequired[str]
    inputList: NotRequired[list[str]]
    minResults: int
    minutes: float


class QualityRule(TypedDict):
    """One rule of the quality gate.

    `maxDrop` is the share of the live version's value that may be lost.
    """

    metric: str
    maxDrop: NotRequired[float]
    minimum: NotRequired[float]


class CampaignSettings(TypedDict):
    """A campaign of the stack's config."""

    campaignArn: str
    probe: ProbeSettings | None


class SolutionSettings(TypedDict):
    """A solution of the stack's config."""

    solutionArn: str
    trainingMode: TrainingMode
    fullEveryDays: NotRequired[float]
    qualityGate: list[QualityRule]
    campaigns: list[CampaignSettings]


class Limits(TypedDict):
    """The deadline of each stage in hours, and the number of trainings allowed in 30 days."""

    maxImportHours: float
    maxTrainingHours: float
    maxCampaignHours: float
    maxTrainingsPerMonth: int
    """0 means no limit."""


class Settings(TypedDict):
    """The settings with which the state machine was deployed."""

    prefix: str
    importRoleArn: str
    datasets: list[DatasetSettings]
    solutions: list[SolutionSettings]
    limits: Limits
    skipWhenUnchanged: bool
    autoTraining: Literal["warn", "refuse"]
    tags: Tags


def dataset_settings(settings: Settings, dataset_type: str) -> DatasetSettings:
    """Return the settings of the dataset of a type, for example `interactions`."""
    return next(dataset for dataset in settings["datasets"] if dataset["type"] == dataset_type)


def solution_settings(settings: Settings, solution_arn: str) -> SolutionSettings:
    """Return the settings of a solution."""
    return next(
        solution for solution in settings["solutions"] if solution["solutionArn"] == solution_arn
    )


def campaign_settings(settings: Settings, campaign_arn: str) -> CampaignSettings:
    """Return the settings of a campaign. A campaign is configured under one solution only."""
    return next(
        campaign
        for solution in settings["solutions"]
        for campaign in solution["campaigns"]
        if campaign["campaignArn"] == campaign_arn
    )


class Request(TypedDict, total=False):
    """The input of an execution. Every key may be left out."""

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


class ConfiguredRun(TypedDict):
    """The output of the first state, which plan_retraining reads."""

    settings: Settings
    request: Request
    executionArn: str
    startedAt: str


Phase = Literal[
    "UNDER_WAY", "NEAR", "ACTIVE", "ENDED", "OVERDUE", "AGAIN", "SUPERSEDED", "CHANGED", "SKIPPED"
]
"""The phase of a job, in the words that the Choice states compare.

UNDER_WAY: poll again in `seconds`. NEAR: poll again at once. ACTIVE: the job has succeeded. ENDED:
the job failed, was stopped or was deleted, and `failure` gives the reason. OVERDUE: the job is past
its deadline. AGAIN: the job could not be started yet, so try again in `seconds`. SUPERSEDED: the
campaign serves a newer version and keeps it. CHANGED: the gate must judge again, because the
campaign serves another version than the gate compared with, or because another campaign was rolled
back from the new version. SKIPPED: the job was not started, and `failure` gives the reason.
"""
Outcome = Literal["DEPLOYED", "TRAINED", "REJECTED", "ROLLED_BACK", "SKIPPED", "FAILED"]


class Run(TypedDict):
    """The identity of a run, and the request that started it."""

    id: str
    trigger: str
    startedAt: str
    executionArn: str
    request: Request


class PlannedImport(TypedDict):
    """One dataset import job to create, or to adopt if an earlier execution created it.

    `dataLocation` has the date filled in. `tags` are added to the tags of the stack.
    `durations` are the seconds that the last imports took.
    """

    type: str
    jobName: str
    dataLocation: str
    tags: Tags
    durations: list[int]


class PlannedCampaign(TypedDict):
    """One campaign to update. `isProbed` is true if the settings contain a probe for it."""

    campaignArn: str
    isProbed: bool
    durations: list[int]


class PlannedSolution(TypedDict):
    """One solution version to create, and the campaigns that shall serve it.

    `existingVersionArn` is set if the run uses a version that was trained before. That version is
    foreign if no run trained it, and then no run may stop it. `dataAsOf` is the end of the newest
    import before this run, or null without an import. `trainingMode` may differ from the settings.
    """

    solutionArn: str
    versionName: str
    trainingMode: TrainingMode
    existingVersionArn: str | None
    existingVersionIsForeign: bool
    dataAsOf: str | None
    tags: Tags
    durations: list[int]
    campaigns: list[PlannedCampaign]


class Plan(TypedDict):
    """The jobs of a run. `skipped` is the reason why the run does nothing, else null."""

    imports: list[PlannedImport]
    solutions: list[PlannedSolution]
    skipped: str | None
    warnings: list[str]


class RunContext(TypedDict):
    """The part of the document that every function after planning gets."""

    settings: Settings
    run: Run


class PlannedRun(RunContext):
    """The document after planning."""

    plan: Plan


class Job(TypedDict):
    """A dataset import job, solution version or campaign update, as Describe last showed it."""

    arn: str
    phase: Phase
    seconds: int
    status: str
    failure: str | None
    warnings: list[str]
    foreign: bool
    """True if no run of this pipeline created the job. A foreign job is never stopped."""
    createdAt: NotRequired[str]
    endedAt: NotRequired[str]
    firstTriedAt: NotRequired[str]
    """The time of the first try, if the job could not be started at once."""
    stopRequestedAt: NotRequired[str]
    previousUpdateAt: NotRequired[str | None]
    """Campaigns: the creation time of the update before this run's, or null without one."""
    previousVersionArn: NotRequired[str | None]
    """Campaigns: the version to roll back to, or null if there is none. This is the version that
    was served before this run's update. If that version was rolled back from, it is the version
    that was served before it."""
    targetVersionArn: NotRequired[str]
    """Campaigns: the version that the update deploys."""


class MetricValues(TypedDict):
    """The value of a metric for the new and for the live version, null where it is missing."""

    new: float | None
    live: float | None


class Evaluation(TypedDict):
    """The gate's judgement of a version for one campaign."""

    verdict: Literal["ACCEPTED", "REJECTED"]
    comparedWith: str | None
    """The version that the campaign served, or null if it served none."""
    reasons: list[str]
    notes: list[str]
    metrics: dict[str, MetricValues]


ProbePhase = Literal["NEAR", "PASSED", "FAILED"]
"""The phase of a probe. NEAR: the probe goes on in another invocation at once."""


class ProbeState(TypedDict):
    """How far the probe of a campaign has come."""

    phase: ProbePhase
    startedAt: str
    badInARow: int
    """The number of bad responses since the last good response."""
    failure: str | None
    """Why the last bad response was bad, or null if there was no bad response."""


class StateError(TypedDict):
    """The output of a Catch. If a function raised, the cause is JSON with `errorMessage`."""

    Error: str
    Cause: NotRequired[str]


class DatasetIteration(RunContext):
    """The document inside `Import datasets`."""

    dataset: PlannedImport
    job: Job | None
    error: StateError | None


class StartedImport(RunContext):
    """The document inside `Import datasets` after the job was created."""

    dataset: PlannedImport
    job: Job


class DatasetResult(TypedDict):
    """The result of one import."""

    dataset: PlannedImport
    job: Job | None
    error: StateError | None
    outcome: Literal["IMPORTED", "FAILED"]


class SolutionIteration(RunContext):
    """The document inside `Retrain solutions`."""

    imports: list[DatasetResult]
    solution: PlannedSolution
    version: Job | None
    campaigns: list["CampaignResult"]
    error: StateError | None


class StartedTraining(RunContext):
    """The document inside `Retrain solutions` after the version was created."""

    solution: PlannedSolution
    version: Job


class CampaignIteration(RunContext):
    """The document inside `Update campaigns`. The result of a state that has not run is null."""

    solutionArn: str
    version: Job
    campaign: PlannedCampaign
    evaluation: Evaluation | None
    update: Job | None
    probing: ProbeState | None
    rollback: Job | None
    error: StateError | None


class EvaluatedCampaign(RunContext):
    """The document inside `Update campaigns` after the gate has judged."""

    version: Job
    campaign: PlannedCampaign
    evaluation: Evaluation
    update: Job | None


class UpdatedCampaign(RunContext):
    """The document inside `Update campaigns` after the update was created."""

    campaign: PlannedCampaign
    update: Job
    probing: ProbeState | None
    rollback: Job | None


class CampaignResult(TypedDict):
    """The result of one campaign."""

    campaign: PlannedCampaign
    evaluation: Evaluation | None
    update: Job | None
    probing: ProbeState | None
    rollback: Job | None
    error: StateError | None
    outcome: Literal["DEPLOYED", "REJECTED", "ROLLED_BACK", "SKIPPED", "FAILED"]


class SolutionResult(TypedDict):
    """The result of one solution."""

    solution: PlannedSolution
    version: Job | None
    campaigns: list[CampaignResult]
    error: StateError | None


class ImportResults(TypedDict):
    """The results of all imports."""

    results: list[DatasetResult]
    anyFailed: bool


class FinishedRun(TypedDict, total=False):
    """The document that report_outcome reads. It ends where the run ended.

    If planning failed, the document is `ConfiguredRun` with an `error`.
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

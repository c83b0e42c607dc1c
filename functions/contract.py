"""The documents that travel through the state machine: the input, and what each state adds.

Times are ISO 8601 with a zone, durations are whole seconds, and keys are camelCase, as in the
Personalize API. The settings come from the stack's config.
"""

from typing import Literal, NotRequired, TypedDict

from .constants import PIPELINE_TAG
from .messages import Message

ImportMode = Literal["FULL", "INCREMENTAL"]
TrainingMode = Literal["FULL", "UPDATE"]
Tags = dict[str, str]


class DatasetSettings(TypedDict):
    """A dataset of the config."""

    type: str
    """The key of the dataset in the config, for example `interactions`."""
    datasetArn: str
    dataLocation: str
    importMode: ImportMode
    minRelativeSize: float
    readyMarker: str | None
    streamed: bool
    maxEventAge: str | None
    """A number and its unit, for example `3 days`."""
    strictEvents: bool


class ProbeSettings(TypedDict):
    """The probe of a campaign, with what its recipe needs: a user, an item, or items to rank."""

    userId: str | None
    itemId: str | None
    inputList: list[str] | None
    filterArn: str | None
    filterValues: dict[str, str]
    context: dict[str, str]
    minResults: int
    minutes: float


class BakeSettings(TypedDict):
    """The bake of a campaign: the alarms that watch a version on trial, and for how long."""

    hours: float
    alarms: list[str]
    """The ARNs of existing alarms."""
    createAlarms: bool


class CampaignSettings(TypedDict):
    """A campaign of the config."""

    campaignArn: str
    probe: ProbeSettings | None
    bake: BakeSettings | None


class QualityRule(TypedDict):
    """A rule of the quality gate, with `maxDrop`, `minimum`, or both."""

    metric: str
    maxDrop: float | None
    minimum: float | None
    relativeTo: str | None
    """The solution whose versions are the baselines of `maxDrop`, or null."""
    maxBaselineDrop: float | None
    """The share by which a baseline may fall, or null for the default."""


class ApprovalSettings(TypedDict):
    """The approval that each new version of a solution needs."""

    timeoutHours: float


class BatchJobSettings(TypedDict):
    """A batch job of the config."""

    input: str
    output: str
    numResults: int | None
    filterArn: str | None
    themes: str | None
    """The column of the item names, or null if the job generates no themes."""
    explorationWeight: float | None
    explorationItemAgeCutOff: float | None
    onRejected: Literal["skip", "live"]
    maxHours: float


class SolutionSettings(TypedDict):
    """A solution of the config. `qualityGate` is empty if the gate is switched off."""

    solutionArn: str
    trainingMode: TrainingMode
    qualityGate: list[QualityRule]
    approval: ApprovalSettings | None
    campaigns: list[CampaignSettings]
    batchJobs: list[BatchJobSettings]


class Limits(TypedDict):
    """The limits of the config. A limit that is not set was derived from the rate."""

    maxImportHours: float
    maxTrainingHours: float
    maxCampaignHours: float
    maxTrainingsPerMonth: int
    maxModelAgeDays: float


class NotificationSettings(TypedDict):
    """Where the report of a run goes, and which runs send one."""

    topicArn: str
    on: Literal["always", "problems"]
    dashboardUrl: str


class Settings(TypedDict):
    """The settings of the state machine, which `components/workflow_settings.py` writes."""

    prefix: str
    """The beginning of the names of all import and batch jobs."""
    importRoleArn: str
    batchRoleArn: str | None
    """The role that Personalize assumes for batch jobs, or null if there are none."""
    datasets: list[DatasetSettings]
    solutions: list[SolutionSettings]
    limits: Limits
    cadenceSeconds: int
    """The shortest time between two scheduled runs."""
    skipWhenUnchanged: bool
    autoTraining: Literal["warn", "refuse"]
    notifications: NotificationSettings
    trainingHourPrice: float | None
    triggerOnExport: bool
    tags: Tags
    """The tags of every job. PIPELINE_TAG is among them."""


def pipeline_name(settings: Settings) -> str:
    """Look up the name of the pipeline, which is also the name of its Pulumi component."""
    return settings["tags"][PIPELINE_TAG]


def dataset_settings(settings: Settings, dataset_type: str) -> DatasetSettings:
    """Look up the settings of a dataset by its type, for example `interactions`."""
    return next(dataset for dataset in settings["datasets"] if dataset["type"] == dataset_type)


def find_solution_of_campaign(settings: Settings, campaign_arn: str) -> SolutionSettings:
    """Find the settings of the solution under which a campaign is configured."""
    return next(
        solution
        for solution in settings["solutions"]
        for campaign in solution["campaigns"]
        if campaign["campaignArn"] == campaign_arn
    )


def filter_arns(solution: SolutionSettings) -> list[str]:
    """Collect the filters that a solution's probes and batch jobs use: their ARNs, sorted."""
    probes = [campaign["probe"] for campaign in solution["campaigns"] if campaign["probe"]]
    filtered = [*probes, *solution["batchJobs"]]
    return sorted({item["filterArn"] for item in filtered if item["filterArn"]})


class Request(TypedDict, total=False):
    """The input of an execution. Every key is optional."""

    trigger: Literal["schedule", "export"]
    """The program that started the run."""
    day: str
    """The day whose exports are ready. Only a run with the trigger `export` has one
    (`start_on_export.py`)."""
    only: Literal["trials", "deployments"]
    """`trials`: the run ends the trials of campaigns. `deployments`: the run also deploys the
    versions that are waiting for a campaign. Neither run imports or trains."""
    scheduledTime: str
    scheduleArn: str
    skipImport: bool
    datasets: list[str]
    solutions: list[str]
    exportDate: str
    """The day of the exports to import, by default `day` or the day of the run."""
    force: bool


class StartedRun(TypedDict):
    """The input and the start of an execution."""

    request: Request
    """Before `Plan retraining` has checked it, the input may be any JSON."""
    executionArn: str
    startedAt: str


class Run(StartedRun):
    """The identity of a run, and the request that started it."""

    id: str
    """The scheduled time, or the day and a hash (`runs.py`)."""
    trigger: str
    """What started the run: `schedule`, `export`, `trials`, `deployments` or `manual`."""


Outcome = Literal[
    "IMPORTED",
    "SKIPPED",
    "WRITTEN",
    "TRAINED",
    "DEPLOYED",
    "AWAITING_APPROVAL",
    "REJECTED",
    "ROLLED_BACK",
    "FAILED",
]
"""The outcome of a campaign, a solution or a run. In a run, each outcome hides those before it.

IMPORTED: the run has no solution to train. WRITTEN: the run has only run batch jobs. TRAINED: the
solution has no campaign. AWAITING_APPROVAL: the version has passed the gate, and a person has to
approve it.
"""


class ExportContent(TypedDict):
    """What a run has found in the rows of an export (`planning/export_content.py`)."""

    rows: int
    """The number of rows that were read."""
    areAllRowsRead: bool
    """False if the export is too large, so that only some of its rows were read."""
    newestEventAt: str | None
    """The newest `TIMESTAMP` of these rows, or null if the dataset has no events."""
    importsWithNewestEvent: int
    """How many imports in a row, including this one, have had the same newest event."""
    eventTypes: dict[str, int]
    """The five commonest types of events, and the rows of each. The object is empty if events have
    no types. The name of a long type or column ends in a hash."""
    missingPerMille: int
    """How many of 1,000 rows of the last import had a type that these rows lack."""
    emptyValues: dict[str, int]
    """The ten columns of the schema with the most empty values, and the rows that have them."""


class PlannedImport(TypedDict):
    """One export to import, unless the dataset already holds it when its turn comes."""

    type: str
    dataLocation: str
    """The location of the export, in which the day has replaced `{date}`."""
    fingerprint: str
    """The fingerprint of the export that the guards have checked (`exports.py`)."""
    bytes: int
    newestObjectAt: str | None
    """When the newest object of the export was written, or null if it has no objects."""
    isRequested: bool
    """True if somebody has asked for the import, whether or not it is needed."""
    durations: list[int]
    """How many seconds each of the last imports took, newest first."""
    content: ExportContent


class PlannedCampaign(TypedDict):
    """One campaign to update."""

    campaignArn: str
    approvedVersionArn: NotRequired[str]
    """An earlier version that a person has approved. The campaign gets it instead of the solution's
    version, which was rejected there or is still waiting for approval."""


class PlannedDeployments(TypedDict):
    """The campaigns of one solution. If it isn't a PlannedSolution, only their trials are ended."""

    solutionArn: str
    campaigns: list[PlannedCampaign]
    batchJobs: list[str]
    """The output of each batch job, in which the day has replaced `{date}`. There are no batch jobs
    if only trials are ended."""


class PlannedSolution(PlannedDeployments):
    """One solution version to create or to use, and the campaigns that will serve it."""

    versionName: str
    trainingMode: TrainingMode
    """The mode of this training, which may differ from that in the settings."""
    recipe: str
    """The name of the recipe, or an empty text if it is not known."""
    existingVersionArn: str | None
    """An earlier run's version to deploy instead of training one, or null."""
    requestedSince: str | None
    """The time after which the version must have been created. Null if any version that was trained
    on the current data will do."""
    durations: list[int]
    """How many seconds each of the last trainings in this mode took, newest first."""


class Plan(TypedDict):
    """What a run does next, and the jobs that it executes."""

    todo: Literal["WAIT", "TRIALS", "WORK", "NOTHING"]
    """`WAIT`: plan again later. `TRIALS`: first end the trials of earlier runs, and plan again.
    `WORK`: execute the jobs."""
    seconds: int
    """The seconds to wait, or 0."""
    reasons: list[Message]
    """Why the run waits, or why it executes no job. Empty in a run that only ends trials."""
    imports: list[PlannedImport]
    solutions: list[PlannedSolution] | list[PlannedDeployments]
    """With `TRIALS`, these are PlannedDeployments. The state machine has one Map for both types."""
    warnings: list[Message]
    users: NotRequired[int | None]
    """The number of users in the export of interactions, or null if not all of it was read."""
    dataDeletionJobArn: NotRequired[str | None]
    """The last data deletion job, if a solution is trained because of it, or null."""


class RunContext(TypedDict):
    """The part of a document that every function after `Plan retraining` gets."""

    settings: Settings
    run: Run


class MetricValues(TypedDict):
    """The values that a rule of the quality gate compares, null where one is missing.

    With `relativeTo`, the document also has the values of the baselines if all four are known.
    """

    metric: str
    """The name of the metric in the API. Several rules may be about the same metric."""
    new: float | None
    live: float | None
    newBaseline: NotRequired[float | None]
    liveBaseline: NotRequired[float | None]
    hasDropped: NotRequired[bool]
    """True if the metric fell by more than the rule's maxDrop, or may have. Otherwise left out."""
    hasBaselineDropped: NotRequired[bool]
    """True if the baseline fell by more than the rule's maxBaselineDrop. The gate has then
    compared without baselines. Otherwise left out."""


class StateError(TypedDict):
    """The output of a Catch. If a function raised it, `Cause` is JSON with an `errorMessage`."""

    Error: str
    Cause: NotRequired[str]


class Item(TypedDict):
    """How far an import, a training, a deployment or a batch job has come (`reconcile.py`)."""

    phase: str
    """What the item is waiting for, in the words of the rules."""
    seconds: int
    """The seconds to wait before the next call. 0 means at once."""
    outcome: str | None
    """How the item ended, or null while it goes on."""
    reasons: list[Message]
    """Why the item ends with this outcome."""
    warnings: list[str]
    createdAt: str | None
    """When its job or update was created, or null if there is none."""
    endedAt: str | None
    progress: dict[str, object]
    """What the next call must know (`reconcile.py`)."""


class DeploymentItem(Item):
    """How far the deployment of a version to a campaign has come."""

    versionArn: str | None
    """The version to deploy or on trial, or null if there is none."""
    previousVersionArn: str | None
    """The version that the campaign served before, or null if it served none."""
    metrics: list[MetricValues]
    """What the quality gate has compared, in the order of its rules."""
    cause: str | None
    """One word for the rule that decided, if a later run may come to the same verdict again.

    Planning compares the verdict with a tag, so that it is reported only once."""


class ImportItem(Item):
    """How far the import of a dataset has come."""

    arn: str | None
    """The import job of this run, or else the job that had already imported the export."""
    bytes: int
    """The size of the export when the import job was created."""


class TrainingItem(Item):
    """How far a training has come, and the version that the run waits for or deploys."""

    arn: str | None
    """The version, or null if there is none yet."""
    isOfRun: bool
    """True if this run has started the training."""
    trainingHours: float | None
    """The hours that Personalize charges for a training that has succeeded."""


class BatchItem(Item):
    """How far a batch job has come."""

    arn: str | None
    """The batch job that has written the results, or is writing them."""
    versionArn: str | None
    """The version whose recommendations or segments are written, or null if there is none."""


class DatasetIteration(RunContext):
    """The document inside `Import datasets`. The result of a state that has not run is null."""

    dataset: PlannedImport
    item: ImportItem | None
    error: StateError | None


class DatasetResult(TypedDict):
    """The result of one import."""

    dataset: PlannedImport
    item: ImportItem | None
    error: StateError | None
    outcome: Literal["IMPORTED", "FAILED"]


class SolutionIteration(RunContext):
    """The document inside `Retrain solutions`. The result of a state that has not run is null."""

    todo: Literal["TRIALS", "WORK"]
    """Before the trials of earlier runs have ended, nothing is trained."""
    solution: PlannedSolution
    item: TrainingItem | None
    campaigns: list["CampaignResult"]
    batchJobs: list["BatchResult"]
    error: StateError | None


class CampaignIteration(RunContext):
    """The document inside `Update campaigns`: a version to deploy, or a trial to end."""

    training: TrainingItem | None
    """The training of the version to deploy, or null if only a trial is ended."""
    campaign: PlannedCampaign
    item: DeploymentItem | None
    error: StateError | None


class CampaignResult(TypedDict):
    """The result of one campaign."""

    campaign: PlannedCampaign
    item: DeploymentItem | None
    error: StateError | None
    outcome: Outcome


class BatchResult(TypedDict):
    """The result of one batch job. After an error, its item has no outcome."""

    batchJob: str
    """The output of the batch job."""
    item: BatchItem | None
    error: StateError | None


class BatchIteration(RunContext, BatchResult):
    """The document inside `Run batch jobs`."""

    solutionArn: str
    recipe: str
    training: TrainingItem


class SolutionResult(TypedDict):
    """The result of one solution."""

    solution: PlannedSolution
    version: TrainingItem | None
    campaigns: list[CampaignResult]
    batchJobs: list[BatchResult]
    error: StateError | None


class ImportResults(TypedDict):
    """The results of all imports."""

    results: list[DatasetResult]
    anyFailed: bool


class RunDocument(TypedDict, total=False):
    """The document of a run, with the keys of the states that have run."""

    settings: Settings
    run: StartedRun
    """After planning, this is a `Run`."""
    plan: Plan
    trials: list[CampaignResult]
    """The results of earlier runs' trials. If there are many, and the run has more to do, only the
    worst stay, because the document must not grow too large."""
    imports: ImportResults
    solutions: list[SolutionResult]
    error: StateError

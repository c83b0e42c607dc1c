"""The data that the states of an execution pass on: the input, and what each state adds.

Times are ISO 8601 with a zone, durations are whole seconds, and keys are camelCase, as in the
Personalize API. The settings come from the stack's config.
"""

from typing import Literal, NotRequired, TypedDict

from .common.messages import Message
from .constants import PIPELINE_TAG

ImportMode = Literal["FULL", "INCREMENTAL"]
TrainingMode = Literal["FULL", "UPDATE"]
TrainedBy = Literal["pipeline", "personalize"]
Tags = dict[str, str]


class DatasetSettings(TypedDict):
    """The settings of a dataset."""

    type: str
    """The dataset's key in the config, for example `interactions`."""
    datasetArn: str
    dataLocation: str
    importMode: ImportMode
    minRelativeSize: float
    readyMarker: str | None
    streamed: bool
    maxEventAge: str | None
    """A number with its unit, for example `3 days`."""
    publishAttributionMetricsToS3: bool
    strictEvents: bool


class ProbeSettings(TypedDict):
    """A campaign's probe, with what its recipe needs: a user, an item, or items to rank."""

    userId: str | None
    itemId: str | None
    inputList: list[str] | None
    filterArn: str | None
    filterValues: dict[str, str]
    context: dict[str, str]
    minResults: int
    minutes: float


class BakeSettings(TypedDict):
    """A campaign's bake: for how long alarms watch a new version, and which ones."""

    hours: float
    alarms: list[str]
    """The ARNs of existing alarms."""
    createAlarms: bool


class CampaignSettings(TypedDict):
    """The settings of a campaign."""

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
    """The largest share by which a baseline may fall, or null for the default."""


class ApprovalSettings(TypedDict):
    """How long a person has to approve a new version of a solution."""

    timeoutHours: float


class BatchJobSettings(TypedDict):
    """The settings of a batch job."""

    input: str
    output: str
    numResults: int | None
    filterArn: str | None
    kmsKeyArn: str | None
    """The key that encrypts the input and the results, or null for `dataKmsKeyArn`."""
    themes: str | None
    """The column with the item names, or null if the job generates no themes."""
    explorationWeight: float | None
    explorationItemAgeCutOff: float | None
    onRejected: Literal["skip", "live"]
    maxHours: float


class SolutionSettings(TypedDict):
    """The settings of a solution. `qualityGate` is empty if the gate is switched off."""

    solutionArn: str
    trainedBy: TrainedBy
    trainingMode: TrainingMode
    qualityGate: list[QualityRule]
    approval: ApprovalSettings | None
    campaigns: list[CampaignSettings]
    batchJobs: list[BatchJobSettings]


class Limits(TypedDict):
    """The limits of a pipeline. Those that aren't in the config follow from the schedule's rate."""

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
    """The settings of a pipeline, which `components/workflow_settings.py` writes."""

    prefix: str
    """The prefix of all import and batch job names."""
    importRoleArn: str | None
    """The role that Personalize assumes for imports, or null if there are no datasets."""
    batchRoleArn: str | None
    """The role that Personalize assumes for batch jobs, or null if there are none."""
    dataKmsKeyArn: str | None
    """The key that encrypts exports, inputs and results, or null if they have no such key."""
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
    """The tags of every job, including PIPELINE_TAG."""


def pipeline_name(settings: Settings) -> str:
    """Look up the pipeline's name, which is also the name of its Pulumi component."""
    return settings["tags"][PIPELINE_TAG]


def find_dataset_settings(settings: Settings, dataset_type: str) -> DatasetSettings:
    """Look up a dataset's settings by its type, for example `interactions`."""
    return next(dataset for dataset in settings["datasets"] if dataset["type"] == dataset_type)


def find_solution_settings(settings: Settings, solution_arn: str) -> SolutionSettings:
    """Look up a solution's settings by its ARN."""
    return next(
        solution for solution in settings["solutions"] if solution["solutionArn"] == solution_arn
    )


def find_solution_of_campaign(settings: Settings, campaign_arn: str) -> SolutionSettings:
    """Find the settings of the solution that a campaign is configured under."""
    return next(
        solution
        for solution in settings["solutions"]
        for campaign in solution["campaigns"]
        if campaign["campaignArn"] == campaign_arn
    )


def trains_nothing(settings: Settings) -> bool:
    """Check if Personalize trains all solutions of a pipeline, so that its runs only deploy."""
    solutions = settings["solutions"]
    return bool(solutions) and all(solution["trainedBy"] == "personalize" for solution in solutions)


def list_filter_arns(solution: SolutionSettings) -> list[str]:
    """List the ARNs of the filters that a solution's probes and batch jobs use, sorted."""
    probes = [campaign["probe"] for campaign in solution["campaigns"] if campaign["probe"]]
    consumers = [*probes, *solution["batchJobs"]]
    return sorted({consumer["filterArn"] for consumer in consumers if consumer["filterArn"]})


class RunRequest(TypedDict, total=False):
    """The input of an execution. Every key is optional."""

    trigger: Literal["schedule", "export"]
    """The program that started the run."""
    day: str
    """The day whose exports are ready. Set only with the trigger `export`
    (`start_on_export.py`)."""
    only: Literal["trials", "deployments"]
    """`trials`: the run only ends trials. `deployments`: it also deploys versions that are waiting
    for a campaign. Neither run imports or trains."""
    scheduledTime: str
    scheduleArn: str
    skipImport: bool
    datasets: list[str]
    solutions: list[str]
    exportDate: str
    """The day of the exports to import. The default is `day`, or else the day of the run."""
    force: bool


class StartedExecution(TypedDict):
    """The input of an execution, its ARN and when it started."""

    request: RunRequest
    """The input, which may be any JSON until `Plan retraining` has checked it."""
    executionArn: str
    startedAt: str


class Run(StartedExecution):
    """A run's identity, and the request that started it."""

    id: str
    """The scheduled time, or the day and a hash (`run/execution_data.py`)."""
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
"""The outcome of a campaign, a solution or a run, from best to worst. A run has its worst one.

IMPORTED: the run had no solution to train. WRITTEN: the run only wrote batch results. TRAINED: the
solution has no campaign. AWAITING_APPROVAL: the version passed the gate, and a person must approve
it.
"""


class ExportContent(TypedDict):
    """What planning found in the rows of an export (`planning/export_content.py`)."""

    rows: int
    """The number of rows that were read."""
    areAllRowsRead: bool
    """False if the export was too large to read all of its rows."""
    newestEventAt: str | None
    """The newest `TIMESTAMP` in these rows, or null if the dataset has no events."""
    importsWithNewestEvent: int
    """How many consecutive imports, including this one, had the same newest event."""
    eventTypes: dict[str, int]
    """The five most common event types, and the number of rows of each. Empty if events have no
    types. A long type or column name is cut and ends in a hash."""
    missingPerMille: int
    """How many of every 1,000 rows in the last import had a type that these rows lack."""
    emptyValues: dict[str, int]
    """The ten schema columns with the most empty values, and how many rows have one."""


class PlannedImport(TypedDict):
    """An export to import, unless the dataset holds it by then."""

    type: str
    dataLocation: str
    """The location of the export, with `{date}` replaced by the day."""
    fingerprint: str
    """The fingerprint of the export that the guards checked (`s3/exports.py`)."""
    bytes: int
    newestObjectAt: str | None
    """When the newest object of the export was written, or null if it has no objects."""
    isRequested: bool
    """True if the request or the settings ask for the import even if it is not needed."""
    durations: list[int]
    """How many seconds each of the latest imports took, newest first."""
    content: ExportContent


class PlannedCampaign(TypedDict):
    """A campaign to update."""

    campaignArn: str
    approvedVersionArn: NotRequired[str]
    """An earlier version that a person approved. The campaign gets it if the solution's version was
    rejected there or is still waiting for approval."""
    updateSeconds: NotRequired[int]
    """How long the last update of the campaign took, if it had one. `retrain watch` shows it."""


class PlannedDeployments(TypedDict):
    """The campaigns of a solution, whose trials are ended, or to which a version is deployed."""

    solutionArn: str
    campaigns: list[PlannedCampaign]
    batchJobs: list[str]
    """The output of each batch job, with `{date}` replaced by the day. Empty if only trials are
    ended."""


class PlannedSolution(PlannedDeployments):
    """A solution version to create or reuse, and the campaigns to deploy it to."""

    versionName: str
    trainedBy: TrainedBy
    trainingMode: TrainingMode
    """The training mode of this version, which may differ from the one in the settings."""
    recipe: str
    """The name of the recipe, or an empty string if it is not known."""
    existingVersionArn: str | None
    """An earlier run's version to deploy instead of a new one, or null."""
    requestedSince: str | None
    """The version must have been created after this time. Null if any version that was trained on
    the current data will do."""
    durations: list[int]
    """How many seconds each of the latest trainings in this mode took, newest first."""


class Plan(TypedDict):
    """What a run does next, and its jobs."""

    todo: Literal["WAIT", "TRIALS", "WORK", "NOTHING"]
    """`WAIT`: plan again later. `TRIALS`: end the trials of earlier runs, then plan again. `WORK`:
    execute the jobs. `NOTHING`: end the run."""
    seconds: int
    """How many seconds to wait, or 0."""
    reasons: list[Message]
    """Why the run waits or has no jobs. Empty in a run that only ends trials."""
    imports: list[PlannedImport]
    solutions: list[PlannedSolution] | list[PlannedDeployments]
    """With `TRIALS`, PlannedDeployments. One Map of the state machine handles both types."""
    warnings: list[Message]
    users: NotRequired[int | None]
    """The number of users in the export of interactions, or null if not all of it was read."""
    dataDeletionJobArn: NotRequired[str | None]
    """The last data deletion job if a solution is trained because of it, or null."""


class RunContext(TypedDict):
    """What each function after `Plan retraining` receives."""

    settings: Settings
    run: Run


class MetricComparison(TypedDict):
    """The values that a rule of the quality gate compares, null where one is missing.

    With `relativeTo`, it also has the values of the baselines if all four values are known.
    """

    metric: str
    """The metric's name in the API. Several rules may check the same metric."""
    new: float | None
    served: float | None
    newBaseline: NotRequired[float | None]
    servedBaseline: NotRequired[float | None]
    hasDropped: NotRequired[bool]
    """True if the metric fell by more than the rule's maxDrop, or may have. Otherwise left out."""
    hasBaselineDropped: NotRequired[bool]
    """True if the baseline fell by more than the rule's maxBaselineDrop, so the gate ignored the
    baselines. Otherwise left out."""


class StateError(TypedDict):
    """The error of a failed state. If a function raised it, `Cause` is JSON with `errorMessage`."""

    Error: str
    Cause: NotRequired[str]


class JobStatus(TypedDict):
    """How far a job has come: an import, a training, a deployment or a batch job."""

    phase: str
    """What is in progress, as the rules name it."""
    seconds: int
    """The seconds to wait before the next invocation. 0 means at once."""
    outcome: str | None
    """How the job ended, or null if it has not ended."""
    reasons: list[Message]
    """Why it has this outcome."""
    warnings: list[str]
    createdAt: str | None
    """When Personalize created the job or began the update, or null if it did neither."""
    endedAt: str | None
    progress: dict[str, object]
    """What the next invocation needs to know (`reconcile.py`)."""


class DeploymentStatus(JobStatus):
    """How far a deployment to a campaign has come."""

    versionArn: str | None
    """The version to deploy or on trial, or null if there is none."""
    previousVersionArn: str | None
    """The version that the campaign served before, or null if it served none."""
    metrics: list[MetricComparison]
    """What the quality gate compared, in the order of its rules."""
    cause: str | None
    """One word for the rule that decided, if a later run may reach the same verdict.

    A tag stores the verdict with its cause, so that it is reported only once."""


class ImportStatus(JobStatus):
    """How far the import of a dataset has come."""

    arn: str | None
    """This run's import job, or an earlier job that already imported the export."""
    bytes: int
    """The export's size when the import job was created."""


class TrainingStatus(JobStatus):
    """How far the training of a version has come."""

    arn: str | None
    """The version that the run waits for or deploys, or null if there is none yet."""
    isNew: bool
    """True if this run started the training."""
    trainingHours: float | None
    """The hours that Personalize bills for a successful training."""


class BatchJobStatus(JobStatus):
    """How far a batch job has come."""

    arn: str | None
    """The batch job that wrote or is writing the results, or null if there is none."""
    versionArn: str | None
    """The version that the results come from, or null if there is none."""


class ImportDatasetInput(RunContext):
    """What `import_dataset` reads of its input. The status is null at the first invocation."""

    dataset: PlannedImport
    status: ImportStatus | None


class DatasetResult(TypedDict):
    """The result of an import."""

    dataset: PlannedImport
    status: ImportStatus | None
    error: StateError | None
    outcome: Literal["IMPORTED", "FAILED"]


class TrainSolutionInput(RunContext):
    """What `train_solution` reads of its input. The status is null at the first invocation."""

    solution: PlannedSolution
    status: TrainingStatus | None


class DeployVersionInput(RunContext):
    """What `deploy_version` reads of its input: a version to deploy, or a trial to end."""

    training: TrainingStatus | None
    """The training of the version to deploy, or null if only a trial is ended."""
    campaign: PlannedCampaign
    status: DeploymentStatus | None


class CampaignResult(TypedDict):
    """The result of a deployment to a campaign."""

    campaign: PlannedCampaign
    status: DeploymentStatus | None
    error: StateError | None
    outcome: Outcome


class BatchJobResult(TypedDict):
    """The result of a batch job. After an error, its status has no outcome."""

    batchJob: str
    """The output of the batch job."""
    status: BatchJobStatus | None
    error: StateError | None


class RunBatchJobInput(RunContext):
    """What `run_batch_job` reads of its input. The status is null at the first invocation."""

    batchJob: str
    """The output of the batch job."""
    status: BatchJobStatus | None
    solutionArn: str
    recipe: str
    training: TrainingStatus


class SolutionResult(TypedDict):
    """The results for a solution: its training, deployments and batch jobs."""

    solution: PlannedSolution
    version: TrainingStatus | None
    campaigns: list[CampaignResult]
    batchJobs: list[BatchJobResult]
    error: StateError | None


class ImportResults(TypedDict):
    """The results of all imports."""

    results: list[DatasetResult]
    anyFailed: bool


class ExecutionData(TypedDict, total=False):
    """The data of an execution, with the keys that its states have added so far."""

    settings: Settings
    run: StartedExecution
    """After planning, this is a `Run`."""
    plan: Plan
    trials: list[CampaignResult]
    """The results of earlier runs' trials. If the run has more to do, only the worst ones are kept,
    as many as fit, because the data of an execution is limited."""
    imports: ImportResults
    solutions: list[SolutionResult]
    error: StateError

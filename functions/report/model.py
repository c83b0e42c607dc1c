"""Builds a run's report, which is the detail of its event. All functions are pure.

`docs/events.md` documents the report. Users' programs read it, so don't rename a key or change its
meaning. If you must, raise SCHEMA_VERSION to 2.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypedDict, cast, get_args

from ..common.errors import RunRefused
from ..common.formatting import compute_compared_values
from ..common.messages import Message, add_subject
from ..common.prices import estimate_import_cost, estimate_training_cost
from ..common.truncation import (
    MAX_STRING_BYTES,
    MAX_TRIALS_BYTES,
    keep_fitting,
    truncate_list,
    truncate_middle,
)
from ..constants import CONSOLE_HOSTS, DEFAULT_CONSOLE_HOST
from ..contract import (
    BatchJobResult,
    CampaignResult,
    DatasetResult,
    ExecutionData,
    ExportContent,
    JobStatus,
    MetricComparison,
    Outcome,
    Run,
    SolutionResult,
    StateError,
    TrainedBy,
)
from ..personalize.statuses import is_active
from ..run.execution_data import (
    identify_run,
    list_campaign_results,
    list_solution_results,
    list_trial_results,
)

SCHEMA_VERSION: Literal[1] = 1
OUTCOMES_WORST_FIRST: Sequence[Outcome] = get_args(Outcome)[::-1]
KNOWN_TRIGGERS = ("schedule", "export", "trials", "deployments", "manual")
"""What can start a run. If planning refused the input, it may name any other trigger."""
MAX_REASON_BYTES = 2 * MAX_STRING_BYTES
"""The size limit of an error, and of all of a status's reasons together. An error from Step
Functions itself may quote a whole document."""
HELD_OUT_FRACTION = 0.1
"""Personalize computes the metrics on this share of the users:
https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html"""
EMPTY_STATUS: Any = {
    "arn": None,
    "versionArn": None,
    "previousVersionArn": None,
    "outcome": None,
    "isNew": False,
    "trainingHours": None,
    "createdAt": None,
    "endedAt": None,
    "metrics": [],
    "reasons": [],
    "warnings": [],
}
"""Replaces a status, of any type, that an error ended before its first result."""


class ImportReport(TypedDict):
    """What a run did with one dataset."""

    type: str
    """The dataset's type, written as in the config, for example `interactions`."""
    outcome: Literal["IMPORTED", "FAILED"]
    """`IMPORTED` or `FAILED`."""
    reasons: list[Message]
    """Why the import failed."""
    datasetImportJobArn: str | None
    """The import job, or null if none was created."""
    bytes: int
    """The size of the export when its import began or, if it never began, when it was planned."""
    dataWrittenAt: str | None
    """When the newest file of the export was written, or null if the export has no files."""
    content: ExportContent
    """What the export's rows contained when the run was planned."""
    seconds: float | None
    """How many seconds the import job took, or null if it has not ended."""


class MetricReport(TypedDict):
    """What a rule of the gate compared: a metric of the new version and of the served one."""

    metric: str
    """The metric's name in the API. Several rules of a gate may check the same metric."""
    new: float | None
    """The new version's value, or null if it has none."""
    served: float | None
    """The value of the version that the campaign served, or null if it has none."""
    change: float | None
    """The change relative to the served version's value: -0.25 means a quarter less. Null if either
    value is missing, or if `served` is 0. If the gate compared relative to baselines, this is the
    change from `served` / `servedBaseline` to `new` / `newBaseline`."""
    newBaseline: float | None
    """The value of the new version's baseline. Null if the rule has no `relativeTo`, or if any of
    the four values is missing."""
    servedBaseline: float | None
    """The value of the served version's baseline. Null whenever `newBaseline` is."""
    hasBaselineDropped: bool
    """True if the baseline fell by more than `maxBaselineDrop`, so the gate ignored the
    baselines."""
    hasDropped: bool
    """True if the gate rejected the new version because this metric is missing or fell by more
    than `maxDrop`."""


class CampaignReport(TypedDict):
    """What a run did with one campaign."""

    campaignArn: str
    """The campaign."""
    outcome: Outcome
    """The outcome of the campaign."""
    reasons: list[Message]
    """Why the campaign has this outcome. The list may be empty."""
    versionArn: str | None
    """The version that the run was to deploy, or null if there was none."""
    previousVersionArn: str | None
    """The version that the campaign served before, or null if it served none."""
    metrics: list[MetricReport]
    """What each rule of the quality gate compared, in the order of the rules. Empty without a
    gate."""
    seconds: float | None
    """How many seconds the update took, or null if none has ended."""


class BatchJobReport(TypedDict):
    """What a run did with one batch job."""

    output: str
    """The S3 location of the results."""
    outcome: Outcome
    """`WRITTEN`, `SKIPPED` or `FAILED`."""
    reasons: list[Message]
    """Why the batch job has this outcome. The list may be empty."""
    jobArn: str | None
    """The batch inference or batch segment job, or null if there is none."""
    versionArn: str | None
    """The version that the results come from, or null if there is none."""
    seconds: float | None
    """How many seconds the job took, or null if it has not ended or another run created it."""


class SolutionReport(TypedDict):
    """What a run did with one solution."""

    solutionArn: str
    """The solution."""
    outcome: Outcome
    """The worst outcome of its campaigns, or `TRAINED`, `SKIPPED` or `FAILED`."""
    reasons: list[Message]
    """Why there is no trained version."""
    solutionVersionArn: str | None
    """The new version, or null if none was created."""
    trainedBy: TrainedBy
    """`pipeline` if runs train the solution, or `personalize`."""
    trainingMode: str
    """`FULL` or `UPDATE`."""
    isTrained: bool
    """True if this run trained the version, false if it already existed."""
    trainingHours: float | None
    """The training hours that Personalize bills, or null if the training did not succeed or another
    run trained the version."""
    seconds: float | None
    """How many seconds the training took, or null if it has not ended or another run trained the
    version."""
    campaigns: list[CampaignReport]
    """The campaigns of the solution."""
    batchJobs: list[BatchJobReport]
    """The batch jobs of the solution."""


class ServingReport(TypedDict):
    """What a configured campaign serves at the end of a run."""

    campaignArn: str
    """The campaign."""
    isKnown: bool
    """False if the campaign could not be read."""
    servedVersionArn: str | None
    """The version that the campaign serves, or null if it serves none."""
    minProvisionedTPS: int | None
    """The capacity of the campaign, or null if it is not known. If somebody deletes the campaign,
    it can be created again with this."""
    versionOnTrial: str | None
    """A version whose trial has not ended, or null."""
    isBad: bool
    """True if the campaign serves a version that failed its probe or bake there."""
    pin: str | None
    """When and by whom the campaign was pinned, or null. Runs deploy nothing to a pinned
    campaign."""


class RecommenderReport(TypedDict):
    """A recommender of a dataset group with a domain. Personalize trains it, not the run."""

    recommenderArn: str
    """The recommender."""
    status: str
    """Its status at the end of the run. Only an `ACTIVE` recommender answers requests."""
    lastUpdatedAt: str
    """When Personalize says that it was last updated (ISO 8601). AWS does not document whether a
    retraining changes this time."""
    ageDays: float
    """The days since then."""
    metrics: dict[str, float]
    """Its offline metrics. Empty if it has none, or if it could not be read."""


class Report(TypedDict):
    """The report of a run."""

    schemaVersion: Literal[1]
    """The version of this format, which is 1. A release that only adds keys does not change it."""
    pipeline: str
    """The name of the pipeline, for example `retraining-prod`."""
    outcome: Outcome
    """The worst outcome of the run's imports, solutions and trials, or `SKIPPED` if all were
    skipped."""
    error: str | None
    """The name of the error that ended the run, for example `RunRefused` or `TIMED_OUT`, or null.
    A failed import, training or campaign does not end the run."""
    reasons: list[Message]
    """All problems of a refused run, the error that ended the run, or why it was skipped. The list
    may be empty."""
    runId: str
    """The run's id."""
    trigger: str
    """What started the run: `schedule`, `export`, `trials`, `deployments`, `manual` or
    `unknown`."""
    executionArn: str
    """The run's execution. Use it to detect duplicate events."""
    startedAt: str
    """The start of the execution (ISO 8601)."""
    endedAt: str
    """The end of the run (ISO 8601)."""
    seconds: float
    """The seconds from `startedAt` to `endedAt`."""
    trainingHours: float
    """The total hours of this run's trainings."""
    trainingCost: float | None
    """The approximate cost in dollars of this run's trainings, or null if `trainingHourPrice` is
    not set. Trainings that AWS does not bill by the hour are not included."""
    importCost: float
    """The approximate cost of the imports in dollars, by the size of their exports."""
    imports: list[ImportReport]
    """The run's imports."""
    solutions: list[SolutionReport]
    """The solutions that the run trained or deployed."""
    trials: list[CampaignReport]
    """The campaigns with trials that earlier runs left unfinished."""
    serving: list[ServingReport]
    """What each configured campaign serves at the end of the run."""
    recommenders: list[RecommenderReport] | None
    """The recommenders of the dataset group if the config has `solutions: []`, or null if they
    could not be listed. Otherwise empty."""
    heldOutUsers: int | None
    """About how many users Personalize held out to compute the metrics, or null if the export of
    interactions is too large to count them."""
    dataDeletionJobArn: str | None
    """The last data deletion job if the run trained because of it, or null."""
    warnings: list[Message]
    """What a person should know."""
    executionUrl: str
    """The execution's page in the AWS console."""
    dashboardUrl: str | None
    """The pipeline's dashboard, or null if there is none."""


class RunEnding(NamedTuple):
    """How a run ended, and why."""

    outcome: Outcome
    error: str | None
    reasons: list[Message]


def build_report(
    execution_data: ExecutionData,
    serving: list[ServingReport],
    recommenders: list[RecommenderReport] | None,
    *,
    pipeline_name: str,
    dashboard_url: str | None,
    ended_at: datetime,
) -> Report:
    """Build the report from the execution's data. The run may have ended at any state."""
    run = identify_run(execution_data["run"])
    plan = execution_data.get("plan", {})
    served_version_arns = {
        campaign["campaignArn"]: campaign["servedVersionArn"]
        for campaign in serving
        if campaign["isKnown"]
    }

    imports = [_build_import_report(result) for result in _list_import_results(execution_data)]
    solutions = [
        _build_solution_report(result, served_version_arns)
        for result in list_solution_results(execution_data)
    ]
    trials = _build_trial_reports(execution_data, solutions, served_version_arns)
    parts = (*imports, *solutions, *trials, *list_batch_job_reports(solutions))
    is_trained = any(solution["isTrained"] for solution in solutions)
    ending = _find_run_ending(execution_data, [part["outcome"] for part in parts])

    return {
        "schemaVersion": SCHEMA_VERSION,
        "pipeline": pipeline_name,
        "outcome": ending.outcome,
        "error": ending.error,
        "reasons": ending.reasons,
        "runId": run["id"],
        "trigger": _normalize_trigger(run),
        "executionArn": run["executionArn"],
        "startedAt": run["startedAt"],
        "endedAt": ended_at.isoformat(),
        "seconds": max(0, _seconds_between(run["startedAt"], ended_at.isoformat())),
        "trainingHours": round(sum(solution["trainingHours"] or 0 for solution in solutions), 4),
        "trainingCost": _sum_training_costs(execution_data),
        "importCost": _sum_import_costs(imports),
        "imports": imports,
        "solutions": solutions,
        "trials": trials,
        "serving": serving,
        "recommenders": recommenders,
        "heldOutUsers": _estimate_held_out_users(plan.get("users")),
        "dataDeletionJobArn": plan.get("dataDeletionJobArn") if is_trained else None,
        "warnings": truncate_list(
            [*_warn_about_recommenders(recommenders or []), *_list_warnings(execution_data)]
        ),
        "executionUrl": _build_execution_url(run["executionArn"]),
        "dashboardUrl": dashboard_url,
    }


def find_worst_outcome(outcomes: Iterable[Outcome]) -> Outcome:
    """Find the worst of the outcomes, or SKIPPED if there are none."""
    return min(outcomes, key=OUTCOMES_WORST_FIRST.index, default="SKIPPED")


def keep_worst_results(results: Sequence[CampaignResult]) -> list[CampaignResult]:
    """Keep as many results as fit into the execution's data, the worst outcomes first."""
    worst_first = sorted(results, key=lambda result: OUTCOMES_WORST_FIRST.index(result["outcome"]))
    return keep_fitting(worst_first, MAX_TRIALS_BYTES)


def list_batch_job_reports(solutions: Iterable[SolutionReport]) -> list[BatchJobReport]:
    """List the batch jobs of these solutions."""
    return [job for solution in solutions for job in solution["batchJobs"]]


def list_campaign_reports(report: Report) -> list[CampaignReport]:
    """List the campaigns: first those with an earlier run's trial, then those of the solutions."""
    return report["trials"] + [
        campaign for solution in report["solutions"] for campaign in solution["campaigns"]
    ]


def list_bad_campaign_arns(report: Report) -> list[str]:
    """List the campaigns whose served version failed its probe or bake there."""
    return [serving["campaignArn"] for serving in report["serving"] if serving["isBad"]]


def explain_error(error: StateError) -> list[Message]:
    """Turn an error into messages: the problems of a refused run, or the error's own message."""
    text = _extract_error_text(error)
    if error["Error"] == RunRefused.__name__:
        return cast("list[Message]", json.loads(text))
    return [Message(text=truncate_middle(f"{error['Error']}: {text}", MAX_REASON_BYTES))]


def _extract_error_text(error: StateError) -> str:
    """Extract the part of an error's cause that is for people.

    If a function raised the error, the cause is JSON, and only its `errorMessage` is for people.
    """
    cause = error.get("Cause", "no cause given")
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, TypeError, KeyError):
        return cause


# The run


def _find_run_ending(execution_data: ExecutionData, outcomes: Iterable[Outcome]) -> RunEnding:
    """Find out how the run ended: with an error, or with the worst outcome of its parts."""
    error = execution_data.get("error")
    if error:
        return RunEnding("FAILED", error["Error"], explain_error(error))
    return RunEnding(
        find_worst_outcome(outcomes), error=None, reasons=execution_data["plan"]["reasons"]
    )


def _normalize_trigger(run: Run) -> str:
    if run["trigger"] in KNOWN_TRIGGERS:
        return run["trigger"]
    return "unknown"


def _sum_training_costs(execution_data: ExecutionData) -> float | None:
    """Add up the cost of this run's trainings in dollars, or return None if the price isn't known.

    A failed training is free.
    """
    # If the input was too large for the first state, the execution's data has no settings.
    if "settings" not in execution_data:
        return None

    price = execution_data["settings"]["trainingHourPrice"]
    if price is None:
        return None

    total = 0.0
    for result in list_solution_results(execution_data):
        version = result["version"]
        if version and version["isNew"]:
            recipe = result["solution"]["recipe"]
            total += estimate_training_cost(recipe, version["trainingHours"], price) or 0
    return round(total, 2)


def _sum_import_costs(imports: Iterable[ImportReport]) -> float:
    """Add up the cost of the imports in dollars. Without an import job, nothing is billed."""
    imported_bytes = sum(dataset["bytes"] for dataset in imports if dataset["datasetImportJobArn"])
    return round(estimate_import_cost(imported_bytes), 2)


def _estimate_held_out_users(user_count: int | None) -> int | None:
    if user_count is None:
        return None
    return round(user_count * HELD_OUT_FRACTION)


# The parts of a run


def _list_import_results(execution_data: ExecutionData) -> list[DatasetResult]:
    """Return the results of the imports, or [] if the run ended before them."""
    if "imports" not in execution_data:
        return []
    return execution_data["imports"]["results"]


def _build_import_report(result: DatasetResult) -> ImportReport:
    status = result["status"] or EMPTY_STATUS
    dataset = result["dataset"]

    return {
        "type": dataset["type"],
        "outcome": result["outcome"],
        "reasons": _list_reasons(result["error"], status),
        "datasetImportJobArn": status["arn"],
        # If the import never began, use the size from the plan.
        "bytes": (result["status"] or dataset)["bytes"],
        "dataWrittenAt": dataset["newestObjectAt"],
        "content": dataset["content"],
        "seconds": _measure_duration(status),
    }


def _build_solution_report(
    result: SolutionResult, served_version_arns: Mapping[str, str | None]
) -> SolutionReport:
    """Report on a solution, its campaigns and its batch jobs.

    `served_version_arns` maps each campaign that could be read to the version that it serves now.
    """
    solution = result["solution"]
    version = result["version"] or EMPTY_STATUS
    # An earlier run's version costs this run nothing.
    new_version = version if version["isNew"] else EMPTY_STATUS
    campaigns = [
        _build_campaign_report(campaign, served_version_arns) for campaign in result["campaigns"]
    ]

    return {
        "solutionArn": solution["solutionArn"],
        "outcome": _find_solution_outcome(result, campaigns),
        "reasons": _list_reasons(result["error"], version),
        "solutionVersionArn": version["arn"],
        "trainedBy": solution["trainedBy"],
        "trainingMode": solution["trainingMode"],
        "isTrained": version["isNew"],
        "trainingHours": new_version["trainingHours"],
        "seconds": _measure_duration(new_version),
        "campaigns": campaigns,
        "batchJobs": [_build_batch_job_report(batch_job) for batch_job in result["batchJobs"]],
    }


def _find_solution_outcome(result: SolutionResult, campaigns: Sequence[CampaignReport]) -> Outcome:
    """Find the worst outcome of the campaigns, or the training's if there are no campaigns.

    After an error, the solution is FAILED, even if its campaigns were updated. It's SKIPPED if an
    earlier version was only used for batch jobs.
    """
    version = result["version"] or EMPTY_STATUS
    if result["error"] or not version["outcome"]:
        return "FAILED"
    if campaigns:
        return find_worst_outcome(campaign["outcome"] for campaign in campaigns)

    if result["batchJobs"] and not version["isNew"]:
        return "SKIPPED"
    return cast("Outcome", version["outcome"])


def _build_batch_job_report(result: BatchJobResult) -> BatchJobReport:
    status = result["status"] or EMPTY_STATUS

    return {
        "output": result["batchJob"],
        # A status that ended with an error has no outcome.
        "outcome": cast("Outcome", status["outcome"] or "FAILED"),
        "reasons": _list_reasons(result["error"], status),
        "jobArn": status["arn"],
        "versionArn": status["versionArn"],
        "seconds": _measure_duration(status),
    }


def _build_trial_reports(
    execution_data: ExecutionData,
    solutions: Iterable[SolutionReport],
    served_version_arns: Mapping[str, str | None],
) -> list[CampaignReport]:
    """Report on earlier runs' trials, which this run ended before its own work."""
    # If this run has updated a campaign after its trial, the served version no longer shows how
    # the trial ended. So leave it out.
    updated_campaign_arns = {
        campaign["campaignArn"] for solution in solutions for campaign in solution["campaigns"]
    }
    served_after_trial = {
        campaign_arn: version_arn
        for campaign_arn, version_arn in served_version_arns.items()
        if campaign_arn not in updated_campaign_arns
    }
    return [
        _build_campaign_report(result, served_after_trial)
        for result in list_trial_results(execution_data)
    ]


def _build_campaign_report(
    result: CampaignResult, served_version_arns: Mapping[str, str | None]
) -> CampaignReport:
    """Report on a campaign, and correct the outcome if it contradicts the served version."""
    campaign_arn = result["campaign"]["campaignArn"]
    status = result["status"] or EMPTY_STATUS
    report: CampaignReport = {
        "campaignArn": campaign_arn,
        "outcome": result["outcome"],
        "reasons": _list_reasons(result["error"], status),
        "versionArn": status["versionArn"],
        "previousVersionArn": status["previousVersionArn"],
        "metrics": [_build_metric_report(values) for values in status["metrics"]],
        "seconds": _measure_duration(status),
    }

    if campaign_arn in served_version_arns:
        _correct_outcome(report, served_version_arns[campaign_arn])
    return report


def _correct_outcome(report: CampaignReport, served_version_arn: str | None) -> None:
    """Correct the outcome of a campaign if it contradicts the version that is served now.

    After the update, the run may have trained other solutions for hours. Meanwhile, a person may
    have moved the campaign to another version.
    """
    correction = Message(text=f"the campaign serves {served_version_arn or 'nothing'} now")
    serves_run_version = served_version_arn == report["versionArn"]

    if report["outcome"] == "DEPLOYED" and not serves_run_version:
        report["outcome"] = "SKIPPED"
        report["reasons"] = [correction]
    elif report["outcome"] == "ROLLED_BACK" and serves_run_version:
        report["outcome"] = "FAILED"
        report["reasons"].append(correction)


def _build_metric_report(values: MetricComparison) -> MetricReport:
    """Report the values that a rule compared, with a default for each missing key."""
    return {
        "metric": values["metric"],
        "new": values["new"],
        "served": values["served"],
        "change": compute_compared_values(values).change,
        "newBaseline": values.get("newBaseline"),
        "servedBaseline": values.get("servedBaseline"),
        "hasDropped": values.get("hasDropped", False),
        "hasBaselineDropped": values.get("hasBaselineDropped", False),
    }


def _list_reasons(error: StateError | None, status: JobStatus) -> list[Message]:
    """List the reasons for an outcome: the error, if there was one, and those in the status."""
    reasons = status["reasons"]
    if error:
        reasons = [*explain_error(error), *reasons]
    return truncate_list(reasons, MAX_REASON_BYTES)


def _warn_about_recommenders(recommenders: Iterable[RecommenderReport]) -> Iterator[Message]:
    """Yield a warning for a person about each recommender that isn't ACTIVE."""
    for recommender in recommenders:
        if not is_active(recommender["status"]):
            text = (
                f"the recommender {recommender['recommenderArn']} is {recommender['status']}, so "
                "it answers no requests"
            )
            yield Message(text=text, needsPerson=True)


def _list_warnings(execution_data: ExecutionData) -> Iterator[Message]:
    """Yield the warnings of the plan, the campaigns, the trainings and the batch jobs."""
    yield from execution_data.get("plan", {}).get("warnings", ())

    for campaign in list_campaign_results(execution_data):
        yield from _mark_warnings(campaign["campaign"]["campaignArn"], campaign["status"])

    solutions = list_solution_results(execution_data)
    for solution in solutions:
        yield from _mark_warnings(solution["solution"]["solutionArn"], solution["version"])
    for solution in solutions:
        for job in solution["batchJobs"]:
            yield from _mark_warnings(job["batchJob"], job["status"])


def _mark_warnings(subject: str, status: JobStatus | None) -> list[Message]:
    """Put the subject in front of each warning of a job, and mark the warning for a person.

    A job may warn, for example, that no alarm has watched a version.
    """
    if status is None:
        return []
    return [
        {**add_subject(subject, warning), "needsPerson": True} for warning in status["warnings"]
    ]


def _measure_duration(status: JobStatus) -> float | None:
    """Return how long a job or an update took, or None if it hasn't ended."""
    if status["createdAt"] is None or status["endedAt"] is None:
        return None
    return _seconds_between(status["createdAt"], status["endedAt"])


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _build_execution_url(arn: str) -> str:
    """Build the URL of an execution's page in the AWS console.

    An unknown partition gets the host of `aws`.
    """
    _, partition, _, region, *_ = arn.split(":")
    host = CONSOLE_HOSTS.get(partition, DEFAULT_CONSOLE_HOST)
    return f"https://{host}/states/home?region={region}#/v2/executions/details/{arn}"

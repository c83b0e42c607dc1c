"""Builds the report of a run, which is the detail of its event. All functions are pure.

`docs/events.md` describes the report. Other people's programs read the report, so a key must keep
its name and its meaning. If a key has to change, SCHEMA_VERSION becomes 2.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypedDict, cast, get_args

from ..constants import CONSOLES, DEFAULT_CONSOLE
from ..contract import (
    BatchResult,
    CampaignResult,
    DatasetResult,
    ExportContent,
    Item,
    MetricValues,
    Outcome,
    Run,
    RunDocument,
    SolutionResult,
    StateError,
)
from ..errors import RunRefused
from ..messages import Message, about
from ..prices import estimate_import_cost, estimate_training_cost
from ..runs import identify_run, list_campaign_results, list_solution_results, list_trial_results
from ..texts import MAX_STRING_BYTES, MAX_TRIALS_BYTES, take_fitting, truncate, truncate_list
from ..words import judged_values

SCHEMA_VERSION: Literal[1] = 1
OUTCOMES: Sequence[Outcome] = get_args(Outcome)[::-1]
"""The outcomes, the worst one first."""
TRIGGERS = ("schedule", "export", "trials", "deployments", "manual")
"""What starts a run. A refused run may name any other trigger, since its input is unchecked."""
MAX_REASON_BYTES = 2 * MAX_STRING_BYTES
"""The most bytes of an error, and of all reasons of an item. An error of Step Functions itself may
quote a whole document."""
HELD_OUT_SHARE = 0.1
"""Personalize measures the metrics on this share of the users:
https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html"""
NO_ITEM: Any = {
    "arn": None,
    "versionArn": None,
    "previousVersionArn": None,
    "outcome": None,
    "isOfRun": False,
    "trainingHours": None,
    "createdAt": None,
    "endedAt": None,
    "metrics": [],
    "reasons": [],
    "warnings": [],
}
"""Stands for an item of any kind if an error has ended it before its first result."""


class ImportReport(TypedDict):
    """What a run did with a dataset."""

    type: str
    """The type of the dataset as the config writes it, for example `interactions`."""
    outcome: Literal["IMPORTED", "FAILED"]
    """`IMPORTED` or `FAILED`."""
    reasons: list[Message]
    """Why the import failed."""
    datasetImportJobArn: str | None
    """The import job, or null if none was created."""
    bytes: int
    """The size of the export when its import began, or when it was planned if none began."""
    dataWrittenAt: str | None
    """When the newest file of the export was written, or null if the export has no files."""
    content: ExportContent
    """What the rows of the export contained when the run was planned."""
    seconds: float | None
    """The duration of the import job in seconds, or null if it has not ended."""


class MetricReport(TypedDict):
    """What a rule of the gate has compared: a metric of the new version and of the live one."""

    metric: str
    """The name of the metric in the API. Several rules of a gate may be about the same metric."""
    new: float | None
    """The value of the new version, or null if it has none."""
    live: float | None
    """The value of the version that the campaign served, or null if it has none."""
    change: float | None
    """The change as a share of the live version's value. -0.25 means a quarter less. Null if one
    of the two values is missing. If the gate has compared relative to baselines, it is the change
    from `live` / `liveBaseline` to `new` / `newBaseline`."""
    newBaseline: float | None
    """The value of the new version's baseline. Null if the rule has no `relativeTo`, or if one of
    the four values is missing."""
    liveBaseline: float | None
    """The value of the live version's baseline, or null like `newBaseline`."""
    hasBaselineDropped: bool
    """True if the baseline fell by more than `maxBaselineDrop`. The gate has then compared without
    baselines."""
    hasDropped: bool
    """True if the gate has rejected the new version because this metric is missing, or has fallen
    by more than `maxDrop`."""


class CampaignReport(TypedDict):
    """What a run did with a campaign."""

    campaignArn: str
    """The campaign."""
    outcome: Outcome
    """The outcome of the campaign."""
    reasons: list[Message]
    """Why the campaign has this outcome. The list may be empty."""
    versionArn: str | None
    """The version that the run has deployed or not deployed, or null if there was none."""
    previousVersionArn: str | None
    """The version that the campaign served before, or null if it served none."""
    metrics: list[MetricReport]
    """What each rule of the quality gate has compared, in the order of the rules. The list is empty
    without a gate."""
    seconds: float | None
    """The duration of the update in seconds, or null if there was none."""


class BatchJobReport(TypedDict):
    """What a run did with a batch job."""

    output: str
    """The location of the results."""
    outcome: Outcome
    """`WRITTEN`, `SKIPPED` or `FAILED`."""
    reasons: list[Message]
    """Why the batch job has this outcome. The list may be empty."""
    jobArn: str | None
    """The batch inference or batch segment job, or null if there is none."""
    versionArn: str | None
    """The version whose results are written, or null if there is none."""
    seconds: float | None
    """The duration of the job in seconds, or null if it has not ended or another run created it."""


class SolutionReport(TypedDict):
    """What a run did with a solution."""

    solutionArn: str
    """The solution."""
    outcome: Outcome
    """The worst outcome of its campaigns, or `TRAINED`, `SKIPPED` or `FAILED`."""
    reasons: list[Message]
    """Why there is no trained version."""
    solutionVersionArn: str | None
    """The new version, or null if none was created."""
    trainingMode: str
    """`FULL` or `UPDATE`."""
    isTrained: bool
    """True if this run trained the version, false if the version existed before."""
    trainingHours: float | None
    """The hours that Personalize charges, or null if the training did not succeed or another run
    trained the version."""
    seconds: float | None
    """The duration of the training in seconds, or null if it has not ended or another run trained
    the version."""
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
    versionOnTrial: str | None
    """A version whose trial has not ended, or null."""
    isBad: bool
    """True if the version that the campaign serves has failed its probe or its bake there."""
    pin: str | None
    """Since when and by whom the campaign is pinned, or null. Runs deploy nothing to a pinned
    campaign."""


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
    An import, a training or a campaign that failed does not end the run."""
    reasons: list[Message]
    """Everything that is wrong with a refused run, the error that ended the run, or why it was
    skipped. The list may be empty."""
    runId: str
    """The id of the run."""
    trigger: str
    """What started the run: `schedule`, `export`, `trials`, `deployments`, `manual` or
    `unknown`."""
    executionArn: str
    """The execution of the run. Use it to recognize a duplicate event."""
    startedAt: str
    """The start of the execution (ISO 8601)."""
    endedAt: str
    """The end of the run (ISO 8601)."""
    seconds: float
    """The seconds from `startedAt` to `endedAt`."""
    trainingHours: float
    """The hours of all trainings of this run."""
    trainingCost: float | None
    """The price in dollars of the trainings that are priced by hours, or null if
    `trainingHourPrice` is not set."""
    importCost: float
    """About what AWS charges in dollars for the imports, by the size of their exports."""
    imports: list[ImportReport]
    """The imports of the run."""
    solutions: list[SolutionReport]
    """The solutions that the run has trained or deployed."""
    trials: list[CampaignReport]
    """The campaigns whose trials earlier runs had not finished."""
    serving: list[ServingReport]
    """What each configured campaign serves at the end of the run."""
    heldOutUsers: int | None
    """About how many users Personalize has held out to measure the metrics, or null if the export
    of interactions is too large to count them."""
    dataDeletionJobArn: str | None
    """The last data deletion job, if the run has trained because users were deleted, or null."""
    warnings: list[Message]
    """What a person should know."""
    executionUrl: str
    """The page of the execution in the AWS console."""
    dashboardUrl: str | None
    """The page of the pipeline's dashboard, or null if there is none."""


class Ending(NamedTuple):
    """How a run ended, and why."""

    outcome: Outcome
    error: str | None
    reasons: list[Message]


class OwnTraining(NamedTuple):
    """A training that the run has started itself."""

    recipe: str
    hours: float


def report_of(
    document: RunDocument,
    serving: list[ServingReport],
    *,
    pipeline: str,
    dashboard_url: str | None,
    ended_at: datetime,
) -> Report:
    """Turn the document of a run, which may have ended at any state, into its report."""
    run = identify_run(document["run"])
    plan = document.get("plan", {})
    served_arns = {
        campaign["campaignArn"]: campaign["servedVersionArn"]
        for campaign in serving
        if campaign["isKnown"]
    }

    imports = [_report_import(result) for result in _import_results(document)]
    solutions = [
        _report_solution(result, served_arns) for result in list_solution_results(document)
    ]
    trials = _report_trials(document, solutions, served_arns)
    parts = (*imports, *solutions, *trials, *batch_jobs_of(solutions))
    ending = _ending(document, [part["outcome"] for part in parts])
    trainings = _own_trainings(document)

    return {
        "schemaVersion": SCHEMA_VERSION,
        "pipeline": pipeline,
        "outcome": ending.outcome,
        "error": ending.error,
        "reasons": ending.reasons,
        "runId": run["id"],
        "trigger": _known_trigger(run),
        "executionArn": run["executionArn"],
        "startedAt": run["startedAt"],
        "endedAt": ended_at.isoformat(),
        "seconds": max(0, _seconds_between(run["startedAt"], ended_at.isoformat())),
        "trainingHours": round(sum(training.hours for training in trainings), 4),
        "trainingCost": _training_cost(document, trainings),
        "importCost": _import_cost(imports),
        "imports": imports,
        "solutions": solutions,
        "trials": trials,
        "serving": serving,
        "heldOutUsers": _held_out_users(plan.get("users")),
        "dataDeletionJobArn": plan.get("dataDeletionJobArn") if trainings else None,
        "warnings": truncate_list([*_warnings(document)]),
        "executionUrl": _execution_url(run["executionArn"]),
        "dashboardUrl": dashboard_url,
    }


def find_worst_outcome(outcomes: Iterable[Outcome]) -> Outcome:
    """Find the outcome that hides the others. Without any outcomes, it's SKIPPED."""
    return min(outcomes, key=OUTCOMES.index, default="SKIPPED")


def keep_worst_results(results: Sequence[CampaignResult]) -> list[CampaignResult]:
    """Keep the results with the worst outcomes, as many as fit.

    Otherwise, the document of a run that has other jobs as well could grow too large.
    """
    worst_first = sorted(results, key=lambda result: OUTCOMES.index(result["outcome"]))
    return take_fitting(worst_first, MAX_TRIALS_BYTES)


def batch_jobs_of(solutions: Iterable[SolutionReport]) -> list[BatchJobReport]:
    """List the batch jobs of all these solutions."""
    return [job for solution in solutions for job in solution["batchJobs"]]


def list_campaigns(report: Report) -> list[CampaignReport]:
    """List the campaigns of earlier runs' trials, then those of all solutions."""
    return report["trials"] + [
        campaign for solution in report["solutions"] for campaign in solution["campaigns"]
    ]


def list_bad_campaigns(report: Report) -> list[str]:
    """List the campaigns that serve a version although it has failed its probe or its bake."""
    return [serving["campaignArn"] for serving in report["serving"] if serving["isBad"]]


def describe_error(error: StateError) -> list[Message]:
    """Turn an error into messages: the problems of a refused run, or the error's own message.

    If a function raised the error, its cause is JSON, of which only the message is for people.
    """
    cause = error.get("Cause", "no cause given")
    with suppress(ValueError, TypeError, KeyError):
        cause = json.loads(cause)["errorMessage"]

    if error["Error"] == RunRefused.__name__:
        return cast("list[Message]", json.loads(cause))
    return [Message(text=truncate(f"{error['Error']}: {cause}", MAX_REASON_BYTES))]


# The run


def _ending(document: RunDocument, outcomes: Iterable[Outcome]) -> Ending:
    """Find out how the run ended: with an error, or with the worst outcome of its parts."""
    error = document.get("error")
    if error:
        return Ending("FAILED", error["Error"], describe_error(error))
    return Ending(find_worst_outcome(outcomes), error=None, reasons=document["plan"]["reasons"])


def _known_trigger(run: Run) -> str:
    if run["trigger"] in TRIGGERS:
        return run["trigger"]
    return "unknown"


def _own_trainings(document: RunDocument) -> list[OwnTraining]:
    """List the trainings that cost this run something. A failed one is free."""
    return [
        OwnTraining(result["solution"]["recipe"], result["version"]["trainingHours"] or 0)
        for result in list_solution_results(document)
        if result["version"] and result["version"]["isOfRun"]
    ]


def _training_cost(document: RunDocument, trainings: Iterable[OwnTraining]) -> float | None:
    """Add up what the trainings cost in dollars. None if the price isn't known."""
    # If the input is too large for the first state, the settings are missing.
    if "settings" not in document:
        return None

    price = document["settings"]["trainingHourPrice"]
    if price is None:
        return None

    costs = [
        estimate_training_cost(training.recipe, training.hours, price) or 0
        for training in trainings
    ]
    return round(sum(costs), 2)


def _import_cost(imports: Iterable[ImportReport]) -> float:
    """Add up what the imports cost in dollars. An import without a job was free."""
    imported_bytes = sum(item["bytes"] for item in imports if item["datasetImportJobArn"])
    return round(estimate_import_cost(imported_bytes), 2)


def _held_out_users(users: int | None) -> int | None:
    if users is None:
        return None
    return round(users * HELD_OUT_SHARE)


# The parts of a run


def _import_results(document: RunDocument) -> list[DatasetResult]:
    """Look up the results of the imports, of which there are none before the first import."""
    if "imports" not in document:
        return []
    return document["imports"]["results"]


def _report_import(result: DatasetResult) -> ImportReport:
    item = result["item"] or NO_ITEM
    dataset = result["dataset"]

    return {
        "type": dataset["type"],
        "outcome": result["outcome"],
        "reasons": _reasons(result["error"], item),
        "datasetImportJobArn": item["arn"],
        # If no import began, the size is that of the plan.
        "bytes": (result["item"] or dataset)["bytes"],
        "dataWrittenAt": dataset["newestObjectAt"],
        "content": dataset["content"],
        "seconds": _seconds(item),
    }


def _report_solution(
    result: SolutionResult, served_arns: Mapping[str, str | None]
) -> SolutionReport:
    """Report on a solution, its campaigns and its batch jobs.

    `served_arns` has the version that each campaign serves now, unless that's unknown.
    """
    solution = result["solution"]
    version = result["version"] or NO_ITEM
    # A version that an earlier run has trained costs this run nothing.
    training = version if version["isOfRun"] else NO_ITEM
    campaigns = [_report_campaign(campaign, served_arns) for campaign in result["campaigns"]]

    return {
        "solutionArn": solution["solutionArn"],
        "outcome": _solution_outcome(result, campaigns),
        "reasons": _reasons(result["error"], version),
        "solutionVersionArn": version["arn"],
        "trainingMode": solution["trainingMode"],
        "isTrained": version["isOfRun"],
        "trainingHours": training["trainingHours"],
        "seconds": _seconds(training),
        "campaigns": campaigns,
        "batchJobs": [_report_batch_job(batch_job) for batch_job in result["batchJobs"]],
    }


def _solution_outcome(result: SolutionResult, campaigns: Sequence[CampaignReport]) -> Outcome:
    """Find the worst outcome of the campaigns, or without campaigns, the outcome of the training.

    After an error, the solution is FAILED, even if its campaigns were updated.
    """
    version = result["version"] or NO_ITEM
    if result["error"] or not version["outcome"]:
        return "FAILED"
    if campaigns:
        return find_worst_outcome(campaign["outcome"] for campaign in campaigns)

    # A run may do nothing else than write batch jobs with an earlier version.
    if result["batchJobs"] and not version["isOfRun"]:
        return "SKIPPED"
    return cast("Outcome", version["outcome"])


def _report_batch_job(result: BatchResult) -> BatchJobReport:
    item = result["item"] or NO_ITEM

    return {
        "output": result["batchJob"],
        # An item that an error has ended has no outcome.
        "outcome": cast("Outcome", item["outcome"] or "FAILED"),
        "reasons": _reasons(result["error"], item),
        "jobArn": item["arn"],
        "versionArn": item["versionArn"],
        "seconds": _seconds(item),
    }


def _report_trials(
    document: RunDocument,
    solutions: Iterable[SolutionReport],
    served_arns: Mapping[str, str | None],
) -> list[CampaignReport]:
    """Report on the trials of earlier runs, which this run has ended before its own work."""
    # What a campaign serves after an update by this run says nothing about its trial any more.
    updated = {
        campaign["campaignArn"] for solution in solutions for campaign in solution["campaigns"]
    }
    untouched_arns = {arn: served_arns[arn] for arn in served_arns.keys() - updated}
    return [_report_campaign(result, untouched_arns) for result in list_trial_results(document)]


def _report_campaign(
    result: CampaignResult, served_arns: Mapping[str, str | None]
) -> CampaignReport:
    """Report on a campaign. `served_arns` has the version that it serves now, if that's known."""
    campaign_arn = result["campaign"]["campaignArn"]
    item = result["item"] or NO_ITEM
    report: CampaignReport = {
        "campaignArn": campaign_arn,
        "outcome": result["outcome"],
        "reasons": _reasons(result["error"], item),
        "versionArn": item["versionArn"],
        "previousVersionArn": item["previousVersionArn"],
        "metrics": [_report_metric(values) for values in item["metrics"]],
        "seconds": _seconds(item),
    }

    if campaign_arn in served_arns:
        _correct_outcome(report, served_arns[campaign_arn])
    return report


def _correct_outcome(report: CampaignReport, served_arn: str | None) -> None:
    """Change an outcome that isn't true any more.

    Since the campaign got it, other solutions of the run may have been trained for hours, and a
    person may have moved the campaign to another version.
    """
    serves_now = Message(text=f"the campaign serves {served_arn or 'nothing'} now")
    serves_version = served_arn == report["versionArn"]

    if report["outcome"] == "DEPLOYED" and not serves_version:
        report["outcome"] = "SKIPPED"
        report["reasons"] = [serves_now]
    elif report["outcome"] == "ROLLED_BACK" and serves_version:
        report["outcome"] = "FAILED"
        report["reasons"].append(serves_now)


def _report_metric(values: MetricValues) -> MetricReport:
    """Turn the values of a rule into a report, in which no key is missing."""
    return cast(
        "MetricReport",
        {
            "newBaseline": None,
            "liveBaseline": None,
            "hasDropped": False,
            "hasBaselineDropped": False,
            **values,
            "change": judged_values(values).change,
        },
    )


def _reasons(error: StateError | None, item: Item) -> list[Message]:
    """Explain an item's outcome by the error that ended the item, and the reasons of its rule."""
    reasons = item["reasons"]
    if error:
        reasons = [*describe_error(error), *reasons]
    return truncate_list(reasons, MAX_REASON_BYTES)


def _warnings(document: RunDocument) -> Iterator[Message]:
    """Yield the warnings of the plan, then those of the campaigns, trainings and batch jobs."""
    yield from document.get("plan", {}).get("warnings", ())

    for campaign in list_campaign_results(document):
        yield from _named_warnings(campaign["campaign"]["campaignArn"], campaign["item"])

    solutions = list_solution_results(document)
    for solution in solutions:
        yield from _named_warnings(solution["solution"]["solutionArn"], solution["version"])
    for solution in solutions:
        for job in solution["batchJobs"]:
            yield from _named_warnings(job["batchJob"], job["item"])


def _named_warnings(origin: str, item: Item | None) -> list[Message]:
    return [about(origin, warning) for warning in (item or NO_ITEM)["warnings"]]


def _seconds(item: Item) -> float | None:
    """Measure how long a job or an update took. None if it hasn't ended."""
    if item["createdAt"] is None or item["endedAt"] is None:
        return None
    return _seconds_between(item["createdAt"], item["endedAt"])


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _execution_url(arn: str) -> str:
    """Link to an execution's page in the AWS console.

    In a partition that we don't know, the host is that of `aws`.
    """
    _, partition, _, region, *_ = arn.split(":")
    host = CONSOLES.get(partition, DEFAULT_CONSOLE)
    return f"https://{host}/states/home?region={region}#/v2/executions/details/{arn}"

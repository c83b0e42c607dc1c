"""Builds the report of a run as the detail of an event. All functions are pure.

`docs/events.md` describes the event. Programs of other people read it, so a key keeps its name and
its meaning. If one has to change, SCHEMA_VERSION becomes 2.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypedDict, cast

from .campaign_reports import CampaignReport, Standings
from .contract import (
    CampaignResult,
    DatasetResult,
    FinishedRun,
    Outcome,
    SolutionResult,
)
from .executions import machine_arn_of, played_trials, solution_results
from .failing_step import failing_step
from .report import ImportReport, RunReport, SolutionReport, run_of_document
from .report_links import execution_url
from .report_words import share_of_change
from .texts import shortened_texts
from .workflow_settings import NotificationSettings, Settings, pipeline_name

SCHEMA_VERSION: Literal[1] = 1
SOURCE = "personalize-retraining"
DETAIL_TYPE = "Retraining Run Report"
MAX_DETAIL_BYTES = 240_000
"""The most bytes of a detail. An event may have 1 MB since 2026. But a rule may pass it to an SNS
topic or to a state machine, which take 256 KiB with its other fields:
https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb"""
SHORTER_TEXTS = (500, 120, 40)
"""The limits of a text that are tried one after the other if a detail is too large."""
TRIGGERS = ("schedule", "export", "trials", "deployments", "manual")
"""What starts a run. The input of a run that was refused may have any other text."""


class EventImport(TypedDict):
    """The import of a dataset."""

    type: str
    """The type of the dataset as the config writes it, for example `interactions`."""
    outcome: Literal["IMPORTED", "FAILED"]
    """`IMPORTED` or `FAILED`."""
    datasetImportJobArn: str | None
    """The import job, or null if none was created."""
    bytes: int
    """The size of the export when its import began, or when it was planned if none began."""
    dataWrittenAt: str | None
    """When the newest file of the export was written, or null if the export has no files."""
    seconds: float | None
    """The duration of the import job in seconds, or null if it has not ended."""
    failure: str | None
    """Why the import failed, or null."""


class EventMetric(TypedDict):
    """An offline metric of a new version and of the version that the campaign served."""

    new: float | None
    """The value of the new version, or null if it has none."""
    live: float | None
    """The value of the version that the campaign served, or null if it has none."""
    change: float | None
    """The change as a share of the live version's value. -0.25 means a quarter less. Null if one
    of the two values is missing."""


class EventCampaign(TypedDict):
    """What a run did with a campaign."""

    campaignArn: str
    """The campaign."""
    outcome: Outcome
    """The outcome of the campaign."""
    previousVersionArn: str | None
    """The version that the campaign served before, or null if it served none."""
    servedVersionArn: str | None
    """The version that the campaign served at the end of the run, or null if that is not known."""
    metrics: dict[str, EventMetric]
    """The metrics of the quality gate by their names in the API. It is empty without a gate."""
    seconds: float | None
    """The duration of the update in seconds, or null if there was none."""
    failure: str | None
    """Why the campaign does not serve the new version, or null."""


class EventSolution(TypedDict):
    """What a run did with a solution."""

    solutionArn: str
    """The solution."""
    outcome: Outcome
    """The worst outcome of its campaigns, or `TRAINED` or `FAILED`."""
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
    failure: str | None
    """Why there is no trained version, or null."""
    campaigns: list[EventCampaign]
    """The campaigns of the solution."""


class EventServing(TypedDict):
    """What a configured campaign serves at the end of a run."""

    campaignArn: str
    """The campaign."""
    isKnown: bool
    """False if the campaign could not be read."""
    servedVersionArn: str | None
    """The version that the campaign serves, or null if it serves none."""
    versionOnTrial: str | None
    """A version whose trial has not ended, or null."""


class EventLinks(TypedDict):
    """Addresses in the console of AWS."""

    execution: str
    """The execution."""
    dashboard: str | None
    """The dashboard of the pipeline, or null if there is none."""


class EventDetail(TypedDict):
    """The report of a run, which is the detail of its event."""

    schemaVersion: Literal[1]
    """The version of this format, which is 1. A release that only adds keys does not change it."""
    pipeline: str
    """The name of the pipeline, for example `retraining-prod`."""
    outcome: Outcome
    """The outcome of the run."""
    runId: str
    """The id of the run."""
    trigger: str
    """What started it: `schedule`, `export`, `trials`, `deployments`, `manual` or `unknown`."""
    executionArn: str
    """The execution of the run. Use it to recognize an event that comes twice."""
    stateMachineArn: str
    """The state machine."""
    startedAt: str
    """The start of the execution (ISO 8601)."""
    endedAt: str
    """The end of the run (ISO 8601)."""
    seconds: float
    """The seconds from `startedAt` to `endedAt`."""
    reason: str | None
    """The error that ended the run, or why the run was skipped, or null."""
    failingStep: str | None
    """The state at which the first part of the run failed, or null."""
    trainingHours: float
    """The hours of all trainings of this run."""
    trainingCost: float | None
    """The price of these hours in dollars, or null if `trainingHourPrice` is not set."""
    imports: list[EventImport]
    """The imports of the run."""
    solutions: list[EventSolution]
    """The solutions that the run has trained or deployed."""
    trials: list[EventCampaign]
    """The campaigns whose trials earlier runs had not finished, if this run did nothing else or was
    refused."""
    serving: list[EventServing]
    """What each configured campaign serves at the end of the run."""
    warnings: list[str]
    """What a person should know, as sentences."""
    isComplete: bool
    """False if texts were shortened or left out, because the event would have been too large."""
    links: EventLinks
    """Addresses of pages in the console of AWS."""


class Sender(NamedTuple):
    """The pipeline of a run, and where its report goes."""

    pipeline: str
    notifications: NotificationSettings | None
    """Null if an earlier release has deployed the pipeline."""
    training_hour_price: float | None = None


def sender_of(settings: Settings) -> Sender:
    """Return the pipeline with these settings."""
    return Sender(
        pipeline_name(settings), settings.get("notifications"), settings.get("trainingHourPrice")
    )


def event_detail(
    sender: Sender,
    document: FinishedRun,
    report: RunReport,
    standings: Standings,
    ended_at: datetime,
) -> EventDetail:
    """Return the report of a run as the detail of its event.

    Args:
        sender: the pipeline.
        document: the document of the run. It lacks the results of states that have not run.
        report: the report of this document.
        standings: what the campaigns serve now.
        ended_at: the end of the run.
    """
    run = run_of_document(document)
    started_at = datetime.fromisoformat(run["startedAt"])
    solutions = [
        _solution(solution_report, result)
        for solution_report, result in zip(
            report["solutions"], solution_results(document), strict=True
        )
    ]
    hours = sum(solution["trainingHours"] or 0 for solution in solutions)
    price, notifications = sender.training_hour_price, sender.notifications
    detail: EventDetail = {
        "schemaVersion": SCHEMA_VERSION,
        "pipeline": sender.pipeline,
        "outcome": report["status"],
        "runId": report["runId"],
        "trigger": run["trigger"] if run["trigger"] in TRIGGERS else "unknown",
        "executionArn": report["executionArn"],
        "stateMachineArn": machine_arn_of(report["executionArn"]),
        "startedAt": run["startedAt"],
        "endedAt": ended_at.isoformat(),
        "seconds": max(0, (ended_at - started_at) / timedelta(seconds=1)),
        "reason": report["reason"],
        "failingStep": failing_step(document),
        "trainingHours": round(hours, 4),
        "trainingCost": None if price is None else round(hours * price, 2),
        "imports": _imports(report["imports"], document),
        "solutions": solutions,
        "trials": _campaigns(report["trials"], played_trials(document)),
        "serving": [*_serving(document, standings)],
        "warnings": report["warnings"],
        "isComplete": True,
        "links": {
            "execution": execution_url(report["executionArn"]),
            "dashboard": notifications["dashboardUrl"] if notifications else None,
        },
    }
    return _within_size_limit(detail)


def _serving(document: FinishedRun, standings: Standings) -> Iterator[EventServing]:
    """Yield what each configured campaign serves. Without settings no campaign is known."""
    solutions = document["settings"]["solutions"] if "settings" in document else []
    for arn in (campaign["campaignArn"] for item in solutions for campaign in item["campaigns"]):
        standing = standings.get(arn)
        yield {
            "campaignArn": arn,
            "isKnown": standing is not None,
            "servedVersionArn": standing["servedVersionArn"] if standing else None,
            "versionOnTrial": standing["versionOnTrial"] if standing else None,
        }


def _imports(reports: Sequence[ImportReport], document: FinishedRun) -> list[EventImport]:
    results = document["imports"]["results"] if "imports" in document else []
    return [_import(report, result) for report, result in zip(reports, results, strict=True)]


def _import(report: ImportReport, result: DatasetResult) -> EventImport:
    item = result["item"]
    return {
        "type": report["type"],
        "outcome": result["outcome"],
        "datasetImportJobArn": report["datasetImportJobArn"],
        "bytes": (item or result["dataset"])["bytes"],
        "dataWrittenAt": result["dataset"]["newestObjectAt"],
        "seconds": _seconds_between(item["createdAt"], item["endedAt"]) if item else None,
        "failure": report["failure"],
    }


def _solution(report: SolutionReport, result: SolutionResult) -> EventSolution:
    version = result["version"]
    is_trained = version is not None and version["isOfRun"]
    return {
        "solutionArn": report["solutionArn"],
        "outcome": report["outcome"],
        "solutionVersionArn": report["solutionVersionArn"],
        "trainingMode": report["trainingMode"],
        "isTrained": is_trained,
        "trainingHours": version["trainingHours"] if version and is_trained else None,
        "seconds": (
            _seconds_between(version["createdAt"], version["endedAt"])
            if version and is_trained
            else None
        ),
        "failure": report["failure"],
        "campaigns": _campaigns(report["campaigns"], result["campaigns"]),
    }


def _campaigns(
    reports: Sequence[CampaignReport], results: Sequence[CampaignResult]
) -> list[EventCampaign]:
    return [_campaign(report, result) for report, result in zip(reports, results, strict=True)]


def _campaign(report: CampaignReport, result: CampaignResult) -> EventCampaign:
    item = result["item"]
    return {
        "campaignArn": report["campaignArn"],
        "outcome": report["outcome"],
        "previousVersionArn": report["previousVersionArn"],
        "servedVersionArn": report["servedVersionArn"],
        "metrics": {
            name: {**values, "change": share_of_change(values["new"], values["live"])}
            for name, values in report["metrics"].items()
        },
        "seconds": _seconds_between(item.get("createdAt"), item.get("endedAt")) if item else None,
        "failure": report["failure"],
    }


def _seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds between two times, or None if one of them is not known."""
    if start is None or end is None:
        return None
    duration = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return max(0, duration / timedelta(seconds=1))


def _within_size_limit(detail: EventDetail) -> EventDetail:
    """Return a detail that fits into an event.

    Its failures and warnings are shortened, or else its parts are left out. The reason and the ARNs
    stay as they are.
    """
    shorter = detail
    for max_bytes in SHORTER_TEXTS:
        if detail_bytes(shorter) <= MAX_DETAIL_BYTES:
            return shorter
        texts = {
            key: shortened_texts(detail[key], max_bytes)
            for key in ("imports", "solutions", "trials", "warnings")
        }
        shorter = cast("EventDetail", {**detail, **texts, "isComplete": False})
    if detail_bytes(shorter) <= MAX_DETAIL_BYTES:
        return shorter
    return {**shorter, "imports": [], "solutions": [], "trials": [], "serving": []}


def detail_bytes(detail: EventDetail) -> int:
    """Return the bytes of a detail as JSON."""
    return len(json.dumps(detail))

"""What a rehearsed run did, gathered from the services and told in tables."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypedDict

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_stepfunctions import SFNClient
    from rich.console import Console

    from components.args import RetrainingPipelineArgs
    from functions.report import RunReport
    from retrain.progress import Job

METRICS = (
    "normalized_discounted_cumulative_gain_at_10",
    "mean_reciprocal_rank_at_25",
    "precision_at_10",
    "coverage",
)
RECOMMENDED = 5


@dataclass(frozen=True)
class Step:
    """One record of a function's log."""

    step: str
    subject: str
    status: str


@dataclass(frozen=True)
class Served:
    """A campaign, what it served before and serves now, and what it recommends."""

    campaign: str
    before: str
    now: str
    new: str | None
    user: str
    recommended: list[str]

    @property
    def moved(self) -> bool:
        """Whether it serves the version that this run trained."""
        return self.new is not None and self.now == self.new


@dataclass(frozen=True)
class Summary:
    """All that is told of a run."""

    run: RunReport
    steps: list[Step]
    jobs: list[Job]
    metrics: dict[str, dict[str, float]]
    campaigns: list[Served]

    @property
    def succeeded(self) -> bool:
        """Whether every campaign serves the new version, and every solution has one."""
        return all(each["solutionVersionArn"] for each in self.run["solutions"]) and all(
            each.moved for each in self.campaigns
        )

    def document(self) -> dict[str, object]:
        """Give it all as JSON-able data."""
        return {**asdict(self), "succeeded": self.succeeded}


def steps(logs: CloudWatchLogsClient, log_group: str) -> list[Step]:
    """Give what the functions recorded, in order of time."""
    events = [
        event
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=log_group)
        for event in page["events"]
    ]
    records = []
    for event in sorted(events, key=lambda each: each["timestamp"]):
        record = _parsed(event["message"])
        if "step" in record:
            subject = str(record.get("arn", record.get("runId", ""))).rpartition(":")[2]
            status = str(record.get("status", record.get("outcome", record.get("message", ""))))
            records.append(Step(str(record["step"]), subject, status))
    return records


def _parsed(message: str) -> dict[str, object]:
    try:
        record = json.loads(message)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def served_now(personalize: PersonalizeClient, args: RetrainingPipelineArgs) -> dict[str, str]:
    """Give the version that each campaign serves, by ARN."""
    return {
        arn: personalize.describe_campaign(campaignArn=arn)["campaign"]["solutionVersionArn"]
        for solution in args.solutions
        for arn in (str(each.campaign_arn) for each in solution.campaigns)
    }


def metrics_of(personalize: PersonalizeClient, arns: Iterable[str]) -> dict[str, dict[str, float]]:
    """Give the offline metrics of those versions that are ACTIVE, by ARN."""
    versions = (personalize.describe_solution_version(solutionVersionArn=arn) for arn in arns)
    active = (
        each["solutionVersion"]["solutionVersionArn"]
        for each in versions
        if each["solutionVersion"]["status"] == "ACTIVE"
    )
    return {
        arn: dict(personalize.get_solution_metrics(solutionVersionArn=arn)["metrics"])
        for arn in active
    }


class Recommended(TypedDict):
    """A user, and the titles of what is recommended to them."""

    user: str
    recommended: list[str]


def recommended(
    runtime: PersonalizeRuntimeClient, campaign_arn: str, *, users: bytes, items: bytes
) -> Recommended:
    """Give what a campaign recommends to the first user; `users` and `items` are CSV files."""
    user = next(_rows(users))["USER_ID"]
    titles = {row["ITEM_ID"]: row["TITLE"] for row in _rows(items)}
    answer = runtime.get_recommendations(
        campaignArn=campaign_arn, userId=user, numResults=RECOMMENDED
    )
    return {
        "user": user,
        "recommended": [titles.get(each["itemId"], each["itemId"]) for each in answer["itemList"]],
    }


def _rows(export: bytes) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(export.decode()))


class NoReportError(Exception):
    """The execution ended without a report; the text says how."""


def report_of(states: SFNClient, execution_arn: str) -> RunReport:
    """Give the report that the run made, whether it succeeded or not.

    Raises NoReportError.
    """
    history = states.get_execution_history(
        executionArn=execution_arn, includeExecutionData=True, reverseOrder=True, maxResults=20
    )
    for event in history["events"]:
        exited = event.get("stateExitedEventDetails", {})
        if exited.get("name") == "Report outcome":
            report: RunReport = json.loads(exited["output"])["outcome"]
            return report
    execution = states.describe_execution(executionArn=execution_arn)
    raise NoReportError(
        f"{execution_arn} ended {execution['status']} without a report: "
        f"{execution.get('error')}: {execution.get('cause')}"
    )


def show(console: Console, summary: Summary) -> None:
    """Print it all."""
    console.print(
        _table(
            "What the functions did",
            ("step", "subject", "status"),
            [(each.step, each.subject, each.status) for each in summary.steps],
        )
    )
    console.print(
        _table(
            "Jobs",
            ("job", "statuses", "seconds"),
            [
                (each.label, " > ".join(each.statuses), f"{each.seconds:.1f}")
                for each in summary.jobs
            ],
        )
    )
    if summary.metrics:
        console.print(_metrics(summary))
    for each in summary.campaigns:
        console.print(
            f"campaign [bold]{each.campaign}[/] serves {_short(each.now)}"
            f" (before: {_short(each.before)})"
        )
        console.print(f"  recommended to viewer {each.user}: {', '.join(each.recommended)}")
    console.print()
    console.print(summary.run["text"], highlight=False, markup=False)


def _metrics(summary: Summary) -> Table:
    before = {each.before for each in summary.campaigns}
    return _table(
        "Solution versions",
        ("version", "", *(metric.replace("_", " ") for metric in METRICS)),
        [
            (
                _short(arn),
                "old" if arn in before else "new",
                *(f"{metrics.get(metric, float('nan')):.4f}" for metric in METRICS),
            )
            for arn, metrics in summary.metrics.items()
        ],
    )


def _short(arn: str) -> str:
    return arn.rpartition(":")[2]


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(*columns, title=title, title_justify="left", show_edge=False, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return table

"""What a rehearsed run did, gathered from the services: steps, jobs, versions, campaigns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_stepfunctions import SFNClient

    from components.args import RetrainingPipelineArgs
    from functions.report import RunReport
    from retrain.rehearsal.jobs import Job

RECOMMENDED = 5


class Audience(NamedTuple):
    """The user by whom recommendations are judged, and what people call the items."""

    user_id: str
    met: Sequence[str]
    """Ids of the items that the user met, the newest first."""
    titles: Mapping[str, str]
    """By id; an item may have none."""
    genres: Mapping[str, str]
    """By id, several separated by `|`; an item may have none."""

    def title(self, item: str) -> str:
        """Give an item's title, else its id."""
        return self.titles.get(item, item)


@dataclass(frozen=True)
class Step:
    """What one function recorded."""

    seconds: float
    """Since the first one."""
    step: str
    arn: str | None
    """The job's, or the campaign's."""
    status: str
    failure: str | None


@dataclass(frozen=True)
class Version:
    """A solution version and how good it is."""

    arn: str
    age: Literal["old", "new"]
    status: str
    metrics: Mapping[str, float]
    """Empty unless it is ACTIVE."""


@dataclass(frozen=True)
class Served:
    """A campaign, what it served before and serves now, and what it recommends to somebody."""

    arn: str
    before: str
    now: str
    new: str | None
    """The version that this run trained for it."""
    recommended: Sequence[str]
    """Item ids; none where the recipe only ranks."""
    related_to: str | None = None
    """The item that they are like; None: they are for the user."""

    @property
    def moved(self) -> bool:
        """Whether it serves the new version."""
        return self.now == self.new != self.before


@dataclass(frozen=True)
class Summary:
    """All that is told of a run."""

    execution_arn: str
    report: RunReport | None
    """None where the run ended without one."""
    ended: str
    """How the execution ended, in words."""
    steps: Sequence[Step]
    jobs: Sequence[Job]
    versions: Sequence[Version]
    campaigns: Sequence[Served]
    trained: bool
    """Whether every solution has a new ACTIVE version."""

    @property
    def succeeded(self) -> bool:
        """Whether every campaign serves its new version, and every solution has one."""
        return self.trained and all(each.moved for each in self.campaigns)

    def outcome_of(self, campaign_arn: str) -> str | None:
        """Give what became of a campaign; None where the report does not tell."""
        outcomes = {
            campaign["campaignArn"]: campaign["outcome"]
            for solution in (self.report["solutions"] if self.report else [])
            for campaign in solution["campaigns"]
        }
        return outcomes.get(campaign_arn)


def steps(logs: CloudWatchLogsClient, log_group: str, run_id: str | None) -> list[Step]:
    """Give what the functions recorded of a run (None: of all runs), in order of time."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=log_group)
    events = [event for page in pages for event in page["events"]]
    records = [
        (event["timestamp"], record)
        for event in sorted(events, key=lambda each: each["timestamp"])
        if "step" in (record := _parsed(event["message"])) and run_id in (None, record["runId"])
    ]
    return [
        Step(
            seconds=(time - records[0][0]) / 1000,
            step=record["step"],
            arn=record.get("arn"),
            status=record.get("outcome", record["message"].removeprefix(f"{record['step']}: ")),
            failure=record.get("failure"),
        )
        for time, record in records
    ]


def _parsed(message: str) -> dict[str, str]:
    """Give a JSON record; nothing for Lambda's own lines."""
    if not message.startswith("{"):
        return {}
    record: dict[str, str] = json.loads(message)
    return record


def newest_versions(personalize: PersonalizeClient, args: RetrainingPipelineArgs) -> dict[str, str]:
    """Give each solution's newest version, by the solution's ARN."""
    newest = {}
    for solution in args.solutions:
        arn = str(solution.solution_arn)
        pages = personalize.get_paginator("list_solution_versions").paginate(solutionArn=arn)
        found = [version for page in pages for version in page["solutionVersions"]]
        newest[arn] = max(found, key=lambda each: each["creationDateTime"])["solutionVersionArn"]
    return newest


def served_now(personalize: PersonalizeClient, args: RetrainingPipelineArgs) -> dict[str, str]:
    """Give the version that each campaign serves, by the campaign's ARN."""
    return {
        arn: personalize.describe_campaign(campaignArn=arn)["campaign"]["solutionVersionArn"]
        for arn in (str(arn) for _, arn in campaigns_of(args))
    }


def campaigns_of(args: RetrainingPipelineArgs) -> Iterator[tuple[str, str]]:
    """Give the ARNs of each solution and campaign that belong together."""
    for solution in args.solutions:
        for campaign in solution.campaigns:
            yield str(solution.solution_arn), str(campaign.campaign_arn)


def new_versions(report: RunReport | None) -> dict[str, str]:
    """Give the versions that the run trained, by the solution's ARN."""
    return {
        each["solutionArn"]: each["solutionVersionArn"]
        for each in (report["solutions"] if report else [])
        if each["solutionVersionArn"]
    }


def version(personalize: PersonalizeClient, arn: str, age: Literal["old", "new"]) -> Version:
    """Give how a version turned out."""
    described = personalize.describe_solution_version(solutionVersionArn=arn)
    status = described["solutionVersion"]["status"]
    metrics: Mapping[str, float] = {}
    if status == "ACTIVE":
        metrics = personalize.get_solution_metrics(solutionVersionArn=arn)["metrics"]
    return Version(arn, age, status, metrics)


def recommended(runtime: PersonalizeRuntimeClient, campaign_arn: str, user_id: str) -> list[str]:
    """Give the items that a campaign recommends to a user, the best first."""
    answer = runtime.get_recommendations(
        campaignArn=campaign_arn, userId=user_id, numResults=RECOMMENDED
    )
    return [each["itemId"] for each in answer["itemList"]]


def related(runtime: PersonalizeRuntimeClient, campaign_arn: str, item_id: str) -> list[str]:
    """Give the items that a campaign finds most like an item, the best first."""
    answer = runtime.get_recommendations(
        campaignArn=campaign_arn, itemId=item_id, numResults=RECOMMENDED
    )
    return [each["itemId"] for each in answer["itemList"]]


def report_of(states: SFNClient, execution_arn: str) -> RunReport | None:
    """Give the report that the run made, whether it succeeded or not."""
    history = states.get_execution_history(
        executionArn=execution_arn, includeExecutionData=True, reverseOrder=True, maxResults=20
    )
    for event in history["events"]:
        exited = event.get("stateExitedEventDetails", {})
        if exited.get("name") == "Report outcome":
            report: RunReport | None = json.loads(exited["output"]).get("outcome")
            return report
    return None


def ending_of(states: SFNClient, execution_arn: str) -> str:
    """Give how the execution ended, in words."""
    execution = states.describe_execution(executionArn=execution_arn)
    error, cause = execution.get("error"), execution.get("cause")
    return ": ".join(each for each in (execution["status"], error, cause) if each)

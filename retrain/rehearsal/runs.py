"""Reads what a run did from Step Functions, Personalize and the log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_stepfunctions import SFNClient

    from components.args import RetrainingPipelineArgs
    from functions.report.model import Report, SolutionReport
    from retrain.rehearsal.jobs import Job

RECOMMENDED_ITEMS = 5
REPORT_STATE = "Report outcome"
LAST_EVENTS = 20
"""The number of last events that are read. The output of REPORT_STATE is always among them."""


@dataclass(frozen=True)
class Run:
    """An execution that has ended, and the jobs that it started."""

    execution_arn: str
    ending: str
    """The status of the execution, with the error and the cause if it has them."""
    report: Report | None
    """None if the execution ended without a report."""
    jobs: Sequence[Job]

    @property
    def status(self) -> str:
        """The outcome in the report, or how the execution ended."""
        return self.report["outcome"] if self.report else self.ending

    def campaign_outcomes(self) -> dict[str, str]:
        """Return the outcome of each campaign in the report, by its ARN."""
        return {
            campaign["campaignArn"]: campaign["outcome"]
            for solution in self._solutions()
            for campaign in solution["campaigns"]
        }

    def new_versions(self) -> dict[str, str]:
        """Return the ARN of each version that the run trained, by the ARN of its solution."""
        return {
            solution["solutionArn"]: solution["solutionVersionArn"]
            for solution in self._solutions()
            if solution["solutionVersionArn"]
        }

    def _solutions(self) -> Sequence[SolutionReport]:
        """Return the solutions in the report, or nothing if there is no report."""
        return self.report["solutions"] if self.report else []


@dataclass(frozen=True)
class Step:
    """What a function did in a run, as the function logged it."""

    seconds: float
    """Seconds since the first record of the run."""
    step: str
    arn: str | None
    """The ARN of a job or of a campaign."""
    status: str
    failure: str | None


@dataclass(frozen=True)
class Version:
    """A solution version and its metrics."""

    solution_version_arn: str
    age: Literal["old", "new"]
    status: str
    metrics: Mapping[str, float]
    """Empty unless the version is ACTIVE."""


@dataclass(frozen=True)
class Item:
    """An item with its title and genres."""

    item_id: str
    title: str | None = None
    genres: str = ""
    """Several genres are separated by `|`."""


@dataclass(frozen=True)
class User:
    """The user for whom recommendations are requested."""

    user_id: str
    items: Sequence[Item]
    """The items that the user interacted with, the newest first."""


@dataclass(frozen=True)
class Campaign:
    """A campaign with the version that it served before the run, and the version afterwards."""

    campaign_arn: str
    previous_version_arn: str
    solution_version_arn: str
    new_version_arn: str | None
    """The version of the campaign's solution that the run trained."""
    recommendations: Sequence[Item] = ()
    """Empty if recommendations were not requested, or if the recipe only ranks items."""
    related_to: Item | None = None
    """The item to which the recommendations are related. None if they are for the user."""

    @property
    def serves_new_version(self) -> bool:
        """True if the campaign serves the version that the run trained."""
        return self.solution_version_arn == self.new_version_arn != self.previous_version_arn

    @property
    def serves_previous_version(self) -> bool:
        """True if the campaign serves the version that it served before the run."""
        return self.solution_version_arn == self.previous_version_arn


@dataclass(frozen=True)
class Summary(Run):
    """Everything that is shown of the first run of a rehearsal."""

    steps: Sequence[Step]
    versions: Sequence[Version]
    campaigns: Sequence[Campaign]
    user: User
    evaluation_users: int
    """The number of users on whom the metrics rest."""
    trained: bool
    """True if every solution has a new ACTIVE version."""

    @property
    def succeeded(self) -> bool:
        """True if every solution has a new version and every campaign serves it."""
        return self.trained and all(campaign.serves_new_version for campaign in self.campaigns)


def read_report(step_functions: SFNClient, execution_arn: str) -> Report | None:
    """Return the report in the history of an execution.

    Return None if the execution ended before it wrote a report.
    """
    history = step_functions.get_execution_history(
        executionArn=execution_arn,
        includeExecutionData=True,
        reverseOrder=True,
        maxResults=LAST_EVENTS,
    )
    for event in history["events"]:
        details = event.get("stateExitedEventDetails", {})
        if details.get("name") == REPORT_STATE:
            report: Report | None = json.loads(details["output"]).get("report")
            return report
    return None


def read_ending(step_functions: SFNClient, execution_arn: str) -> str:
    """Return the status of an execution, for example `FAILED: States.Runtime: no such field`.

    The error and the cause are left out if the execution has none.
    """
    execution = step_functions.describe_execution(executionArn=execution_arn)
    parts = (execution["status"], execution.get("error"), execution.get("cause"))
    return ": ".join(part for part in parts if part)


def read_steps(logs: CloudWatchLogsClient, log_group: str, run_id: str | None) -> list[Step]:
    """Return the steps of a run, sorted by time. Without a run id, return the steps of all runs.

    A line of the log that is no record of a step is left out.
    """
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=log_group)
    events = [event for page in pages for event in page["events"]]
    steps: list[Step] = []
    start = None
    for event in sorted(events, key=lambda event: event["timestamp"]):
        record = _parse_record(event["message"])
        # The functions that no run calls write records without a run.
        if "step" in record and "runId" in record and run_id in (None, record["runId"]):
            start = event["timestamp"] if start is None else start
            steps.append(_step(record, (event["timestamp"] - start) / 1000))
    return steps


def _parse_record(message: str) -> dict[str, str]:
    """Return the record that a line of the log contains in JSON.

    Return an empty record for the lines that Lambda writes, which are not JSON.
    """
    if not message.startswith("{"):
        return {}
    record: dict[str, str] = json.loads(message)
    return record


def _step(record: Mapping[str, str], seconds: float) -> Step:
    """Return the step of a record, without the name of the step at the beginning of its status."""
    name = record["step"]
    status = record.get("outcome", record["message"].removeprefix(f"{name}: "))
    return Step(seconds, name, record.get("arn"), status, record.get("failure"))


def read_newest_versions(
    personalize: PersonalizeClient, args: RetrainingPipelineArgs
) -> dict[str, str]:
    """Return the ARN of each solution's newest version, by the ARN of the solution."""
    newest = {}
    for solution in args.solutions:
        arn = str(solution.solution_arn)
        pages = personalize.get_paginator("list_solution_versions").paginate(solutionArn=arn)
        versions = [version for page in pages for version in page["solutionVersions"]]
        newest_version = max(versions, key=lambda version: version["creationDateTime"])
        newest[arn] = newest_version["solutionVersionArn"]
    return newest


def read_served_versions(
    personalize: PersonalizeClient, args: RetrainingPipelineArgs
) -> dict[str, str]:
    """Return the ARN of the version that each campaign serves, by the ARN of the campaign."""
    return {
        arn: personalize.describe_campaign(campaignArn=arn)["campaign"]["solutionVersionArn"]
        for arn in campaign_arns(args)
    }


def campaign_arns(args: RetrainingPipelineArgs) -> Iterator[str]:
    """Yield the ARNs of the campaigns of all solutions."""
    for solution in args.solutions:
        for campaign in solution.campaigns:
            yield str(campaign.campaign_arn)


def read_version(personalize: PersonalizeClient, arn: str, age: Literal["old", "new"]) -> Version:
    """Read the status of a solution version, and its metrics if it is ACTIVE."""
    response = personalize.describe_solution_version(solutionVersionArn=arn)
    status = response["solutionVersion"]["status"]
    metrics: Mapping[str, float] = {}
    if status == "ACTIVE":
        metrics = personalize.get_solution_metrics(solutionVersionArn=arn)["metrics"]
    return Version(arn, age, status, metrics)


def recommended_to(runtime: PersonalizeRuntimeClient, campaign_arn: str, user_id: str) -> list[str]:
    """Return the ids of the items that a campaign recommends to a user, the best first."""
    response = runtime.get_recommendations(
        campaignArn=campaign_arn, userId=user_id, numResults=RECOMMENDED_ITEMS
    )
    return [item["itemId"] for item in response["itemList"]]


def related_to(runtime: PersonalizeRuntimeClient, campaign_arn: str, item_id: str) -> list[str]:
    """Return the ids of the items that a campaign relates to an item, the best first."""
    response = runtime.get_recommendations(
        campaignArn=campaign_arn, itemId=item_id, numResults=RECOMMENDED_ITEMS
    )
    return [item["itemId"] for item in response["itemList"]]

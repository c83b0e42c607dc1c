"""Finds how to create a campaign again that somebody has deleted.

Such a campaign is an outage for its users. Its tags are gone with it, but the report of each run
says what each campaign served when the run ended.
"""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from typing import TYPE_CHECKING

from functions.common.formatting import format_time, resource_name
from functions.common.messages import Message
from retrain.look.runs import list_latest_executions
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.planning.plan_run import RunView
    from functions.planning.solutions import SolutionView
    from functions.report.model import Report, ServingReport
    from retrain.account.target import Target

MAX_REPORTS = 50
"""The number of reports that are searched, newest first. Each one costs a request."""


def describe_lost_campaigns(view: RunView, target: Target | None) -> Iterator[Message]:
    """Yield a message for each deleted campaign, with the command that creates it again."""
    lost_campaigns = find_lost_campaigns(view)
    reports = []
    if lost_campaigns and target is not None:
        reports = _read_reports(target)

    for campaign_arn, solution in lost_campaigns.items():
        versions = solution.solution_state.versions
        active_arns = [version.arn for version in versions if version.is_active]
        yield describe_lost_campaign(campaign_arn, active_arns, reports)


def find_lost_campaigns(view: RunView) -> dict[str, SolutionView]:
    """Find the configured campaigns that do not exist, by ARN, each with its solution."""
    return {
        campaign["campaignArn"]: solution
        for solution in view.solutions
        for campaign in solution.solution_settings["campaigns"]
        if campaign["campaignArn"] not in solution.solution_snapshot.campaigns
    }


def _read_reports(target: Target) -> list[Report]:
    """Read the reports of the last runs, newest first. A run without success has none."""
    client = target.access.step_functions
    executions = list_latest_executions(target)
    succeeded = [execution for execution in executions if execution.status == "SUCCEEDED"]
    return [
        json.loads(client.describe_execution(executionArn=execution.arn)["output"])["report"]
        for execution in succeeded[:MAX_REPORTS]
    ]


def describe_lost_campaign(
    campaign_arn: str, active_arns: Sequence[str], reports: Sequence[Report]
) -> Message:
    """Say with which version a campaign can be created again.

    The versions and the reports come newest first.
    """
    outage = f"{campaign_arn}: was deleted or never created, so its users get errors"
    if not active_arns:
        return Message(text=f"{outage}, and its solution has no version yet that it could serve")

    for report in reports:
        serving = _find_passed_version(report, campaign_arn, active_arns)
        if serving is not None:
            return _build_advice(outage, serving, report["endedAt"])

    unknown = "no report of a run says which version had passed there, so check the newest one"
    command = _build_command(campaign_arn, active_arns[0], tps=None)
    return Message(text=f"{outage}; {unknown}, and create it", command=command)


def _find_passed_version(
    report: Report, campaign_arn: str, active_arns: Sequence[str]
) -> ServingReport | None:
    """Find what a campaign served after a run, if that had passed its trial and still exists."""
    for serving in report["serving"]:
        served_arn = serving["servedVersionArn"]
        is_judged = served_arn != serving["versionOnTrial"] and not serving["isBad"]
        if serving["campaignArn"] == campaign_arn and is_judged and served_arn in active_arns:
            return serving
    return None


def _build_advice(outage: str, serving: ServingReport, ended_at: str) -> Message:
    version_arn = str(serving["servedVersionArn"])
    time = format_time(datetime.fromisoformat(ended_at))
    text = f"create it with {short_name(version_arn)}, which had passed there by {time} UTC"
    tps = serving.get("minProvisionedTPS")
    command = _build_command(serving["campaignArn"], version_arn, tps)
    return Message(text=f"{outage}; {text}", command=command)


def _build_command(campaign_arn: str, version_arn: str, tps: int | None) -> str:
    """Build the command that creates a campaign.

    Without a known capacity, the campaign gets the smallest, and grows with its traffic.
    """
    words = ["aws", "personalize", "create-campaign", "--name", resource_name(campaign_arn)]
    words += ["--solution-version-arn", version_arn]
    if tps:
        words += ["--min-provisioned-tps", str(tps)]
    return shlex.join(words)

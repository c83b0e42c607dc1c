"""Finds how to create a campaign again that somebody has deleted.

Such a campaign is an outage for its users. Its tags are gone with it, but the report of each run
says what each campaign served when the run ended.
"""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from functions.common.formatting import format_time, resource_name
from functions.common.messages import Message
from retrain.look.runs import list_executions
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
    missing = find_lost_campaigns(view)
    reports = []
    if missing and target is not None:
        reports = _read_reports(target)

    for campaign_arn, solution in missing.items():
        # The versions are sorted, newest first.
        active_arns = [
            version.arn
            for version in solution.solution_snapshot.state.versions
            if version.is_active
        ]
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
    return [
        json.loads(client.describe_execution(executionArn=execution.arn)["output"])["report"]
        for execution in islice(list_executions(target, "SUCCEEDED"), MAX_REPORTS)
    ]


def describe_lost_campaign(
    campaign_arn: str, active_arns: Sequence[str], reports: Sequence[Report]
) -> Message:
    """Say with which version a campaign can be created again.

    A version that the campaign only had on trial, or that is gone, doesn't count.
    """
    outage = f"{campaign_arn}: was deleted or never created, so its users get errors"
    for report in reports:
        for serving in report["serving"]:
            if serving["campaignArn"] == campaign_arn and _has_passed(serving, active_arns):
                version_arn = str(serving["servedVersionArn"])
                ended_at = format_time(datetime.fromisoformat(report["endedAt"]))
                known = f"{short_name(version_arn)}, which had passed there by {ended_at} UTC"
                tps = serving.get("minProvisionedTPS")
                return _creation(
                    f"{outage}; create it with {known}", campaign_arn, version_arn, tps
                )

    if not active_arns:
        return Message(text=f"{outage}, and its solution has no version yet that it could serve")
    version_arn = active_arns[0]
    unknown = "no report of a run says which version had passed there, so check the newest one"
    return _creation(f"{outage}; {unknown}, and create it", campaign_arn, version_arn, None)


def _has_passed(serving: ServingReport, active_arns: Sequence[str]) -> bool:
    """Tell whether a campaign served a version that still exists, and whose trial was over."""
    served_arn = serving["servedVersionArn"]
    is_judged = served_arn != serving["versionOnTrial"] and not serving["isBad"]
    return served_arn in active_arns and is_judged


def _creation(text: str, campaign_arn: str, version_arn: str, tps: int | None) -> Message:
    """Add the command that creates a campaign to a message.

    Without a known capacity, the campaign gets the smallest, and grows with its traffic.
    """
    words = ["aws", "personalize", "create-campaign", "--name", resource_name(campaign_arn)]
    words += ["--solution-version-arn", version_arn]
    if tps:
        words += ["--min-provisioned-tps", str(tps)]
    return Message(text=text, command=shlex.join(words))

"""Finds *lost campaigns*, which are configured but don't exist, and how to create them again.

Somebody may have deleted such a campaign, which is an outage for its users. Its tags were deleted,
too, but the reports of earlier runs still say which version it served.
"""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING

from functions.common.formatting import format_time, resource_name
from functions.common.messages import Message
from retrain.look.runs import read_reports
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from functions.planning.plan_run import RunView
    from functions.planning.solutions import SolutionView
    from functions.report.model import Report, ServingReport
    from retrain.account.target import Target


def describe_lost_campaigns(view: RunView, target: Target | None) -> Iterator[Message]:
    """Yield a message for each lost campaign, with the command that creates it.

    If the pipeline isn't deployed, `target` is None, and there are no reports to consult.
    """
    for campaign_arn, solution in find_lost_campaigns(view).items():
        versions = solution.solution_state.versions
        active_arns = [version.arn for version in versions if version.is_active]
        reports: Iterable[Report] = ()
        if target is not None:
            reports = read_reports(target)
        yield describe_lost_campaign(campaign_arn, active_arns, reports)


def advise_about_lost_campaigns(
    problems: Sequence[Message], view: RunView, target: Target | None
) -> Iterator[Message]:
    """Yield all problems of a refused run, and for lost campaigns, how to create them again.

    A guard reports a lost campaign as well, but only that it doesn't exist.
    """
    yield from describe_lost_campaigns(view, target)

    lost_campaigns = find_lost_campaigns(view)
    for problem in problems:
        subject = problem["text"].partition(": ")[0]
        if subject not in lost_campaigns:
            yield problem


def find_lost_campaigns(view: RunView) -> dict[str, SolutionView]:
    """Map the ARN of each configured campaign that doesn't exist to its solution."""
    return {
        campaign["campaignArn"]: solution
        for solution in view.solutions
        for campaign in solution.solution_settings["campaigns"]
        if campaign["campaignArn"] not in solution.solution_snapshot.campaigns
    }


def describe_lost_campaign(
    campaign_arn: str, active_arns: Sequence[str], reports: Iterable[Report]
) -> Message:
    """Build the message about a lost campaign, with the command that creates it.

    The command deploys the version that last passed a trial there, or if no report tells, the
    newest one. `active_arns` and `reports` are sorted, newest first.
    """
    outage = f"{campaign_arn}: was deleted or never created, so its users get errors"
    if not active_arns:
        return Message(text=f"{outage}, and its solution has no version yet that it could serve")

    for report in reports:
        serving = _find_good_serving(report, campaign_arn, active_arns)
        if serving is not None:
            return _build_advice(outage, serving, report["endedAt"])

    unknown = "no report of a run says which version had passed there, so check the newest one"
    command = _build_create_command(campaign_arn, active_arns[0], min_tps=None)
    return Message(text=f"{outage}; {unknown}, and create it", command=command)


def _find_good_serving(
    report: Report, campaign_arn: str, active_arns: Sequence[str]
) -> ServingReport | None:
    """Find what a campaign served when a run ended, if it's worth deploying again.

    The version must have passed its trial, and must still exist.
    """
    for serving in report["serving"]:
        served_arn = serving["servedVersionArn"]
        has_passed = served_arn != serving["versionOnTrial"] and not serving["isBad"]
        if serving["campaignArn"] == campaign_arn and has_passed and served_arn in active_arns:
            return serving
    return None


def _build_advice(outage: str, serving: ServingReport, run_ended_at: str) -> Message:
    """Advise to create the campaign with the version and capacity that it had after a run."""
    version_arn = str(serving["servedVersionArn"])
    time = format_time(datetime.fromisoformat(run_ended_at))
    advice = f"create it with {short_name(version_arn)}, which had passed there by {time} UTC"
    command = _build_create_command(
        serving["campaignArn"], version_arn, serving.get("minProvisionedTPS")
    )
    return Message(text=f"{outage}; {advice}", command=command)


def _build_create_command(campaign_arn: str, version_arn: str, min_tps: int | None) -> str:
    """Build the AWS CLI command that creates a campaign.

    Without `min_tps`, the campaign starts with the smallest capacity, and scales with its traffic.
    """
    words = ["aws", "personalize", "create-campaign", "--name", resource_name(campaign_arn)]
    words += ["--solution-version-arn", version_arn]
    if min_tps:
        words += ["--min-provisioned-tps", str(min_tps)]
    return shlex.join(words)

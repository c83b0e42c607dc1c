"""Finds solution versions by name, and tells people what they need to know to decide about one."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from functions.common import clock
from functions.common.formatting import format_hours, format_time
from functions.common.messages import join_reasons, shorten_arns
from functions.personalize.approvals import find_approval_status, parse_approval
from functions.personalize.lists import list_deletions
from functions.personalize.tags import BLOCKED_VERSION_TAG, read_tags
from functions.personalize.trainings import describe_version, list_untagged_versions
from functions.report.model import list_campaign_reports
from functions.rules.trainings import SolutionState, find_later_deletion
from retrain.account.access import read_if_exists
from retrain.account.errors import AWS_ERRORS, OperatorError, explain_aws_error
from retrain.names import is_named, short_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import ApprovalSettings, Tags
    from functions.report.model import Report
    from functions.rules.trainings import Deletion
    from retrain.account.target import Target


def find_version_arn(target: Target, name: str) -> str:
    """Find a version of the pipeline by its short name or ID.

    Raises OperatorError if there's no such version.
    """
    for solution in target.settings["solutions"]:
        client = target.access.personalize
        for version in list_untagged_versions(client, solution["solutionArn"]):
            if is_named(version.arn, name):
                return version.arn

    raise OperatorError(
        f"{name!r} is not a version of this pipeline; `{target.command('history')}` shows those of "
        "the last runs"
    )


def build_deletion_warning(client: PersonalizeClient, version_arn: str) -> str | None:
    """Build a warning if the version may have learned from users who were deleted since.

    If AWS returns an error, that's a warning too, because it mustn't prevent an urgent rollback.
    """
    try:
        deletion = _find_later_deletion(client, version_arn)
    except AWS_ERRORS as error:
        reason = explain_aws_error(error)
        return f"it is not known whether users were deleted since its training: {reason}"

    if deletion is None:
        return None
    deleted_until = format_time(deletion.ended_at)
    job_name = short_name(deletion.arn)
    return f"it may still know the users whom {job_name} deleted until {deleted_until} UTC"


def _find_later_deletion(client: PersonalizeClient, version_arn: str) -> Deletion | None:
    """Find the last deletion of users from whom the version may have learned, or return None."""
    description = describe_version(client, version_arn)
    # A version with training mode UPDATE keeps what an earlier FULL version learned, so the rule
    # needs all versions of the solution.
    versions = list_untagged_versions(client, description["solutionArn"])
    deletions = list_deletions(client, description["datasetGroupArn"])

    state = SolutionState(versions=versions, deletions=deletions)
    for version in versions:
        if version.arn == version_arn:
            return find_later_deletion(version, state)

    # A version that was created a moment ago may not be listed yet.
    return None


def find_rejections(reports: Iterable[Report], campaign_arn: str) -> dict[str, str]:
    """Map the ARN of each version that a run rejected at a campaign to the reason.

    The reports may be read while we go through them. If one can't be read, those after it are left
    out, because an error mustn't prevent an urgent rollback.
    """
    rejections = {}
    with suppress(*AWS_ERRORS):
        for report in reports:
            for campaign in list_campaign_reports(report):
                if campaign["campaignArn"] == campaign_arn and campaign["outcome"] == "REJECTED":
                    reason = join_reasons(campaign["reasons"])["text"]
                    rejections[str(campaign["versionArn"])] = shorten_arns(reason)

    return rejections


class VersionNotes:
    """Describes what happened to versions after the runs that trained them had ended."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._approval_settings = {
            solution["solutionArn"]: solution["approval"]
            for solution in target.settings["solutions"]
        }
        self._read_tags = cache(self._read_tags_if_exists)

    def about(self, report: Report | None) -> dict[str, str]:
        """Map the ARN of a campaign to a note on what happened there to the version of a run.

        Campaigns where nothing happened are left out.
        """
        notes: dict[str, str] = {}
        if report is None:
            return notes

        for campaign in list_campaign_reports(report):
            campaign_arn = campaign["campaignArn"]
            version_arn = str(campaign["versionArn"])
            if campaign["outcome"] == "AWAITING_APPROVAL":
                notes[campaign_arn] = self._describe_answer(version_arn)
            elif campaign["outcome"] == "DEPLOYED":
                blocked_arn = self._read_tags(campaign_arn).get(BLOCKED_VERSION_TAG)
                if blocked_arn == version_arn:
                    notes[campaign_arn] = "rolled back since, so no run deploys it again"
        return notes

    def _describe_answer(self, version_arn: str) -> str:
        """Describe the answer to a version's approval request, or how to answer it now."""
        solution_arn = version_arn.rpartition("/")[0]
        settings = self._approval_settings.get(solution_arn)
        if settings is None:
            return "the solution needs no approval any more"

        tags = self._read_tags(version_arn)
        expires_at = find_request_expiry(tags, settings)
        if expires_at is None:
            return explain_no_answer(tags, settings)
        return f"is {describe_open_request(self._target, version_arn, expires_at)}"

    def _read_tags_if_exists(self, arn: str) -> Tags:
        """Read the tags of a version or a campaign, or return none if it was deleted."""
        tags = read_if_exists(read_tags, client=self._target.access.personalize, arn=arn)
        return tags or {}


def find_request_expiry(tags: Tags, settings: ApprovalSettings) -> datetime | None:
    """Return when a version's open approval request expires, or None if there isn't one."""
    approval = parse_approval(tags)
    if approval is None or find_approval_status(tags, settings, clock.now()) != "REQUESTED":
        return None
    return approval.expires_at(settings)


def describe_open_request(target: Target, version_arn: str, expires_at: datetime) -> str:
    """Say until when a version is waiting for approval, with the commands that answer."""
    name = short_name(version_arn)
    approve = target.command("approve", name)
    refuse = target.command("approve", "--refuse", name)
    return f"waiting for approval until {format_time(expires_at)} UTC: `{approve}` or `{refuse}`"


def explain_no_answer(tags: Tags, settings: ApprovalSettings) -> str:
    """Explain why a version without an open approval request can't be approved or refused now."""
    approval = parse_approval(tags)
    # Nobody has requested approval yet, or the request has expired.
    if approval is None or approval.status == "REQUESTED":
        return (
            "a run asks about it when it has passed the gate, and an answer is then possible for "
            f"{format_hours(settings['timeoutHours'])}"
        )

    explanation = (
        f"it was {approval.status.lower()} by {approval.answered_by} at "
        f"{format_time(approval.changed_at)} UTC"
    )
    if approval.status == "REFUSED":
        explanation += "; a run asks again after the next training"
    return explanation

"""Finds solution versions by name, and says what people have to know before they decide on one."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING

from functions.common import clock
from functions.common.formatting import format_hours, format_time
from functions.personalize.approvals import find_approval_status, parse_approval
from functions.personalize.lists import list_deletions
from functions.personalize.tags import BLOCKED_VERSION_TAG, read_tags
from functions.personalize.trainings import describe_version, list_untagged_versions
from functions.rules.trainings import SolutionState, find_later_deletion
from retrain.account.access import read_if_exists
from retrain.account.errors import AWS_ERRORS, OperatorError, aws_error
from retrain.names import is_named, short_name

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import ApprovalSettings, Tags
    from functions.report.model import Report, SolutionReport
    from functions.rules.trainings import Deletion
    from retrain.account.target import Target

SHOWN_VERSIONS = 5
"""The number of versions that an error message lists."""


def find_version(target: Target, name: str) -> str:
    """Find the ARN of the version with this short name or id, or raise OperatorError."""
    versions = []
    for solution in target.settings["solutions"]:
        versions += list_untagged_versions(target.access.personalize, solution["solutionArn"])
    versions.sort(key=attrgetter("created_at"), reverse=True)

    for version in versions:
        if is_named(version.arn, name):
            return version.arn

    newest_arns = [version.arn for version in versions[:SHOWN_VERSIONS]]
    newest_names = ", ".join(map(short_name, newest_arns)) or "none"
    raise OperatorError(
        f"{name!r} is not a version of this pipeline; its newest versions: {newest_names}"
    )


def build_deletion_warning(client: PersonalizeClient, version_arn: str) -> str | None:
    """Warn if a version may still know users who were deleted after its training.

    A rollback is urgent, so it goes on if this cannot be read.
    """
    try:
        deletion = _find_later_deletion(client, version_arn)
    except AWS_ERRORS as error:
        return f"it is not known whether users were deleted since its training: {aws_error(error)}"

    if deletion is None:
        return None
    deleted_until = format_time(deletion.ended_at)
    job_name = short_name(deletion.arn)
    return f"it may still know the users whom {job_name} deleted until {deleted_until} UTC"


def _find_later_deletion(client: PersonalizeClient, version_arn: str) -> Deletion | None:
    """Find the last deletion of users that a version may have learned from, or return None."""
    description = describe_version(client, version_arn)
    # With training mode UPDATE, a version keeps what an earlier FULL version has learned, so the
    # rule needs all versions of the solution.
    versions = list_untagged_versions(client, description["solutionArn"])
    deletions = list_deletions(client, description["datasetGroupArn"])

    state = SolutionState(versions=versions, deletions=deletions)
    for version in versions:
        if version.arn == version_arn:
            return find_later_deletion(version, state)
    return None


class VersionNotes:
    """Says what has happened to the versions of runs since their reports.

    The reports have to come newest first, so that a newer version is known before an older one.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._approvals = {
            solution["solutionArn"]: solution["approval"]
            for solution in target.settings["solutions"]
        }

        self._newest_arns: dict[str, str] = {}
        """The ARN of a solution -> its newest version that a report names."""
        self._read_tags = cache(self._read_present_tags)

    def about(self, report: Report | None) -> dict[str, str]:
        """Map each campaign to what has happened there to the run's version since, if anything."""
        notes: dict[str, str] = {}
        if report is None:
            return notes

        for solution in report["solutions"]:
            # A training with reasons has failed or was skipped, so it has brought no version.
            if solution["solutionVersionArn"] is not None and not solution["reasons"]:
                notes |= self._list_notes(solution, solution["solutionVersionArn"])
        return notes

    def _list_notes(self, solution: SolutionReport, version_arn: str) -> dict[str, str]:
        solution_arn = solution["solutionArn"]
        newest_arn = self._newest_arns.setdefault(solution_arn, version_arn)
        notes = {}

        for campaign in solution["campaigns"]:
            campaign_arn = campaign["campaignArn"]
            if campaign["outcome"] == "AWAITING_APPROVAL":
                notes[campaign_arn] = self._describe_answer(
                    solution_arn, version_arn, is_newest=version_arn == newest_arn
                )
            elif campaign["outcome"] == "DEPLOYED" and self._blocks(campaign_arn, version_arn):
                notes[campaign_arn] = "rolled back since, so no run deploys it again"
        return notes

    def _blocks(self, campaign_arn: str, version_arn: str) -> bool:
        return self._read_tags(campaign_arn).get(BLOCKED_VERSION_TAG) == version_arn

    def _describe_answer(self, solution_arn: str, version_arn: str, *, is_newest: bool) -> str:
        """Say who has answered about a version, or what a person can do now."""
        settings = self._approvals.get(solution_arn)
        if settings is None:
            return "the solution needs no approval any more"

        tags = self._read_tags(version_arn)
        expires_at = find_open_request(tags, settings)
        if expires_at is None:
            return explain_no_answer(tags, settings)
        if not is_newest:
            return "nobody has answered, and there is a newer version"
        return f"is {describe_waiting(self._target, version_arn, expires_at)}"

    def _read_present_tags(self, arn: str) -> Tags:
        """Read the tags of a version or a campaign. One that was deleted has none."""
        tags = read_if_exists(read_tags, client=self._target.access.personalize, arn=arn)
        return tags or {}


def find_open_request(tags: Tags, settings: ApprovalSettings) -> datetime | None:
    """Find when the request for a version's approval expires, or return None if none is open."""
    approval = parse_approval(tags)
    if approval is None or find_approval_status(tags, settings, clock.now()) != "REQUESTED":
        return None
    return approval.expires_at(settings)


def describe_waiting(target: Target, version_arn: str, expires_at: datetime) -> str:
    """Say how long a version is waiting for approval, and with which commands a person answers."""
    name = short_name(version_arn)
    approve = target.command("approve", name)
    refuse = target.command("approve", "--refuse", name)
    return f"waiting for approval until {format_time(expires_at)} UTC: `{approve}` or `{refuse}`"


def explain_no_answer(tags: Tags, settings: ApprovalSettings) -> str:
    """Explain why nobody can answer about a version now, which has no open request."""
    approval = parse_approval(tags)
    # The only request has expired, so the next run asks again.
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

"""Says what has happened to the versions of a run since its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions import clock
from functions.personalize.campaigns import current_answer, read_approval
from functions.personalize.tags import BAD, tags_of
from retrain.account.errors import code_of
from retrain.look.texts import time_text
from retrain.names import short_name

if TYPE_CHECKING:
    from datetime import datetime

    from functions.contract import ApprovalSettings, Tags
    from functions.report.model import Report, SolutionReport
    from retrain.account.target import Target

ROLLED_BACK_SINCE = "rolled back since, so no run deploys it again"


class VersionNotes:
    """What has happened to the versions of several runs since their reports.

    The tags of a version are read once. The reports have to be given newest first, because only the
    newest version of a solution takes an answer.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tags: dict[str, Tags | None] = {}
        self._newest: dict[str, str] = {}

    def about(self, report: Report) -> dict[str, str]:
        """Return version ARN -> what has happened to the version. Most versions have no note.

        A version that waited for an approval always has one.
        """
        notes = {}
        for solution in report["solutions"]:
            version_arn, note = solution["solutionVersionArn"], None
            if version_arn is None or solution["reason"]:
                continue
            newest = self._newest.setdefault(solution["solutionArn"], version_arn)
            outcomes = {campaign["outcome"] for campaign in solution["campaigns"]}
            if "AWAITING_APPROVAL" in outcomes:
                note = self._answer(solution, version_arn, is_newest=newest == version_arn)
            elif "DEPLOYED" in outcomes:
                arns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
                bad = [(self._tags_of(arn) or {}).get(BAD) for arn in arns]
                note = ROLLED_BACK_SINCE if version_arn in bad else None
            if note:
                notes[version_arn] = note
        return notes

    def _answer(self, solution: SolutionReport, version_arn: str, *, is_newest: bool) -> str:
        """Return who has answered about a version, or what a person can do now."""
        tags = self._tags_of(version_arn)
        if tags is None:
            return "the version does not exist any more"
        approval = self._approval(solution["solutionArn"])
        if approval is None:
            return "the solution needs no approval any more"
        now = clock.now()
        asked = read_approval(tags)
        if (reason := answer_error(tags, approval, now)) or asked is None:
            return reason or "nobody has asked"
        if not is_newest:
            return "nobody has answered, and there is a newer version"
        until = asked.end(approval)
        approve, reject = (
            self._target.command("approve", *options, short_name(version_arn))
            for options in ((), ("--reject",))
        )
        return f"waits for an answer until {time_text(until)} UTC: `{approve}` or `{reject}`"

    def _approval(self, solution_arn: str) -> ApprovalSettings | None:
        """Return the settings of the approval of a solution, or None if it needs no approval."""
        for row in self._target.settings["solutions"]:
            if row["solutionArn"] == solution_arn:
                return row.get("approval")
        return None

    def _tags_of(self, arn: str) -> Tags | None:
        """Return the tags of a version or a campaign, or None if it does not exist any more."""
        if arn not in self._tags:
            try:
                self._tags[arn] = tags_of(self._target.access.personalize, arn)
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                self._tags[arn] = None
        return self._tags[arn]


def answer_error(tags: Tags, settings: ApprovalSettings, now: datetime) -> str | None:
    """Return why nobody can answer about a version now, or None if it waits for an answer."""
    approval, answer = read_approval(tags), current_answer(tags, settings, now)
    if approval is None or answer is None:
        return (
            "it waits for no answer; a run asks when the version has passed the gate, and an "
            f"answer is possible for {settings['timeoutHours']:g} hours"
        )
    if answer == "ASKED":
        return None
    ending = "; a run asks again after the next training" if answer == "REFUSED" else ""
    return f"it was {answer.lower()} by {approval.by} at {approval.at.isoformat()}{ending}"

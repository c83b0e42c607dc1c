"""Finds the solution version that a person has named, and what has happened to versions."""

from __future__ import annotations

from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions import clock
from functions.personalize.campaigns import current_answer, read_approval
from functions.personalize.tags import BAD, tags_of
from functions.personalize.trainings import list_versions
from functions.words import list_text, time_text
from retrain.account.errors import OperatorError, code_of
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import ApprovalSettings, Tags
    from functions.report.model import Report
    from retrain.account.target import Target

SHOWN_VERSIONS = 5
"""The number of versions that an error message lists."""
ROLLED_BACK_SINCE = "rolled back since, so no run deploys it again"


def find_version(client: PersonalizeClient, solution_arns: Sequence[str], name: str) -> str:
    """Return the ARN of a version of these solutions.

    `name` is the ARN of the version, its short name like `movies/1a2b3c4d`, or its id alone.

    Raises OperatorError if no version has this name, or if several have it. The message lists the
    newest versions.
    """
    summaries = [summary for arn in solution_arns for summary in list_versions(client, arn)]
    summaries.sort(key=itemgetter("creationDateTime"), reverse=True)
    newest_first = [summary["solutionVersionArn"] for summary in summaries]
    found = [arn for arn in newest_first if name in (arn, short_name(arn), arn.rpartition("/")[2])]
    if len(found) == 1:
        return found[0]
    names = ", ".join(short_name(arn) for arn in (found or newest_first)[:SHOWN_VERSIONS])
    if found:
        raise OperatorError(f"{name!r} is the id of several versions; name one of {names}")
    solutions = list_text([short_name(arn) for arn in solution_arns])
    hint = f"the newest versions are {names}" if names else "there is no version yet"
    raise OperatorError(f"{name!r} is not a version of {solutions}; {hint}")


class VersionNotes:
    """What has happened to the versions of several runs since their reports.

    The reports have to be given newest first, because only the newest version of a solution takes
    an answer.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._newest: dict[str, str] = {}
        self._tags_of = cache(self._read_tags)

    def about(self, report: Report) -> dict[str, str]:
        """Return campaign ARN -> what has happened there to the version of the run, if anything."""
        notes: dict[str, str] = {}
        for solution in report["solutions"]:
            version = solution["solutionVersionArn"]
            if version is None or solution["reason"]:
                continue
            newest = self._newest.setdefault(solution["solutionArn"], version)
            for campaign in solution["campaigns"]:
                arn, outcome = campaign["campaignArn"], campaign["outcome"]
                if outcome == "DEPLOYED" and self._tags_of(arn).get(BAD) == version:
                    notes[arn] = ROLLED_BACK_SINCE
                if outcome == "AWAITING_APPROVAL":
                    notes[arn] = self._answer(solution["solutionArn"], version, newest)
        return notes

    def _answer(self, solution_arn: str, version: str, newest: str) -> str:
        """Return who has answered about a version, or what a person can do now."""
        rows = self._target.settings["solutions"]
        approvals = (row["approval"] for row in rows if row["solutionArn"] == solution_arn)
        settings = next(approvals, None)
        if settings is None:
            return "the solution needs no approval any more"
        tags = self._tags_of(version)
        asked = read_approval(tags)
        if (reason := answer_error(tags, settings, clock.now())) or asked is None:
            return reason or "nobody has asked"
        if version != newest:
            return "nobody has answered, and there is a newer version"
        until = time_text(asked.end(settings))
        approve, reject = (
            self._target.command("approve", *options, short_name(version))
            for options in ((), ("--reject",))
        )
        return f"waits for an answer until {until} UTC: `{approve}` or `{reject}`"

    def _read_tags(self, arn: str) -> Tags:
        """Return the tags of a version or a campaign. One that was deleted has none."""
        try:
            return tags_of(self._target.access.personalize, arn)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return {}


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

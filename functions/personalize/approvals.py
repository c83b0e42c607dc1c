"""Reads and builds the tag of a solution version that says whether its deployment was approved."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

from .tags import APPROVAL_TAG, parse_past_time

if TYPE_CHECKING:
    from ..contract import ApprovalSettings, Tags

ApprovalStatus = Literal["REQUESTED", "APPROVED", "REFUSED"]


class Approval(NamedTuple):
    """A version's approval tag: a run's request for approval, or a person's answer to it."""

    status: ApprovalStatus
    changed_at: datetime
    """When the approval was requested, or when it was answered."""
    answered_by: str = ""
    """The ARN of the person or role that answered. Empty for a request."""

    def expires_at(self, settings: ApprovalSettings) -> datetime:
        """Return when a request expires. An answer doesn't."""
        return self.changed_at + timedelta(hours=settings["timeoutHours"])


def parse_approval(tags: Tags) -> Approval | None:
    """Parse a version's approval tag, or return None if it's missing or invalid.

    People can edit tags, so an invalid one isn't an error.
    """
    # The tag is `<status> <time>`, followed by ` <ARN of the person>` in an answer.
    status, _, time_and_person = tags.get(APPROVAL_TAG, "").partition(" ")
    time, _, person_arn = time_and_person.partition(" ")

    changed_at = parse_past_time(time)
    if changed_at is None or status not in get_args(ApprovalStatus):
        return None

    valid_status = cast("ApprovalStatus", status)
    return Approval(status=valid_status, changed_at=changed_at, answered_by=person_arn)


def build_approval_tags(status: ApprovalStatus, now: datetime, answered_by: str = "") -> Tags:
    """Build the tag that stores a request for approval, or the answer to one."""
    return {APPROVAL_TAG: f"{status} {now.isoformat(timespec='seconds')} {answered_by}".rstrip()}


def find_approval_status(
    tags: Tags, settings: ApprovalSettings | None, now: datetime
) -> ApprovalStatus | None:
    """Return the status of a version's approval, or None if nobody has requested it.

    A request that has expired counts as none, so that the next run requests approval again. Without
    `settings`, requests don't expire.
    """
    approval = parse_approval(tags)
    if approval is None:
        return None

    is_request = approval.status == "REQUESTED"
    if is_request and settings is not None and now > approval.expires_at(settings):
        return None
    return approval.status

"""Reads and builds the tag of a version with the answer of a person.

A run that asks writes the time on the version. The answer replaces it, so no execution waits for
it, and it survives the stack. `retrain approve` and `retrain reject` write it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from .tags import APPROVAL

if TYPE_CHECKING:
    from ..workflow_settings import ApprovalSettings, Tags

Answer = Literal["ASKED", "APPROVED", "REFUSED"]


class Approval(NamedTuple):
    """What the tag of a version says."""

    answer: Answer
    at: datetime
    by: str = ""
    """The ARN of the person or role that has answered."""

    def end(self, settings: ApprovalSettings) -> datetime:
        """Return until when a person can answer a request."""
        return self.at + timedelta(hours=settings["timeoutHours"])


def read_approval(tags: Tags) -> Approval | None:
    """Return what the tags of a version say about its approval, or None.

    A person may have edited the tag, so a value that this program cannot have written counts as
    missing.
    """
    answer, at, by, *_ = [*tags.get(APPROVAL, "").split(" ", 2), "", "", ""]
    known = next((word for word in get_args(Answer) if word == answer), None)
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        return None
    return Approval(known, time, by) if known and time.tzinfo else None


def approval_tags(answer: Answer, now: datetime, by: str = "") -> Tags:
    """Return the tag that says that a run asks now, or what a person has answered now."""
    return {APPROVAL: f"{answer} {now.isoformat(timespec='seconds')} {by}".rstrip()}


def answer_about(tags: Tags, settings: ApprovalSettings | None, now: datetime) -> Answer | None:
    """Return the answer about a version. A request whose time is over counts as no request."""
    approval = read_approval(tags)
    if approval is None:
        return None
    is_over = approval.answer == "ASKED" and settings is not None and now > approval.end(settings)
    return None if is_over else approval.answer

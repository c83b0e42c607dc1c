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

CLOCKS_DIFFER = timedelta(minutes=5)
"""A time that is further in the future than this was not written by a run."""
Answer = Literal["ASKED", "APPROVED", "REFUSED"]


class Approval(NamedTuple):
    """What the tag of a version says."""

    answer: Answer
    at: datetime
    by: str = ""
    """The ARN of the person or role that has answered."""


def read_approval(tags: Tags, now: datetime) -> Approval | None:
    """Return what the tags of a version say about its approval, or None.

    A person may have edited the tag, so a value that this program cannot have written counts as
    missing, and so does a request in the future.
    """
    answer, at, by, *_ = [*tags.get(APPROVAL, "").split(" ", 2), "", "", ""]
    known = next((word for word in get_args(Answer) if word == answer), None)
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        return None
    if known is None or time.tzinfo is None or (known == "ASKED" and time > now + CLOCKS_DIFFER):
        return None
    return Approval(known, time, by)


def approval_tags(answer: Answer, now: datetime, by: str = "") -> Tags:
    """Return the tag that says that a run asks now, or what a person has answered now."""
    return {APPROVAL: f"{answer} {now.isoformat(timespec='seconds')} {by}".rstrip()}


def answer_about(tags: Tags, settings: ApprovalSettings | None, now: datetime) -> Answer | None:
    """Return the answer about a version. A request whose time is over counts as no request."""
    approval = read_approval(tags, now)
    if approval is None:
        return None
    is_over = settings is not None and now > end_of_request(approval, settings)
    return None if approval.answer == "ASKED" and is_over else approval.answer


def answer_error(tags: Tags, settings: ApprovalSettings, now: datetime) -> str | None:
    """Return why nobody can answer about a version now, or None if it waits for an answer."""
    approval = read_approval(tags, now)
    if approval is None:
        return "no run has asked for an approval; a run asks when the version has passed the gate"
    if approval.answer == "ASKED":
        end = end_of_request(approval, settings)
        if now <= end:
            return None
        return f"an answer was possible until {end.isoformat()}; the next run asks again"
    ending = "; a run asks again after the next training" if approval.answer == "REFUSED" else ""
    return f"it was {approval.answer.lower()} by {approval.by} at {approval.at.isoformat()}{ending}"


def advice_about_newer(tags: Tags, now: datetime) -> str:
    """Return what to do about a version if there is a newer version with these tags.

    The newer version may not have passed the gate, or may be refused. Then it takes no answer.
    """
    approval = read_approval(tags, now)
    if approval and approval.answer == "ASKED":
        return "answer about the newer version instead"
    return "the newer version takes no answer now, and a later run asks about the newest version"


def end_of_request(approval: Approval, settings: ApprovalSettings) -> datetime:
    """Return until when a person can answer a request."""
    return approval.at + timedelta(hours=settings["timeoutHours"])

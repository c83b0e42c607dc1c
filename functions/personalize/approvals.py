"""Reads and writes the answers of people about versions that need an approval.

A run that asks writes the time on the version. The answer is a tag of the version as well, so no
execution waits for it, and it survives the stack. `retrain approve` and `retrain reject` write it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from .. import clock
from .tags import APPROVED_AT, APPROVED_BY, ASKED, REFUSED_BY, tags_of, write_tags

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..workflow_settings import ApprovalSettings, Tags

Answer = Literal["APPROVED", "REFUSED", "NONE"]


class ApprovalVerdict(NamedTuple):
    """What the answer about a version means for its campaigns."""

    verdict: Literal["ACCEPTED", "AWAITING_APPROVAL", "REJECTED"]
    reasons: list[str]
    """Why the version is not accepted."""


def answer_about(tags: Tags, approval: ApprovalSettings) -> Answer:
    """Return the answer about a version. An approval that came too late is no answer.

    An approval that is older than the last request is not about this request. A refusal holds for
    ever.
    """
    if REFUSED_BY in tags:
        return "REFUSED"
    asked_at, approved_at = _time_of(tags, ASKED), _time_of(tags, APPROVED_AT)
    if asked_at is None or approved_at is None or APPROVED_BY not in tags:
        return "NONE"
    in_time = asked_at <= approved_at <= asked_at + _timeout(approval)
    return "APPROVED" if in_time else "NONE"


def answer_error(tags: Tags, approval: ApprovalSettings, now: datetime) -> str | None:
    """Return why nobody can answer about a version now, or None if it waits for an answer."""
    if REFUSED_BY in tags:
        return f"it was refused by {tags[REFUSED_BY]}; a run asks again after the next training"
    asked_at = _time_of(tags, ASKED)
    if asked_at is None:
        return "no run has asked for an approval; a run asks when the version has passed the gate"
    if answer_about(tags, approval) == "APPROVED":
        return f"it was approved by {tags[APPROVED_BY]} at {tags[APPROVED_AT]}"
    if now > asked_at + _timeout(approval):
        return (
            f"an answer was possible until {_shown(asked_at + _timeout(approval))}; the next run "
            "asks again"
        )
    return None


def approval_verdict(
    client: PersonalizeClient, version_arn: str, approval: ApprovalSettings
) -> ApprovalVerdict:
    """Return whether a person has approved a version that has passed the gate.

    If there is no answer, a tag of the version says that a run has asked now.
    """
    tags = tags_of(client, version_arn)
    match answer_about(tags, approval):
        case "APPROVED":
            return ApprovalVerdict("ACCEPTED", [])
        case "REFUSED":
            return ApprovalVerdict("REJECTED", [f"{tags[REFUSED_BY]} has refused {version_arn}"])
        case _:
            now = clock.now()
            write_tags(client, version_arn, {ASKED: _shown(now)})
            reason = (
                f"{version_arn} waits for an approval until {_shown(now + _timeout(approval))}; "
                "answer with retrain approve or retrain reject"
            )
            return ApprovalVerdict("AWAITING_APPROVAL", [reason])


def advice_about_newer(tags: Tags) -> str:
    """Return what to do about a version if there is a newer version with these tags.

    The newer version may not have passed the gate, or may be refused. Then it takes no answer.
    """
    if ASKED in tags and REFUSED_BY not in tags:
        return "answer about the newer version instead"
    return "the newer version takes no answer now, and a later run asks about the newest version"


def is_refused(tags: Tags) -> bool:
    """Return True if a person has refused the version with these tags."""
    return REFUSED_BY in tags


def _timeout(approval: ApprovalSettings) -> timedelta:
    return timedelta(hours=approval["timeoutHours"])


def _time_of(tags: Tags, key: str) -> datetime | None:
    """Return the time in a tag, or None if there is none. A person may have edited the tag."""
    try:
        time = datetime.fromisoformat(tags.get(key, ""))
    except ValueError:
        return None
    return time if time.tzinfo else None


def _shown(time: datetime) -> str:
    """Return a time in the form of the tags, which people also read in messages."""
    return time.isoformat(timespec="seconds")

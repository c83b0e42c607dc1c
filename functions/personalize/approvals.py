"""Reads and writes the answers of people about versions that need an approval.

A run that asks writes the time on the version. The answer is a tag of the version as well, so no
execution waits for it, and it survives the stack. `retrain approve` and `retrain reject` write it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from .. import clock
from .tags import APPROVED_AT, APPROVED_BY, ASKED, REFUSED_AT, REFUSED_BY, tags_of, write_tags

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..workflow_settings import ApprovalSettings, Tags

CLOCKS_DIFFER = timedelta(minutes=5)
"""A time in a tag that is further in the future than this does not count."""
Answer = Literal["APPROVED", "REFUSED", "NONE"]


class ApprovalVerdict(NamedTuple):
    """What the answer about a version means for its campaigns."""

    verdict: Literal["ACCEPTED", "AWAITING_APPROVAL", "REJECTED"]
    reasons: list[str]
    """Why the version is not accepted."""


def answer_about(tags: Tags, approval: ApprovalSettings, now: datetime) -> Answer:
    """Return the answer about a version. An approval that came too late is no answer.

    An approval that is older than the last request is not about this request. A time in the future
    does not count. A refusal holds for ever.
    """
    if REFUSED_BY in tags:
        return "REFUSED"
    asked_at, approved_at = _past_time(tags, ASKED, now), _past_time(tags, APPROVED_AT, now)
    if asked_at is None or approved_at is None or APPROVED_BY not in tags:
        return "NONE"
    in_time = asked_at <= approved_at <= asked_at + _timeout(approval)
    return "APPROVED" if in_time else "NONE"


def answer_error(tags: Tags, approval: ApprovalSettings, now: datetime) -> str | None:
    """Return why nobody can answer about a version now, or None if it waits for an answer."""
    if REFUSED_BY in tags:
        at = f" at {tags[REFUSED_AT]}" if REFUSED_AT in tags else ""
        return f"it was refused by {tags[REFUSED_BY]}{at}; a run asks again after the next training"
    asked_at = _past_time(tags, ASKED, now)
    if asked_at is None and (message := _future_message(tags, ASKED, now)):
        return f"{message}; the next run asks again"
    if asked_at is None:
        return "no run has asked for an approval; a run asks when the version has passed the gate"
    if answer_about(tags, approval, now) == "APPROVED":
        return f"it was approved by {tags[APPROVED_BY]} at {tags[APPROVED_AT]}"
    if now > asked_at + _timeout(approval):
        return (
            f"an answer was possible until {_shown(asked_at + _timeout(approval))}; the next run "
            "asks again"
        )
    return None


def reason_not_approved(tags: Tags, approval: ApprovalSettings, now: datetime) -> str:
    """Return why a version is not approved."""
    return (
        answer_error(tags, approval, now)
        or _future_message(tags, APPROVED_AT, now)
        or "it waits for an answer"
    )


def approval_verdict(
    client: PersonalizeClient, version_arn: str, approval: ApprovalSettings
) -> ApprovalVerdict:
    """Return whether a person has approved a version that has passed the gate.

    If there is no answer, a tag of the version says that a run has asked now.
    """
    tags, now = tags_of(client, version_arn), clock.now()
    match answer_about(tags, approval, now):
        case "APPROVED":
            return ApprovalVerdict("ACCEPTED", [])
        case "REFUSED":
            return ApprovalVerdict("REJECTED", [f"{tags[REFUSED_BY]} has refused {version_arn}"])
        case _:
            write_tags(client, version_arn, {ASKED: _shown(now)})
            reason = f"{version_arn} waits for an approval until {_shown(now + _timeout(approval))}"
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


def _past_time(tags: Tags, key: str, now: datetime) -> datetime | None:
    """Return the time in a tag, or None if there is none or if it is in the future."""
    time = _time_of(tags, key)
    return time if time and time <= now + CLOCKS_DIFFER else None


def _future_message(tags: Tags, key: str, now: datetime) -> str | None:
    """Return a message about a tag with a time in the future, or None."""
    time = _time_of(tags, key)
    if time is None or time <= now + CLOCKS_DIFFER:
        return None
    return (
        f"the tag {key} has the time {tags[key]}, which is in the future, so it does not count; "
        "check the clock of the machine that wrote it"
    )


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

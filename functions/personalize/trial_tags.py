"""Reads and builds the tags of a campaign that say which version is on trial and which is good.

A version is on trial from before it is deployed until it has answered its probe or the campaign has
been rolled back. So a run that ends in between leaves the version on trial, and the next run
finishes the trial. A trial ends with one request, which writes the result as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .. import clock
from .tags import GOOD, PREVIOUS, TRIAL, VERDICT
from .versions import is_latest

if TYPE_CHECKING:
    from ..workflow_settings import Tags

ENDED = "ended"
"""The value of the tag `retraining-trial` without a version on trial begins with this word."""
NONE = "none"
"""The value of a tag that says nothing yet. It keeps a place free among the tags of the campaign,
which can be at most 50, so that a trial can always be ended."""
CLOCKS_DIFFER = timedelta(minutes=10)
"""A time that is further in the future than this was not written by a run."""


class Trial(NamedTuple):
    """A version that is on trial on a campaign."""

    version_arn: str
    began_at: datetime


class _TrialTag(NamedTuple):
    """What the tag `retraining-trial` says. A part that the tag does not name is None."""

    trial: Trial | None
    rolled_back_at: str | None


class TrialTags(NamedTuple):
    """What the tags of a campaign say about its versions."""

    trial: Trial | None
    rolled_back_at: str | None
    """The creation time of the campaign's last rollback. If its latest update was created then, no
    person has moved the campaign since."""
    good: str | None
    previous: str | None
    verdict: str
    """The value of the tag `retraining-verdict` (`verdicts.py`)."""
    warnings: list[str]
    """Messages about values that no run has written. Each of them counts as missing."""


def read_trial_tags(tags: Tags, solution_arn: str) -> TrialTags:
    """Return what the tags of a campaign of this solution say about its versions."""
    values = {key: tags.get(key, NONE) for key in (TRIAL, GOOD, PREVIOUS)}
    good, previous = (_version(values[key], solution_arn) for key in (GOOD, PREVIOUS))
    trial, rolled_back_at = _read_trial_tag(values[TRIAL], solution_arn)
    missing = {
        TRIAL: trial is None and values[TRIAL] not in (NONE, ended_value(rolled_back_at)),
        GOOD: good is None and values[GOOD] != NONE,
        PREVIOUS: previous is None and values[PREVIOUS] != NONE,
    }
    warnings = [
        f"the tag {key} has the value {values[key][:60]!r}, which no run has written, so it is "
        "ignored; remove the tag"
        for key, is_missing in missing.items()
        if is_missing
    ]
    verdict = tags.get(VERDICT, NONE)
    return TrialTags(trial, rolled_back_at, good, previous, verdict, warnings)


def tags_at_begin(trial: Trial, good: str | None, tags: TrialTags) -> Tags:
    """Return the tags that put a version on trial. `tags` are the present tags of the campaign.

    Every tag that is needed to end the trial is written, because a person may add tags meanwhile.
    """
    words = [trial.version_arn, trial.began_at.isoformat(), *_optional(tags.rolled_back_at)]
    return {
        TRIAL: " ".join(words),
        GOOD: good or NONE,
        PREVIOUS: tags.previous or NONE,
        VERDICT: tags.verdict,
    }


def ended_value(rolled_back_at: str | None) -> str:
    """Return the value of the tag `retraining-trial` of a campaign without a version on trial."""
    return " ".join([ENDED, *_optional(rolled_back_at)])


def _read_trial_tag(value: str, solution_arn: str) -> _TrialTag:
    """Return what the value of the tag `retraining-trial` says.

    Nothing is returned of a value that no run has written.
    """
    match value.split(" "):
        case ["ended", rolled_back_at] if _is_past(rolled_back_at):
            return _TrialTag(None, rolled_back_at)
        case [version_arn, began_at, *rest] if (
            _version(version_arn, solution_arn)
            and _is_past(began_at)
            and (not rest or (len(rest) == 1 and _is_past(rest[0])))
        ):
            trial = Trial(version_arn, datetime.fromisoformat(began_at))
            return _TrialTag(trial, rest[0] if rest else None)
    return _TrialTag(None, None)


def _is_past(text: str) -> bool:
    """Return True if the text is a time with a zone that is not in the future."""
    try:
        return datetime.fromisoformat(text) <= clock.now() + CLOCKS_DIFFER
    except (ValueError, TypeError):
        return False


def _version(arn: str, solution_arn: str) -> str | None:
    """Return the ARN if it names a version of the solution, else None."""
    is_version = arn.startswith(f"{solution_arn}/") and not is_latest(arn)
    return arn if is_version else None


def _optional(value: str | None) -> list[str]:
    return [value] if value else []

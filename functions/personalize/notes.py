"""Reads and builds the tags of a campaign that say which version is on trial, good or bad.

A person may have edited the tags, so a value that no run can have written counts as missing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ..rules.deployments import Notes, Trial
from .tags import BAD, GOOD, PREVIOUS, TRIAL

if TYPE_CHECKING:
    from ..workflow_settings import Tags

NONE = "-"
"""The value of a tag that says nothing. All tags are written together, because a resource can have
at most 50 tags, and a trial has to be ended even if a person has added tags meanwhile."""
LATEST = "/$LATEST"
"""The end of what a campaign with syncWithLatestSolutionVersion may show instead of a version."""


def read_notes(tags: Tags, solution_arn: str) -> Notes:
    """Return what the tags of a campaign of this solution say about its versions."""
    good, previous, bad = (
        _version(tags.get(key, NONE), solution_arn) for key in (GOOD, PREVIOUS, BAD)
    )
    return Notes(_trial(tags.get(TRIAL, NONE), solution_arn), good, previous, bad)


def tags_of_notes(notes: Notes) -> Tags:
    """Return the tags of a campaign that say this about its versions."""
    trial = notes.trial
    return {
        TRIAL: f"{trial.version} {trial.at.isoformat()}" if trial else NONE,
        GOOD: notes.good or NONE,
        PREVIOUS: notes.previous or NONE,
        BAD: notes.bad or NONE,
    }


def _trial(value: str, solution_arn: str) -> Trial | None:
    """Return the trial that a tag names, or None."""
    arn, _, written_at = value.partition(" ")
    try:
        at = datetime.fromisoformat(written_at)
    except ValueError:
        return None
    return Trial(arn, at) if _version(arn, solution_arn) and at.tzinfo else None


def _version(arn: str, solution_arn: str) -> str | None:
    """Return the ARN if it names a version of the solution, else None."""
    is_version = arn.startswith(f"{solution_arn}/") and not arn.endswith(LATEST)
    return arn if is_version else None

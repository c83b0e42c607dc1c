"""Writes on campaigns, solutions and datasets when a run has found them up to date.

The alarm about the age of a model counts from this time if the model is older, because a model that
has learned the newest data is not outdated.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .. import clock
from ..errors import ServiceUnavailable, Throttled
from ..personalize.campaigns import live_version
from ..personalize.tags import CHECKED, write_tags
from .campaign_guards import MAX_TAGS, TRIAL_TAGS
from .news import needs_training, up_to_date_version
from .planned_imports import is_held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_personalize import PersonalizeClient

    from .situation import Situation

LONGEST_WRITING = timedelta(seconds=30)
"""No more tags are written after this time, so that the function ends before its timeout."""
PARTIAL_KEYS = ("skipImport", "datasets", "exportDate", "only")
"""The keys of a request with which a run does not look at the present export of each dataset."""


def write_checks(client: PersonalizeClient, situation: Situation) -> list[str]:
    """Write the present time on each resource that the run has found up to date.

    Return a warning for each tag that could not be written. Nothing else depends on these tags.

    Args:
        client: a client that repeats a request. A tag may be written twice.
        situation: the situation from which the run was planned.
    """
    end = clock.now() + LONGEST_WRITING
    checked_at = situation.world.now.isoformat(timespec="seconds")
    warnings = []
    for arn in found_up_to_date(situation):
        reason = "there is no time left" if clock.now() >= end else _lack_of_room(situation, arn)
        if reason is None:
            reason = _write_tag(client, arn, checked_at)
        if reason is not None:
            warnings.append(
                f"{arn}: was found up to date, but the tag {CHECKED} cannot be written: {reason}; "
                "until a run writes it, the alarm about the age may ring"
            )
    return warnings


def found_up_to_date(situation: Situation) -> Iterator[str]:
    """Yield the ARNs of the datasets, campaigns and solutions that the run has found up to date.

    - A dataset is up to date if it holds its present export.
    - A campaign is up to date if it serves the version that has learned the present data.
    - A solution without campaigns is up to date if it has such a version.

    A run that does not look at the present export of each dataset finds only datasets up to date.
    """
    if "exportDate" not in situation.run["request"]:
        for dataset in situation.datasets:
            if is_held(situation.with_dataset(dataset)):
                yield dataset["datasetArn"]
    if not any(key in situation.run["request"] for key in PARTIAL_KEYS):
        for solution in situation.solutions:
            yield from _up_to_date_in_solution(situation.with_solution(solution))


def _lack_of_room(situation: Situation, arn: str) -> str | None:
    """Return a message if the tag would take the place that a trial of the campaign needs.

    Return None for a campaign with enough room, and for any other resource.
    """
    tags = situation.world.campaign_tags.get(arn, {})
    count = len({*tags, *TRIAL_TAGS, CHECKED})
    if arn not in situation.world.campaigns or CHECKED in tags or count <= MAX_TAGS:
        return None
    return f"the campaign has {len(tags)} tags, and a trial needs the rest of the 50; remove a tag"


def _write_tag(client: PersonalizeClient, arn: str, checked_at: str) -> str | None:
    """Write the tag on a resource, or return the error."""
    try:
        write_tags(client, arn, {CHECKED: checked_at})
    except client.exceptions.TooManyTagsException:
        return "the resource already has 50 tags; remove a tag"
    except (ClientError, ServiceUnavailable, Throttled) as error:
        return str(error)
    return None


def _up_to_date_in_solution(situation: Situation) -> Iterator[str]:
    """Yield the ARNs of the campaigns that serve the version which has learned the present data.

    Without campaigns, yield the ARN of the solution if it has this version.
    """
    version = up_to_date_version(situation)
    if version is None or not version.is_active or needs_training(situation):
        return
    campaigns = situation.solution["campaigns"]
    if not campaigns:
        yield situation.solution["solutionArn"]
    for campaign in campaigns:
        arn = campaign["campaignArn"]
        if live_version(situation.world.campaigns[arn]) == version.arn:
            yield arn

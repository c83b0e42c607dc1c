"""Counts how often runs have trained a solution within a month."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from .. import clock
from ..personalize.ownership import created_by_any_run
from ..personalize.statuses import is_failed
from ..personalize.tags import tags_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import SolutionVersionSummaryTypeDef

MONTH = timedelta(days=30)


def count_trainings_of_month(
    client: PersonalizeClient, versions: Sequence[SolutionVersionSummaryTypeDef], limit: int
) -> int:
    """Return the number of trainings within 30 days that runs started and that did not fail.

    Tags are read only if there are so many versions that the limit may be reached.

    Args:
        client: a client for reads.
        versions: the versions of the solution, newest first.
        limit: the most trainings within 30 days, or 0 for no limit.
    """
    start = clock.now() - MONTH
    recent = [
        version["solutionVersionArn"]
        for version in versions
        if version["creationDateTime"] > start and not is_failed(version["status"])
    ]
    if not limit or len(recent) < limit:
        return 0
    return sum(created_by_any_run(tags_of(client, arn)) for arn in recent[: 2 * limit])

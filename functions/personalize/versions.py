"""Lists and describes solution versions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import ServiceUnavailable
from ..executions import scheduled_at
from .lists import PAGE_SIZE, read_pages
from .statuses import is_running
from .tags import RUN, tags_of

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..contract import Run
    from ..workflow_settings import Settings

    Version = SolutionVersionTypeDef | SolutionVersionSummaryTypeDef


def versions(client: PersonalizeClient, solution_arn: str) -> list[SolutionVersionSummaryTypeDef]:
    """Return the versions of a solution, newest first.

    Raises:
        ServiceUnavailable: the list was not read to its end in time.
    """
    pages = client.get_paginator("list_solution_versions").paginate(
        solutionArn=solution_arn, PaginationConfig=PAGE_SIZE
    )
    listed = read_pages(pages, lambda page: page["solutionVersions"])
    if not listed.is_complete:
        raise ServiceUnavailable(f"the list of the versions of {solution_arn} is too slow")
    return sorted(listed.items, key=lambda summary: summary["creationDateTime"], reverse=True)


def describe_version(client: PersonalizeClient, arn: str) -> SolutionVersionTypeDef:
    """Return a solution version as DescribeSolutionVersion shows it."""
    return client.describe_solution_version(solutionVersionArn=arn)["solutionVersion"]


def training_mode_of(version: Version) -> str:
    """Return FULL, UPDATE or AUTOTRAIN. A version from before there were modes was FULL."""
    return version.get("trainingMode", "FULL")


def version_created_at(client: PersonalizeClient, version_arn: str) -> datetime:
    """Return the creation time of a version."""
    return describe_version(client, version_arn)["creationDateTime"]


def versions_of_run(
    client: PersonalizeClient, settings: Settings, run: Run, created_before: datetime
) -> list[SolutionVersionTypeDef]:
    """Return the versions that a run has trained and that were created before a time.

    The time excludes the versions that a later execution of the run has started. A version from
    before the run began is returned only if it is in training: an earlier execution of the run may
    have started it.
    """
    began_at = run_began_at(run)
    arns = []
    for solution in settings["solutions"]:
        for summary in versions(client, solution["solutionArn"]):
            created_at = summary["creationDateTime"]
            is_too_new = created_at >= created_before
            is_too_old = created_at < began_at and not is_running(summary["status"])
            if not is_too_new and not is_too_old:
                arns.append(summary["solutionVersionArn"])
    return [describe_version(client, arn) for arn in arns if _was_trained_by(client, arn, run)]


def _was_trained_by(client: PersonalizeClient, arn: str, run: Run) -> bool:
    """Return True if the run has trained the version."""
    return tags_of(client, arn).get(RUN) == run["id"]


def run_began_at(run: Run) -> datetime:
    """Return the earlier of the scheduled time of the run and the start of its execution.

    An earlier execution may have run for the same scheduled time.
    """
    started_at = datetime.fromisoformat(run["startedAt"])
    return min(started_at, scheduled_at(run["request"]) or started_at)

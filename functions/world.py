"""Everything that planning needs to know, read once; no decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from . import clock
from .personalize import import_jobs, versions
from .requests import scheduled_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        DatasetImportJobSummaryTypeDef,
        SolutionTypeDef,
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from .documents import Request, Run, Settings

RESUMABLE = 10
"""How many of a solution's newest versions are described: a list shows no names."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The state of the service when the run was planned; lists are newest first."""

    now: datetime
    schedule_changed_at: datetime | None
    """When the schedule that started this run was created or last changed."""
    import_jobs: Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]]
    """Dataset ARN -> its import jobs."""
    solutions: Mapping[str, SolutionTypeDef]
    versions: Mapping[str, Sequence[SolutionVersionSummaryTypeDef]]
    """Solution ARN -> its versions."""
    campaigns: Mapping[str, CampaignTypeDef]
    named_versions: Mapping[str, SolutionVersionTypeDef]
    """Name -> version: those that a run without import, or a resumed one, may find waiting."""


def read(client: PersonalizeClient, settings: Settings, run: Run) -> World:
    """Read the world; any resource that the settings name and that does not exist is an error."""
    solution_arns = [each["solutionArn"] for each in settings["solutions"]]
    all_versions = {arn: versions(client, arn) for arn in solution_arns}
    return World(
        now=clock.now(),
        schedule_changed_at=_schedule_changed_at(run["request"]),
        import_jobs={
            each["datasetArn"]: import_jobs(client, each["datasetArn"])
            for each in settings["datasets"]
        },
        solutions={
            arn: client.describe_solution(solutionArn=arn)["solution"] for arn in solution_arns
        },
        versions=all_versions,
        campaigns={
            each["campaignArn"]: client.describe_campaign(campaignArn=each["campaignArn"])[
                "campaign"
            ]
            for solution in settings["solutions"]
            for each in solution["campaigns"]
        },
        named_versions=_named(client, all_versions)
        if "resume" in run["request"] or run["request"].get("skipImport")
        else {},
    )


def _schedule_changed_at(request: Request) -> datetime | None:
    arn = request.get("scheduleArn")
    if not arn or scheduled_at(request) is None:
        return None
    group, name = arn.split("/")[1:]
    schedule = boto3.client("scheduler").get_schedule(GroupName=group, Name=name)
    return max(schedule["CreationDate"], schedule["LastModificationDate"])


def _named(
    client: PersonalizeClient, all_versions: Mapping[str, Sequence[SolutionVersionSummaryTypeDef]]
) -> dict[str, SolutionVersionTypeDef]:
    """Describe the newest versions; of two with one name, the newer counts."""
    described = [
        client.describe_solution_version(solutionVersionArn=each["solutionVersionArn"])
        for summaries in all_versions.values()
        for each in summaries[:RESUMABLE]
    ]
    named: dict[str, SolutionVersionTypeDef] = {}
    for version in (each["solutionVersion"] for each in described):
        if "name" in version:
            named.setdefault(version["name"], version)
    return named

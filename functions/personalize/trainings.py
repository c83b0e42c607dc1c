"""Reads solutions and their versions as the facts that the rules need."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from .. import clock
from ..executions import short_hash
from ..rules import trainings as rules
from ..rules.trainings import MONTH, Deletion, SeenSolution, Training, WantedTraining
from .lists import PAGE_SIZE, read_list
from .statuses import ACTIVE, is_active, is_running, is_stopped, is_stopping
from .tags import DIGEST, RUN, tags_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        SolutionTypeDef,
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..contract import Run, Settings, Tags
    from ..rules.imports import Import

    Version = SolutionVersionTypeDef | SolutionVersionSummaryTypeDef

MAX_OLDER = 60
"""The most versions from before the last month whose tags are read."""
CONFIG_DIGITS = 8
CONFIG_KEYS = ("recipeArn", "performHPO", "performAutoML", "eventType")
"""The fields of a solution that affect a training, besides `solutionConfig`."""


def list_versions(
    client: PersonalizeClient, solution_arn: str
) -> list[SolutionVersionSummaryTypeDef]:
    """Return the versions of a solution, newest first. The list may be 90 seconds old."""
    pages = client.get_paginator("list_solution_versions").paginate(
        solutionArn=solution_arn, PaginationConfig=PAGE_SIZE
    )
    listed = read_list(pages, lambda page: page["solutionVersions"])
    return sorted(listed, key=lambda summary: summary["creationDateTime"], reverse=True)


def describe_version(client: PersonalizeClient, arn: str) -> SolutionVersionTypeDef:
    """Return a solution version as DescribeSolutionVersion shows it."""
    return client.describe_solution_version(solutionVersionArn=arn)["solutionVersion"]


class SolutionReader:
    """Reads solutions and their versions.

    The tags of a version are read once, because the rules use only tags from its creation.
    """

    def __init__(self, client: PersonalizeClient) -> None:
        self._client = client
        self._tags: dict[str, Tags] = {}

    def solution(
        self,
        solution: SolutionTypeDef,
        imports: Sequence[Import],
        deletions: Sequence[Deletion] = (),
    ) -> SeenSolution:
        """Return a solution with its versions.

        A list may be old, so a running training is also described, if Personalize can do so yet.
        Tags are read only where the rules need them: of versions from the last month, and until the
        newest ACTIVE version of a run is found, but not of many older ones, because Personalize may
        have trained hundreds by itself. `imports` and `deletions` are those of its group.
        """
        trainings: list[Training] = []
        older = 0
        for summary in list_versions(self._client, solution["solutionArn"]):
            version: Version = summary
            if is_running(summary["status"]):
                with suppress(self._client.exceptions.ResourceNotFoundException):
                    version = describe_version(self._client, summary["solutionVersionArn"])
            is_recent = version["creationDateTime"] > clock.now() - MONTH
            older += not is_recent
            is_searched = older <= MAX_OLDER and rules.newest_active(trainings) is None
            with_tags = is_recent or is_searched
            trainings.append(self._training(version, with_tags=with_tags))
        latest_update = solution.get("latestSolutionUpdate", {})
        return SeenSolution(
            config=config_digest(solution),
            is_being_updated=is_running(latest_update.get("status", ACTIVE)),
            imports=imports,
            deletions=deletions,
            trainings=trainings,
        )

    def training(self, version_arn: str) -> Training:
        """Return a version as DescribeSolutionVersion shows it, with its tags."""
        return self._training(describe_version(self._client, version_arn))

    def _training(self, version: Version, *, with_tags: bool = True) -> Training:
        arn, status = version["solutionVersionArn"], version["status"]
        if with_tags and arn not in self._tags:
            self._tags[arn] = tags_of(self._client, arn)
        tags = self._tags.get(arn, {})
        return Training(
            arn=arn,
            is_running=is_running(status),
            is_active=is_active(status),
            created_at=version["creationDateTime"],
            ended_at=version["lastUpdatedDateTime"],
            run=tags.get(RUN),
            digest=tags.get(DIGEST),
            was_stopped=is_stopped(status),
            is_stopping=is_stopping(status),
            failure=version.get("failureReason"),
            mode=version.get("trainingMode", "FULL"),
            hours=cast("float | None", version.get("trainingHours")),
        )


def config_digest(solution: SolutionTypeDef) -> str:
    """Return a hash of the recipe and the configuration of a solution."""
    config: dict[str, object] = {**solution.get("solutionConfig", {})}
    config.pop("autoTrainingConfig", None)
    values = {**{key: solution.get(key) for key in CONFIG_KEYS}, "solutionConfig": config}
    values_in_use = {key: value for key, value in values.items() if value}
    return short_hash(json.dumps(values_in_use, sort_keys=True, default=str), CONFIG_DIGITS)


def wanted_training(
    settings: Settings,
    run: Run,
    requested_since: datetime | None = None,
    version: str | None = None,
    durations: Sequence[int] = (),
) -> WantedTraining:
    """Return what a run wants to do with a solution. `force` switches the monthly limit off."""
    limits, request = settings["limits"], run["request"]
    return WantedTraining(
        run=run["id"],
        datasets={
            dataset["datasetArn"]: dataset["importMode"] == "FULL"
            for dataset in settings["datasets"]
        },
        accepts_foreign=request.get("skipImport", False),
        version=version,
        requested_since=requested_since,
        max_per_month=0 if request.get("force") else limits["maxTrainingsPerMonth"],
        durations=durations,
        max_hours=limits["maxTrainingHours"],
    )


def stop_training(client: PersonalizeClient, version_arn: str) -> None:
    """Ask Personalize to stop a training.

    The training may end just before the request arrives. So the errors for a training that has
    ended or is stopping are ignored.
    """
    errors = client.exceptions
    with suppress(errors.InvalidInputException, errors.ResourceInUseException):
        client.stop_solution_version_creation(solutionVersionArn=version_arn)

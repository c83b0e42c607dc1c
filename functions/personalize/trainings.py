"""Reads solution versions, and trains a solution: looks, does what the rules decide."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, cast

from .. import aws, clock
from ..executions import scheduled_at, short_hash
from ..reconcile import from_document, reconcile
from ..rules import trainings as rules
from ..rules.trainings import (
    MONTH,
    Create,
    Memory,
    SeenSolution,
    Stop,
    Training,
    WantedTraining,
)
from .imports import ImportReader, creation
from .lists import PAGE_SIZE, read_list
from .statuses import is_active, is_running, is_stopped, is_stopping
from .tags import DIGEST, RUN, api_tags, tags_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        SolutionTypeDef,
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..contract import Run, SolutionIteration, TrainingItem
    from ..rules.imports import Import
    from ..rules.steps import Action
    from ..workflow_settings import Settings, Tags

    Version = SolutionVersionTypeDef | SolutionVersionSummaryTypeDef

CONFIG_DIGITS = 8
CONFIG_KEYS = ("recipeArn", "performHPO", "performAutoML", "eventType")
"""The fields of a solution that decide how a version is trained, besides `solutionConfig`. Names,
dates and automatic training make no difference."""


def versions(client: PersonalizeClient, solution_arn: str) -> list[SolutionVersionSummaryTypeDef]:
    """Return the versions of a solution, newest first. The list may be 90 seconds old.

    Raises:
        ServiceUnavailable: the list was not read to its end in time.
    """
    pages = client.get_paginator("list_solution_versions").paginate(
        solutionArn=solution_arn, PaginationConfig=PAGE_SIZE
    )
    listed = read_list(pages, lambda page: page["solutionVersions"])
    return sorted(listed, key=lambda summary: summary["creationDateTime"], reverse=True)


def describe_version(client: PersonalizeClient, arn: str) -> SolutionVersionTypeDef:
    """Return a solution version as DescribeSolutionVersion shows it."""
    return client.describe_solution_version(solutionVersionArn=arn)["solutionVersion"]


def training_mode_of(version: Version) -> str:
    """Return FULL, UPDATE or AUTOTRAIN. A version from before there were modes was FULL."""
    return version.get("trainingMode", "FULL")


def versions_of_run(
    client: PersonalizeClient, settings: Settings, run: Run
) -> list[SolutionVersionTypeDef]:
    """Return the versions that a run has trained, with their present statuses."""
    began_at = run_began_at(run)
    arns = [
        summary["solutionVersionArn"]
        for solution in settings["solutions"]
        for summary in versions(client, solution["solutionArn"])
        if summary["creationDateTime"] >= began_at
    ]
    return [
        describe_version(client, arn) for arn in arns if tags_of(client, arn).get(RUN) == run["id"]
    ]


def run_began_at(run: Run) -> datetime:
    """Return the earlier of the scheduled time of the run and the start of its execution.

    An earlier execution may have run for the same scheduled time.
    """
    started_at = datetime.fromisoformat(run["startedAt"])
    return min(started_at, scheduled_at(run["request"]) or started_at)


class SolutionReader:
    """Reads the versions of solutions. `tags` has the tags of each version that were read."""

    def __init__(self, client: PersonalizeClient) -> None:
        self._client = client
        self.tags: dict[str, Tags] = {}

    def solution(
        self,
        solution: SolutionTypeDef,
        newest_first: Sequence[SolutionVersionSummaryTypeDef],
        imports: Sequence[Import],
    ) -> SeenSolution:
        """Return a solution with its versions, newest first.

        The tags of a version are read if it may count: if it was created within a month, and
        until the newest ACTIVE version of a run was found.

        Args:
            solution: the solution as Describe shows it.
            newest_first: the versions of its list, newest first.
            imports: the imports of all datasets of its group.
        """
        trainings: list[Training] = []
        for summary in newest_first:
            is_tagged = (
                summary["creationDateTime"] > clock.now() - MONTH
                or rules.newest_active(trainings) is None
            )
            trainings.append(self._listed(summary, is_tagged=is_tagged))
        return SeenSolution(
            config=config_digest(solution),
            is_being_updated=is_running(
                solution.get("latestSolutionUpdate", {}).get("status", "ACTIVE")
            ),
            imports=imports,
            trainings=trainings,
        )

    def training(self, version_arn: str) -> Training:
        """Return a version as Describe shows it, with its tags."""
        version = describe_version(self._client, version_arn)
        return _training(version, self._tags_of(version_arn))

    def _listed(self, summary: SolutionVersionSummaryTypeDef, *, is_tagged: bool) -> Training:
        """Return a version of a list. The list may be old, so a running training is described.

        Personalize may list a version before it describes the version.
        """
        arn, is_in_training = summary["solutionVersionArn"], is_running(summary["status"])
        if is_in_training:
            with suppress(self._client.exceptions.ResourceNotFoundException):
                return self.training(arn)
        return _training(summary, self._tags_of(arn) if is_tagged or is_in_training else {})

    def _tags_of(self, version_arn: str) -> Tags:
        """Return the tags of a version. The rules ask for tags that are written at its creation."""
        if version_arn not in self.tags:
            self.tags[version_arn] = tags_of(self._client, version_arn)
        return self.tags[version_arn]


def _training(
    version: SolutionVersionTypeDef | SolutionVersionSummaryTypeDef, tags: Tags
) -> Training:
    status = version["status"]
    return Training(
        arn=version["solutionVersionArn"],
        is_running=is_running(status),
        is_active=is_active(status),
        created_at=version["creationDateTime"],
        ended_at=version["lastUpdatedDateTime"],
        run=tags.get(RUN),
        digest=tags.get(DIGEST),
        was_stopped=is_stopped(status),
        is_stopping=is_stopping(status),
        failure=version.get("failureReason"),
        status=status,
        mode=version.get("trainingMode", "FULL"),
        hours=cast("float | None", version.get("trainingHours")),
    )


def config_digest(solution: SolutionTypeDef | SolutionVersionTypeDef) -> str:
    """Return a hash of the recipe and the configuration of a solution or a solution version."""
    fields = cast("Mapping[str, object]", solution)
    config = dict(cast("Mapping[str, object]", fields.get("solutionConfig") or {}))
    config.pop("autoTrainingConfig", None)
    values = {**{key: fields.get(key) for key in CONFIG_KEYS}, "solutionConfig": config}
    values_in_use = {key: value for key, value in values.items() if value}
    return short_hash(json.dumps(values_in_use, sort_keys=True, default=str), CONFIG_DIGITS)


def wanted_training(
    settings: Settings, run: Run, requested_since: datetime | None = None
) -> WantedTraining:
    """Return what a run wants of each of its solutions. `force` by a person passes the limit."""
    limits, request = settings["limits"], run["request"]
    return WantedTraining(
        run=run["id"],
        datasets={
            dataset["datasetArn"]: dataset["importMode"] == "FULL"
            for dataset in settings["datasets"]
        },
        accepts_foreign=request.get("skipImport", False),
        requested_since=requested_since,
        max_per_month=0 if request.get("force") else limits["maxTrainingsPerMonth"],
        max_hours=limits["maxTrainingHours"],
    )


class SolutionTraining:
    """The training of a solution in a run.

    Args:
        iteration: the document of the solution.
    """

    def __init__(self, iteration: SolutionIteration) -> None:
        self._settings, self._planned = iteration["settings"], iteration["solution"]
        since = self._planned["requestedSince"]
        self._wanted = replace(
            wanted_training(
                self._settings,
                iteration["run"],
                datetime.fromisoformat(since) if since else None,
            ),
            version=self._planned["existingVersionArn"],
            durations=self._planned["durations"],
        )
        item = iteration["item"]
        self._memory = from_document(Memory, item["memory"]) if item else Memory(clock.now())
        self._solutions = SolutionReader(aws.read_client())
        self._imports = ImportReader(aws.read_client())
        self._seen: SeenSolution | None = None

    def item(self) -> TrainingItem:
        """Look, decide and act. Return how far the training has come, and its version."""
        progress = reconcile(
            self._look,
            lambda seen: rules.decide(seen, self._wanted, self._memory, clock.now()),
            self._act,
        )
        memory, trainings = self._memory, self._seen.trainings if self._seen else ()
        version = next((item for item in trainings if item.arn == memory.version), None)
        return {
            **progress.item(memory, memory.warnings),
            "arn": memory.version,
            "isOfRun": version is not None and version.run == self._wanted.run,
            "createdAt": version.created_at.isoformat() if version else None,
            "endedAt": version.ended_at.isoformat() if version and not version.is_running else None,
            "trainingHours": version.hours if version else None,
        }

    def _look(self) -> SeenSolution:
        """Return the solution as it is now.

        Once the version is known, because it was given or because this run has created it, the
        rules ask for nothing else. Then nothing else is read.
        """
        self._seen = self._known_version() or self._whole_solution()
        return self._seen

    def _known_version(self) -> SeenSolution | None:
        """Return a look at the given version or at that of this run, or None if none is known.

        Personalize may not know a version yet that it has just created.
        """
        arn = self._wanted.version or self._memory.version
        if arn is None:
            return None
        try:
            version = self._solutions.training(arn)
        except aws.read_client().exceptions.ResourceNotFoundException:
            return None
        if arn != self._wanted.version and version.run != self._wanted.run:
            return None
        return SeenSolution(config="", imports=(), trainings=[version])

    def _whole_solution(self) -> SeenSolution:
        """Return a look at the solution, all its versions and the imports of its group."""
        client = aws.read_client()
        arn = self._planned["solutionArn"]
        solution = client.describe_solution(solutionArn=arn)["solution"]
        imports = self._imports.of_group(solution["datasetGroupArn"], self._wanted.datasets)
        return self._solutions.solution(solution, versions(client, arn), imports)

    def _act(self, action: Action) -> None:
        """Do what the rules have decided.

        Raises:
            Refused: Personalize has certainly not started a training.
        """
        planned = self._planned
        match action:
            case Stop(arn):
                stop_training(aws.write_client(), arn)
            case Create(digest):
                tags = {**self._settings["tags"], **planned["tags"], DIGEST: digest}
                with creation(self._memory, planned["versionName"]):
                    response = aws.write_client().create_solution_version(
                        name=planned["versionName"],
                        solutionArn=planned["solutionArn"],
                        trainingMode=planned["trainingMode"],
                        tags=api_tags(tags),
                    )
                    self._memory.version = response["solutionVersionArn"]


def stop_training(client: PersonalizeClient, version_arn: str) -> None:
    """Ask Personalize to stop a training.

    It may end just before the request arrives, so the errors of Personalize for a training that has
    ended or is stopping are ignored.
    """
    errors = client.exceptions
    with suppress(errors.InvalidInputException, errors.ResourceInUseException):
        client.stop_solution_version_creation(solutionVersionArn=version_arn)

"""Solution versions: train one, adopt one that is in training already, stop one that is overdue."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .. import aws, clock
from ..errors import NameTaken, ServiceUnavailable
from ..executions import older_run, scheduled_at
from .jobs import api_tags, found, mode_of, started
from .statuses import is_hopeless, phase_of
from .tags import ADOPTED, remember
from .watch import watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..contract import DatasetResult, Job, PlannedSolution, Run, Settings

LATEST = "/$LATEST"
"""Ends the `solutionVersionArn` of a campaign that follows its solution's newest version."""
STOP_GRACE = timedelta(hours=1)
"""How long a training may take to stop before the run goes on without it."""
STOP_PAUSE = 30
"""Seconds between looks at a training that is stopping."""
EVER = datetime.min.replace(tzinfo=UTC)


def versions(client: PersonalizeClient, solution_arn: str) -> list[SolutionVersionSummaryTypeDef]:
    """Return the versions of a solution, newest first."""
    pages = client.get_paginator("list_solution_versions").paginate(solutionArn=solution_arn)
    found = [summary for page in pages for summary in page["solutionVersions"]]
    return sorted(found, key=lambda summary: summary["creationDateTime"], reverse=True)


def version_created_at(client: PersonalizeClient, version_arn: str) -> datetime | None:
    """Return when a version was created; None for `$LATEST`, which names no version."""
    if version_arn.endswith(LATEST):
        return None
    described = client.describe_solution_version(solutionVersionArn=version_arn)
    return described["solutionVersion"]["creationDateTime"]


def create_solution_version(
    client: PersonalizeClient,
    solution: PlannedSolution,
    run: Run,
    imports: Sequence[DatasetResult],
) -> Job:
    """Start the training; adopt the version where it was started before.

    Version names may not be unique, so the versions are listed before every create: one with our
    name is ours. One of somebody else's that is in training is adopted if it began after the data
    was complete; otherwise ours is started beside it, and a warning says so. Before anything is
    paid for, an older run of this pipeline is looked for once more.

    Raises:
        NameTaken: a version of that name exists and differs.
        ServiceUnavailable: a version of that name exists and is not listed yet.
    """
    if solution["existingVersionArn"]:
        version = _describe(client, solution["existingVersionArn"])
        return _adopt(version, solution, ours=not solution["existingVersionIsForeign"])
    ours, others = _look_around(client, solution, _began(run))
    if ours is not None:
        return _adopt(ours, solution)
    complete = _data_complete_at(solution, run, imports)
    for other in others:
        if _is_as_good(other, solution, complete):
            # What is being created may refuse a tag; then a resumed run would train its own.
            refused = client.exceptions
            with suppress(refused.ResourceInUseException, refused.TooManyTagsException):
                remember(client, other["solutionVersionArn"], ADOPTED, solution["versionName"])
            return _found(other, ours=False)
    if older := older_run(aws.stepfunctions(), run):
        return _skipped(solution["solutionArn"], f"{older} is under way")
    try:
        created = client.create_solution_version(
            name=solution["versionName"],
            solutionArn=solution["solutionArn"],
            trainingMode=solution["trainingMode"],
            tags=api_tags(solution["tags"]),
        )
    except client.exceptions.ResourceAlreadyExistsException as error:
        ours, _ = _look_around(client, solution, EVER)
        if ours is None:
            raise ServiceUnavailable(f"{solution['versionName']} is not listed yet") from error
        return _adopt(ours, solution)
    job = started(created["solutionVersionArn"], solution["durations"])
    job["warnings"] = [f"{other['solutionVersionArn']} is in training too" for other in others]
    return job


def _skipped(solution_arn: str, why: str) -> Job:
    return {
        "arn": solution_arn,
        "phase": "SKIPPED",
        "seconds": 0,
        "status": "SKIPPED",
        "failure": why,
        "warnings": [],
        "ours": True,
    }


def watch_solution_version(
    client: PersonalizeClient, solution: PlannedSolution, version: Job
) -> Job:
    """Poll the training until it ends or until this invocation has used its time."""

    def look() -> Job:
        seen = _found(_describe(client, version["arn"]), ours=version["ours"])
        return {**seen, "warnings": sorted({*version["warnings"], *seen["warnings"]})}

    if "stopRequestedAt" in version:
        return _after_stop(look(), version)
    return watch(
        look,
        durations=solution["durations"],
        max_hours=solution["maxHours"],
        warnings=version["warnings"],
    )


def stop_solution_version(client: PersonalizeClient, version: Job) -> Job:
    """Ask a training of ours that is overdue to stop; leave an adopted one alone.

    A training that has ended meanwhile is taken as it ended: an ACTIVE version is used.
    """
    seen = _found(_describe(client, version["arn"]), ours=version["ours"])
    if seen["phase"] != "UNDER_WAY":
        return {**seen, "warnings": version["warnings"]}
    if not version["ours"]:
        return {**version, "phase": "ENDED"}
    stop(client, version["arn"], seen["status"])
    asked = clock.now().isoformat()
    return {**version, "phase": "UNDER_WAY", "seconds": STOP_PAUSE, "stopRequestedAt": asked}


def stop(client: PersonalizeClient, version_arn: str, status: str) -> None:
    """Stop a training, unless it is stopping already or has just ended."""
    refusals = client.exceptions.InvalidInputException, client.exceptions.ResourceInUseException
    if not is_hopeless(status):
        with suppress(*refusals):
            client.stop_solution_version_creation(solutionVersionArn=version_arn)


def _after_stop(seen: Job, version: Job) -> Job:
    asked = version["stopRequestedAt"]
    seen = {**seen, "stopRequestedAt": asked}
    if seen["phase"] == "ENDED":
        return {**seen, "failure": f"{version['failure']}, so it was stopped"}
    if seen["phase"] == "ACTIVE":
        return seen
    if clock.now() - datetime.fromisoformat(asked) > STOP_GRACE:
        return {**seen, "phase": "ENDED", "failure": f"{version['failure']}, and does not stop"}
    return {**seen, "failure": version["failure"], "seconds": STOP_PAUSE}


def _look_around(
    client: PersonalizeClient, solution: PlannedSolution, since: datetime
) -> tuple[SolutionVersionTypeDef | None, list[SolutionVersionTypeDef]]:
    """Return the version with our name, and foreign versions in training, newest first.

    Of the versions that have ended, those created before `since` are not looked at.
    """
    others = []
    for summary in versions(client, solution["solutionArn"]):
        under_way = phase_of(summary["status"]) == "UNDER_WAY"
        if under_way or summary["creationDateTime"] >= since:
            version = _describe(client, summary["solutionVersionArn"])
            if version.get("name") == solution["versionName"]:
                return version, []
            if under_way and not is_hopeless(version["status"]):
                others.append(version)
    return None, others


def _is_as_good(
    other: SolutionVersionTypeDef, solution: PlannedSolution, complete: datetime
) -> bool:
    """Return True if a foreign training learns all that ours would."""
    update = other.get("trainingMode") == "UPDATE" and solution["trainingMode"] != "UPDATE"
    return other["creationDateTime"] > complete and not update


def _began(run: Run) -> datetime:
    """Return when the run began; an earlier execution may have had the same slot."""
    started_at = datetime.fromisoformat(run["startedAt"])
    return min(started_at, scheduled_at(run["request"]) or started_at)


def _data_complete_at(
    solution: PlannedSolution, run: Run, imports: Sequence[DatasetResult]
) -> datetime:
    """Return when the last import ended: of this run, or before it, or else when the run began."""
    ended = [each["job"]["endedAt"] for each in imports if each["job"]]
    known = ended or [solution["dataAsOf"] or run["startedAt"]]
    return max(datetime.fromisoformat(moment) for moment in known)


def _adopt(version: SolutionVersionTypeDef, solution: PlannedSolution, *, ours: bool = True) -> Job:
    wanted = (solution["solutionArn"], solution["trainingMode"])
    existing = (version["solutionArn"], mode_of(version))
    if existing != wanted:
        arn, name = version["solutionVersionArn"], solution["versionName"]
        raise NameTaken(f"{arn} is named {name} and is {existing}; this run wants {wanted}")
    return _found(version, ours=ours)


def _describe(client: PersonalizeClient, arn: str) -> SolutionVersionTypeDef:
    return client.describe_solution_version(solutionVersionArn=arn)["solutionVersion"]


def _found(version: SolutionVersionTypeDef, *, ours: bool = True) -> Job:
    return found(
        version["solutionVersionArn"],
        version["status"],
        created=version["creationDateTime"],
        updated=version["lastUpdatedDateTime"],
        failure=version.get("failureReason"),
        ours=ours,
    )


def left_by(
    client: PersonalizeClient, settings: Settings, run: Run, before: datetime
) -> list[SolutionVersionTypeDef]:
    """Return the versions that an execution of a run made before it ended, or left in training.

    A run id outlives an execution: what a resumed one has started later is not meant.
    """
    described = [
        _describe(client, summary["solutionVersionArn"])
        for solution in settings["solutions"]
        for summary in versions(client, solution["solutionArn"])
        if summary["creationDateTime"] < before
        and (
            phase_of(summary["status"]) == "UNDER_WAY" or summary["creationDateTime"] >= _began(run)
        )
    ]
    mine = f"{settings['prefix']}-{run['id']}-"
    return [version for version in described if version.get("name", "").startswith(mine)]

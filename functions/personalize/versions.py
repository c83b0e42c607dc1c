"""Creates, adopts, polls, stops and lists solution versions."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .. import aws, clock
from ..errors import NameTaken, ServiceUnavailable
from ..executions import older_run, scheduled_at
from .jobs import created_job, described_job, planned_mode_of, training_mode_of
from .ownership import belongs_to_run
from .statuses import cannot_succeed, is_running
from .tags import ADOPTED, api_tags, write_tag
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
STOP_GRACE = timedelta(hours=1)
"""The time that a training may take to stop. After it the run goes on."""
STOP_PAUSE = 30
"""Seconds between polls of a training that is stopping."""
ALWAYS = datetime.min.replace(tzinfo=UTC)


class _Candidates(NamedTuple):
    """The versions that a run may use instead of training one."""

    named: SolutionVersionTypeDef | None
    """The version with the planned name."""
    foreign: list[SolutionVersionTypeDef]
    """The foreign versions in training, newest first. It is empty if there is a named version."""


def is_latest(version_arn: str) -> bool:
    """Return True for the ARN `<solution>/$LATEST`, which names no version.

    A campaign that always serves the newest version of its solution shows this ARN.
    """
    return version_arn.endswith(LATEST)


def versions(client: PersonalizeClient, solution_arn: str) -> list[SolutionVersionSummaryTypeDef]:
    """Return the versions of a solution, newest first."""
    pages = client.get_paginator("list_solution_versions").paginate(solutionArn=solution_arn)
    summaries = [summary for page in pages for summary in page["solutionVersions"]]
    return sorted(summaries, key=lambda summary: summary["creationDateTime"], reverse=True)


def version_created_at(client: PersonalizeClient, version_arn: str) -> datetime:
    """Return the creation time of a version."""
    return _describe(client, version_arn)["creationDateTime"]


def create_solution_version(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    planned: PlannedSolution,
    imports: Sequence[DatasetResult],
) -> Job:
    """Start the training, or return the job of a version that the run can use instead.

    Version names need not be unique, so the versions are listed before every create. A version with
    the planned name was created by this run. A foreign version in training is adopted if it started
    after the data were complete. If it started earlier, the run trains a second version, with a
    warning. Nothing is trained while an older run of this pipeline is running.

    Raises:
        NameTaken: another version has this name.
        ServiceUnavailable: a version with this name exists and is not listed yet.
    """
    if planned["existingVersionArn"]:
        version = _describe(client, planned["existingVersionArn"])
        return _use(version, planned, foreign=planned["existingVersionIsForeign"])
    candidates = _candidates(client, planned, since=_began_at(run))
    if candidates.named is not None:
        return _use(candidates.named, planned)
    data_complete_at = _data_complete_at(planned, run, imports)
    for version in candidates.foreign:
        if _has_all_data(version, planned, data_complete_at):
            return _adopt_foreign(client, version, planned)
    if older := older_run(aws.stepfunctions(), run):
        return _skipped_job(planned["solutionArn"], f"{older} is under way")
    return _train(client, settings, planned, candidates.foreign)


def watch_solution_version(
    client: PersonalizeClient, settings: Settings, planned: PlannedSolution, version: Job
) -> Job:
    """Poll the training until it ends or until this invocation has used its time."""

    def describe() -> Job:
        job = _job(_describe(client, version["arn"]), foreign=version["foreign"])
        return {**job, "warnings": sorted({*version["warnings"], *job["warnings"]})}

    if "stopRequestedAt" in version:
        return _after_stop(describe(), version)
    return watch(
        describe,
        durations=planned["durations"],
        max_hours=settings["limits"]["maxTrainingHours"],
        warnings=version["warnings"],
    )


def stop_solution_version(client: PersonalizeClient, version: Job) -> Job:
    """Stop an overdue training of this pipeline. A foreign training is given up, but not stopped.

    If the training has ended in the meantime, its result counts: an ACTIVE version is used.
    """
    job = _job(_describe(client, version["arn"]), foreign=version["foreign"])
    if job["phase"] != "UNDER_WAY":
        return {**job, "warnings": version["warnings"]}
    if version["foreign"]:
        return {**version, "phase": "ENDED"}
    stop(client, version["arn"], job["status"])
    stop_requested_at = clock.now().isoformat()
    return {
        **version,
        "phase": "UNDER_WAY",
        "seconds": STOP_PAUSE,
        "stopRequestedAt": stop_requested_at,
    }


def stop(client: PersonalizeClient, version_arn: str, status: str) -> None:
    """Stop a training. A training that is stopping, or that has just ended, is no error."""
    if cannot_succeed(status):
        return
    errors = client.exceptions
    with suppress(errors.InvalidInputException, errors.ResourceInUseException):
        client.stop_solution_version_creation(solutionVersionArn=version_arn)


def versions_of_execution(
    client: PersonalizeClient, settings: Settings, run: Run, created_before: datetime
) -> list[SolutionVersionTypeDef]:
    """Return the versions of a run that one execution created, or that are still in training.

    A resumed run has the id of the earlier execution. `created_before` excludes the versions that
    the resumed run has started since.
    """
    began_at = _began_at(run)
    described = (
        _describe(client, summary["solutionVersionArn"])
        for solution in settings["solutions"]
        for summary in versions(client, solution["solutionArn"])
        if summary["creationDateTime"] < created_before
        and (is_running(summary["status"]) or summary["creationDateTime"] >= began_at)
    )
    return [
        version for version in described if belongs_to_run(version.get("name", ""), settings, run)
    ]


def _train(
    client: PersonalizeClient,
    settings: Settings,
    planned: PlannedSolution,
    foreign: Sequence[SolutionVersionTypeDef],
) -> Job:
    """Start the training, with a warning for each foreign version in training."""
    try:
        response = client.create_solution_version(
            name=planned["versionName"],
            solutionArn=planned["solutionArn"],
            trainingMode=planned["trainingMode"],
            tags=api_tags({**settings["tags"], **planned["tags"]}),
        )
    except client.exceptions.ResourceAlreadyExistsException as error:
        existing = _candidates(client, planned, since=ALWAYS).named
        if existing is None:
            raise ServiceUnavailable(f"{planned['versionName']} is not listed yet") from error
        return _use(existing, planned)
    job = created_job(response["solutionVersionArn"], planned["durations"])
    job["warnings"] = [f"{version['solutionVersionArn']} is in training too" for version in foreign]
    return job


def _use(
    version: SolutionVersionTypeDef, planned: PlannedSolution, *, foreign: bool = False
) -> Job:
    """Return the job of a version that exists. It must have the planned solution and mode."""
    existing = (version["solutionArn"], planned_mode_of(version))
    wanted = (planned["solutionArn"], planned["trainingMode"])
    if existing != wanted:
        arn, name = version["solutionVersionArn"], planned["versionName"]
        raise NameTaken(f"{arn} is named {name} and is {existing}; this run wants {wanted}")
    return _job(version, foreign=foreign)


def _adopt_foreign(
    client: PersonalizeClient, version: SolutionVersionTypeDef, planned: PlannedSolution
) -> Job:
    """Tag a foreign version as adopted, and return its job.

    A version that is being created may refuse a tag. In that case a resumed run trains another one.
    """
    errors = client.exceptions
    with suppress(errors.ResourceInUseException, errors.TooManyTagsException):
        write_tag(client, version["solutionVersionArn"], ADOPTED, planned["versionName"])
    return _job(version, foreign=True)


def _skipped_job(solution_arn: str, reason: str) -> Job:
    return {
        "arn": solution_arn,
        "phase": "SKIPPED",
        "seconds": 0,
        "status": "SKIPPED",
        "failure": reason,
        "warnings": [],
        "foreign": False,
    }


def _after_stop(job: Job, version: Job) -> Job:
    """Return the job of a training that was asked to stop. After an hour it counts as ended."""
    stop_requested_at, failure = version["stopRequestedAt"], version["failure"]
    job = {**job, "stopRequestedAt": stop_requested_at}
    if job["phase"] == "ACTIVE":
        return job
    if job["phase"] == "ENDED":
        return {**job, "failure": f"{failure}, so it was stopped"}
    if clock.now() - datetime.fromisoformat(stop_requested_at) > STOP_GRACE:
        return {**job, "phase": "ENDED", "failure": f"{failure}, and did not stop"}
    return {**job, "failure": failure, "seconds": STOP_PAUSE}


def _candidates(
    client: PersonalizeClient, planned: PlannedSolution, *, since: datetime
) -> _Candidates:
    """Find the version with the planned name, and the foreign versions in training.

    Versions that ended and were created before `since` are not described.
    """
    foreign = []
    for summary in versions(client, planned["solutionArn"]):
        running = is_running(summary["status"])
        if not running and summary["creationDateTime"] < since:
            continue
        version = _describe(client, summary["solutionVersionArn"])
        if version.get("name") == planned["versionName"]:
            return _Candidates(version, [])
        if running and not cannot_succeed(version["status"]):
            foreign.append(version)
    return _Candidates(None, foreign)


def _has_all_data(
    version: SolutionVersionTypeDef, planned: PlannedSolution, data_complete_at: datetime
) -> bool:
    """Return True if a foreign training learns everything that the planned training would learn."""
    only_updates = training_mode_of(version) == "UPDATE" and planned["trainingMode"] == "FULL"
    return version["creationDateTime"] > data_complete_at and not only_updates


def _began_at(run: Run) -> datetime:
    """Return when the run began. An earlier execution may have run for the same scheduled time."""
    started_at = datetime.fromisoformat(run["startedAt"])
    return min(started_at, scheduled_at(run["request"]) or started_at)


def _data_complete_at(
    planned: PlannedSolution, run: Run, imports: Sequence[DatasetResult]
) -> datetime:
    """Return when the last import ended.

    Without an import in this run it is the last import before the run. Without any import it is the
    start of the run.
    """
    ended = [result["job"]["endedAt"] for result in imports if result["job"]]
    times = ended or [planned["dataAsOf"] or run["startedAt"]]
    return max(datetime.fromisoformat(time) for time in times)


def _describe(client: PersonalizeClient, arn: str) -> SolutionVersionTypeDef:
    return client.describe_solution_version(solutionVersionArn=arn)["solutionVersion"]


def _job(version: SolutionVersionTypeDef, *, foreign: bool = False) -> Job:
    return described_job(
        version["solutionVersionArn"],
        version["status"],
        created=version["creationDateTime"],
        updated=version["lastUpdatedDateTime"],
        failure=version.get("failureReason"),
        foreign=foreign,
    )

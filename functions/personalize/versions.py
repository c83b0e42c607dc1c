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

LATEST_SUFFIX = "/$LATEST"
STOP_GRACE = timedelta(hours=1)
"""The time that a training may take to stop. After this time it counts as ended."""
STOP_PAUSE = 30
"""Seconds between polls of a training that is stopping."""
BEFORE_ALL_VERSIONS = datetime.min.replace(tzinfo=UTC)
"""A time with which the search for a version leaves no version out."""


class _Candidates(NamedTuple):
    """The versions that a run may use instead of training a new version."""

    with_planned_name: SolutionVersionTypeDef | None
    foreign_in_training: list[SolutionVersionTypeDef]
    """Newest first. The list is empty if there is a version with the planned name."""


def is_latest(version_arn: str) -> bool:
    """Return True for `<solution>/$LATEST`, which has the form of an ARN but is not a version.

    A campaign that always serves the newest version of its solution shows it instead of a version.
    """
    return version_arn.endswith(LATEST_SUFFIX)


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
    planned_solution: PlannedSolution,
    imports: Sequence[DatasetResult],
) -> Job:
    """Start a training, unless the run can use another version or an older run is running.

    The run uses, in this order: the existing version of the plan, a version with the planned name,
    or a foreign version in training that has all data. Version names need not be unique, so the
    versions are listed before every create. A version with the planned name was created by an
    earlier try of this run.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        run: the run that needs the version.
        planned_solution: the version to create or to use.
        imports: the results of the imports of this run.

    Raises:
        NameTaken: a version of another solution or training mode has the planned name.
        ServiceUnavailable: a version with the planned name exists and is not listed yet.
    """
    if planned_solution["existingVersionArn"]:
        version = _describe(client, planned_solution["existingVersionArn"])
        is_foreign = planned_solution["existingVersionIsForeign"]
        return _job_of_existing(version, planned_solution, foreign=is_foreign)
    candidates = _candidates(client, planned_solution, since=_began_at(run))
    if candidates.with_planned_name is not None:
        return _job_of_existing(candidates.with_planned_name, planned_solution)
    data_complete_at = _data_complete_at(planned_solution, run, imports)
    for version in candidates.foreign_in_training:
        if _has_all_data(version, planned_solution, data_complete_at):
            return _adopt_foreign(client, version, planned_solution)
    if older := older_run(aws.stepfunctions(), run):
        return _skipped_job(
            planned_solution["solutionArn"],
            f"{older}, an older run, is still running; wait until it has ended, or stop it",
        )
    return _train(client, settings, planned_solution, candidates.foreign_in_training)


def watch_solution_version(
    client: PersonalizeClient, settings: Settings, planned_solution: PlannedSolution, training: Job
) -> Job:
    """Poll the training until it ends or until this invocation has used its time.

    A training that was asked to stop is polled once, and then the workflow waits for STOP_PAUSE.
    """

    def describe() -> Job:
        return _job_of(_describe(client, training["arn"]), foreign=training["foreign"])

    if "stopRequestedAt" in training:
        return _stopping_job(describe(), training)
    return watch(
        describe,
        durations=planned_solution["durations"],
        max_hours=settings["limits"]["maxTrainingHours"],
        warnings=training["warnings"],
    )


def stop_solution_version(client: PersonalizeClient, training: Job) -> Job:
    """Stop an overdue training of this pipeline, and return its job.

    The run no longer waits for a foreign training, but does not stop it. If a training has ended in
    the meantime, its result counts, so a version that is ACTIVE now is deployed.
    """
    job = _job_of(_describe(client, training["arn"]), foreign=training["foreign"])
    if job["phase"] != "UNDER_WAY":
        return {**job, "warnings": training["warnings"]}
    if training["foreign"]:
        return {**training, "phase": "ENDED"}
    stop_training(client, training["arn"], job["status"])
    return {
        **training,
        "phase": "UNDER_WAY",
        "seconds": STOP_PAUSE,
        "stopRequestedAt": clock.now().isoformat(),
    }


def stop_training(client: PersonalizeClient, version_arn: str, status: str) -> None:
    """Ask Personalize to stop a training with this status.

    Do nothing if the training is stopping or has ended. It may also end just before the request
    arrives, so the errors of Personalize for such a training are ignored.
    """
    if cannot_succeed(status):
        return
    errors = client.exceptions
    with suppress(errors.InvalidInputException, errors.ResourceInUseException):
        client.stop_solution_version_creation(solutionVersionArn=version_arn)


def versions_of_run(
    client: PersonalizeClient, settings: Settings, run: Run, created_before: datetime
) -> list[SolutionVersionTypeDef]:
    """Return the versions of a run that were created before a time.

    The time excludes the versions that a later execution of the run has started. A version from
    before the run began is returned only if it is in training: an earlier execution of the run may
    have started it.
    """
    began_at = _began_at(run)
    described = []
    for solution in settings["solutions"]:
        for summary in versions(client, solution["solutionArn"]):
            created_at = summary["creationDateTime"]
            is_too_new = created_at >= created_before
            is_too_old = created_at < began_at and not is_running(summary["status"])
            if not is_too_new and not is_too_old:
                described.append(_describe(client, summary["solutionVersionArn"]))
    return [
        version for version in described if belongs_to_run(version.get("name", ""), settings, run)
    ]


def _train(
    client: PersonalizeClient,
    settings: Settings,
    planned_solution: PlannedSolution,
    foreign_in_training: Sequence[SolutionVersionTypeDef],
) -> Job:
    """Start the training, with a warning for each foreign version in training.

    If Personalize answers that the planned name exists, return the job of that version.

    Raises:
        NameTaken: a version of another solution or training mode has the planned name.
        ServiceUnavailable: a version with the planned name exists and is not listed yet.
    """
    try:
        response = client.create_solution_version(
            name=planned_solution["versionName"],
            solutionArn=planned_solution["solutionArn"],
            trainingMode=planned_solution["trainingMode"],
            tags=api_tags({**settings["tags"], **planned_solution["tags"]}),
        )
    except client.exceptions.ResourceAlreadyExistsException as error:
        candidates = _candidates(client, planned_solution, since=BEFORE_ALL_VERSIONS)
        if candidates.with_planned_name is None:
            name = planned_solution["versionName"]
            raise ServiceUnavailable(
                f"Personalize answers that {name} exists, but does not list it yet"
            ) from error
        return _job_of_existing(candidates.with_planned_name, planned_solution)
    job = created_job(response["solutionVersionArn"], planned_solution["durations"])
    job["warnings"] = [
        f"{version['solutionVersionArn']} is in training too, but this pipeline did not start it; "
        "stop it if nobody needs it"
        for version in foreign_in_training
    ]
    return job


def _job_of_existing(
    version: SolutionVersionTypeDef, planned_solution: PlannedSolution, *, foreign: bool = False
) -> Job:
    """Return the job of an existing version that the run uses.

    Raises:
        NameTaken: the version is not of the planned solution, or not of the planned mode.
    """
    existing = (version["solutionArn"], planned_mode_of(version))
    wanted = (planned_solution["solutionArn"], planned_solution["trainingMode"])
    if existing != wanted:
        arn, name = version["solutionVersionArn"], planned_solution["versionName"]
        differences = [
            f"{key} {existing_value} instead of {wanted_value}"
            for key, existing_value, wanted_value in zip(
                ("solutionArn", "trainingMode"), existing, wanted, strict=True
            )
            if existing_value != wanted_value
        ]
        raise NameTaken(
            f"{arn} cannot be used as {name}, because it has {' and '.join(differences)}; start a "
            "new run, or set the config back and resume this run"
        )
    return _job_of(version, foreign=foreign)


def _adopt_foreign(
    client: PersonalizeClient, version: SolutionVersionTypeDef, planned_solution: PlannedSolution
) -> Job:
    """Tag a foreign version as adopted, and return its job.

    The tag lets a resumed run find the version. A version that is being created may refuse the tag.
    In that case a resumed run trains another version.
    """
    errors = client.exceptions
    with suppress(errors.ResourceInUseException, errors.TooManyTagsException):
        write_tag(client, version["solutionVersionArn"], ADOPTED, planned_solution["versionName"])
    return _job_of(version, foreign=True)


def _skipped_job(solution_arn: str, reason: str) -> Job:
    """Return the job of a training that is not started. Its ARN is the ARN of the solution."""
    return {
        "arn": solution_arn,
        "phase": "SKIPPED",
        "seconds": 0,
        "status": "SKIPPED",
        "failure": reason,
        "warnings": [],
        "foreign": False,
    }


def _stopping_job(polled: Job, training: Job) -> Job:
    """Return the job of a training that was asked to stop. After an hour it counts as ended.

    Args:
        polled: the job as Describe shows it now.
        training: the job of the previous state. It has the reason and the time of the request.
    """
    stop_requested_at, reason = training["stopRequestedAt"], training["failure"]
    warnings = sorted({*training["warnings"], *polled["warnings"]})
    job: Job = {**polled, "stopRequestedAt": stop_requested_at, "warnings": warnings}
    if job["phase"] == "ACTIVE":
        return job
    if job["phase"] == "ENDED":
        return {**job, "failure": f"{reason}, so it was stopped"}
    if clock.now() - datetime.fromisoformat(stop_requested_at) > STOP_GRACE:
        return {**job, "phase": "ENDED", "failure": f"{reason}, and did not stop within an hour"}
    return {**job, "failure": reason, "seconds": STOP_PAUSE}


def _candidates(
    client: PersonalizeClient, planned_solution: PlannedSolution, *, since: datetime
) -> _Candidates:
    """Return the version with the planned name, or else the foreign versions in training.

    Names are known only after Describe. To describe few versions, those that have ended are ignored
    if they were created before `since`.
    """
    foreign_in_training = []
    for summary in versions(client, planned_solution["solutionArn"]):
        in_training = is_running(summary["status"])
        if not in_training and summary["creationDateTime"] < since:
            continue
        version = _describe(client, summary["solutionVersionArn"])
        if version.get("name") == planned_solution["versionName"]:
            return _Candidates(version, [])
        if in_training and not cannot_succeed(version["status"]):
            foreign_in_training.append(version)
    return _Candidates(None, foreign_in_training)


def _has_all_data(
    version: SolutionVersionTypeDef, planned_solution: PlannedSolution, data_complete_at: datetime
) -> bool:
    """Return True if a foreign training learns everything that the planned training would learn.

    It must have started after the imports ended. An UPDATE training does not replace a FULL one.
    """
    if version["creationDateTime"] <= data_complete_at:
        return False
    return planned_solution["trainingMode"] == "UPDATE" or training_mode_of(version) != "UPDATE"


def _began_at(run: Run) -> datetime:
    """Return the scheduled time of the run or the start of its execution, whichever is earlier.

    An earlier execution may have run for the same scheduled time.
    """
    started_at = datetime.fromisoformat(run["startedAt"])
    return min(started_at, scheduled_at(run["request"]) or started_at)


def _data_complete_at(
    planned_solution: PlannedSolution, run: Run, imports: Sequence[DatasetResult]
) -> datetime:
    """Return when the last import of this run ended.

    If this run has imported nothing, return when the last import before this run ended. If there
    was no import at all, return the start of this run.
    """
    end_times = [result["job"]["endedAt"] for result in imports if result["job"]]
    if end_times:
        return max(datetime.fromisoformat(end_time) for end_time in end_times)
    return datetime.fromisoformat(planned_solution["dataAsOf"] or run["startedAt"])


def _describe(client: PersonalizeClient, arn: str) -> SolutionVersionTypeDef:
    return client.describe_solution_version(solutionVersionArn=arn)["solutionVersion"]


def _job_of(version: SolutionVersionTypeDef, *, foreign: bool = False) -> Job:
    return described_job(
        version["solutionVersionArn"],
        version["status"],
        created=version["creationDateTime"],
        updated=version["lastUpdatedDateTime"],
        failure=version.get("failureReason"),
        foreign=foreign,
    )

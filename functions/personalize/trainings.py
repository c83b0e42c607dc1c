"""Creates, adopts, polls, judges and stops the trainings of solution versions."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .. import clock
from ..errors import ServiceUnavailable
from .digest import digest_of, newest_end
from .foreign_imports import foreign_imports, replaced_message
from .import_lists import group_imports
from .jobs import created_job, described_job, postponed_job, refused_job
from .judged_trainings import adoption_tags, judged_training
from .statuses import cannot_succeed, is_running
from .tags import DIGEST, MIXED, RUN, UNKNOWN, api_tags, write_tags
from .trained_versions import read_trained_versions
from .versions import describe_version, versions
from .watch import watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import SolutionVersionTypeDef

    from ..contract import Job, PlannedSolution, Run
    from ..workflow_settings import Settings
    from .foreign_imports import ForeignImports
    from .import_lists import GroupImports
    from .trained_versions import TrainedVersion

STOP_GRACE = timedelta(hours=1)
"""The time that a training may take to stop. After this time it counts as ended."""
STOP_PAUSE = 30
"""Seconds between polls of a training that is stopping."""
WAIT_PAUSE = 300
"""Seconds between tries to create a training. A training takes 40 minutes to several hours."""


def create_solution_version(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    planned_solution: PlannedSolution,
    *,
    known_imports: Mapping[str, str | None],
    last_try: Job | None,
) -> Job:
    """Start a training, unless the run can use another version, must wait, or must not train.

    The run uses, in this order: the existing version of the plan, a version of any run that has
    learned the present imports, or a foreign version in training that learns them. The phase of a
    version that is ACTIVE already is NEAR, so it is watched and judged like any other version.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        run: the run that needs the version.
        planned_solution: the version to create or to use.
        known_imports: type of each configured dataset -> the import job that it should hold.
        last_try: the result of the last try, or None if there was no try yet.

    Raises:
        ServiceUnavailable: a version with the planned name exists and is not listed yet.
    """
    if planned_solution["existingVersionArn"]:
        version = describe_version(client, planned_solution["existingVersionArn"])
        return _job_of(version, foreign=planned_solution["existingVersionIsForeign"])
    arn = planned_solution["solutionArn"]
    solution = client.describe_solution(solutionArn=arn)["solution"]
    known_arns = [arn_of_import for arn_of_import in known_imports.values() if arn_of_import]
    imports = group_imports(client, solution["datasetGroupArn"], known_arns)
    started_at = datetime.fromisoformat(run["startedAt"])
    foreign = foreign_imports(client, settings, imports.jobs, known_imports, since=started_at)
    if obstacle := _obstacle(settings, arn, foreign, last_try):
        return obstacle
    candidates = read_trained_versions(client, solution, versions(client, arn), imports)
    # An import that is ACTIVE now has ended, also if the clock of Personalize is ahead.
    now = max(clock.now(), newest_end(imports.jobs) or clock.now())
    digest = digest_of(imports.jobs, solution, now) if imports.is_complete else None
    if usable := _usable_version(candidates, digest, planned_solution):
        return _adopted_job(client, usable, planned_solution)
    job = _train(client, settings, planned_solution, digest, last_try)
    warnings = _warnings(candidates, foreign, imports)
    return {**job, "warnings": [*job["warnings"], *warnings]}


def watch_solution_version(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    planned_solution: PlannedSolution,
    *,
    known_imports: Mapping[str, str | None],
    training: Job,
) -> Job:
    """Poll the training until it ends or until this invocation has used its time.

    When the version becomes ACTIVE, write on it what it learned. The version is not used if a
    foreign import has replaced the data. A training that was asked to stop is polled only once in
    an invocation, because the workflow waits for STOP_PAUSE between two polls.
    """

    def describe() -> Job:
        version = describe_version(client, training["arn"])
        return _job_of(version, foreign=training["foreign"])

    if "stopRequestedAt" in training:
        job = _stopping_job(describe(), training)
    else:
        job = watch(
            describe,
            durations=planned_solution["durations"],
            max_hours=settings["limits"]["maxTrainingHours"],
            warnings=training["warnings"],
        )
    if job["phase"] != "ACTIVE":
        return job
    return judged_training(
        client, settings, run, planned_solution, known_imports=known_imports, training=job
    )


def stop_solution_version(client: PersonalizeClient, training: Job) -> Job:
    """Stop an overdue training of this pipeline, and return its job.

    The run no longer waits for a foreign training, but does not stop it. If a training has ended in
    the meantime, its result counts: a version that is ACTIVE now is watched and judged.
    """
    job = _job_of(describe_version(client, training["arn"]), foreign=training["foreign"])
    if job["phase"] != "UNDER_WAY":
        phase = "NEAR" if job["phase"] == "ACTIVE" else job["phase"]
        return {**job, "phase": phase, "warnings": training["warnings"]}
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
    arrives, so the errors of Personalize for a training that has ended are ignored.
    """
    if cannot_succeed(status):
        return
    errors = client.exceptions
    with suppress(errors.InvalidInputException, errors.ResourceInUseException):
        client.stop_solution_version_creation(solutionVersionArn=version_arn)


def _obstacle(
    settings: Settings, solution_arn: str, foreign: ForeignImports, last_try: Job | None
) -> Job | None:
    """Return the job of a training that must not start, or not yet, because of foreign imports."""
    if foreign.replacing:
        return refused_job(solution_arn, replaced_message(foreign.replacing[0]))
    if foreign.running:
        return postponed_job(
            solution_arn,
            f"{foreign.running[0]} is importing into the dataset group",
            last_try,
            max_hours=settings["limits"]["maxImportHours"],
            shortest_pause=WAIT_PAUSE,
        )
    return None


def _usable_version(
    candidates: Sequence[TrainedVersion], digest: str | None, planned_solution: PlannedSolution
) -> TrainedVersion | None:
    """Return the newest version that can be used instead of a training, or None.

    If the training is requested although there are no new imports, a version that has ended is used
    only if this run trained or adopted it. A foreign version is used only while it is in training.
    """
    for version in candidates:
        if not version.can_be_used:
            continue
        belongs_to_run = version.belongs_to(planned_solution["tags"][RUN])
        is_in_training = is_running(version.status)
        if version.has_learned(digest) and (
            belongs_to_run or is_in_training or not planned_solution["isRequested"]
        ):
            return version
        learns_the_same = version.learned is not None and version.learned.digest == digest
        replaces = planned_solution["trainingMode"] == "UPDATE" or version.mode == "FULL"
        if is_in_training and not version.is_known and learns_the_same and replaces:
            return version
        if digest is None and belongs_to_run:
            return version
    return None


def _adopted_job(
    client: PersonalizeClient, version: TrainedVersion, planned_solution: PlannedSolution
) -> Job:
    """Return the job of a version that the run uses instead of a training.

    A foreign version gets the tags of a version of this run, so later runs know it. A version that
    is being created may refuse the tags. Then they are written when the training has ended.
    """
    if not version.is_known:
        errors = client.exceptions
        with suppress(errors.ResourceInUseException, errors.TooManyTagsException):
            write_tags(client, version.arn, adoption_tags(planned_solution))
    job = _job_of(describe_version(client, version.arn), foreign=version.is_foreign)
    if job["phase"] == "ACTIVE":
        job["phase"] = "NEAR"
    return job


def _train(
    client: PersonalizeClient,
    settings: Settings,
    planned_solution: PlannedSolution,
    digest: str | None,
    last_try: Job | None,
) -> Job:
    """Start the training, or return a job that tries again later if there is no room for it.

    Raises:
        ServiceUnavailable: a version with the planned name exists and is not listed yet.
    """
    name, arn = planned_solution["versionName"], planned_solution["solutionArn"]
    digest_tags = {DIGEST: digest or UNKNOWN, MIXED: UNKNOWN}
    try:
        response = client.create_solution_version(
            name=name,
            solutionArn=arn,
            trainingMode=planned_solution["trainingMode"],
            tags=api_tags({**settings["tags"], **planned_solution["tags"], **digest_tags}),
        )
    except client.exceptions.ResourceAlreadyExistsException as error:
        raise ServiceUnavailable(
            f"Personalize answers that {name} exists, but does not list it yet"
        ) from error
    except (
        client.exceptions.LimitExceededException,
        client.exceptions.ResourceInUseException,
    ) as error:
        return postponed_job(
            arn,
            f"the training cannot start yet: {error.response['Error']['Message']}",
            last_try,
            max_hours=settings["limits"]["maxTrainingHours"],
            shortest_pause=WAIT_PAUSE,
        )
    return created_job(response["solutionVersionArn"], planned_solution["durations"])


def _warnings(
    candidates: Sequence[TrainedVersion], foreign: ForeignImports, imports: GroupImports
) -> list[str]:
    """Return the warnings about other trainings and imports at the time of a training."""
    warnings = [
        f"{version.arn} is in training too, but this pipeline did not start it; stop it if nobody "
        "needs it"
        for version in candidates
        if not version.is_known and is_running(version.status) and version.can_be_used
    ]
    warnings += [
        f"{arn}, an import that this pipeline did not start, has added data, and the version "
        "learns them too; find out who started it"
        for arn in foreign.added
    ]
    if not imports.is_complete:
        warnings.append(
            "the lists of import jobs are too long to be read in time, so foreign imports may have "
            "been missed"
        )
    return warnings


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


def _job_of(version: SolutionVersionTypeDef, *, foreign: bool = False) -> Job:
    job = described_job(
        version["solutionVersionArn"],
        version["status"],
        created=version["creationDateTime"],
        updated=version["lastUpdatedDateTime"],
        failure=version.get("failureReason"),
        foreign=foreign,
    )
    if "trainingHours" in version:
        job["trainingHours"] = version["trainingHours"]
    return job

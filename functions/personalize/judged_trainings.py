"""Judges a version whose training has ended: what it learned, and whether it may be used."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .foreign_imports import foreign_imports, replaced_message
from .import_lists import group_imports
from .statuses import is_running
from .tags import ADOPTED, RUN, tags_of, write_tags
from .trained_versions import imports_during, learned_by, recorded_learning, tags_of_learning
from .versions import describe_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import SolutionVersionTypeDef

    from ..contract import Job, PlannedSolution, Run
    from ..workflow_settings import Settings, Tags
    from .import_lists import GroupImports
    from .trained_versions import Learned

NO_ROOM_FOR_TAGS = (
    "this foreign version has no room for the tags of the pipeline, so the next run trains again "
    "on the same imports; create versions by hand with fewer tags"
)


def adoption_tags(planned_solution: PlannedSolution) -> Tags:
    """Return the tags of a foreign version that the run uses instead of a training."""
    return {ADOPTED: planned_solution["versionName"], **planned_solution["tags"]}


def judged_training(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    planned_solution: PlannedSolution,
    *,
    known_imports: Mapping[str, str | None],
    training: Job,
) -> Job:
    """Write what an ACTIVE version learned on the version, and return its job.

    Only now it is certain which imports had ended when the training was created. If a foreign FULL
    import has replaced the data before the training ended, the phase becomes ENDED. A version that
    an earlier run has judged is not judged again.
    """
    tags = tags_of(client, training["arn"])
    is_recorded = recorded_learning(tags) is not None
    if is_recorded and tags.get(RUN) != run["id"]:
        return training
    version = describe_version(client, training["arn"])
    solution = client.describe_solution(solutionArn=version["solutionArn"])["solution"]
    known_arns = [arn for arn in known_imports.values() if arn]
    imports = group_imports(client, solution["datasetGroupArn"], known_arns)
    if not imports.is_complete:
        warning = "the lists of import jobs are too long, so it is not known what was learned"
        return {**training, "warnings": [*training["warnings"], warning]}
    warnings = list(training["warnings"])
    if not is_recorded:
        learned = learned_by(version, tags, solution, imports.jobs)
        warnings += _record(client, training, tags, planned_solution, learned)
    started_at = datetime.fromisoformat(run["startedAt"])
    foreign = foreign_imports(client, settings, imports.jobs, known_imports, since=started_at)
    learned_imports = _ended_before(version, imports, foreign.replacing)
    if learned_imports:
        failure = f"the version is not used: {replaced_message(learned_imports[0])}"
        return {**training, "phase": "ENDED", "failure": failure, "warnings": warnings}
    warnings += [
        f"{arn} ended during the training, so the next run trains again"
        for arn in imports_during(version, imports.jobs)
    ]
    warnings += [
        f"{arn}, an import that this run did not start, is running or ended after the training, so "
        "the version did not learn its data; find out who started it"
        for arn in [*foreign.replacing, *foreign.running]
    ]
    return {**training, "warnings": warnings}


def _record(
    client: PersonalizeClient,
    training: Job,
    tags: Tags,
    planned_solution: PlannedSolution,
    learned: Learned,
) -> list[str]:
    """Write on a version what it learned, and return a warning if later runs will not know it.

    A version of a run was created with these tags, and an existing tag can always be overwritten.
    A foreign version may have so many tags that there is no room. If a run could tag it before,
    later runs know it, and find out again what it learned.
    """
    is_unknown = training["foreign"] and RUN not in tags
    adoption = adoption_tags(planned_solution) if is_unknown else {}
    try:
        write_tags(client, training["arn"], {**adoption, **tags_of_learning(learned)})
    except client.exceptions.TooManyTagsException:
        return [NO_ROOM_FOR_TAGS] if is_unknown else []
    return []


def _ended_before(
    version: SolutionVersionTypeDef, imports: GroupImports, arns: Sequence[str]
) -> list[str]:
    """Return the import jobs that ended before the training of a version ended."""
    return [
        job["datasetImportJobArn"]
        for jobs in imports.jobs.values()
        for job in jobs
        if job["datasetImportJobArn"] in arns
        and not is_running(job["status"])
        and job["lastUpdatedDateTime"] <= version["lastUpdatedDateTime"]
    ]

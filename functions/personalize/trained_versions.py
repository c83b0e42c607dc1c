"""Reads the versions that a run may use instead of a training, and what each of them learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .digest import config_digest, imports_digest, is_digest, joined_digest, newest_end
from .jobs import planned_mode_of
from .ownership import created_by_any_run
from .statuses import cannot_succeed, is_active, is_failed, is_running
from .tags import ADOPTED, DIGEST, MIXED, RUN, tags_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        SolutionTypeDef,
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..workflow_settings import Tags, TrainingMode
    from .digest import JobsOfDatasets
    from .import_lists import GroupImports

MAX_CANDIDATES = 20
"""The number of versions of a solution whose tags are read, newest first."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a version learned. `is_mixed` is true if an import ended while the version trained."""

    digest: str
    is_mixed: bool


@dataclass(frozen=True, kw_only=True)
class TrainedVersion:
    """A solution version that has learned the newest imports, or that is in training."""

    arn: str
    solution_arn: str
    status: str
    mode: TrainingMode
    created_at: datetime
    ended_at: datetime
    tags: Tags
    learned: Learned | None
    """What the version learned, or None if an incomplete list does not show it."""

    @property
    def is_known(self) -> bool:
        """Return True if a run of any stack trained or adopted the version."""
        return created_by_any_run(self.tags) or ADOPTED in self.tags

    @property
    def is_foreign(self) -> bool:
        """Return True if no run trained the version. A foreign training is never stopped."""
        return ADOPTED in self.tags or not created_by_any_run(self.tags)

    @property
    def is_recorded(self) -> bool:
        """Return True if the tags of the version say what it learned."""
        return recorded_learning(self.tags) is not None

    @property
    def can_be_used(self) -> bool:
        """Return True if the version is ACTIVE or may become ACTIVE."""
        return not cannot_succeed(self.status)

    def belongs_to(self, run_id: str) -> bool:
        """Return True if the run trained or adopted the version."""
        return self.tags.get(RUN) == run_id

    def has_learned(self, digest: str | None) -> bool:
        """Return True if the version counts and has this digest.

        All versions count, except failed and mixed versions. Without a digest no version has
        learned it.
        """
        counts = self.is_known and not is_failed(self.status)
        return counts and self.learned == Learned(digest=digest or "", is_mixed=False)


def read_trained_versions(
    client: PersonalizeClient,
    solution: SolutionTypeDef,
    newest_first: Sequence[SolutionVersionSummaryTypeDef],
    imports: GroupImports,
) -> list[TrainedVersion]:
    """Return the versions of a solution that may have learned the newest imports, newest first.

    A version has learned them only if it was created after the last import ended, so older versions
    are left out. The newest ACTIVE version and the versions in training are always returned.
    """
    data_as_of = newest_end(imports.jobs)
    newest_active = next((item for item in newest_first if is_active(item["status"])), None)
    candidates = [
        summary
        for summary in newest_first
        if summary is newest_active
        or is_running(summary["status"])
        or data_as_of is None
        or summary["creationDateTime"] >= data_as_of
    ]
    return [
        _read_version(client, solution, summary, imports) for summary in candidates[:MAX_CANDIDATES]
    ]


def newest_known_version(versions: Sequence[TrainedVersion]) -> TrainedVersion | None:
    """Return the newest ACTIVE version that a run has trained. `versions` are newest first."""
    return next((row for row in versions if row.is_known and is_active(row.status)), None)


def described_version(version: SolutionVersionTypeDef, tags: Tags) -> TrainedVersion:
    """Return a version that a run deploys no matter what it learned, so that is left out."""
    return TrainedVersion(
        arn=version["solutionVersionArn"],
        solution_arn=version["solutionArn"],
        status=version["status"],
        mode=planned_mode_of(version),
        created_at=version["creationDateTime"],
        ended_at=version["lastUpdatedDateTime"],
        tags=tags,
        learned=None,
    )


def learned_by(
    version: SolutionVersionTypeDef,
    tags: Tags,
    solution: SolutionTypeDef,
    jobs_of_datasets: JobsOfDatasets,
) -> Learned:
    """Return what a version learned, according to the lists of imports.

    The version has the configuration that its solution had at its creation. If its description
    does not show this configuration in the form of the solution, the tag from its creation counts.
    """
    present = config_digest(solution)
    digest_at_creation = tags.get(DIGEST, "")
    is_known = is_digest(digest_at_creation)
    at_creation = digest_at_creation.rpartition("-")[2] if is_known else present
    config = present if config_digest(version) == present else at_creation
    digest = joined_digest(imports_digest(jobs_of_datasets, version["creationDateTime"]), config)
    is_mixed = bool(imports_during(version, jobs_of_datasets))
    return Learned(digest=digest, is_mixed=is_mixed)


def imports_during(version: SolutionVersionTypeDef, jobs_of_datasets: JobsOfDatasets) -> list[str]:
    """Return the ARNs of the import jobs that ended while the version was trained."""
    return [
        job["datasetImportJobArn"]
        for jobs in jobs_of_datasets.values()
        for job in jobs
        if is_active(job["status"])
        and version["creationDateTime"] < job["lastUpdatedDateTime"] <= _end_of(version)
    ]


def recorded_learning(tags: Tags) -> Learned | None:
    """Return what the tags of a version say that it learned, or None if they do not say it.

    A person may have edited the tags. A value that is no digest counts as missing.
    """
    if not is_digest(tags.get(DIGEST, "")) or tags.get(MIXED) not in ("true", "false"):
        return None
    return Learned(digest=tags[DIGEST], is_mixed=tags[MIXED] == "true")


def tags_of_learning(learned: Learned) -> Tags:
    """Return the tags that say what a version learned."""
    return {DIGEST: learned.digest, MIXED: "true" if learned.is_mixed else "false"}


def _read_version(
    client: PersonalizeClient,
    solution: SolutionTypeDef,
    summary: SolutionVersionSummaryTypeDef,
    imports: GroupImports,
) -> TrainedVersion:
    """Read the tags of a version. If they do not say what it learned, also describe the version."""
    arn = summary["solutionVersionArn"]
    tags = tags_of(client, arn)
    status, ended_at = summary["status"], summary["lastUpdatedDateTime"]
    learned = recorded_learning(tags)
    if learned is None:
        response = client.describe_solution_version(solutionVersionArn=arn)
        version = response["solutionVersion"]
        status, ended_at = version["status"], version["lastUpdatedDateTime"]
        if imports.is_complete:
            learned = learned_by(version, tags, solution, imports.jobs)
    return TrainedVersion(
        arn=arn,
        solution_arn=solution["solutionArn"],
        status=status,
        mode=planned_mode_of(summary),
        created_at=summary["creationDateTime"],
        ended_at=ended_at,
        tags=tags,
        learned=learned,
    )


def _end_of(version: SolutionVersionTypeDef) -> datetime:
    """Return when a training ended, or the time of its last change if it is running."""
    return version["lastUpdatedDateTime"]

"""Reads solutions and their versions from Personalize for the rules."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, cast

from ..common import clock
from ..common.hashes import compute_short_hash
from ..rules.gate import choose_baseline
from ..rules.training_data import infer_digest, judge_training_data
from ..rules.trainings import MONTH, Deletion, SolutionState, find_candidate
from ..rules.versions import NO_VERSION, SolutionVersion
from .approvals import find_approval_status
from .lists import read_list
from .statuses import ACTIVE, is_active, is_running, is_stopped, is_stopping
from .tags import DIGEST_TAG, RUN_TAG, read_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        SolutionTypeDef,
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..contract import ApprovalSettings, QualityRule, SolutionSettings, Tags, TrainedBy
    from ..rules.imports import Import
    from .imports import ImportReader

MAX_OLDER_VERSIONS = 60
"""The most versions older than a month whose tags a poll reads."""
MAX_BASELINE_CANDIDATES = 60
"""The most versions that a poll searches for a baseline, starting with the nearest in time."""
CONFIG_HASH_LENGTH = 8
"""The length of a digest's second part, the hash of the configuration."""
TRAINING_CONFIG_KEYS = ("recipeArn", "performHPO", "performAutoML", "eventType")
"""The fields of a solution that affect its trainings besides `solutionConfig`."""


def list_versions(
    client: PersonalizeClient, solution_arn: str
) -> list[SolutionVersionSummaryTypeDef]:
    """List the versions of a solution, newest first. The list may be 90 seconds old."""
    summaries = read_list(
        client, "list_solution_versions", "solutionVersions", solutionArn=solution_arn
    )
    return sorted(summaries, key=lambda summary: summary["creationDateTime"], reverse=True)


def list_untagged_versions(client: PersonalizeClient, solution_arn: str) -> list[SolutionVersion]:
    """List the versions of a solution, newest first, without what their tags say."""
    return [_parse_version(summary) for summary in list_versions(client, solution_arn)]


def describe_version(client: PersonalizeClient, arn: str) -> SolutionVersionTypeDef:
    """Describe a solution version."""
    return client.describe_solution_version(solutionVersionArn=arn)["solutionVersion"]


def find_version(client: PersonalizeClient, version_arn: str) -> SolutionVersion | None:
    """Look up a version without its tags. The result is None if it doesn't exist.

    People can edit a campaign's tags, so an ARN in them may not belong to any version.
    """
    try:
        return _parse_version(describe_version(client, version_arn))
    except client.exceptions.ResourceNotFoundException:
        return None


def read_version(
    client: PersonalizeClient,
    solution_settings: SolutionSettings,
    import_reader: ImportReader,
    version_arn: str,
) -> SolutionVersion:
    """Read everything about a version that the rules compare.

    If the version was deleted, the result is NO_VERSION with its ARN. That happens with batch
    jobs, which outlive their solution.
    """
    try:
        description = describe_version(client, version_arn)
    except client.exceptions.ResourceNotFoundException:
        return NO_VERSION._replace(arn=version_arn)

    tags = read_tags(client, version_arn)
    version = _add_tags(_parse_version(description), tags, solution_settings["approval"])
    if solution_settings["trainedBy"] == "personalize" and version.run_id is None:
        # No run has checked the data of this training.
        version = _add_training_data(version, import_reader, description["datasetGroupArn"])

    quality_rules = solution_settings["qualityGate"]
    if not quality_rules:
        return version  # Nothing compares its metrics.
    return version._replace(
        metrics=read_metrics(client, version_arn),
        baselines=_read_baselines(client, quality_rules, version),
    )


def _add_training_data(
    version: SolutionVersion, import_reader: ImportReader, group_arn: str
) -> SolutionVersion:
    """Add what the imports say about the data that a version was trained on."""
    imports = import_reader.list_group_imports(group_arn, trained_at=version.created_at)
    return judge_training_data(
        infer_digest(version, imports), imports, import_reader.is_full_by_dataset_arn
    )


def _read_baselines(
    client: PersonalizeClient, quality_rules: Iterable[QualityRule], version: SolutionVersion
) -> dict[str, SolutionVersion | None]:
    """Read the version's baseline in each solution that a rule compares with."""
    solution_arns = {rule.get("relativeTo") for rule in quality_rules} - {None}
    return {
        solution_arn: read_baseline(client, solution_arn, version)
        for solution_arn in sorted(filter(None, solution_arns))
    }


def read_baseline(
    client: PersonalizeClient, solution_arn: str, version: SolutionVersion
) -> SolutionVersion | None:
    """Find a version's baseline in another solution, and read its metrics, or return None.

    A baseline was trained on the same data, so it shows how hard that data is.
    """
    if not version.imports_hash:
        return None  # A foreign version's training data is unknown.

    try:
        baseline = choose_baseline(
            version, _find_versions_around(client, solution_arn, version.created_at)
        )
    except client.exceptions.ResourceNotFoundException:
        return None  # The baseline solution was deleted.

    # A version has no metrics until its training ends.
    if baseline is None or baseline.is_running:
        return baseline
    return baseline._replace(metrics=read_metrics(client, baseline.arn))


def _find_versions_around(
    client: PersonalizeClient, solution_arn: str, time: datetime
) -> Iterator[SolutionVersion]:
    """Yield the last version that a run created before a time, and the first one after it.

    The nearer one comes first. The second one's tags are only read if the caller goes on.
    """
    versions = list_untagged_versions(client, solution_arn)
    versions.sort(key=lambda version: abs(version.created_at - time))

    # Only the nearest version on each side of the time counts.
    found_sides = set()
    for version in versions[:MAX_BASELINE_CANDIDATES]:
        is_later = version.created_at > time
        is_usable = version.is_running or version.is_active
        if not is_usable or is_later in found_sides:
            continue

        # Only the versions that runs created have a digest in their tags.
        tagged_version = _add_tags(version, read_tags(client, version.arn))
        if tagged_version.digest:
            found_sides.add(is_later)
            yield tagged_version


def read_metrics(client: PersonalizeClient, version_arn: str) -> dict[str, float]:
    """Read a version's offline metrics. The result is empty if it has none."""
    metrics = client.get_solution_metrics(solutionVersionArn=version_arn).get("metrics", {})

    # JSON has no NaN, so Personalize may send it as a string.
    return {
        name: value if isinstance(value, int | float) else math.nan
        for name, value in metrics.items()
    }


class SolutionReader:
    """Reads solutions and their versions at each poll.

    A version's tags are cached, because a training only needs those set at creation.
    """

    def __init__(self, client: PersonalizeClient, trained_by: TrainedBy) -> None:
        self._client = client
        self._trained_by = trained_by
        self._read_cached_tags = cache(partial(read_tags, client))

    def read_state(
        self,
        solution: SolutionTypeDef,
        imports: Sequence[Import],
        deletions: Sequence[Deletion] = (),
    ) -> SolutionState:
        """Read what the training rules need to know about a solution.

        `imports` and `deletions` belong to the solution's dataset group.
        """
        config_hash = hash_config(solution)
        versions = self._read_versions(solution["solutionArn"])
        if self._trained_by == "personalize":
            versions = [
                version if version.digest else infer_digest(version, imports, config_hash)
                for version in versions
            ]

        latest_update = solution.get("latestSolutionUpdate", {})
        return SolutionState(
            config_hash=config_hash,
            is_being_updated=is_running(latest_update.get("status", ACTIVE)),
            imports=imports,
            deletions=deletions,
            versions=versions,
        )

    def _read_versions(self, solution_arn: str) -> list[SolutionVersion]:
        """Read a solution's versions, newest first, with the tags that the rules need.

        Tags are read for all versions from the last month, and for older ones until the version
        that runs deploy is found.
        """
        versions: list[SolutionVersion] = []
        older_count = 0
        for summary in list_versions(self._client, solution_arn):
            version = _parse_version(summary)
            if version.is_running:
                # The list may be outdated. But a new version may only be in the list so far.
                version = find_version(self._client, version.arn) or version

            are_tags_needed = version.created_at > clock.now() - MONTH
            if not are_tags_needed:
                older_count += 1
                # The search needs a limit, because Personalize may have trained hundreds of
                # versions by itself.
                is_within_limit = older_count <= MAX_OLDER_VERSIONS
                has_candidate = find_candidate(versions, self._trained_by) is not None
                are_tags_needed = is_within_limit and not has_candidate

            if are_tags_needed:
                version = _add_tags(version, self._read_cached_tags(version.arn))
            versions.append(version)
        return versions

    def find_version_with_tags(self, version_arn: str) -> SolutionVersion | None:
        """Look up a version with its tags. The result is None if Personalize can't find it."""
        version = find_version(self._client, version_arn)
        if version is None:
            return None

        return _add_tags(version, self._read_cached_tags(version_arn))


def _parse_version(
    description: SolutionVersionTypeDef | SolutionVersionSummaryTypeDef,
) -> SolutionVersion:
    """Convert a version from a response of Personalize, which doesn't include its tags."""
    status = description["status"]

    return SolutionVersion(
        arn=description["solutionVersionArn"],
        is_running=is_running(status),
        is_active=is_active(status),
        created_at=description["creationDateTime"],
        ended_at=description["lastUpdatedDateTime"],
        was_stopped=is_stopped(status),
        is_stopping=is_stopping(status),
        failure=description.get("failureReason"),
        training_mode=description.get("trainingMode", "FULL"),
        training_hours=cast("float | None", description.get("trainingHours")),
    )


def _add_tags(
    version: SolutionVersion, tags: Tags, approval_settings: ApprovalSettings | None = None
) -> SolutionVersion:
    """Add what a version's tags say. Without `approval_settings`, requests don't expire."""
    return version._replace(
        run_id=tags.get(RUN_TAG),
        digest=tags.get(DIGEST_TAG),
        approval=find_approval_status(tags, approval_settings, clock.now()),
    )


def hash_config(solution: SolutionTypeDef) -> str:
    """Hash the fields of a solution that affect its trainings, so that a change is noticed.

    The schedule of automatic trainings isn't one of them.
    """
    solution_config: dict[str, object] = {**solution.get("solutionConfig", {})}
    solution_config.pop("autoTrainingConfig", None)
    fields: dict[str, object] = {"solutionConfig": solution_config}
    for key in TRAINING_CONFIG_KEYS:
        fields[key] = solution.get(key)

    # A setting that is off is the same as a missing one.
    fields_in_use = {key: value for key, value in fields.items() if value}
    text = json.dumps(fields_in_use, sort_keys=True, default=str)
    return compute_short_hash(text, CONFIG_HASH_LENGTH)


def stop_training(client: PersonalizeClient, version_arn: str) -> None:
    """Ask Personalize to stop a training.

    It's no error if the training has ended or is already stopping.
    """
    errors = client.exceptions
    with suppress(errors.InvalidInputException, errors.ResourceInUseException):
        client.stop_solution_version_creation(solutionVersionArn=version_arn)

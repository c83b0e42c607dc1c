"""Finds the import jobs that brought other data than a run knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .jobs import import_mode_of
from .ownership import created_by_any_run
from .statuses import is_active, is_running
from .tags import tags_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import DatasetImportJobSummaryTypeDef

    from ..workflow_settings import Settings
    from .digest import JobsOfDatasets


class ForeignImports(NamedTuple):
    """The ARNs of import jobs that the run does not know."""

    replacing: list[str]
    """FULL imports of configured datasets, which replace or have replaced the data of the run."""
    running: list[str]
    """Other import jobs that are running."""
    added: list[str]
    """Other import jobs that have ended since the imports of the run."""


def foreign_imports(
    client: PersonalizeClient,
    settings: Settings,
    jobs_of_datasets: JobsOfDatasets,
    known_imports: Mapping[str, str | None],
    *,
    since: datetime,
) -> ForeignImports:
    """Return the import jobs that brought or are bringing other data than the run knows.

    An import job of an earlier run that is still running is waited for like a foreign one. Once it
    has ended it is no foreign import.

    Args:
        client: a client for reads.
        settings: the settings of the pipeline.
        jobs_of_datasets: the import jobs of all datasets of the group.
        known_imports: type of each configured dataset -> its newest import job when the run was
            planned, or the import job that the run has created since, or None without one.
        since: the start of the run. Earlier imports of datasets that are not configured are not
            returned.
    """
    types = {dataset["datasetArn"]: dataset["type"] for dataset in settings["datasets"]}
    imports = ForeignImports([], [], [])
    for dataset_arn, jobs in jobs_of_datasets.items():
        is_configured = dataset_arn in types
        known_arn = known_imports.get(types.get(dataset_arn, ""))
        for job in _unknown_jobs(jobs, known_arn, None if is_configured else since):
            arn = job["datasetImportJobArn"]
            is_known = created_by_any_run(tags_of(client, arn))
            if is_known and not is_running(job["status"]):
                continue
            if is_configured and import_mode_of(job) == "FULL" and not is_known:
                imports.replacing.append(arn)
            elif is_running(job["status"]):
                imports.running.append(arn)
            else:
                imports.added.append(arn)
    return imports


def _unknown_jobs(
    jobs: Sequence[DatasetImportJobSummaryTypeDef], known_arn: str | None, since: datetime | None
) -> Iterator[DatasetImportJobSummaryTypeDef]:
    """Yield the import jobs of a dataset that are running or did not end before the known import.

    Without a known import, yield the import jobs that ended after `since`, or all import jobs if
    `since` is None.
    """
    known_ends = [
        job["lastUpdatedDateTime"] for job in jobs if job["datasetImportJobArn"] == known_arn
    ]
    start = known_ends[0] if known_ends else since
    for job in jobs:
        if job["datasetImportJobArn"] == known_arn:
            continue
        has_ended_later = is_active(job["status"]) and (
            start is None or job["lastUpdatedDateTime"] >= start
        )
        if is_running(job["status"]) or has_ended_later:
            yield job


def replaced_message(arn: str) -> str:
    """Return the message about a foreign FULL import."""
    return (
        f"{arn}, a FULL import that this pipeline did not start, replaces or has replaced the data "
        "that this run imported; find out who started it, then use retrain start, which imports "
        "the export again"
    )

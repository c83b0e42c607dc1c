"""Clients of Personalize, and what is read from it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from .passing import raise_passing_errors

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetImportJobSummaryTypeDef,
        SolutionVersionSummaryTypeDef,
    )

LATEST = "/$LATEST"
"""Ends the `solutionVersionArn` of a campaign that follows its solution's newest version."""


@functools.cache
def reader() -> PersonalizeClient:
    """Give the client for reads: botocore itself tries again."""
    return _client(attempts=4)


@functools.cache
def writer() -> PersonalizeClient:
    """Give the client for writes: each request goes out once.

    A create whose answer was lost must not go out again before its effect was looked for.
    """
    return _client(attempts=1)


def _client(*, attempts: int) -> PersonalizeClient:
    client = boto3.client(
        "personalize",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=5,
            read_timeout=15,
        ),
    )
    raise_passing_errors(client)
    return client


def versions(client: PersonalizeClient, solution_arn: str) -> list[SolutionVersionSummaryTypeDef]:
    """Give a solution's versions, newest first."""
    pages = client.get_paginator("list_solution_versions").paginate(solutionArn=solution_arn)
    found = [summary for page in pages for summary in page["solutionVersions"]]
    return sorted(found, key=lambda summary: summary["creationDateTime"], reverse=True)


def import_jobs(
    client: PersonalizeClient, dataset_arn: str | None = None
) -> list[DatasetImportJobSummaryTypeDef]:
    """Give a dataset's import jobs, newest first; without a dataset those of the whole region."""
    paginator = client.get_paginator("list_dataset_import_jobs")
    pages = paginator.paginate(datasetArn=dataset_arn) if dataset_arn else paginator.paginate()
    found = [summary for page in pages for summary in page["datasetImportJobs"]]
    return sorted(found, key=lambda summary: summary["creationDateTime"], reverse=True)


def version_created_at(client: PersonalizeClient, version_arn: str) -> datetime | None:
    """Give when a version was created; None for `$LATEST`, which names no version."""
    if version_arn.endswith(LATEST):
        return None
    described = client.describe_solution_version(solutionVersionArn=version_arn)
    return described["solutionVersion"]["creationDateTime"]

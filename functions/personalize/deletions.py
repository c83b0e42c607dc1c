"""Reads data deletion jobs as the facts that the rules need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rules.deletions import Deletion
from .lists import read_list
from .statuses import COMPLETED, is_running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import ListDataDeletionJobsResponseTypeDef


def list_deletions(client: PersonalizeClient, group_arn: str) -> list[Deletion]:
    """Return the data deletion jobs of a dataset group. The list may be 90 seconds old."""
    return [
        Deletion(
            arn=job["dataDeletionJobArn"],
            is_running=is_running(job["status"]),
            has_completed=job["status"] == COMPLETED,
            created_at=job["creationDateTime"],
            ended_at=job["lastUpdatedDateTime"],
        )
        for job in read_list(_pages(client, group_arn), lambda page: page["dataDeletionJobs"])
    ]


def _pages(
    client: PersonalizeClient, group_arn: str
) -> Iterator[ListDataDeletionJobsResponseTypeDef]:
    """Yield the pages of the list. boto3 has no paginator for it."""
    page = client.list_data_deletion_jobs(datasetGroupArn=group_arn)
    yield page
    while token := page.get("nextToken"):
        page = client.list_data_deletion_jobs(datasetGroupArn=group_arn, nextToken=token)
        yield page

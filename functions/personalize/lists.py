"""Reads lists from Personalize within a time limit, because most of them only grow."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..common import clock
from ..common.errors import ServiceUnavailable
from ..rules.trainings import Deletion
from .statuses import COMPLETED, is_active, is_running

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import RecommenderSummaryTypeDef

    from ..contract import Settings

MAX_PAGE_ITEMS = 100
"""The most items of a page that Personalize allows."""
MAX_READING_TIME = timedelta(seconds=30)
"""How long we read the pages of a list. Import jobs and solution versions can't be deleted, so
their lists grow with every run."""


def read_list(
    personalize: Any,  # noqa: ANN401 - its type doesn't know which operation has which list
    operation: str,
    list_key: str,
    **request: str,
) -> list[Any]:
    """Read all pages of a list. For `list_datasets`, for example, `list_key` is `datasets`.

    Raises:
        ServiceUnavailable: the last page didn't arrive within MAX_READING_TIME.
    """
    deadline = clock.now() + MAX_READING_TIME
    pages = personalize.get_paginator(operation).paginate(
        **request, PaginationConfig={"PageSize": MAX_PAGE_ITEMS}
    )

    items = []
    for page in pages:
        if clock.now() > deadline:
            raise ServiceUnavailable("a list of Personalize is too slow")
        items += page[list_key]
    return items


def derive_group_arn(dataset_arn: str) -> str:
    """Derive the ARN of a dataset's group, `dataset-group/<name>`, from `dataset/<name>/<type>`."""
    return dataset_arn.rpartition("/")[0].replace(":dataset/", ":dataset-group/", 1)


def list_active_event_tracker_arns(client: PersonalizeClient, group_arn: str) -> list[str]:
    """List the ARNs of a dataset group's ACTIVE event trackers."""
    trackers = read_list(client, "list_event_trackers", "eventTrackers", datasetGroupArn=group_arn)
    return [tracker["eventTrackerArn"] for tracker in trackers if is_active(tracker["status"])]


def list_recommenders(
    client: PersonalizeClient, settings: Settings
) -> list[RecommenderSummaryTypeDef]:
    """List the recommenders in the dataset group of a pipeline that only imports.

    Other pipelines have solutions instead, so nothing is requested for them. AWS doesn't document
    how it answers for a dataset group without a domain, and such a group may have a pipeline that
    only imports, too. So list the whole region, which has at most 15 recommenders:
    https://docs.aws.amazon.com/personalize/latest/dg/creating-recommenders.html
    """
    if settings["solutions"]:
        return []

    group_arn = derive_group_arn(settings["datasets"][0]["datasetArn"])
    response = client.list_recommenders(maxResults=100)
    return [
        recommender
        for recommender in response["recommenders"]
        if recommender["datasetGroupArn"] == group_arn
    ]


def list_deletions(client: PersonalizeClient, group_arn: str) -> list[Deletion]:
    """List the last 100 data deletion jobs of a dataset group. The list may be 90 seconds old."""
    response = client.list_data_deletion_jobs(datasetGroupArn=group_arn, maxResults=100)

    return [
        Deletion(
            arn=job["dataDeletionJobArn"],
            is_running=is_running(job["status"]),
            has_completed=job["status"] == COMPLETED,
            created_at=job["creationDateTime"],
            ended_at=job["lastUpdatedDateTime"],
        )
        for job in response["dataDeletionJobs"]
    ]

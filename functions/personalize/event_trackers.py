"""Lists the event trackers of a dataset group, through which applications send events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .statuses import is_active

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient


def active_event_trackers(client: PersonalizeClient, group_arn: str) -> list[str]:
    """Return the ARNs of the ACTIVE event trackers of a dataset group."""
    pages = client.get_paginator("list_event_trackers").paginate(datasetGroupArn=group_arn)
    return [
        tracker["eventTrackerArn"]
        for page in pages
        for tracker in page["eventTrackers"]
        if is_active(tracker["status"])
    ]

"""Reads when the model that a campaign serves was trained, and when data were last imported."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .. import clock
from .approvals import CLOCKS_DIFFER
from .campaigns import describe_campaign, live_version
from .event_trackers import active_event_trackers
from .import_lists import newest_import, read_import_list
from .statuses import is_active
from .tags import CHECKED, tags_of
from .versions import version_created_at, versions

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..workflow_settings import DatasetSettings, Tags

SENT_BY_APPLICATIONS = ("interactions", "actionInteractions")
"""The datasets that grow every day. If the export of such a dataset does not change, its data have
stopped arriving, unless applications send events as well."""


class NotMeasurableError(Exception):
    """There is no model whose age could be measured. The log has the message."""


def served_model_at(client: PersonalizeClient, campaign_arn: str, tags: Tags) -> datetime:
    """Return when the model of a campaign was trained, or was last found up to date.

    Args:
        client: a client for reads.
        campaign_arn: the campaign.
        tags: the tags of the campaign.

    Raises:
        NotMeasurableError: the campaign serves nothing.
    """
    served = live_version(describe_campaign(client, campaign_arn))
    if served is None:
        raise NotMeasurableError(f"{campaign_arn} serves nothing, because it is not ACTIVE")
    return _latest(version_created_at(client, served), checked_at(tags))


def trained_at(client: PersonalizeClient, solution_arn: str) -> datetime:
    """Return when a solution without campaigns was trained, or was last found up to date.

    Raises:
        NotMeasurableError: the solution has no ACTIVE version.
    """
    for version in versions(client, solution_arn):
        if is_active(version["status"]):
            checked = checked_at(tags_of(client, solution_arn))
            return _latest(version["creationDateTime"], checked)
    raise NotMeasurableError(f"{solution_arn} has no ACTIVE version")


def imported_at(client: PersonalizeClient, dataset: DatasetSettings) -> datetime | None:
    """Return when a dataset was last imported, or None if it never was.

    A run that has found the export unchanged counts too, except for a dataset that grows every day.
    """
    arn = dataset["datasetArn"]
    newest = newest_import(read_import_list(client, arn).items)
    created_at = newest["creationDateTime"] if newest else None
    if not _may_stay_unchanged(client, dataset):
        return created_at
    checked = checked_at(tags_of(client, arn))
    return _latest(created_at, checked) if created_at else checked


def checked_at(tags: Tags) -> datetime | None:
    """Return when a run has found a resource up to date, or None.

    A time that no run can have written does not count: one without a zone, or in the future.
    """
    try:
        time = datetime.fromisoformat(tags.get(CHECKED, ""))
        return time if time <= clock.now() + CLOCKS_DIFFER else None
    except (ValueError, TypeError):
        return None


def _may_stay_unchanged(client: PersonalizeClient, dataset: DatasetSettings) -> bool:
    """Return True if the data of a dataset are new although its export has not changed."""
    if dataset["type"] not in SENT_BY_APPLICATIONS or dataset.get("streamed"):
        return True
    # The ARN is `dataset/<group>/<type>`, and the dataset is in `dataset-group/<group>`.
    group_arn = dataset["datasetArn"].rpartition("/")[0].replace(":dataset/", ":dataset-group/", 1)
    return bool(active_event_trackers(client, group_arn))


def _latest(time: datetime, other: datetime | None) -> datetime:
    return max(time, other) if other else time

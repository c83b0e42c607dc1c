"""Decides which campaigns wait for a version that was trained before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ..personalize.campaigns import live_version
from ..personalize.trial_tags import read_trial_tags
from ..personalize.verdicts import valid_verdict

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import CampaignTypeDef

    from ..personalize.trained_versions import TrainedVersion
    from ..workflow_settings import CampaignSettings, Settings
    from .world import World


def waits_for(
    version: TrainedVersion,
    campaign_settings: CampaignSettings,
    settings: Settings,
    world: World,
) -> bool:
    """Return True if the campaign still has to be updated to the version.

    A campaign does not wait if

    - it serves the version or a newer version,
    - the version has a verdict that is valid for this campaign,
    - somebody has moved the campaign to another version since the version was created.
    """
    arn = campaign_settings["campaignArn"]
    campaign, tags = world.campaigns[arn], world.campaign_tags.get(arn, {})
    live = live_version(campaign)
    newer_arns = [
        summary["solutionVersionArn"]
        for summary in world.versions[version.solution_arn]
        if summary["creationDateTime"] > version.created_at
    ]
    if live == version.arn or live in newer_arns:
        return False
    if valid_verdict(settings, arn, tags, version.arn, live):
        return False
    rolled_back_at = read_trial_tags(tags, version.solution_arn).rolled_back_at
    return not _was_moved(campaign, version, rolled_back_at)


def _was_moved(
    campaign: CampaignTypeDef, version: TrainedVersion, rolled_back_at: str | None
) -> bool:
    """Return True if somebody has moved the campaign since the version was created.

    The latest update does not count if it is an update to the version, if it is older than the
    version, or if it is the last rollback of the campaign.
    """
    update = campaign.get("latestCampaignUpdate")
    if update is None or update["solutionVersionArn"] == version.arn:
        return False
    created_at = update["creationDateTime"]
    if created_at <= version.created_at:
        return False
    return rolled_back_at is None or created_at != datetime.fromisoformat(rolled_back_at)

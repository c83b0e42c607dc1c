"""Decides which campaigns wait for a version that was trained before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ..personalize.campaigns import live_version
from ..personalize.trial_tags import read_trial_tags
from ..personalize.verdicts import valid_verdict
from ..workflow_settings import solution_of_version

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import CampaignTypeDef

    from ..personalize.trained_versions import TrainedVersion
    from ..workflow_settings import CampaignSettings, Settings, Tags
    from .situation import Situation
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
    return moved_to(campaign, tags, version.arn, version.created_at) is None


def moved_campaigns(situation: Situation, version: TrainedVersion) -> dict[str, str]:
    """Return the campaigns that somebody has moved since the version was created.

    Each campaign has the version to which it was moved. The solution of the version is selected.
    """
    world, moved = situation.world, {}
    for settings in situation.solution["campaigns"]:
        arn = settings["campaignArn"]
        campaign, tags = world.campaigns.get(arn), world.campaign_tags.get(arn, {})
        if campaign and (
            moved_version := moved_to(campaign, tags, version.arn, version.created_at)
        ):
            moved[arn] = moved_version
    return moved


def moved_to(
    campaign: CampaignTypeDef, tags: Tags, version_arn: str, version_created_at: datetime
) -> str | None:
    """Return the version to which somebody has moved the campaign since a version was created.

    Return None if nobody has. The latest update does not count if it is an update to the version,
    if it is older than the version, or if it is the last rollback of the campaign.
    """
    update = campaign.get("latestCampaignUpdate")
    if update is None or update["solutionVersionArn"] == version_arn:
        return None
    created_at = update["creationDateTime"]
    if created_at <= version_created_at:
        return None
    rolled_back_at = read_trial_tags(tags, solution_of_version(version_arn)).rolled_back_at
    if rolled_back_at and created_at == datetime.fromisoformat(rolled_back_at):
        return None
    return update["solutionVersionArn"]

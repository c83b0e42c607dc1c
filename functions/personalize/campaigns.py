"""Reads campaigns and versions for the rules of deployments, and builds the request of an update.

While a campaign is updated, its status stays ACTIVE. `latestCampaignUpdate` shows the state of the
update, and `solutionVersionArn` shows which version is served.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ..errors import Refused
from ..rules.deployments import Deployment, SeenCampaign, Update, Version
from .approvals import answer_about
from .notes import read_notes
from .statuses import is_active, is_running, phase_of
from .tags import tags_of
from .versions import version_created_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        CampaignUpdateSummaryTypeDef,
        UpdateCampaignRequestTypeDef,
    )

    from ..contract import PlannedCampaign
    from ..rules.gate import Gate
    from ..workflow_settings import Settings, SolutionSettings, Tags

REFUSALS = ("ResourceInUseException", "LimitExceededException")
"""The errors of UpdateCampaign after which the same request may be accepted later."""


def describe_campaign(client: PersonalizeClient, campaign_arn: str) -> CampaignTypeDef:
    """Return a campaign as DescribeCampaign shows it."""
    return client.describe_campaign(campaignArn=campaign_arn)["campaign"]


def seen_campaign(
    campaign: CampaignTypeDef, tags: Tags, solution_arn: str, version: Callable[[str], Version]
) -> SeenCampaign:
    """Return a campaign as the rules of deployments see it.

    Args:
        campaign: the campaign as DescribeCampaign shows it.
        tags: the tags of the campaign.
        solution_arn: its solution.
        version: returns what is known about a version.
    """
    latest = campaign.get("latestCampaignUpdate")
    return SeenCampaign(
        serves=live_version(campaign),
        is_being_created=is_running(campaign["status"]),
        update=_seen_update(latest) if latest else None,
        notes=read_notes(tags, solution_arn),
        version=version,
    )


def _seen_update(latest: CampaignUpdateSummaryTypeDef) -> Update:
    """Return the latest update of a campaign as the rules of deployments see it."""
    phase = phase_of(latest["status"])
    return Update(
        version=latest["solutionVersionArn"],
        is_running=phase == "UNDER_WAY",
        has_failed=phase == "ENDED",
        created_at=latest["creationDateTime"],
        ended_at=latest["lastUpdatedDateTime"],
        failure=latest.get("failureReason"),
    )


def read_version(
    client: PersonalizeClient, arn: str, solution: SolutionSettings, now: datetime
) -> Version:
    """Read what the rules have to know about a version.

    Without a quality gate nothing is compared, so no metrics are requested.
    """
    metrics = metrics_of(client, arn) if solution["qualityGate"] else {}
    answer = answer_about(tags_of(client, arn), solution.get("approval"), now)
    return Version(version_created_at(client, arn), metrics, answer or "")


def metrics_of(client: PersonalizeClient, version_arn: str) -> dict[str, float]:
    """Return the offline metrics of a version by name. It is empty if the version has none.

    JSON has no NaN, so a service may send it as a text.
    """
    metrics = client.get_solution_metrics(solutionVersionArn=version_arn).get("metrics", {})
    return {
        name: value if isinstance(value, int | float) else math.nan
        for name, value in metrics.items()
    }


def live_version(campaign: CampaignTypeDef) -> str | None:
    """Return the ARN of the version that a campaign serves.

    Return None if the creation of the campaign failed. The campaign then serves nothing, although
    its description contains a version.
    """
    return campaign["solutionVersionArn"] if is_active(campaign["status"]) else None


def follows_newest(campaign: CampaignTypeDef) -> bool:
    """Return True if Personalize moves the campaign to each new version."""
    return campaign.get("campaignConfig", {}).get("syncWithLatestSolutionVersion", False)


def wanted_deployment(
    settings: Settings,
    solution: SolutionSettings,
    planned: PlannedCampaign,
    version: str | None,
    gate: Gate,
) -> Deployment:
    """Return what a run wants of a campaign: that it serves a version.

    Without a version, the run only ends a trial.
    """
    arn, approval = planned["campaignArn"], solution.get("approval")
    probes = {campaign["campaignArn"]: campaign["probe"] for campaign in solution["campaigns"]}
    probe = probes[arn]
    return Deployment(
        version=version,
        waited=planned["isWaiting"],
        rejections=gate.rejections,
        approval_hours=approval["timeoutHours"] if approval else None,
        probe_minutes=probe["minutes"] if probe else None,
        max_hours=settings["limits"]["maxCampaignHours"],
    )


def update_campaign(client: PersonalizeClient, campaign_arn: str, version: str) -> None:
    """Send an update of a campaign to a version.

    Raises:
        Refused: Personalize does not update the campaign now.
    """
    request = update_request(describe_campaign(client, campaign_arn), version)
    try:
        client.update_campaign(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] in REFUSALS:
            raise Refused(str(error)) from error
        raise


def update_request(campaign: CampaignTypeDef, target: str) -> UpdateCampaignRequestTypeDef:
    """Return the request that moves the campaign to a version and changes no other setting.

    The request repeats the other settings, because the API does not promise to keep a setting that
    a request leaves out. It does not repeat what DescribeCampaign may show, but UpdateCampaign
    refuses: fewer than one provisioned transaction per second, and empty settings. A campaign that
    follows the newest version would leave the version again, so the request turns that off.
    """
    request: UpdateCampaignRequestTypeDef = {
        "campaignArn": campaign["campaignArn"],
        "solutionVersionArn": target,
    }
    if campaign.get("minProvisionedTPS", 0) >= 1:
        request["minProvisionedTPS"] = campaign["minProvisionedTPS"]
    config = campaign.get("campaignConfig", {}).copy()
    if not config.get("itemExplorationConfig"):
        config.pop("itemExplorationConfig", None)
    if not config.get("rankingInfluence"):
        config.pop("rankingInfluence", None)
    if config.get("syncWithLatestSolutionVersion"):
        config["syncWithLatestSolutionVersion"] = False
    if config:
        request["campaignConfig"] = config
    return request

"""Builds the spec that tells the deployment rules what to do at a campaign."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..bake_alarms import list_alarm_names
from ..rules.campaigns import DeploymentSpec

if TYPE_CHECKING:
    from ..contract import Settings, SolutionSettings

MIN_BAKE_PAUSE_SECONDS = 300
"""The shortest pause between two polls of a bake."""
MAX_BAKE_POLLS = 600
"""Roughly the most polls that all bakes of a run may take. Step Functions allows 25,000 events in
an execution. A poll takes 9, a run may bake twice because it also ends the trials of earlier runs,
and the largest pipeline may need 13,200 events for everything else."""


def build_deployment_spec(
    settings: Settings,
    solution: SolutionSettings,
    campaign_arn: str,
    candidate_arn: str | None,
    *,
    is_candidate_from_earlier_run: bool,
) -> DeploymentSpec:
    """Build the spec for a run's deployment to a campaign from the run's settings."""
    campaign = next(
        campaign for campaign in solution["campaigns"] if campaign["campaignArn"] == campaign_arn
    )
    bake_hours = 0.0
    if campaign["bake"] is not None:
        bake_hours = campaign["bake"]["hours"]

    return DeploymentSpec(
        campaign_arn=campaign_arn,
        candidate_arn=candidate_arn,
        is_candidate_from_earlier_run=is_candidate_from_earlier_run,
        gate=solution["qualityGate"],
        approval=solution["approval"],
        probe=campaign["probe"],
        bake=timedelta(hours=bake_hours),
        max_bake_pause_seconds=_choose_bake_pause(settings, bake_hours),
        alarm_names=list_alarm_names(settings, campaign),
        max_hours=settings["limits"]["maxCampaignHours"],
    )


def _choose_bake_pause(settings: Settings, bake_hours: float) -> float:
    """Choose the seconds between two polls of a bake.

    All bakes of a run share MAX_BAKE_POLLS, so more bakes need longer pauses.
    """
    campaigns = [campaign for each in settings["solutions"] for campaign in each["campaigns"]]
    bake_count = sum(campaign["bake"] is not None for campaign in campaigns)
    total_bake_seconds = bake_hours * 3600 * bake_count
    return max(MIN_BAKE_PAUSE_SECONDS, total_bake_seconds / MAX_BAKE_POLLS)

"""Asks the rules of deployments which campaigns a version that was trained before waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..personalize.campaigns import read_notes, seen_campaign, wanted_deployment
from ..rules.deployments import Memory, decide, waits
from ..rules.trainings import newest_active

if TYPE_CHECKING:
    from ..contract import PlannedCampaign
    from ..rules.deployments import Deployment, SeenCampaign
    from ..rules.trainings import Training
    from .situation import Situation


def waiting_version(situation: Situation) -> Training | None:
    """Return the newest version of the selected solution that a run has trained, or None.

    Campaigns may wait for it.
    """
    seen = situation.seen_solution
    return newest_active(seen.trainings) if seen else None


def waits_for(situation: Situation, planned: PlannedCampaign, version: Training) -> bool:
    """Return True if there is something to do at a campaign with a version of an earlier run."""
    seen = seen_in_world(situation, planned["campaignArn"])
    return waits(seen, _wanted(situation, planned, version), situation.world.now)


def is_bad(situation: Situation, planned: PlannedCampaign, version: Training) -> bool:
    """Return True if a campaign does not take a version, because it was found bad."""
    seen = seen_in_world(situation, planned["campaignArn"])
    now = situation.world.now
    step = decide(seen, _wanted(situation, planned, version), Memory(now), now)
    return step.outcome in ("REJECTED", "ROLLED_BACK")


def is_on_trial(situation: Situation, campaign_arn: str) -> bool:
    """Return True if the trial of the campaign could not be ended in this run."""
    return seen_in_world(situation, campaign_arn).notes.trial is not None


def seen_in_world(situation: Situation, campaign_arn: str) -> SeenCampaign:
    """Return a campaign of the selected solution as the rules of deployments see it."""
    world = situation.world
    return seen_campaign(
        world.campaigns[campaign_arn],
        read_notes(world.campaign_tags.get(campaign_arn, {}), situation.solution["solutionArn"]),
        world.version_facts,
    )


def _wanted(situation: Situation, planned: PlannedCampaign, version: Training) -> Deployment:
    return wanted_deployment(situation.settings, situation.solution, planned, version.arn)

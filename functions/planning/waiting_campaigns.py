"""Asks the rules of deployments which campaigns a version that was trained before waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..personalize.campaigns import read_notes, seen_campaign, wanted_deployment
from ..rules.deployments import Memory, decide, waits, was_moved
from ..rules.trainings import newest_active

if TYPE_CHECKING:
    from ..contract import PlannedCampaign
    from ..rules.deployments import Deployment, SeenCampaign
    from ..rules.trainings import Training
    from .situation import Situation


def waiting_version(situation: Situation) -> Training | None:
    """Return the version that the campaigns of the selected solution may wait for.

    It is the version that an approval names, or else the newest version that a run has trained.
    """
    if "deploy" in situation.run["request"]:
        return situation.world.version_to_deploy
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


def moved_campaigns(situation: Situation, version: Training) -> dict[str, str]:
    """Return the campaigns that somebody has moved since the version was created.

    Each campaign has the version to which it was moved. The solution of the version is selected.
    """
    moved = {}
    for campaign in situation.solution["campaigns"]:
        arn = campaign["campaignArn"]
        if arn in situation.world.campaigns:
            seen = seen_in_world(situation, arn)
            if seen.serves and was_moved(seen, version.arn):
                moved[arn] = seen.serves
    return moved


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

"""Plans the trainings and campaign updates of a run. All functions are pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..personalize.ownership import version_name
from ..personalize.tags import REQUESTED_BY, RUN
from ..personalize.trainings import training_mode_of
from .news import limit_of_month, needs_training, requested_since, training_requested_by
from .planned_imports import durations_of
from .waiting_campaigns import (
    is_bad,
    is_on_trial,
    waiting_version,
    waits_for,
)
from .world import newest_active

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import (
        SolutionVersionSummaryTypeDef,
    )

    from ..contract import PlannedCampaign, PlannedSolution
    from ..rules.trainings import Training
    from ..workflow_settings import CampaignSettings, TrainingMode
    from .situation import Situation
    from .world import World

LONGEST_USUAL_UPDATE = 1500
"""Seconds. An update takes 8 to 25 minutes, as users of Personalize have seen. The service promises
no time."""
MAX_FULL_AGE = timedelta(days=6, hours=12)
"""The age from which a FULL version is followed by a FULL training, although the mode is UPDATE.

AWS advises a FULL training a week. A weekly run creates its version up to 12 hours after its start,
because it imports first, so the FULL version of the week before is younger than 7 days.
"""


def planned_solution(situation: Situation) -> PlannedSolution | None:
    """Return the training of the selected solution, or the use of an existing version.

    Return None if nothing is trained, because there is nothing new to learn or because the limit of
    the month is reached, and if no campaign waits for the newest version.
    """
    world, solution = situation.world, situation.solution
    must_train = needs_training(situation) and not limit_of_month(situation)
    existing_version = None if must_train else waiting_version(situation)
    campaigns = _campaigns_to_update(situation, existing_version)
    if not must_train and (existing_version is None or not campaigns):
        return None
    mode = _training_mode(situation, existing_version)
    versions = world.versions[solution["solutionArn"]]
    requested_by, since = training_requested_by(situation), requested_since(situation)
    return {
        "solutionArn": solution["solutionArn"],
        "versionName": version_name(situation.settings, situation.run, solution["solutionArn"]),
        "trainingMode": mode,
        "existingVersionArn": existing_version.arn if existing_version else None,
        "requestedSince": since.isoformat() if since else None,
        "tags": {
            RUN: situation.run["id"],
            **({REQUESTED_BY: requested_by} if requested_by else {}),
        },
        "durations": durations_of(
            version for version in versions if training_mode_of(version) == mode
        ),
        "campaigns": campaigns,
    }


def newest_full_version(situation: Situation) -> SolutionVersionSummaryTypeDef | None:
    """Return the newest ACTIVE version of the selected solution that was trained with FULL."""
    newest_first = situation.world.versions.get(situation.solution["solutionArn"], [])
    return newest_active(version for version in newest_first if training_mode_of(version) == "FULL")


def _campaigns_to_update(
    situation: Situation, existing_version: Training | None
) -> list[PlannedCampaign]:
    """Return the campaigns of the selected solution that have to serve the version of this run.

    An existing version is deployed only to the campaigns that wait for it. A campaign whose trial
    could not be ended is left out.
    """
    planned = [
        _planned_campaign(situation.world, campaign, is_waiting=existing_version is not None)
        for campaign in situation.solution["campaigns"]
        if not is_on_trial(situation, campaign["campaignArn"])
    ]
    if existing_version is None:
        return planned
    return [campaign for campaign in planned if waits_for(situation, campaign, existing_version)]


def _training_mode(situation: Situation, existing_version: Training | None) -> TrainingMode:
    """Return the mode of the request, else of the existing version, else of the settings.

    The UPDATE of the settings becomes FULL if there is no FULL version, if the newest FULL version
    is older than MAX_FULL_AGE, or if the newest version was found bad.
    """
    if mode := situation.run["request"].get("trainingMode"):
        return mode
    if existing_version:
        return "UPDATE" if existing_version.mode == "UPDATE" else "FULL"
    if situation.solution["trainingMode"] == "FULL" or _newest_version_is_bad(situation):
        return "FULL"
    full_version = newest_full_version(situation)
    if full_version and full_version["creationDateTime"] > situation.world.now - MAX_FULL_AGE:
        return "UPDATE"
    return "FULL"


def _newest_version_is_bad(situation: Situation) -> bool:
    """Return True if a campaign does not take the newest ACTIVE version, because it is bad.

    UPDATE learns only what has changed since the latest training, so it keeps the model of this
    version: https://docs.aws.amazon.com/personalize/latest/dg/API_SolutionVersion.html.
    """
    world, solution = situation.world, situation.solution
    newest = newest_active(world.versions.get(solution["solutionArn"], []))
    version = waiting_version(situation)
    if newest is None or version is None or version.arn != newest["solutionVersionArn"]:
        return False
    return any(
        is_bad(situation, _planned_campaign(world, campaign, is_waiting=False), version)
        for campaign in solution["campaigns"]
    )


def _planned_campaign(
    world: World, campaign: CampaignSettings, *, is_waiting: bool
) -> PlannedCampaign:
    """Return the update of a campaign.

    The update is expected to take as long as the last update. If the campaign was never updated, it
    is expected to take as long as the creation of the campaign. But it is expected within
    LONGEST_USUAL_UPDATE, because the last update may have been late or may have failed.
    """
    resource = world.campaigns[campaign["campaignArn"]]
    last_job = resource.get("latestCampaignUpdate") or resource
    durations = durations_of([last_job]) or [LONGEST_USUAL_UPDATE]
    return {
        "campaignArn": campaign["campaignArn"],
        "isProbed": campaign["probe"] is not None,
        "isWaiting": is_waiting,
        "durations": [min(seconds, LONGEST_USUAL_UPDATE) for seconds in durations],
    }

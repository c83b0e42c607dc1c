"""Finds the trials that earlier runs have not finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .campaigns import LONGEST_USUAL_UPDATE
from .tags import tags_of
from .trial_tags import read_trial_tags
from .trials import job_on_trial

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import CampaignOnTrial, PlannedCampaign, UnfinishedTrials
    from ..workflow_settings import CampaignSettings, Settings
    from .trial_tags import Trial, TrialTags


def unfinished_trials(client: PersonalizeClient, settings: Settings) -> UnfinishedTrials:
    """Return the configured campaigns with a version on trial, and warnings about their tags.

    A campaign that does not exist any more has no trial.
    """
    campaigns: list[CampaignOnTrial] = []
    warnings = []
    for solution in settings["solutions"]:
        for campaign in solution["campaigns"]:
            arn = campaign["campaignArn"]
            try:
                all_tags = tags_of(client, arn)
            except client.exceptions.ResourceNotFoundException:
                continue
            tags = read_trial_tags(all_tags, solution["solutionArn"])
            warnings += [f"{arn}: {warning}" for warning in tags.warnings]
            if tags.trial:
                campaigns.append(_campaign_on_trial(campaign, tags, tags.trial))
    return {"campaigns": campaigns, "warnings": warnings}


def _campaign_on_trial(
    campaign: CampaignSettings, tags: TrialTags, trial: Trial
) -> CampaignOnTrial:
    """Return a campaign with the update to its version on trial, which an earlier run sent."""
    planned_campaign: PlannedCampaign = {
        "campaignArn": campaign["campaignArn"],
        "isProbed": campaign["probe"] is not None,
        "durations": [LONGEST_USUAL_UPDATE],
    }
    update = job_on_trial(planned_campaign, tags, trial, None, good=tags.good)
    # The run has reported these warnings when it found the trial.
    return {"campaign": planned_campaign, "update": {**update, "seconds": 1, "warnings": []}}

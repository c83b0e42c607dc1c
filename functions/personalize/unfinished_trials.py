"""Finds the trials that earlier runs have not finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .campaigns import read_notes
from .tags import tags_of

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import PlannedCampaign, UnfinishedTrials
    from ..workflow_settings import Settings


def unfinished_trials(client: PersonalizeClient, settings: Settings) -> UnfinishedTrials:
    """Return the configured campaigns with a version on trial.

    A campaign that does not exist any more has no trial.
    """
    campaigns: list[PlannedCampaign] = []
    for solution in settings["solutions"]:
        for campaign in solution["campaigns"]:
            arn = campaign["campaignArn"]
            try:
                notes = read_notes(tags_of(client, arn), solution["solutionArn"])
            except client.exceptions.ResourceNotFoundException:
                continue
            if notes.trial:
                campaigns.append(
                    {
                        "campaignArn": arn,
                        "isProbed": campaign["probe"] is not None,
                        "isWaiting": True,
                        "durations": [],
                    }
                )
    return {"campaigns": campaigns}

"""Finds the trials that earlier runs have not finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .campaigns import read_notes
from .tags import tags_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import PlannedCampaign, PlannedSolution, Settings


def solutions_on_trial(
    client: PersonalizeClient, settings: Settings, played: Collection[str] = ()
) -> list[PlannedSolution]:
    """Return the solutions with campaigns that have a version on trial, with only these campaigns.

    Campaigns that were `played` before are left out. Nothing is trained for these solutions.
    """
    found: list[PlannedSolution] = []
    for solution in settings["solutions"]:
        campaigns: list[PlannedCampaign] = [
            {"campaignArn": campaign["campaignArn"]}
            for campaign in solution["campaigns"]
            if campaign["campaignArn"] not in played
            and _is_on_trial(client, campaign["campaignArn"], solution["solutionArn"])
        ]
        if campaigns:
            found.append(
                {
                    "solutionArn": solution["solutionArn"],
                    "versionName": "",
                    "trainingMode": solution["trainingMode"],
                    "existingVersionArn": None,
                    "requestedSince": None,
                    "durations": [],
                    "campaigns": campaigns,
                }
            )
    return found


def _is_on_trial(client: PersonalizeClient, campaign_arn: str, solution_arn: str) -> bool:
    """Return True if the campaign has a version on trial. A deleted campaign has none."""
    try:
        return read_notes(tags_of(client, campaign_arn), solution_arn).trial is not None
    except client.exceptions.ResourceNotFoundException:
        return False

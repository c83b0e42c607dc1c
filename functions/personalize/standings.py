"""Reads what the campaigns serve at the end of a run, and which versions are on trial."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .. import clock
from ..errors import ServiceUnavailable, Throttled
from .campaigns import describe_campaign, live_version, read_notes
from .tags import tags_of

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import CampaignStanding
    from ..workflow_settings import Settings

LONGEST_READING = timedelta(seconds=60)
"""The report must not fail because a service is slow, so no more campaigns are read after this."""


def read_standings(client: PersonalizeClient, settings: Settings) -> dict[str, CampaignStanding]:
    """Return campaign ARN -> what the campaign serves, for each configured campaign.

    A campaign that cannot be read is left out. The report still says everything else.
    """
    end = clock.now() + LONGEST_READING
    standings: dict[str, CampaignStanding] = {}
    for solution in settings["solutions"]:
        for campaign in solution["campaigns"]:
            if clock.now() >= end:
                return standings
            arn = campaign["campaignArn"]
            try:
                standings[arn] = _standing(client, arn, solution["solutionArn"])
            except (ClientError, ServiceUnavailable, Throttled):
                continue
    return standings


def _standing(client: PersonalizeClient, arn: str, solution_arn: str) -> CampaignStanding:
    """Return what a campaign serves."""
    served = live_version(describe_campaign(client, arn))
    trial = read_notes(tags_of(client, arn), solution_arn).trial
    return {"servedVersionArn": served, "versionOnTrial": trial.version if trial else None}

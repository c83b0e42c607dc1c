"""The checks of campaigns: automatic updates, probes, and the number of tags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..personalize.campaigns import LATEST, follows_newest
from ..personalize.tags import BAD, GOOD, PREVIOUS, TRIAL
from .guards import guard
from .world import newest_active

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..workflow_settings import CampaignSettings, ProbeSettings
    from .situation import Situation

PROBE_KEYS = {
    **dict.fromkeys(("aws-sims", "aws-similar-items", "aws-semantic-similarity"), "itemId"),
    **dict.fromkeys(("aws-personalized-ranking", "aws-personalized-ranking-v2"), "inputList"),
    **dict.fromkeys(("aws-user-personalization", "aws-user-personalization-v2"), "userId"),
    **dict.fromkeys(("aws-popularity-count", "aws-trending-now"), "userId"),
    "aws-next-best-action": None,
}
"""Recipe -> the key that a probe must have, or None if campaigns of the recipe answer no probe:
https://docs.aws.amazon.com/personalize/latest/dg/API_RS_GetRecommendations.html."""
MAX_TAGS = 50
"""https://docs.aws.amazon.com/personalize/latest/dg/tagging-resources.html."""
TRIAL_TAGS = {TRIAL, GOOD, PREVIOUS, BAD}
"""The tags with which a trial begins. They are all written before a campaign moves."""


@guard("automatic deployment", "REFUSE", "solution")
def automatic_deployment(situation: Situation) -> Iterator[str]:
    """Yield a message for a campaign that Personalize moves to each new version by itself.

    The command of the message keeps the other settings of the campaign. Personalize wants the ARN
    of a version in the same request.
    """
    for campaign_settings in situation.solution["campaigns"]:
        arn = campaign_settings["campaignArn"]
        campaign = situation.world.campaigns.get(arn)
        if campaign is None or not follows_newest(campaign):
            continue
        version = campaign["solutionVersionArn"]
        if version.endswith(LATEST):
            newest = newest_active(situation.world.versions[situation.solution["solutionArn"]])
            version = newest["solutionVersionArn"] if newest else "<ARN of the version to serve>"
        config = {**campaign["campaignConfig"], "syncWithLatestSolutionVersion": False}
        yield (
            f"{arn}: syncWithLatestSolutionVersion deploys versions before a run has judged them; "
            f"turn it off with aws personalize update-campaign --campaign-arn {arn} "
            f"--solution-version-arn {version} --campaign-config '{json.dumps(config)}'"
        )


@guard("probe", "REFUSE", "solution")
def unanswered_probes(situation: Situation) -> Iterator[str]:
    """Yield a message for a probe that does not fit the recipe of the solution.

    Without this guard the probe would fail, and each new version would be rolled back after a
    training that was paid for.
    """
    recipe = recipe_of(situation)
    if recipe not in PROBE_KEYS:
        return
    for campaign in situation.solution["campaigns"]:
        yield from _unanswered_probe(campaign, recipe, PROBE_KEYS[recipe])


def _unanswered_probe(
    campaign: CampaignSettings, recipe: str, expected_key: str | None
) -> Iterator[str]:
    """Yield a message if the key of the campaign's probe is not the expected key."""
    arn, probe = campaign["campaignArn"], campaign["probe"]
    if probe is None or _probe_key(probe) == expected_key:
        return
    if expected_key is None:
        yield (
            f"{arn}: campaigns of the recipe {recipe} do not answer a probe; remove the "
            "probe from the campaign"
        )
    else:
        yield (
            f"{arn}: the probe has {_probe_key(probe)}, but campaigns of the recipe {recipe} need "
            f"{expected_key}; use that key in the probe"
        )


def _probe_key(probe: ProbeSettings) -> str:
    """Return the key that says what is requested. A probe with a list to rank also has a user."""
    return next(key for key in ("inputList", "itemId", "userId") if probe.get(key))


def recipe_of(situation: Situation) -> str | None:
    """Return the name of the solution's recipe, or None if the solution does not exist.

    A solution without a recipe has the name "".
    """
    solution = situation.world.solutions.get(situation.solution["solutionArn"])
    return None if solution is None else solution.get("recipeArn", "").rpartition("/")[2]

"""Tests of the guards about campaigns: sync, probes and tags."""

import pytest

from functions.planning.campaign_guards import (
    automatic_deployment,
    unanswered_probes,
)
from tests.functions.samples import (
    CAMPAIGN,
    OLD_VERSION,
    SOLUTION,
    VERSION,
    campaign,
    campaign_settings,
    messages,
    solution_resource,
    solution_settings,
    version_summary,
)

# Versions that go live by themselves

CONFIG = {"itemExplorationConfig": {"explorationWeight": "0.3"}}
FOLLOWING = {CAMPAIGN: campaign(campaignConfig={**CONFIG, "syncWithLatestSolutionVersion": True})}
LATEST_VERSION = f"{SOLUTION}/$LATEST"
USER = {"userId": "u1", "minResults": 1, "minutes": 1}
ITEM = {"itemId": "i1", "minResults": 1, "minutes": 1}
LIST = {**USER, "inputList": ["i1"]}


def command(version):
    """Return the command after which the campaign keeps this version."""
    return (
        f"aws personalize update-campaign --campaign-arn {CAMPAIGN} --solution-version-arn "
        f'{version} --campaign-config \'{{"itemExplorationConfig": {{"explorationWeight": '
        '"0.3"}, "syncWithLatestSolutionVersion": false}\''
    )


@pytest.mark.parametrize(
    ("served", "versions", "version"),
    [
        (OLD_VERSION, [version_summary(solutionVersionArn=VERSION)], OLD_VERSION),
        (LATEST_VERSION, [version_summary()], OLD_VERSION),
        (LATEST_VERSION, [], "<ARN of the version to serve>"),
    ],
)
def test_a_campaign_that_follows_the_newest_version_is_found(served, versions, version):
    campaigns = {CAMPAIGN: {**FOLLOWING[CAMPAIGN], "solutionVersionArn": served}}
    found = messages(automatic_deployment, campaigns=campaigns, versions={SOLUTION: versions})
    reason = "syncWithLatestSolutionVersion deploys versions before a run has judged them"
    assert found == [f"{CAMPAIGN}: {reason}; turn it off with {command(version)}"]


def test_a_campaign_that_only_the_pipeline_updates_passes_the_guard():
    not_following = {CAMPAIGN: campaign(campaignConfig={"syncWithLatestSolutionVersion": False})}
    for campaigns in ({}, {CAMPAIGN: campaign()}, not_following):
        assert messages(automatic_deployment, campaigns=campaigns) == []


def probe_messages(recipe, probe):
    """Return the messages about this probe of a campaign with this recipe."""
    resource = solution_resource(recipeArn=f"arn:aws:personalize:::recipe/{recipe}")
    solution = solution_settings(campaigns=[campaign_settings(probe=probe)])
    return messages(unanswered_probes, solution=solution, solutions={SOLUTION: resource})


@pytest.mark.parametrize(
    ("recipe", "probe", "key", "expected"),
    [
        ("aws-user-personalization", ITEM, "itemId", "userId"),
        ("aws-user-personalization-v2", LIST, "inputList", "userId"),
        ("aws-similar-items", USER, "userId", "itemId"),
        ("aws-personalized-ranking-v2", USER, "userId", "inputList"),
    ],
)
def test_a_probe_with_the_wrong_key_is_found(recipe, probe, key, expected):
    assert probe_messages(recipe, probe) == [
        (
            f"{CAMPAIGN}: the probe has {key}, but campaigns of the recipe {recipe} need "
            f"{expected}; use that key in the probe"
        )
    ]


def test_a_probe_of_a_recipe_that_answers_none_is_found():
    assert probe_messages("aws-next-best-action", USER) == [
        (
            f"{CAMPAIGN}: campaigns of the recipe aws-next-best-action do not answer a probe; "
            "remove the probe from the campaign"
        )
    ]


@pytest.mark.parametrize(
    ("recipe", "probe"),
    [
        ("aws-user-personalization", USER),
        ("aws-sims", ITEM),
        ("aws-semantic-similarity", ITEM),
        ("aws-personalized-ranking", LIST),
        ("aws-next-best-action", None),
        ("aws-of-next-year", ITEM),
    ],
)
def test_a_probe_that_the_recipe_answers_passes(recipe, probe):
    assert probe_messages(recipe, probe) == []


def test_a_probe_of_a_solution_that_does_not_exist_is_not_checked():
    solution = solution_settings(campaigns=[campaign_settings(probe=USER)])
    assert messages(unanswered_probes, solution=solution, solutions={}) == []

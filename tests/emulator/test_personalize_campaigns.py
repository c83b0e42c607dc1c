"""Proves what a campaign serves and shows during its creation, its updates and its deletion."""

import pytest
from personalize_world import GROUP, World, error_of

from emulator.personalize import Switches

SYNC = {"syncWithLatestSolutionVersion": True}
EXPLORATION = {"itemExplorationConfig": {"explorationWeight": "0.3"}}


@pytest.fixture
def world():
    return World()


@pytest.fixture
def solution(world):
    return world.create_trainable_solution()


def world_with_update(switches, **campaign_fields):
    """Return a world, a campaign, and the version to which an update of it has just begun."""
    world = World(switches=Switches(**switches))
    solution = world.create_trainable_solution()
    campaign = world.create_campaign(world.train(solution), **campaign_fields)
    version = world.train(solution)
    world.start_update(campaign, version)
    return world, campaign, version


def served_version(world, campaign):
    return world.describe_campaign(campaign)["solutionVersionArn"]


def shown(description, *names):
    return tuple(description.get(name) for name in names)


def test_a_campaign_stays_active_and_serves_the_old_version_during_an_update(world, solution):
    old, new = world.train(solution), world.train(solution)
    campaign = world.create_campaign(old)
    created, start = world.describe_campaign(campaign)["lastUpdatedDateTime"], world.now
    world.start_update(campaign, new)
    observed = []
    for _ in range(3):
        description = world.describe_campaign(campaign)
        update = description["latestCampaignUpdate"]
        assert shown(update, "solutionVersionArn", "creationDateTime") == (new, start)
        served = shown(description, "status", "solutionVersionArn")
        seconds = (description["lastUpdatedDateTime"] - created).total_seconds()
        observed.append((*served, update["status"], seconds))
        world.wait(1.5)
    assert observed == [
        ("ACTIVE", old, "CREATE PENDING", 0),
        ("ACTIVE", old, "CREATE IN_PROGRESS", 0),
        ("ACTIVE", new, "ACTIVE", (start - created).total_seconds() + 3),
    ]
    world.start_update(campaign, old)
    world.wait()
    assert served_version(world, campaign) == old, "a campaign can return to an older version"


def test_after_a_failed_update_the_old_version_serves_and_the_update_has_the_reason(
    world, solution
):
    old, new = world.train(solution), world.train(solution)
    campaign = world.create_campaign(old)
    world.inject("fail", job="campaign-update", reason="no capacity")
    world.start_update(campaign, new)
    world.wait()
    description = world.describe_campaign(campaign)
    names = ("status", "solutionVersionArn", "failureReason")
    assert shown(description, *names) == ("ACTIVE", old, None)
    update = shown(description["latestCampaignUpdate"], *names)
    assert update == ("CREATE FAILED", new, "no capacity")
    world.start_update(campaign, new)
    world.wait()
    assert served_version(world, campaign) == new, "the next update succeeds"


def test_an_update_makes_a_failed_campaign_active(world, solution):
    version = world.train(solution)
    world.inject("fail", job="campaign")
    campaign = world.create_campaign(version)
    assert world.describe_campaign(campaign)["status"] == "CREATE FAILED"
    world.start_update(campaign, version)
    world.wait()
    assert world.describe_campaign(campaign)["status"] == "ACTIVE"
    world.client.delete_campaign(campaignArn=campaign)
    assert world.describe_campaign(campaign)["status"] == "DELETE PENDING"


def test_a_deleted_campaign_is_deleting_for_a_while_and_then_its_name_is_free(world, solution):
    version = world.train(solution)
    campaign = world.create_campaign(version)
    world.client.delete_campaign(campaignArn=campaign)
    statuses = world.statuses(world.describe_campaign, campaign, [0.2])
    assert statuses == ["DELETE PENDING", "DELETE IN_PROGRESS"]
    world.wait()
    error = error_of(world.client.describe_campaign, campaignArn=campaign)
    assert error.code == "ResourceNotFoundException"
    assert world.create_campaign(version) == campaign


def test_a_campaign_is_listed_below_the_solution_that_it_serves(world, solution):
    other_solution = world.create_solution(GROUP, "other")
    campaign = world.create_campaign(world.train(solution))
    world.start_update(campaign, world.train(other_solution))
    world.wait()
    listed = [
        world.client.list_campaigns(solutionArn=arn)["campaigns"]
        for arn in (solution, other_solution)
    ]
    assert [[item["campaignArn"] for item in items] for items in listed] == [[], [campaign]]


@pytest.mark.parametrize("keeps_settings", [True, False])
def test_sync_is_turned_off_by_one_update_with_a_version_and_the_value_false(keeps_settings):
    world = World(switches=Switches(update_keeps_settings=keeps_settings))
    solution = world.create_trainable_solution()
    version = world.train(solution)
    campaign = world.create_campaign(f"{solution}/$LATEST", campaignConfig=SYNC)
    error = error_of(world.client.update_campaign, campaignArn=campaign, solutionVersionArn=version)
    assert error.code == "InvalidInputException", "a version alone does not turn it off"
    off = {"syncWithLatestSolutionVersion": False}
    world.start_update(campaign, version, campaignConfig=off)
    world.wait()
    world.train(solution)
    world.wait()
    assert served_version(world, campaign) == version, "it stays on its version"
    world.start_update(campaign, f"{solution}/$LATEST", campaignConfig=SYNC)
    world.wait()
    assert served_version(world, campaign) != version, "it has the latest version again"


@pytest.mark.parametrize(("keeps", "settings"), [(True, (3, EXPLORATION)), (False, (1, {}))])
def test_a_switch_decides_if_an_update_keeps_the_other_settings(keeps, settings):
    switches = {"update_keeps_settings": keeps}
    fields = {"minProvisionedTPS": 3, "campaignConfig": EXPLORATION}
    world, campaign, _ = world_with_update(switches, **fields)
    world.wait()
    description = world.describe_campaign(campaign)
    assert shown(description, "minProvisionedTPS", "campaignConfig") == settings


def test_switches_decide_when_describe_shows_an_update_and_its_first_word():
    switches = {"update_visible_after": 2, "update_verb": "UPDATE"}
    world, campaign, version = world_with_update(switches)
    assert "latestCampaignUpdate" not in world.describe_campaign(campaign)
    error = error_of(world.client.update_campaign, campaignArn=campaign, minProvisionedTPS=2)
    assert error.code == "ResourceInUseException", "the update has started"
    world.wait(2)
    update = world.latest_update(campaign)
    assert shown(update, "solutionVersionArn", "status") == (version, "UPDATE IN_PROGRESS")


def test_describe_may_show_settings_that_update_campaign_refuses():
    world, campaign, _ = world_with_update({"senseless_campaign_settings": True})
    names = ("minProvisionedTPS", "campaignConfig")
    for description in (world.describe_campaign(campaign), world.latest_update(campaign)):
        assert shown(description, *names) == (0, {"itemExplorationConfig": {}})
    world.wait()
    world.start_update(campaign, minProvisionedTPS=2, campaignConfig=EXPLORATION)
    world.wait()
    assert shown(world.describe_campaign(campaign), *names) == (2, EXPLORATION), "it was set"

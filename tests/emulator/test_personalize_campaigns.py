"""Proves how campaigns and their updates behave, with boto3 against the emulator in process."""

import pytest
from personalize_world import ME, World, refused

from emulator.personalize import Switches


@pytest.fixture
def world():
    return World()


def update(world, campaign):
    return world.describe_campaign(campaign)["latestCampaignUpdate"]


def test_a_campaign_goes_from_pending_over_in_progress_to_active(world):
    version = world.version(world.movies())
    arn = world.client.create_campaign(name="live", solutionVersionArn=version)["campaignArn"]
    seen = []
    for _ in range(3):
        seen.append(world.describe_campaign(arn)["status"])
        world.wait(1.5)
    assert seen == ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]
    described = world.describe_campaign(arn)
    assert "latestCampaignUpdate" not in described, "there was no update"
    assert (described["minProvisionedTPS"], described["solutionVersionArn"]) == (1, version)


def test_a_campaign_takes_only_active_versions(world):
    solution = world.movies()
    live = world.campaign(world.version(solution))
    training = world.start_version(solution)
    for call, request in [
        (world.client.create_campaign, {"name": "more"}),
        (world.client.update_campaign, {"campaignArn": live}),
    ]:
        assert refused(call, solutionVersionArn=training, **request) == (
            "ResourceInUseException",
            f"Resource {training} is not ACTIVE, its status is CREATE PENDING",
        )
    world.client.stop_solution_version_creation(solutionVersionArn=training)
    code, _ = refused(world.client.update_campaign, campaignArn=live, solutionVersionArn=training)
    assert code == "InvalidInputException", "a version that was stopped never becomes ACTIVE"


def test_during_an_update_the_campaign_stays_active_and_serves_the_old_version(world):
    solution = world.movies()
    old, new = world.version(solution), world.version(solution)
    campaign = world.campaign(old)
    asked = world.now
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=new)
    seen = []
    for _ in range(3):
        described = world.describe_campaign(campaign)
        latest = described["latestCampaignUpdate"]
        seen.append((described["status"], described["solutionVersionArn"], latest["status"]))
        assert latest["solutionVersionArn"] == new, "the update names its own target"
        assert latest["creationDateTime"] == asked
        world.wait(1.5)
    assert seen == [
        ("ACTIVE", old, "CREATE PENDING"),
        ("ACTIVE", old, "CREATE IN_PROGRESS"),
        ("ACTIVE", new, "ACTIVE"),
    ]


def test_a_failed_update_leaves_the_old_version_and_says_why_in_the_update(world):
    solution = world.movies()
    old, new = world.version(solution), world.version(solution)
    campaign = world.campaign(old)
    world.personalize.faults.inject({"fault": "fail", "job": "campaign-update", "reason": "no"})
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=new)
    world.wait()
    described = world.describe_campaign(campaign)
    assert (described["status"], described["solutionVersionArn"]) == ("ACTIVE", old)
    assert "failureReason" not in described
    latest = described["latestCampaignUpdate"]
    assert (latest["status"], latest["failureReason"]) == ("CREATE FAILED", "no")
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=new)
    world.wait()
    assert world.describe_campaign(campaign)["solutionVersionArn"] == new, "another try is free"


def test_update_of_a_campaign_that_is_updating_or_being_created_is_in_use(world):
    version = world.version(world.movies())
    campaign = world.client.create_campaign(name="live", solutionVersionArn=version)["campaignArn"]
    request = {"campaignArn": campaign, "solutionVersionArn": version}
    assert refused(world.client.update_campaign, **request) == (
        "ResourceInUseException",
        f"Resource {campaign} cannot be updated, its status is CREATE PENDING",
    )
    world.wait()
    world.client.update_campaign(**request)
    assert refused(world.client.update_campaign, **request) == (
        "ResourceInUseException",
        f"Resource {campaign} is being updated",
    )


def test_a_campaign_that_failed_can_be_repaired_by_an_update(world):
    version = world.version(world.movies())
    world.personalize.faults.inject({"fault": "fail", "job": "campaign"})
    campaign = world.campaign(version)
    assert world.describe_campaign(campaign)["status"] == "CREATE FAILED"
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=version)
    world.wait()
    assert world.describe_campaign(campaign)["status"] == "ACTIVE"


def test_a_rollback_is_an_update_to_the_version_before(world):
    solution = world.movies()
    old, new = world.version(solution), world.version(solution)
    campaign = world.campaign(old)
    for target in (new, old):
        world.client.update_campaign(campaignArn=campaign, solutionVersionArn=target)
        world.wait()
    assert world.describe_campaign(campaign)["solutionVersionArn"] == old
    assert update(world, campaign)["solutionVersionArn"] == old


@pytest.mark.parametrize(("kept", "tps"), [(True, 3), (False, 1)])
def test_whether_an_update_keeps_the_other_settings_is_a_switch(kept, tps):
    world = World(switches=Switches(update_keeps_settings=kept))
    solution = world.movies()
    config = {"itemExplorationConfig": {"explorationWeight": "0.3"}}
    campaign = world.campaign(world.version(solution), minProvisionedTPS=3, campaignConfig=config)
    target = world.version(solution)
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=target)
    world.wait()
    described = world.describe_campaign(campaign)
    assert (described["minProvisionedTPS"], described["campaignConfig"]) == (
        tps,
        config if kept else {},
    )


def test_whether_a_describe_shows_an_update_at_once_is_a_switch():
    world = World(switches=Switches(update_visible_after=2))
    solution = world.movies()
    campaign = world.campaign(world.version(solution))
    target = world.version(solution)
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=target)
    assert "latestCampaignUpdate" not in world.describe_campaign(campaign), "not visible yet"
    code, _ = refused(world.client.update_campaign, campaignArn=campaign, minProvisionedTPS=2)
    assert code == "ResourceInUseException", "but it is there"
    world.wait(2)
    assert update(world, campaign)["solutionVersionArn"] == target


def test_the_first_word_of_an_updates_status_is_a_switch():
    world = World(switches=Switches(update_verb="UPDATE"))
    solution = world.movies()
    campaign = world.campaign(world.version(solution))
    world.client.update_campaign(campaignArn=campaign, minProvisionedTPS=2)
    world.wait(2)
    assert update(world, campaign)["status"] == "UPDATE IN_PROGRESS"


def sync(world, campaign, solution):
    world.client.update_campaign(
        campaignArn=campaign,
        solutionVersionArn=f"{solution}/$LATEST",
        campaignConfig={"syncWithLatestSolutionVersion": True},
    )
    world.wait()


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_campaign_that_syncs_takes_every_newest_version_by_itself(world, by_hand):
    solution = world.movies()
    campaign = world.campaign(world.version(solution))
    sync(world, campaign, solution)
    if by_hand:
        newest = world.start_version(solution)
    else:
        newest = world.personalize.train_automatically(solution, ME)
    trained = world.now.timestamp() + 3
    world.wait(4)
    assert update(world, campaign)["solutionVersionArn"] == newest
    assert update(world, campaign)["creationDateTime"].timestamp() == trained, "at once"
    world.wait()
    assert world.describe_campaign(campaign)["solutionVersionArn"] == newest


def test_a_version_that_comes_during_a_syncing_update_is_taken_after_it(world):
    solution = world.movies()
    campaign = world.campaign(world.version(solution))
    sync(world, campaign, solution)
    world.start_version(solution)
    world.wait(1)
    newest = world.start_version(solution)
    world.wait()
    world.describe_campaign(campaign)
    world.wait()
    assert world.describe_campaign(campaign)["solutionVersionArn"] == newest


def test_a_failed_training_is_not_synced(world):
    solution = world.movies()
    campaign = world.campaign(world.version(solution))
    sync(world, campaign, solution)
    before = world.describe_campaign(campaign)
    world.personalize.faults.inject({"fault": "fail", "job": "solution-version"})
    world.version(solution)
    assert world.describe_campaign(campaign) == before


def test_latest_and_sync_go_together(world):
    solution = world.movies()
    version = world.version(solution)
    latest = f"{solution}/$LATEST"
    create = world.client.create_campaign
    assert refused(create, name="live", solutionVersionArn=latest) == (
        "InvalidInputException",
        "$LATEST needs syncWithLatestSolutionVersion to be true",
    )
    config = {"syncWithLatestSolutionVersion": True}
    assert refused(create, name="live", solutionVersionArn=version, campaignConfig=config) == (
        "InvalidInputException",
        "syncWithLatestSolutionVersion needs solutionVersionArn in SolutionArn/$LATEST format",
    )
    campaign = world.campaign(latest, campaignConfig=config)
    assert world.describe_campaign(campaign)["solutionVersionArn"] == version


def test_latest_of_a_solution_without_an_active_version_is_refused(world):
    solution = world.movies()
    config = {"syncWithLatestSolutionVersion": True}
    assert refused(
        world.client.create_campaign,
        name="live",
        solutionVersionArn=f"{solution}/$LATEST",
        campaignConfig=config,
    ) == ("InvalidInputException", f"Solution {solution} has no ACTIVE solution version")


def test_a_sixth_campaign_exceeds_the_groups_limit(world):
    version = world.version(world.movies())
    for number in range(5):
        world.campaign(version, f"campaign-{number}")
    assert refused(world.client.create_campaign, name="more", solutionVersionArn=version) == (
        "LimitExceededException",
        "More than 5 resources in ACTIVE state. Please delete some and try again.",
    ), "the words of the guide"


def test_recipes_of_user_segments_have_no_campaigns(world):
    solution = world.movies("arn:aws:personalize:::recipe/aws-item-affinity")
    version = world.version(solution)
    assert refused(world.client.create_campaign, name="live", solutionVersionArn=version) == (
        "InvalidInputException",
        "The recipe aws-item-affinity does not support campaigns",
    )


def test_a_deleted_campaign_passes_through_delete_pending_and_frees_its_name(world):
    version = world.version(world.movies())
    campaign = world.campaign(version)
    world.client.delete_campaign(campaignArn=campaign)
    seen = [world.describe_campaign(campaign)["status"]]
    world.wait(0.2)
    seen.append(world.describe_campaign(campaign)["status"])
    assert seen == ["DELETE PENDING", "DELETE IN_PROGRESS"]
    code, _ = refused(world.client.delete_campaign, campaignArn=campaign)
    assert code == "ResourceInUseException", "it is being deleted already"
    world.wait()
    code, _ = refused(world.client.describe_campaign, campaignArn=campaign)
    assert code == "ResourceNotFoundException"
    assert world.campaign(version) == campaign


def test_campaigns_of_a_solution_follow_an_update_to_another_solution(world):
    first = world.movies()
    second = world.solution(first.replace("solution/for-you", "dataset-group/movies"), "other")
    campaign = world.campaign(world.version(first))
    target = world.version(second)
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=target)
    world.wait()
    listed = [
        [c["campaignArn"] for c in world.client.list_campaigns(solutionArn=s)["campaigns"]]
        for s in (first, second)
    ]
    assert listed == [[], [campaign]]

"""Proves the rules of campaigns and of their updates."""

import pytest
from personalize_world import CALLER, GROUP, World, error_of, recipe_arn

from emulator.personalize import Switches

SYNC = {"syncWithLatestSolutionVersion": True}


@pytest.fixture
def world():
    return World()


@pytest.fixture
def solution(world):
    return world.create_trainable_solution()


def campaign_with_update(world, **campaign_fields):
    """Return a campaign and a second version that it does not serve yet."""
    solution = world.create_trainable_solution()
    campaign = world.create_campaign(world.train(solution), **campaign_fields)
    return campaign, world.train(solution)


def served_version(world, campaign):
    return world.describe_campaign(campaign)["solutionVersionArn"]


def test_a_campaign_is_pending_then_in_progress_then_active(world, solution):
    version = world.train(solution)
    campaign = world.start_campaign(version)
    statuses = world.statuses(world.describe_campaign, campaign, [1.5, 1.5])
    assert statuses == ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]
    description = world.describe_campaign(campaign)
    assert "latestCampaignUpdate" not in description, "there was no update"
    assert (description["minProvisionedTPS"], description["solutionVersionArn"]) == (1, version)


def test_a_campaign_serves_active_versions_only(world, solution):
    campaign = world.create_campaign(world.train(solution))
    training = world.start_training(solution)
    not_active = (
        "ResourceInUseException",
        f"Resource {training} is not ACTIVE, its status is CREATE PENDING",
    )
    create, update = world.client.create_campaign, world.client.update_campaign
    assert error_of(create, name="more", solutionVersionArn=training) == not_active
    assert error_of(update, campaignArn=campaign, solutionVersionArn=training) == not_active
    world.client.stop_solution_version_creation(solutionVersionArn=training)
    error = error_of(update, campaignArn=campaign, solutionVersionArn=training)
    assert error.code == "InvalidInputException", "a stopped version never becomes ACTIVE"


def test_a_campaign_stays_active_and_serves_the_old_version_during_an_update(world, solution):
    old, new = world.train(solution), world.train(solution)
    campaign = world.create_campaign(old)
    start = world.now
    world.start_update(campaign, new)
    observations = []
    for _ in range(3):
        description = world.describe_campaign(campaign)
        update = description["latestCampaignUpdate"]
        observations.append(
            (description["status"], description["solutionVersionArn"], update["status"])
        )
        assert (update["solutionVersionArn"], update["creationDateTime"]) == (new, start)
        world.wait(1.5)
    assert observations == [
        ("ACTIVE", old, "CREATE PENDING"),
        ("ACTIVE", old, "CREATE IN_PROGRESS"),
        ("ACTIVE", new, "ACTIVE"),
    ]


def test_after_a_failed_update_the_old_version_serves_and_the_update_has_the_reason(
    world, solution
):
    old, new = world.train(solution), world.train(solution)
    campaign = world.create_campaign(old)
    world.inject("fail", job="campaign-update", reason="no capacity")
    world.start_update(campaign, new)
    world.wait()
    description = world.describe_campaign(campaign)
    assert (description["status"], description["solutionVersionArn"]) == ("ACTIVE", old)
    assert "failureReason" not in description
    update = description["latestCampaignUpdate"]
    assert (update["status"], update["failureReason"]) == ("CREATE FAILED", "no capacity")
    world.start_update(campaign, new)
    world.wait()
    assert served_version(world, campaign) == new, "the next update succeeds"


def test_a_campaign_that_is_being_created_or_updated_is_in_use(world, solution):
    version = world.train(solution)
    campaign = world.start_campaign(version)
    request = {"campaignArn": campaign, "solutionVersionArn": version}
    assert error_of(world.client.update_campaign, **request) == (
        "ResourceInUseException",
        f"Resource {campaign} cannot be updated, its status is CREATE PENDING",
    )
    world.wait()
    world.client.update_campaign(**request)
    assert error_of(world.client.update_campaign, **request) == (
        "ResourceInUseException",
        f"Resource {campaign} is being updated",
    )


def test_an_update_makes_a_failed_campaign_active(world, solution):
    version = world.train(solution)
    world.inject("fail", job="campaign")
    campaign = world.create_campaign(version)
    assert world.describe_campaign(campaign)["status"] == "CREATE FAILED"
    world.start_update(campaign, version)
    world.wait()
    assert world.describe_campaign(campaign)["status"] == "ACTIVE"


def test_a_campaign_can_return_to_an_older_version(world, solution):
    old, new = world.train(solution), world.train(solution)
    campaign = world.create_campaign(old)
    for version in (new, old):
        world.start_update(campaign, version)
        world.wait()
    assert served_version(world, campaign) == old
    assert world.latest_update(campaign)["solutionVersionArn"] == old


EXPLORATION = {"itemExplorationConfig": {"explorationWeight": "0.3"}}


@pytest.mark.parametrize(
    ("update_keeps_settings", "settings"), [(True, (3, EXPLORATION)), (False, (1, {}))]
)
def test_a_switch_decides_if_an_update_keeps_the_other_settings(update_keeps_settings, settings):
    world = World(switches=Switches(update_keeps_settings=update_keeps_settings))
    campaign, version = campaign_with_update(world, minProvisionedTPS=3, campaignConfig=EXPLORATION)
    world.start_update(campaign, version)
    world.wait()
    description = world.describe_campaign(campaign)
    assert (description["minProvisionedTPS"], description["campaignConfig"]) == settings


def test_a_switch_decides_when_describe_shows_an_update():
    world = World(switches=Switches(update_visible_after=2))
    campaign, version = campaign_with_update(world)
    world.start_update(campaign, version)
    assert "latestCampaignUpdate" not in world.describe_campaign(campaign)
    error = error_of(world.client.update_campaign, campaignArn=campaign, minProvisionedTPS=2)
    assert error.code == "ResourceInUseException", "the update has started"
    world.wait(2)
    assert world.latest_update(campaign)["solutionVersionArn"] == version


def test_a_switch_decides_about_the_first_word_of_an_update_status():
    world = World(switches=Switches(update_verb="UPDATE"))
    campaign, version = campaign_with_update(world)
    world.start_update(campaign, version)
    world.wait(2)
    assert world.latest_update(campaign)["status"] == "UPDATE IN_PROGRESS"


@pytest.fixture
def syncing_campaign(world, solution):
    """A campaign that follows the latest version of the solution."""
    world.train(solution)
    return world.create_campaign(f"{solution}/$LATEST", campaignConfig=SYNC)


@pytest.mark.parametrize("training_type", ["MANUAL", "AUTOMATIC"])
def test_a_syncing_campaign_deploys_every_new_version(
    world, solution, syncing_campaign, training_type
):
    if training_type == "MANUAL":
        version = world.start_training(solution)
    else:
        version = world.personalize.train_automatically(solution, CALLER)
    end_of_training = world.now.timestamp() + 3
    world.wait(4)
    update = world.latest_update(syncing_campaign)
    assert update["solutionVersionArn"] == version
    assert update["creationDateTime"].timestamp() == end_of_training, "immediately"
    world.wait()
    assert served_version(world, syncing_campaign) == version


def test_a_syncing_campaign_deploys_a_version_that_ended_during_an_update(
    world, solution, syncing_campaign
):
    world.start_training(solution)
    world.wait(1)
    newest = world.start_training(solution)
    for _ in range(2):
        world.wait()
        world.describe_campaign(syncing_campaign)
    assert served_version(world, syncing_campaign) == newest


def test_a_syncing_campaign_does_not_deploy_a_failed_version(world, solution, syncing_campaign):
    description = world.describe_campaign(syncing_campaign)
    world.inject("fail", job="solution-version")
    world.train(solution)
    assert world.describe_campaign(syncing_campaign) == description


def test_latest_and_sync_are_only_allowed_together(world, solution):
    version = world.train(solution)
    create = world.client.create_campaign
    assert error_of(create, name="live", solutionVersionArn=f"{solution}/$LATEST") == (
        "InvalidInputException",
        "$LATEST needs syncWithLatestSolutionVersion to be true",
    )
    assert error_of(create, name="live", solutionVersionArn=version, campaignConfig=SYNC) == (
        "InvalidInputException",
        "syncWithLatestSolutionVersion needs solutionVersionArn in SolutionArn/$LATEST format",
    )
    campaign = world.create_campaign(f"{solution}/$LATEST", campaignConfig=SYNC)
    assert served_version(world, campaign) == version


def test_latest_needs_an_active_version(world, solution):
    assert error_of(
        world.client.create_campaign,
        name="live",
        solutionVersionArn=f"{solution}/$LATEST",
        campaignConfig=SYNC,
    ) == ("InvalidInputException", f"Solution {solution} has no ACTIVE solution version")


def test_a_group_has_at_most_five_campaigns(world, solution):
    version = world.train(solution)
    for number in range(5):
        world.create_campaign(version, f"campaign-{number}")
    assert error_of(world.client.create_campaign, name="sixth", solutionVersionArn=version) == (
        "LimitExceededException",
        "More than 5 resources in ACTIVE state. Please delete some and try again.",
    ), "the words of the guide"


def test_recipes_of_user_segments_have_no_campaigns(world):
    version = world.train(world.create_trainable_solution(recipe_arn("item-affinity")))
    assert error_of(world.client.create_campaign, name="live", solutionVersionArn=version) == (
        "InvalidInputException",
        "The recipe aws-item-affinity does not support campaigns",
    )


def test_a_deleted_campaign_is_deleting_for_a_while_and_then_its_name_is_free(world, solution):
    version = world.train(solution)
    campaign = world.create_campaign(version)
    world.client.delete_campaign(campaignArn=campaign)
    statuses = world.statuses(world.describe_campaign, campaign, [0.2])
    assert statuses == ["DELETE PENDING", "DELETE IN_PROGRESS"]
    error = error_of(world.client.delete_campaign, campaignArn=campaign)
    assert error.code == "ResourceInUseException", "it is being deleted already"
    world.wait()
    error = error_of(world.client.describe_campaign, campaignArn=campaign)
    assert error.code == "ResourceNotFoundException"
    assert world.create_campaign(version) == campaign


def test_a_campaign_is_listed_below_the_solution_that_it_serves(world, solution):
    other_solution = world.create_solution(GROUP, "other")
    campaign = world.create_campaign(world.train(solution))
    world.start_update(campaign, world.train(other_solution))
    world.wait()

    def listed(solution_arn):
        summaries = world.client.list_campaigns(solutionArn=solution_arn)["campaigns"]
        return [summary["campaignArn"] for summary in summaries]

    assert (listed(solution), listed(other_solution)) == ([], [campaign])


def test_sync_is_turned_off_by_one_update_with_a_version_and_the_value_false(
    world, solution, syncing_campaign
):
    version = served_version(world, syncing_campaign)
    off = {"syncWithLatestSolutionVersion": False}
    by_half = (
        "InvalidInputException",
        (
            "syncWithLatestSolutionVersion is turned off by one request with"
            " syncWithLatestSolutionVersion: false and the ARN of a solution version"
        ),
    )
    update = world.client.update_campaign
    assert error_of(update, campaignArn=syncing_campaign, campaignConfig=off) == by_half
    assert error_of(update, campaignArn=syncing_campaign, campaignConfig={}) == by_half
    assert by_half == error_of(
        update, campaignArn=syncing_campaign, solutionVersionArn=version, campaignConfig={}
    ), "the value false must be written out"
    latest = f"{solution}/$LATEST"
    assert error_of(
        update, campaignArn=syncing_campaign, solutionVersionArn=latest, campaignConfig=off
    ) == ("InvalidInputException", "$LATEST needs syncWithLatestSolutionVersion to be true")
    error = error_of(update, campaignArn=syncing_campaign, solutionVersionArn=version)
    assert error.code == "InvalidInputException", "a version alone does not turn it off"
    world.start_update(syncing_campaign, version, campaignConfig=off)
    world.wait()
    world.train(solution)
    world.wait()
    assert served_version(world, syncing_campaign) == version, "it stays on its version"


def test_a_version_alone_does_not_turn_off_sync_if_an_update_forgets_settings():
    world = World(switches=Switches(update_keeps_settings=False))
    solution = world.create_trainable_solution()
    version = world.train(solution)
    campaign = world.create_campaign(f"{solution}/$LATEST", campaignConfig=SYNC)
    error = error_of(world.client.update_campaign, campaignArn=campaign, solutionVersionArn=version)
    assert error.code == "InvalidInputException"


@pytest.mark.parametrize("shows_latest", [False, True])
def test_describe_may_show_latest_instead_of_the_version_of_a_syncing_campaign(shows_latest):
    world = World(switches=Switches(latest_in_describe=shows_latest))
    solution = world.create_trainable_solution()
    first = world.train(solution)
    pinned = world.create_campaign(first, "pinned")
    campaign = world.create_campaign(f"{solution}/$LATEST", campaignConfig=SYNC)
    second = world.train(solution)
    latest = f"{solution}/$LATEST"
    description = world.describe_campaign(campaign)
    update = description["latestCampaignUpdate"]
    shown = (description["solutionVersionArn"], update["solutionVersionArn"])
    assert shown == ((latest, latest) if shows_latest else (second, second))
    assert served_version(world, pinned) == first, "it does not follow the latest version"


def test_describe_may_show_settings_that_update_campaign_refuses():
    world = World(switches=Switches(senseless_campaign_settings=True))
    campaign, version = campaign_with_update(world)
    world.start_update(campaign, version)
    for description in (world.describe_campaign(campaign), world.latest_update(campaign)):
        shown = (description["minProvisionedTPS"], description["campaignConfig"])
        assert shown == (0, {"itemExplorationConfig": {}})
    world.wait()
    world.start_update(
        campaign,
        minProvisionedTPS=2,
        campaignConfig={"itemExplorationConfig": {"explorationWeight": "0.3"}},
    )
    world.wait()
    description = world.describe_campaign(campaign)
    shown = (description["minProvisionedTPS"], description["campaignConfig"])
    assert shown == (2, {"itemExplorationConfig": {"explorationWeight": "0.3"}}), "it was set"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"minProvisionedTPS": 0},
            (
                "1 validation error detected: Value '0' at 'minProvisionedTPS' failed to satisfy"
                " constraint: Member must have value greater than or equal to 1"
            ),
        ),
        (
            {"campaignConfig": {"itemExplorationConfig": {}}},
            "itemExplorationConfig must not be empty",
        ),
    ],
)
def test_update_campaign_refuses_senseless_settings(world, settings, message):
    campaign, version = campaign_with_update(world)
    error = error_of(
        world.client.update_campaign, campaignArn=campaign, solutionVersionArn=version, **settings
    )
    assert error == ("InvalidInputException", message)

"""Proves the responses of campaigns to the operations of the runtime."""

import json
from typing import NamedTuple

import pytest
from personalize_world import (
    ARN,
    INTERACTIONS,
    World,
    error_of,
    interactions,
    numbered_interactions,
    recipe_arn,
)

from emulator.personalize import Switches
from tests.sample_data import sample_data

ITEM_REQUIRED = ("InvalidInputException", "itemId is required")


class Served(NamedTuple):
    """A campaign that serves a version."""

    world: World
    campaign: str

    def recommend(self, **fields):
        """Return the response of GetRecommendations."""
        return self.world.runtime.get_recommendations(campaignArn=self.campaign, **fields)

    def items(self, **fields):
        """Return the item ids of GetRecommendations."""
        return [item["itemId"] for item in self.recommend(**fields)["itemList"]]

    def refusal(self, **fields):
        """Return the error of GetRecommendations."""
        call = self.world.runtime.get_recommendations
        return error_of(call, campaignArn=self.campaign, **fields)

    def ranking(self, **fields):
        """Return the ranking of GetPersonalizedRanking."""
        call = self.world.runtime.get_personalized_ranking
        return call(campaignArn=self.campaign, **fields)["personalizedRanking"]


def served(recipe, **switches):
    """Serve a version of a recipe, trained on the sample data."""
    world = World(switches=Switches(**switches))
    solution = world.create_trainable_solution(recipe_arn(recipe), interactions())
    return Served(world, world.create_campaign(world.train(solution)))


@pytest.fixture(scope="module")
def personalization():
    return served("user-personalization")


def test_each_known_user_gets_different_items_with_falling_scores(personalization):
    response = personalization.recommend(userId="user-001")
    scores = [item["score"] for item in response["itemList"]]
    assert len(scores) == 25, "the default of numResults"
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) <= 1, "the scores of all items add up to 1"
    assert personalization.items(userId="user-001") != personalization.items(userId="user-002")


@pytest.mark.parametrize("num_results, length", [(3, 3), (0, 25), (500, 300)])
def test_unknown_users_get_as_many_popular_items_as_they_ask_for(
    personalization, num_results, length
):
    lines = sample_data().newer["INTERACTIONS"].decode().splitlines()[1:]
    watched = [line.split(",")[1] for line in lines]
    popular = sorted(set(watched), key=lambda film: (-watched.count(film), film))
    for user in ("nobody", "nobody-else"):
        items = personalization.items(userId=user, numResults=num_results)
        assert items == popular[:length], "there are 300 films"


def test_similar_items_need_an_item():
    similar = served("similar-items")
    assert similar.items(itemId="film-004")[0] == "film-005", "the next part of the series"
    assert len(similar.items(itemId="none", numResults=1)) == 1, "the most popular item"
    assert similar.refusal(userId="user-001") == ITEM_REQUIRED


@pytest.mark.parametrize("recipe", ["trending-now", "popularity-count"])
def test_popular_items_need_a_user_only_for_a_filter_that_uses_interactions(recipe):
    popular = served(recipe, unknown_user="nothing")
    assert len(popular.items()) == 25
    popular.world.client.create_filter(
        name="unseen",
        datasetGroupArn=f"{ARN}dataset-group/movies",
        filterExpression='EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")',
    )
    popular.world.wait()
    unseen = {"filterArn": f"{ARN}filter/unseen"}
    assert popular.items(userId="user-001", **unseen)

    error = popular.refusal(**unseen)
    assert error.message == "userId is required, because the filter uses interactions"


def test_a_ranking_orders_the_items_of_the_request_for_the_user():
    ranked = served("personalized-ranking")
    requested = ["unknown-item", *(f"film-{number:03}" for number in range(1, 300, 10))]
    rankings = [
        ranked.ranking(userId=user, inputList=requested) for user in ("user-001", "user-002")
    ]
    items = [[item["itemId"] for item in ranking] for ranking in rankings]
    assert [sorted(ids) for ids in items] == [sorted(requested)] * 2
    assert items[0] != items[1]
    assert items[0][-1] == "unknown-item"
    assert round(sum(item["score"] for item in rankings[0]), 6) == 1


def test_the_recipe_for_actions_recommends_actions():
    world = World()
    group = world.create_group()
    world.put("actions.csv", sample_data().newer["ACTION_INTERACTIONS"])
    world.import_file(world.create_dataset(group, "ACTION_INTERACTIONS"), key="actions.csv")
    solution = world.create_solution(group, recipe=recipe_arn("next-best-action"))
    campaign = world.create_campaign(world.train(solution))
    response = world.runtime.get_action_recommendations(
        campaignArn=campaign, userId="nobody", numResults=2
    )

    assert [sorted(action) for action in response["actionList"]] == [["actionId", "score"]] * 2


def test_a_missing_campaign_is_not_found_with_status_404(personalization):
    missing = personalization._replace(campaign=f"{ARN}campaign/none")
    with pytest.raises(missing.world.runtime.exceptions.ResourceNotFoundException) as error:
        missing.recommend(userId="user-001")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_the_old_version_serves_until_the_update_is_active():
    live = served("user-personalization", unknown_user="nothing")
    assert live.items(userId="nobody") == [], "a switch decides what unknown users get"
    world = live.world
    old_items = live.items(userId="user-001")
    world.put("interactions.csv", numbered_interactions(3000))
    world.import_file(INTERACTIONS, "second")
    world.start_update(live.campaign, world.train(f"{ARN}solution/for-you"))
    world.wait(2)
    assert live.items(userId="user-001") == old_items, "the update is in progress"

    world.wait()
    assert live.items(userId="user-001") != old_items


# The recipe aws-semantic-similarity


def solution_on_items(world, rows, *, attribute="textual"):
    """Create a solution in a group that has only items, with an id and a plot."""
    plot = {"name": "PLOT", "type": ["string", "null"], attribute: True}
    fields = [{"name": "ITEM_ID", "type": "string"}, plot]
    group = world.create_group()
    avro = json.dumps({"type": "record", "name": "Items", "fields": fields})
    world.put("items.csv", "\n".join(["ITEM_ID,PLOT", *rows]).encode())
    world.import_file(world.create_dataset(group, "ITEMS", avro=avro), key="items.csv")

    return world.create_solution(group, recipe=recipe_arn("semantic-similarity"))


def test_a_recipe_that_learns_from_texts_recommends_the_other_items():
    world = World()
    version = world.train(solution_on_items(world, ["shark,Swim", "orca,", "wedding,Marry"]))
    similar = Served(world, world.create_campaign(version))
    assert similar.items(itemId="shark") == ["orca", "wedding"]
    assert similar.refusal(userId="user-001") == ITEM_REQUIRED

    metrics = world.client.get_solution_metrics(solutionVersionArn=version)["metrics"]
    assert metrics == {"coverage": 1.0}, "there are no interactions to hold out"


def test_a_recipe_that_learns_from_texts_needs_items():
    world = World()
    version = world.describe_version(world.train(solution_on_items(world, [])))
    shown = (version["status"], version["failureReason"])

    assert shown == ("CREATE FAILED", "Dataset has no items")


@pytest.mark.parametrize("attribute, status", [("textual", "ACTIVE"), ("other", "CREATE FAILED")])
def test_only_a_textual_value_can_have_more_than_1000_characters(attribute, status):
    world = World()
    solution_on_items(world, [f"epic,{'long ' * 201}"], attribute=attribute)
    assert world.describe_import(f"{ARN}dataset-import-job/first")["status"] == status

"""Proves the responses of campaigns to the operations of the runtime."""

import pytest
from personalize_world import (
    ARN,
    INTERACTIONS,
    World,
    error_of,
    numbered_interactions,
    recipe_arn,
)

from emulator.personalize import Switches
from retrain.rehearsal.data.sample_data import sample_data


class Served:
    """A campaign that serves a version of a recipe, trained on the sample data."""

    def __init__(self, recipe):
        self.world = World()
        version = self.world.train(self.world.create_trainable_solution(recipe_arn(recipe)))
        self.campaign = self.world.create_campaign(version)
        self.runtime = self.world.runtime

    def recommendations(self, **fields):
        """Return the item list of GetRecommendations."""
        response = self.runtime.get_recommendations(campaignArn=self.campaign, **fields)
        return response["itemList"]

    def items(self, **fields):
        """Return the item ids of GetRecommendations."""
        return [item["itemId"] for item in self.recommendations(**fields)]

    def ranking(self, **fields):
        """Return the ranking of GetPersonalizedRanking."""
        response = self.runtime.get_personalized_ranking(campaignArn=self.campaign, **fields)
        return response["personalizedRanking"]

    def error_of_recommendations(self, **fields):
        """Return the error of GetRecommendations."""
        return error_of(self.runtime.get_recommendations, campaignArn=self.campaign, **fields)


@pytest.fixture(scope="module")
def personalization():
    return Served("user-personalization")


@pytest.fixture(scope="module")
def similar_items():
    return Served("similar-items")


@pytest.fixture(scope="module")
def ranking():
    return Served("personalized-ranking")


def test_each_known_user_gets_different_items_with_falling_scores(personalization):
    recommendations = personalization.recommendations(userId="user-001")
    scores = [item["score"] for item in recommendations]
    assert len(scores) == 25, "the default of numResults"
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) <= 1, "the scores of all items add up to 1"
    assert personalization.items(userId="user-001") != personalization.items(userId="user-002")


def test_unknown_users_get_the_popular_items(personalization):
    lines = sample_data()["INTERACTIONS"].decode().splitlines()[1:]
    watched = [line.split(",")[1] for line in lines]
    popular = sorted(set(watched), key=lambda film: (-watched.count(film), film))[:3]
    for user in ("nobody", "nobody-else"):
        assert personalization.items(userId=user, numResults=3) == popular


@pytest.mark.parametrize(("num_results", "length"), [(3, 3), (0, 25), (500, 300)])
def test_num_results_limits_the_list(personalization, num_results, length):
    items = personalization.items(userId="nobody", numResults=num_results)
    assert len(items) == length, "there are 300 films"


def test_personalization_needs_a_user(personalization):
    error = personalization.error_of_recommendations()
    assert error == ("InvalidInputException", "userId is required")


def test_similar_items_need_an_item(similar_items):
    assert similar_items.items(itemId="film-004")[0] == "film-005", "the next part of the series"
    error = similar_items.error_of_recommendations(userId="user-001")
    assert error == ("InvalidInputException", "itemId is required")
    assert len(similar_items.items(itemId="none", numResults=1)) == 1, "the most popular item"


def test_a_ranking_orders_the_items_of_the_request_for_the_user(ranking):
    requested = ["unknown-item", *(f"film-{number:03}" for number in range(1, 300, 10))]
    rankings = [
        ranking.ranking(userId=user, inputList=requested) for user in ("user-001", "user-002")
    ]
    items = [[item["itemId"] for item in ranked] for ranked in rankings]
    assert [sorted(ranked) for ranked in items] == [sorted(requested)] * 2
    assert items[0] != items[1]
    assert items[0][-1] == "unknown-item"
    assert round(sum(item["score"] for item in rankings[0]), 6) == 1


def test_a_ranking_has_at_most_500_items(ranking):
    assert error_of(
        ranking.runtime.get_personalized_ranking,
        campaignArn=ranking.campaign,
        userId="user-001",
        inputList=[f"item-{number}" for number in range(501)],
    ) == ("InvalidInputException", "inputList has 501 items, more than 500")


def test_each_recipe_has_its_operation(personalization):
    assert error_of(
        personalization.runtime.get_personalized_ranking,
        campaignArn=personalization.campaign,
        userId="user-001",
        inputList=["film-001"],
    ) == (
        "InvalidInputException",
        (
            "GetPersonalizedRanking is not supported by the recipe aws-user-personalization of "
            f"{personalization.campaign}; use GetRecommendations"
        ),
    )


def test_the_recipe_for_actions_recommends_actions():
    world = World()
    group = world.create_group()
    world.put("actions.csv", sample_data()["ACTION_INTERACTIONS"])
    world.import_file(world.create_dataset(group, "ACTION_INTERACTIONS"), key="actions.csv")
    solution = world.create_solution(group, recipe=recipe_arn("next-best-action"))
    campaign = world.create_campaign(world.train(solution))
    response = world.runtime.get_action_recommendations(
        campaignArn=campaign, userId="nobody", numResults=2
    )
    assert [sorted(action) for action in response["actionList"]] == [["actionId", "score"]] * 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("filterArn", f"{ARN}filter/unseen"),
        ("recommenderArn", f"{ARN}recommender/top"),
        ("context", {"DEVICE": "tv"}),
        ("promotions", []),
        ("metadataColumns", {"ITEMS": ["GENRE"]}),
    ],
)
def test_fields_that_are_not_emulated_are_refused_by_name(personalization, field, value):
    error = personalization.error_of_recommendations(userId="user-001", **{field: value})
    assert error == ("InvalidInputException", f"{field} is not supported by this emulator")


def test_a_missing_campaign_is_not_found_with_status_404(personalization):
    runtime, arn = personalization.runtime, f"{ARN}campaign/none"
    with pytest.raises(runtime.exceptions.ResourceNotFoundException) as error:
        runtime.get_recommendations(campaignArn=arn, userId="user-001")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert error.value.response["Error"]["Message"] == f"Resource Arn {arn} does not exist."


def test_a_campaign_that_is_not_active_is_refused():
    world = World()
    campaign = world.start_campaign(world.train(world.create_trainable_solution()))
    request = {"campaignArn": campaign, "userId": "user-001"}
    assert error_of(world.runtime.get_recommendations, **request) == (
        "InvalidInputException",
        f"Campaign {campaign} is CREATE PENDING",
    )


def test_the_old_version_serves_until_the_update_is_active():
    served = Served("user-personalization")
    world = served.world
    old_items = served.items(userId="user-001")
    world.put("interactions.csv", numbered_interactions(3000))
    world.import_file(INTERACTIONS, "second")
    world.start_update(served.campaign, world.train(f"{ARN}solution/for-you"))
    world.wait(2)
    assert served.items(userId="user-001") == old_items, "the update is in progress"
    world.wait()
    assert served.items(userId="user-001") != old_items


@pytest.mark.parametrize(("answer", "number"), [("popular", 25), ("nothing", 0)])
def test_a_user_who_is_not_in_the_data_may_get_nothing(answer, number):
    world = World(switches=Switches(unknown_user=answer))
    campaign = world.create_campaign(world.train(world.create_trainable_solution()))
    for user, length in (("nobody", number), ("user-001", 25)):
        response = world.runtime.get_recommendations(campaignArn=campaign, userId=user)
        assert len(response["itemList"]) == length, user


def test_a_user_who_is_not_in_the_data_may_be_an_error():
    world = World(switches=Switches(unknown_user="error"))
    campaign = world.create_campaign(world.train(world.create_trainable_solution()))
    error = error_of(world.runtime.get_recommendations, campaignArn=campaign, userId="nobody")
    assert error == (
        "InvalidInputException",
        "userId nobody is not in the data of the solution version",
    )

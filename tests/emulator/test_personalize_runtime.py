"""Proves what campaigns answer, with boto3's runtime client against the emulator in process."""

import pytest
from personalize_world import ARN, World, refused, some_interactions

from retrain.rehearsal.data.sample_data import sample_data

RECIPE_ARN = "arn:aws:personalize:::recipe/aws-{}"


def serving(recipe):
    world = World()
    return world, world.campaign(world.version(world.movies(RECIPE_ARN.format(recipe))))


@pytest.fixture(scope="module")
def personal():
    return serving("user-personalization")


def items(answer):
    return [item["itemId"] for item in answer["itemList"]]


def test_a_known_user_gets_recommendations_of_their_own_with_scores_that_fall(personal):
    world, campaign = personal
    answer = world.runtime.get_recommendations(campaignArn=campaign, userId="user-001")
    scores = [item["score"] for item in answer["itemList"]]
    assert len(scores) == 25, "the default of numResults"
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) <= 1, "scores of all items add up to 1"
    assert answer["recommendationId"].startswith("RID-")
    other = world.runtime.get_recommendations(campaignArn=campaign, userId="user-002")
    assert items(answer) != items(other)


def test_unknown_users_get_the_popular_items(personal):
    world, campaign = personal
    lists = [
        items(world.runtime.get_recommendations(campaignArn=campaign, userId=user, numResults=3))
        for user in ("nobody", "nobody-else")
    ]
    watched = [line.split(b",")[1] for line in sample_data()["INTERACTIONS"].splitlines()[1:]]
    counts = {film.decode(): watched.count(film) for film in set(watched)}
    popular = sorted(counts, key=lambda film: (-counts[film], film))[:3]
    assert lists == [popular, popular]


@pytest.mark.parametrize(("asked", "given"), [(3, 3), (0, 25), (500, None)])
def test_num_results_limits_the_list(personal, asked, given):
    world, campaign = personal
    answer = world.runtime.get_recommendations(
        campaignArn=campaign, userId="nobody", numResults=asked
    )
    assert len(answer["itemList"]) == (given or 300), "there are 300 films"


def test_similar_items_need_an_item():
    world, campaign = serving("similar-items")
    answer = world.runtime.get_recommendations(campaignArn=campaign, itemId="film-004")
    assert items(answer)[0] == "film-005", "the next part of the series"
    assert refused(world.runtime.get_recommendations, campaignArn=campaign, userId="user-001") == (
        "InvalidInputException",
        "itemId is required",
    )
    unknown = world.runtime.get_recommendations(campaignArn=campaign, itemId="none", numResults=1)
    assert len(unknown["itemList"]) == 1, "the most popular item"


def test_personalization_needs_a_user(personal):
    world, campaign = personal
    assert refused(world.runtime.get_recommendations, campaignArn=campaign) == (
        "InvalidInputException",
        "userId is required",
    )


def test_a_ranking_orders_the_given_items_for_the_user():
    world, campaign = serving("personalized-ranking")
    given = ["unknown-item", *(f"film-{n:03}" for n in range(1, 300, 10))]
    answers = [
        world.runtime.get_personalized_ranking(campaignArn=campaign, userId=u, inputList=given)
        for u in ("user-001", "user-002")
    ]
    ranked = [[i["itemId"] for i in a["personalizedRanking"]] for a in answers]
    assert [sorted(r) for r in ranked] == [sorted(given)] * 2, "all of them and no others"
    assert ranked[0] != ranked[1]
    assert ranked[0][-1] == "unknown-item"
    total = sum(item["score"] for item in answers[0]["personalizedRanking"])
    assert round(total, 6) == 1, "scores add up to 1"


def test_a_ranking_takes_at_most_500_items():
    world, campaign = serving("personalized-ranking")
    given = [f"item-{n}" for n in range(501)]
    code, message = refused(
        world.runtime.get_personalized_ranking,
        campaignArn=campaign,
        userId="user-001",
        inputList=given,
    )
    assert code == "InvalidInputException"
    assert "500" in message


def test_each_recipe_has_its_operation(personal):
    world, campaign = personal
    assert refused(
        world.runtime.get_personalized_ranking,
        campaignArn=campaign,
        userId="user-001",
        inputList=["film-001"],
    ) == (
        "InvalidInputException",
        (
            "GetPersonalizedRanking is not supported by the recipe aws-user-personalization of "
            f"{campaign}; use GetRecommendations"
        ),
    )


def test_actions_are_recommended_by_the_recipe_for_actions():
    world = World()
    group = world.group()
    world.put("actions.csv", sample_data()["ACTION_INTERACTIONS"])
    world.imported(world.dataset(group, "ACTION_INTERACTIONS"), "first", "actions.csv")
    version = world.version(world.solution(group, recipe=RECIPE_ARN.format("next-best-action")))
    campaign = world.campaign(version)
    answer = world.runtime.get_action_recommendations(
        campaignArn=campaign, userId="nobody", numResults=2
    )
    assert [sorted(action) for action in answer["actionList"]] == [["actionId", "score"]] * 2


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
def test_what_the_emulator_cannot_do_is_refused_by_name(personal, field, value):
    world, campaign = personal
    request = {"campaignArn": campaign, "userId": "user-001", field: value}
    assert refused(world.runtime.get_recommendations, **request) == (
        "InvalidInputException",
        f"{field} is not supported by this emulator",
    )


def test_a_campaign_that_does_not_exist_is_not_found_with_status_404(personal):
    world, _ = personal
    arn = f"{ARN}campaign/none"
    with pytest.raises(world.runtime.exceptions.ResourceNotFoundException) as error:
        world.runtime.get_recommendations(campaignArn=arn, userId="user-001")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert error.value.response["Error"]["Message"] == f"Resource Arn {arn} does not exist."


def test_a_campaign_that_is_not_active_does_not_answer():
    world = World()
    version = world.version(world.movies())
    campaign = world.client.create_campaign(name="live", solutionVersionArn=version)["campaignArn"]
    code, message = refused(
        world.runtime.get_recommendations, campaignArn=campaign, userId="user-001"
    )
    assert (code, message) == (
        "InvalidInputException",
        f"Campaign {campaign} is CREATE PENDING",
    )


def test_the_old_version_answers_until_the_update_is_active():
    world = World()
    solution = world.movies()
    campaign = world.campaign(world.version(solution))
    request = {"campaignArn": campaign, "userId": "user-001", "numResults": 5}
    before = items(world.runtime.get_recommendations(**request))
    world.put("interactions.csv", some_interactions(3000))
    world.imported(f"{ARN}dataset/movies/INTERACTIONS", "second")
    target = world.version(solution)
    world.client.update_campaign(campaignArn=campaign, solutionVersionArn=target)
    world.wait(2)
    assert items(world.runtime.get_recommendations(**request)) == before, "in progress"
    world.wait()
    assert items(world.runtime.get_recommendations(**request)) != before, "deployed"

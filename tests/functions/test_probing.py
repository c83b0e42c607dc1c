"""The probe: what it asks, which answers are bad, and when it has seen enough."""

import pytest
from botocore.exceptions import EndpointConnectionError

from functions import aws
from functions.personalize.probe import probe_campaign
from tests.functions.samples import CAMPAIGN, PROBE, iso, probed_settings, probing

FIVE = [{"itemId": str(number)} for number in range(5)]
FOUR_ITEMS = "4 results, fewer than 5"


def answers(runtime, items=FIVE, **asked):
    """Expect one question, and answer it."""
    asked = asked or {"userId": "1"}
    request = {"campaignArn": CAMPAIGN, "numResults": 5, **asked}
    runtime.says("get_recommendations", {"itemList": items}, **request)


def refuses(runtime, code="ResourceNotFoundException", message="no campaign"):
    request = {"campaignArn": CAMPAIGN, "numResults": 5, "userId": "1"}
    runtime.refuses("get_recommendations", code, message, **request)


def probe(runtime, before=None, **changes):
    settings_ = probed_settings(**{**PROBE, **changes})
    return probe_campaign(runtime.client, settings_, CAMPAIGN, before)


ENDING = probing(startedAt=iso(minutes=10))
"""A probe of which the ten minutes are over."""


def test_a_campaign_that_answers_to_the_end_has_passed(runtime, clock):
    for _ in range(11):
        answers(runtime)
    assert probe(runtime, minutes=1) == probing(phase="PASSED")
    assert clock.slept == [6] * 10, "ten questions in its time, and one at its end"


def test_a_long_probe_asks_every_thirty_seconds_and_is_handed_on(runtime, clock):
    for _ in range(10):
        answers(runtime)
    assert probe(runtime) == probing()
    assert clock.slept == [30] * 9, "an invocation holds for five minutes at most"


def test_a_probe_that_is_handed_on_keeps_its_sample(runtime, clock):
    clock.advance(599)
    answers(runtime)
    answers(runtime)
    assert probe(runtime, probing()) == probing(phase="PASSED")
    assert clock.slept == [30], "one second was left"


def test_the_last_question_is_asked_when_the_minutes_are_just_over(runtime, clock):
    answers(runtime)
    assert probe(runtime, ENDING) == {**ENDING, "phase": "PASSED"}
    assert clock.slept == []


@pytest.mark.parametrize("bad", [1, 2])
def test_bad_answers_that_are_fewer_than_three_in_a_row_may_be_chance(runtime, bad):
    for _ in range(bad):
        answers(runtime, FIVE[:4])
    answers(runtime)
    assert probe(runtime, ENDING) == {**ENDING, "phase": "PASSED", "failure": FOUR_ITEMS}, (
        "the last bad answer is told all the same"
    )


def test_the_third_bad_answer_in_a_row_fails(runtime):
    answers(runtime, FIVE[:4])
    answers(runtime)
    for _ in range(3):
        answers(runtime, FIVE[:4])
    assert probe(runtime) == probing(phase="FAILED", badInARow=3, failure=FOUR_ITEMS)


def test_bad_answers_are_counted_from_invocation_to_invocation(runtime):
    answers(runtime, [])
    before = probing(badInARow=2, failure=FOUR_ITEMS)
    failed = probing(phase="FAILED", badInARow=3, failure="0 results, fewer than 5")
    assert probe(runtime, before) == failed


def test_as_many_results_as_asked_for_are_enough(runtime):
    answers(runtime, [*FIVE, {"itemId": "5"}])
    assert probe(runtime, ENDING)["phase"] == "PASSED"


def test_an_error_is_a_bad_answer(runtime):
    for _ in range(3):
        refuses(runtime)
    said = (
        "An error occurred (ResourceNotFoundException) when calling the GetRecommendations "
        "operation: no campaign"
    )
    assert probe(runtime) == probing(phase="FAILED", badInARow=3, failure=said)


def test_no_answer_is_a_bad_answer(runtime, monkeypatch):
    def silent(**_):
        raise EndpointConnectionError(endpoint_url="https://runtime")

    monkeypatch.setattr(runtime.client, "get_recommendations", silent, raising=False)
    said = 'Could not connect to the endpoint URL: "https://runtime"'
    assert probe(runtime) == probing(phase="FAILED", badInARow=3, failure=said)


def test_a_question_too_many_says_nothing_of_the_campaign(runtime):
    for _ in range(2):
        answers(runtime, FIVE[:4])
    for _ in range(3):
        refuses(runtime, "ThrottlingException", "slow down")
    answers(runtime, FIVE[:4])
    failed = probing(phase="FAILED", badInARow=3, failure=FOUR_ITEMS)
    assert probe(runtime) == failed, "neither bad nor good, it does not interrupt the row"


def test_a_probe_does_not_pass_without_an_answer(runtime):
    for _ in range(3):
        refuses(runtime, "ThrottlingException", "slow down")
    failed = {**ENDING, "phase": "FAILED", "badInARow": 3, "failure": "throttled"}
    assert probe(runtime, ENDING) == failed


def test_similar_items_are_asked_for_by_item(runtime):
    answers(runtime, itemId="7")
    settings_ = probed_settings(itemId="7", minResults=5, minutes=10)
    assert probe_campaign(runtime.client, settings_, CAMPAIGN, ENDING)["phase"] == "PASSED"


def test_a_recipe_that_takes_both_is_asked_with_both(runtime):
    answers(runtime, userId="1", itemId="7")
    assert probe(runtime, ENDING, itemId="7")["phase"] == "PASSED"


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (2, {**ENDING, "phase": "PASSED"}),
        (3, {**ENDING, "phase": "FAILED", "badInARow": 3, "failure": "2 results, fewer than 3"}),
    ],
)
def test_a_ranking_is_asked_for_with_its_list(runtime, least, expected):
    for _ in range(max(1, expected["badInARow"])):
        runtime.says(
            "get_personalized_ranking",
            {"personalizedRanking": FIVE[:2]},
            campaignArn=CAMPAIGN,
            userId="1",
            inputList=["7", "8"],
        )
    assert probe(runtime, ENDING, inputList=["7", "8"], minResults=least) == expected


def test_the_client_of_the_runtime_is_made_once_and_asks_once(monkeypatch):
    made = []
    monkeypatch.setattr("boto3.client", lambda name, config: made.append((name, config)) or name)
    aws.runtime.cache_clear()
    assert (aws.runtime(), aws.runtime()) == ("personalize-runtime",) * 2
    aws.runtime.cache_clear()
    ((_, config),) = made
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert (config.connect_timeout, config.read_timeout) == (5, 10)

"""Tests of the probe: its requests, which responses are bad, and when it ends."""

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.personalize.probe import probe_campaign
from tests.functions.samples import CAMPAIGN, PROBE, iso, probed_settings, probing

FIVE = [{"itemId": str(number)} for number in range(5)]
FOUR_RESULTS = "4 results, fewer than minResults 5"
REQUEST = {"campaignArn": CAMPAIGN, "numResults": 5}


def expect_request(runtime, items=FIVE, **parameters):
    """Expect one request, and return these items."""
    parameters = parameters or {"userId": "1"}
    runtime.expect("get_recommendations", {"itemList": items}, **REQUEST, **parameters)


def expect_error(runtime, code="ResourceNotFoundException", message="no campaign"):
    runtime.expect_error("get_recommendations", code, message, **REQUEST, userId="1")


def probe(runtime, previous=None, **changes):
    settings_ = probed_settings(**{**PROBE, **changes})
    return probe_campaign(runtime.client, settings_, CAMPAIGN, previous)


ENDING = probing(startedAt=iso(minutes=10))
"""A probe whose ten minutes are over."""


def test_a_campaign_with_only_good_responses_has_passed(runtime, clock):
    for _ in range(11):
        expect_request(runtime)
    assert probe(runtime, minutes=1) == probing(phase="PASSED")
    assert clock.slept == [6] * 10, "a short probe sends ten requests, and one at its end"


def test_a_long_probe_sends_a_request_every_thirty_seconds_for_five_minutes(runtime, clock):
    for _ in range(10):
        expect_request(runtime)
    assert probe(runtime) == probing()
    assert clock.slept == [30] * 9


def test_the_next_invocation_goes_on_with_the_probe(runtime, clock):
    clock.advance(599)
    expect_request(runtime)
    expect_request(runtime)
    assert probe(runtime, probing()) == probing(phase="PASSED")
    assert clock.slept == [30], "one second of the ten minutes was left"


def test_the_last_request_is_sent_after_the_minutes(runtime, clock):
    expect_request(runtime)
    assert probe(runtime, ENDING) == {**ENDING, "phase": "PASSED"}
    assert clock.slept == []


@pytest.mark.parametrize("bad", [1, 2])
def test_fewer_than_three_bad_responses_in_a_row_do_not_count(runtime, bad):
    for _ in range(bad):
        expect_request(runtime, FIVE[:4])
    expect_request(runtime)
    assert probe(runtime, ENDING) == {**ENDING, "phase": "PASSED", "failure": FOUR_RESULTS}


def test_three_bad_responses_in_a_row_fail_the_probe(runtime):
    expect_request(runtime, FIVE[:4])
    expect_request(runtime)
    for _ in range(3):
        expect_request(runtime, FIVE[:4])
    assert probe(runtime) == probing(phase="FAILED", badInARow=3, failure=FOUR_RESULTS)


def test_bad_responses_count_over_invocations(runtime):
    expect_request(runtime, [])
    previous = probing(badInARow=2, failure=FOUR_RESULTS)
    failed = probing(phase="FAILED", badInARow=3, failure="0 results, fewer than minResults 5")
    assert probe(runtime, previous) == failed


def test_more_results_than_required_are_good(runtime):
    expect_request(runtime, [*FIVE, {"itemId": "5"}])
    assert probe(runtime, ENDING)["phase"] == "PASSED"


def test_an_error_is_a_bad_response(runtime):
    for _ in range(3):
        expect_error(runtime)
    failure = (
        "An error occurred (ResourceNotFoundException) when calling the GetRecommendations "
        "operation: no campaign"
    )
    assert probe(runtime) == probing(phase="FAILED", badInARow=3, failure=failure)


def test_no_response_is_a_bad_response(runtime, monkeypatch):
    def no_response(**_):
        raise EndpointConnectionError(endpoint_url="https://runtime")

    monkeypatch.setattr(runtime.client, "get_recommendations", no_response, raising=False)
    failure = 'Could not connect to the endpoint URL: "https://runtime"'
    assert probe(runtime) == probing(phase="FAILED", badInARow=3, failure=failure)


def test_a_throttled_request_is_neither_good_nor_bad(runtime):
    for _ in range(2):
        expect_request(runtime, FIVE[:4])
    for _ in range(3):
        expect_error(runtime, "ThrottlingException", "slow down")
    expect_request(runtime, FIVE[:4])
    assert probe(runtime) == probing(phase="FAILED", badInARow=3, failure=FOUR_RESULTS)


def test_a_probe_does_not_pass_without_a_response(runtime):
    for _ in range(3):
        expect_error(runtime, "ThrottlingException", "slow down")
    failed = {**ENDING, "phase": "FAILED", "badInARow": 3, "failure": "throttled"}
    assert probe(runtime, ENDING) == failed


def test_similar_items_are_requested_with_an_item(runtime):
    expect_request(runtime, itemId="7")
    settings_ = probed_settings(itemId="7", minResults=5, minutes=10)
    assert probe_campaign(runtime.client, settings_, CAMPAIGN, ENDING)["phase"] == "PASSED"


def test_a_request_may_have_a_user_and_an_item(runtime):
    expect_request(runtime, userId="1", itemId="7")
    assert probe(runtime, ENDING, itemId="7")["phase"] == "PASSED"


@pytest.mark.parametrize(
    ("min_results", "expected"),
    [
        (2, {**ENDING, "phase": "PASSED"}),
        (
            3,
            {
                **ENDING,
                "phase": "FAILED",
                "badInARow": 3,
                "failure": "2 results, fewer than minResults 3",
            },
        ),
    ],
)
def test_a_ranking_is_requested_with_a_list(runtime, min_results, expected):
    for _ in range(max(1, expected["badInARow"])):
        runtime.expect(
            "get_personalized_ranking",
            {"personalizedRanking": FIVE[:2]},
            campaignArn=CAMPAIGN,
            userId="1",
            inputList=["7", "8"],
        )
    assert probe(runtime, ENDING, inputList=["7", "8"], minResults=min_results) == expected

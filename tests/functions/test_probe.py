"""Tests of the probe: its requests, which responses are bad, and when it ends."""

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.personalize.probe import probe_campaign
from tests.functions.samples import (
    CAMPAIGN,
    OLD_VERSION,
    PROBE,
    VERSION,
    ago,
    campaign,
    campaign_update,
    iso,
    probed_settings,
    probing,
    settings,
)

FIVE = [{"itemId": str(number)} for number in range(5)]
FOUR_RESULTS = "4 results, fewer than minResults 5"
REQUEST = {"campaignArn": CAMPAIGN, "numResults": 5}
THROTTLED = (
    "An error occurred (ThrottlingException) when calling the GetRecommendations operation: slow "
    "down"
)


@pytest.fixture
def runtime(runtime, personalize):
    """Return the runtime. Before and after each request, the campaign serves the version."""
    add_response, add_error = runtime.expect, runtime.expect_error

    def with_describe(add):
        def expect(*arguments, **request):
            for _ in range(2):
                expect_campaign(personalize)
            add(*arguments, **request)

        return expect

    runtime.expect, runtime.expect_error = with_describe(add_response), with_describe(add_error)
    runtime.personalize = personalize
    return runtime


def expect_campaign(personalize, **changes):
    response = {"campaign": campaign(**{"solutionVersionArn": VERSION, **changes})}
    personalize.expect("describe_campaign", response, campaignArn=CAMPAIGN)


def expect_request(runtime, items=FIVE, **parameters):
    """Expect one request, and return these items."""
    parameters = parameters or {"userId": "1"}
    runtime.expect("get_recommendations", {"itemList": items}, **REQUEST, **parameters)


def expect_error(runtime, code="ResourceNotFoundException", message="no campaign"):
    runtime.expect_error("get_recommendations", code, message, **REQUEST, userId="1")


def probe(runtime, previous=None, settings_=None, **changes):
    return probe_campaign(
        runtime.personalize.client,
        runtime.client,
        settings_ or probed_settings(**{**PROBE, **changes}),
        CAMPAIGN,
        version_arn=VERSION,
        previous_state=previous,
    )


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
    failed = {"badInARow": 3, "failingSince": iso(seconds=-60), "failure": FOUR_RESULTS}
    assert probe(runtime) == probing(phase="FAILED", **failed)


def test_bad_responses_count_over_invocations(runtime):
    expect_request(runtime, [])
    previous = probing(badInARow=2, failingSince=iso(seconds=60), failure=FOUR_RESULTS)
    failed = {**previous, "badInARow": 3, "failure": "0 results, fewer than minResults 5"}
    assert probe(runtime, previous) == {**failed, "phase": "FAILED"}


def test_more_results_than_required_are_good(runtime):
    expect_request(runtime, [*FIVE, {"itemId": "5"}])
    assert probe(runtime, ENDING)["phase"] == "PASSED"


def test_a_response_without_a_list_is_bad(runtime):
    for _ in range(3):
        runtime.expect("get_recommendations", {}, **REQUEST, userId="1")
    assert probe(runtime)["failure"] == "the response has no list of results"


FAILING = probing(failingSince=iso(minutes=5))
"""A probe that has met only errors for five minutes."""


def test_an_error_that_lasts_for_five_minutes_fails_the_probe(runtime):
    expect_error(runtime)
    failure = (
        "An error occurred (ResourceNotFoundException) when calling the GetRecommendations "
        "operation: no campaign"
    )
    assert probe(runtime, FAILING) == {**FAILING, "phase": "FAILED", "failure": failure}


def test_an_error_that_does_not_last_is_tolerated(runtime):
    expect_error(runtime)
    expect_request(runtime)
    assert probe(runtime, ENDING)["phase"] == "PASSED"


def test_no_response_is_an_error(runtime, monkeypatch):
    def no_response(**_):
        raise EndpointConnectionError(endpoint_url="https://runtime")

    for _ in range(2):
        expect_campaign(runtime.personalize)
    monkeypatch.setattr(runtime.client, "get_recommendations", no_response, raising=False)
    failure = 'Could not connect to the endpoint URL: "https://runtime"'
    assert probe(runtime, FAILING) == {**FAILING, "phase": "FAILED", "failure": failure}


def test_a_throttled_request_is_neither_good_nor_bad(runtime):
    for _ in range(2):
        expect_request(runtime, FIVE[:4])
    for _ in range(3):
        expect_error(runtime, "ThrottlingException", "slow down")
    expect_request(runtime, FIVE[:4])
    failed = {"badInARow": 3, "failingSince": iso(), "failure": FOUR_RESULTS}
    assert probe(runtime) == probing(phase="FAILED", **failed)


def test_a_probe_does_not_pass_without_a_response(runtime):
    expect_error(runtime, "ThrottlingException", "slow down")
    throttled = {**ENDING, "failingSince": iso(minutes=5)}
    assert probe(runtime, throttled) == {**throttled, "phase": "FAILED", "failure": THROTTLED}


# The campaign may not serve the version

UPDATING = campaign_update(solutionVersionArn=OLD_VERSION)


@pytest.mark.parametrize("good_responses", [0, 1, 2])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_campaign_that_serves_another_version_is_not_judged(runtime, good_responses, moment):
    for _ in range(good_responses):
        expect_request(runtime)
    if moment == "after":
        expect_campaign(runtime.personalize)
        request = {**REQUEST, "userId": "1"}
        runtime.stubber.add_response("get_recommendations", {"itemList": []}, request)
    expect_campaign(runtime.personalize, solutionVersionArn=OLD_VERSION)
    failure = (
        f"the campaign serves {OLD_VERSION}, not {VERSION}: it was not updated, or somebody has "
        "moved it"
    )
    assert probe(runtime) == probing(phase="MOVED", failure=failure)


def test_a_campaign_that_serves_nothing_is_not_judged(runtime):
    expect_campaign(runtime.personalize, status="CREATE FAILED")
    assert probe(runtime)["failure"].startswith(f"the campaign serves nothing, not {VERSION}")


def test_a_campaign_that_is_being_updated_is_not_judged(runtime):
    expect_campaign(runtime.personalize, latestCampaignUpdate=UPDATING)
    failure = f"the campaign is being updated to {OLD_VERSION}"
    assert probe(runtime) == probing(phase="UPDATING", failure=failure)


def test_a_response_beside_a_quick_update_does_not_count(runtime):
    updated = campaign_update(status="ACTIVE", creationDateTime=ago())
    expect_campaign(runtime.personalize)
    runtime.stubber.add_response(
        "get_recommendations", {"itemList": []}, {**REQUEST, "userId": "1"}
    )
    for _ in range(3):
        expect_campaign(runtime.personalize, latestCampaignUpdate=updated)
    runtime.stubber.add_response(
        "get_recommendations", {"itemList": FIVE}, {**REQUEST, "userId": "1"}
    )
    assert probe(runtime, ENDING) == {**ENDING, "phase": "PASSED"}


def test_a_probe_begins_again_after_an_update(runtime):
    expect_campaign(runtime.personalize, latestCampaignUpdate=UPDATING)
    updating = probing(phase="UPDATING", startedAt=iso(1), badInARow=2, failingSince=iso(1))
    failure = f"the campaign is being updated to {OLD_VERSION}"
    assert probe(runtime, updating) == probing(phase="UPDATING", failure=failure)


def test_a_campaign_without_a_probe_passes_if_it_serves_the_version(runtime):
    expect_campaign(runtime.personalize)
    assert probe(runtime, settings_=settings()) == probing(phase="PASSED")


# The requests


def test_similar_items_are_requested_with_an_item(runtime):
    expect_request(runtime, itemId="7")
    settings_ = probed_settings(itemId="7", minResults=5, minutes=10)
    assert probe(runtime, ENDING, settings_)["phase"] == "PASSED"


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
                "failingSince": iso(),
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

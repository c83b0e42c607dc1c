"""Requests recommendations from a campaign after its update, and judges the responses."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from .. import clock
from ..aws import THROTTLING_CODES
from ..workflow_settings import campaign_settings
from .campaigns import busy_reason, describe_campaign, live_version, not_served_message
from .pacing import INVOCATION_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import CampaignTypeDef
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_personalize_runtime.type_defs import GetRecommendationsRequestTypeDef

    from ..contract import ProbePhase, ProbeState
    from ..workflow_settings import ProbeSettings, Settings

MAX_PAUSE = 30
"""The most seconds between two requests."""
FEWEST_REQUESTS = 10
"""The number of requests of a short probe. To reach it, the pauses are shorter than MAX_PAUSE."""
BAD_RESPONSES_TO_FAIL = 3
"""A probe fails after this number of bad responses in a row. Fewer may be chance."""
LONGEST_FAILURE = timedelta(minutes=5)
"""A probe fails if every request has met an error for this time. A shorter failure may be a fault
of the service."""


class _Response(NamedTuple):
    """What one request of the probe has shown."""

    failure: str | None
    """Why the response is bad, or None if it is good."""
    is_error: bool = False
    is_throttled: bool = False


GOOD = _Response(None)


def probe_campaign(
    client: PersonalizeClient,
    runtime: PersonalizeRuntimeClient,
    settings: Settings,
    campaign_arn: str,
    *,
    version_arn: str,
    previous_state: ProbeState | None,
) -> ProbeState:
    """Send requests to a campaign until its probe ends or this invocation has used its time.

    If the phase of the returned state is NEAR, the probe has to go on in another invocation. A
    campaign without a probe passes if it serves the version.

    A response is bad if it has fewer results than `minResults`, or none that can be read. An error
    is bad if it lasts for five minutes. A throttled request shows nothing about the version, so it
    is ignored. After the minutes of the probe it is an error, because otherwise the probe of a
    throttled campaign would never end.

    Args:
        client: a client for reads.
        runtime: a client that sends each request once.
        settings: the settings of the pipeline.
        campaign_arn: the campaign.
        version_arn: the version that the campaign should serve.
        previous_state: the result of the previous invocation, or None if this is the first.
    """
    invoked_at = clock.now()
    state = _first_state(previous_state, invoked_at)
    probe = campaign_settings(settings, campaign_arn)["probe"]
    if probe is None:
        campaign = describe_campaign(client, campaign_arn)
        return _state_of_moved_campaign(state, campaign, version_arn) or {
            **state,
            "phase": "PASSED",
        }
    pause = min(MAX_PAUSE, probe["minutes"] * 60 / FEWEST_REQUESTS)
    last_pause_start = invoked_at + timedelta(seconds=INVOCATION_SECONDS - pause)
    while True:
        campaign = describe_campaign(client, campaign_arn)
        if moved_state := _state_of_moved_campaign(state, campaign, version_arn):
            return moved_state
        state = _state_after_request(
            client, runtime, probe, state, campaign=campaign, version_arn=version_arn
        )
        if state["phase"] != "NEAR" or clock.now() >= last_pause_start:
            return state
        clock.sleep(pause)


def _first_state(previous_state: ProbeState | None, now: datetime) -> ProbeState:
    """Return the state with which the probe goes on, or the state of a probe that begins now."""
    if previous_state and previous_state["phase"] == "NEAR":
        return previous_state
    return {
        "phase": "NEAR",
        "startedAt": now.isoformat(),
        "badInARow": 0,
        "failingSince": None,
        "failure": None,
    }


def _state_of_moved_campaign(
    state: ProbeState, campaign: CampaignTypeDef, version_arn: str
) -> ProbeState | None:
    """Return the state of a probe whose campaign does not serve the version, or None if it does."""
    if reason := busy_reason(campaign):
        return {**state, "phase": "UPDATING", "failure": reason}
    if live_version(campaign) == version_arn:
        return None
    return {**state, "phase": "MOVED", "failure": not_served_message(campaign, version_arn)}


def _state_after_request(
    client: PersonalizeClient,
    runtime: PersonalizeRuntimeClient,
    probe: ProbeSettings,
    state: ProbeState,
    *,
    campaign: CampaignTypeDef,
    version_arn: str,
) -> ProbeState:
    """Send one request, and return the state of the probe after it.

    `campaign` describes the campaign before the request. The response counts only if the campaign
    serves the version after the request too, without an update in between.
    """
    response = _send_request(runtime, campaign["campaignArn"], probe)
    campaign_after = describe_campaign(client, campaign["campaignArn"])
    if moved_state := _state_of_moved_campaign(state, campaign_after, version_arn):
        return moved_state
    if campaign.get("latestCampaignUpdate") != campaign_after.get("latestCampaignUpdate"):
        return state
    probe_end = datetime.fromisoformat(state["startedAt"]) + timedelta(minutes=probe["minutes"])
    return _state_after_response(state, response, minutes_are_over=clock.now() >= probe_end)


def _state_after_response(
    state: ProbeState, response: _Response, *, minutes_are_over: bool
) -> ProbeState:
    """Return the state of a probe after one more response.

    The phase becomes FAILED after three bad responses in a row, or after errors for five minutes.
    It becomes PASSED if the minutes of the probe are over and the response is good. A probe with a
    bad response at its end continues until the next good response or until it fails.
    """
    if response.failure is None:
        phase: ProbePhase = "PASSED" if minutes_are_over else "NEAR"
        return {**state, "phase": phase, "badInARow": 0, "failingSince": None}
    if response.is_throttled and not minutes_are_over:
        return state
    now = clock.now()
    failing_since = state["failingSince"] or now.isoformat()
    bad_in_a_row = state["badInARow"] + (0 if response.is_error else 1)
    has_failed = (
        bad_in_a_row >= BAD_RESPONSES_TO_FAIL
        or now - datetime.fromisoformat(failing_since) >= LONGEST_FAILURE
    )
    return {
        **state,
        "phase": "FAILED" if has_failed else "NEAR",
        "badInARow": bad_in_a_row,
        "failingSince": failing_since,
        "failure": response.failure,
    }


def _send_request(
    client: PersonalizeRuntimeClient, campaign_arn: str, probe: ProbeSettings
) -> _Response:
    """Send one request, and judge its response."""
    try:
        results = _request_results(client, campaign_arn, probe)
    except ClientError as error:
        is_throttled = error.response["Error"]["Code"] in THROTTLING_CODES
        return _Response(str(error), is_error=True, is_throttled=is_throttled)
    except BotoCoreError as error:
        return _Response(str(error), is_error=True)
    if not isinstance(results, list):
        return _Response("the response has no list of results")
    if len(results) < probe["minResults"]:
        return _Response(f"{len(results)} results, fewer than minResults {probe['minResults']}")
    return GOOD


def _request_results(
    client: PersonalizeRuntimeClient, campaign_arn: str, probe: ProbeSettings
) -> object:
    """Request a ranking or recommendations, as the probe says. Return the list in the response.

    Return None if the response has no list.
    """
    user_id, item_id = probe.get("userId"), probe.get("itemId")
    if user_id and (items := probe.get("inputList")):
        ranking = client.get_personalized_ranking(
            campaignArn=campaign_arn, userId=user_id, inputList=items
        )
        return ranking.get("personalizedRanking")
    # Without numResults a response has at most 25 results.
    request: GetRecommendationsRequestTypeDef = {
        "campaignArn": campaign_arn,
        "numResults": probe["minResults"],
    }
    if user_id:
        request["userId"] = user_id
    if item_id:
        request["itemId"] = item_id
    return client.get_recommendations(**request).get("itemList")

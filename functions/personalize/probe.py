"""Requests recommendations from a campaign after its update, and judges the responses."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .. import clock
from ..aws import THROTTLING_CODES
from ..contract import campaign_settings
from .pacing import INVOCATION_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_personalize_runtime.type_defs import GetRecommendationsRequestTypeDef

    from ..contract import ProbeSettings, ProbeState, Settings

MAX_PAUSE = 30
"""The most seconds between two requests."""
FEWEST_REQUESTS = 10
"""The number of requests of a short probe. To reach it, the pauses are shorter than MAX_PAUSE."""
BAD_RESPONSES_TO_FAIL = 3
"""A probe fails after this number of bad responses in a row. Fewer may be chance."""
THROTTLED = "throttled"


def probe_campaign(
    client: PersonalizeRuntimeClient,
    settings: Settings,
    campaign_arn: str,
    previous_state: ProbeState | None,
) -> ProbeState:
    """Send requests to a campaign until its probe ends or this invocation has used its time.

    If the phase of the returned state is NEAR, the probe has to go on in another invocation.

    A response is bad if it is an error, or if it has fewer results than `minResults`. A throttled
    request shows nothing about the version, so it is ignored. After the minutes of the probe it is
    a bad response, because otherwise the probe of a throttled campaign would never end.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        campaign_arn: the campaign, which must have a probe in the settings.
        previous_state: the result of the previous invocation, or None if this is the first.
    """
    probe = campaign_settings(settings, campaign_arn)["probe"]
    assert probe is not None, "the workflow probes only campaigns that have a probe"
    invoked_at = clock.now()
    state = previous_state or _first_state(invoked_at)
    probe_end = datetime.fromisoformat(state["startedAt"]) + timedelta(minutes=probe["minutes"])
    pause = min(MAX_PAUSE, probe["minutes"] * 60 / FEWEST_REQUESTS)
    last_pause_start = invoked_at + timedelta(seconds=INVOCATION_SECONDS - pause)
    while True:
        failure = _send_request(client, campaign_arn, probe)
        minutes_are_over = clock.now() >= probe_end
        if failure != THROTTLED or minutes_are_over:
            state = _state_after_response(state, failure, minutes_are_over=minutes_are_over)
        if state["phase"] != "NEAR" or clock.now() >= last_pause_start:
            return state
        clock.sleep(pause)


def _first_state(started_at: datetime) -> ProbeState:
    """Return the state of a probe that has not sent a request yet."""
    return {"phase": "NEAR", "startedAt": started_at.isoformat(), "badInARow": 0, "failure": None}


def _state_after_response(
    state: ProbeState, failure: str | None, *, minutes_are_over: bool
) -> ProbeState:
    """Return the state of a probe after one more response, which is bad if there is a failure.

    The phase becomes FAILED after three bad responses in a row. It becomes PASSED if the minutes of
    the probe are over and the response is good. A probe with one or two bad responses at its end
    continues until the next good response or the third bad one.
    """
    if failure is None:
        return {**state, "phase": "PASSED" if minutes_are_over else "NEAR", "badInARow": 0}
    bad_in_a_row = state["badInARow"] + 1
    return {
        **state,
        "phase": "FAILED" if bad_in_a_row >= BAD_RESPONSES_TO_FAIL else "NEAR",
        "badInARow": bad_in_a_row,
        "failure": failure,
    }


def _send_request(
    client: PersonalizeRuntimeClient, campaign_arn: str, probe: ProbeSettings
) -> str | None:
    """Send one request. Return why the response is bad, or None if it is good."""
    try:
        result_count = _request_and_count(client, campaign_arn, probe)
    except ClientError as error:
        is_throttled = error.response["Error"]["Code"] in THROTTLING_CODES
        return THROTTLED if is_throttled else str(error)
    except BotoCoreError as error:
        return str(error)
    if result_count < probe["minResults"]:
        return f"{result_count} results, fewer than minResults {probe['minResults']}"
    return None


def _request_and_count(
    client: PersonalizeRuntimeClient, campaign_arn: str, probe: ProbeSettings
) -> int:
    """Request a ranking or recommendations, as the probe says, and return the number of results."""
    if "inputList" in probe:
        ranking = client.get_personalized_ranking(
            campaignArn=campaign_arn, userId=probe["userId"], inputList=probe["inputList"]
        )
        return len(ranking["personalizedRanking"])
    # Without numResults a response has at most 25 results.
    request: GetRecommendationsRequestTypeDef = {
        "campaignArn": campaign_arn,
        "numResults": probe["minResults"],
    }
    if "userId" in probe:
        request["userId"] = probe["userId"]
    if "itemId" in probe:
        request["itemId"] = probe["itemId"]
    return len(client.get_recommendations(**request)["itemList"])

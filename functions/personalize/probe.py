"""Requests recommendations from a campaign after its update, and judges the responses."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .. import clock
from ..aws import THROTTLING
from ..contract import campaign_settings
from .pacing import INVOCATION_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_personalize_runtime.type_defs import GetRecommendationsRequestTypeDef

    from ..contract import ProbeSettings, ProbeState, Settings

LONGEST_PAUSE = 30
"""Seconds between requests."""
FEWEST_REQUESTS = 10
"""The number of requests that a short probe sends in its time."""
BAD_IN_A_ROW = 3
"""A probe fails after this number of bad responses in a row. A single bad response is chance."""
THROTTLED = "throttled"


def probe_campaign(
    client: PersonalizeRuntimeClient,
    settings: Settings,
    campaign_arn: str,
    previous: ProbeState | None,
) -> ProbeState:
    """Request recommendations until the probe's minutes are over or this invocation's time is used.

    The phase is FAILED after three bad responses in a row. A response is bad if it is an error, or
    if it has fewer results than `minResults`. The phase is PASSED when the minutes are over and the
    last response is good. NEAR means that another invocation must go on. A request that is
    throttled does not count, but after the minutes are over it is bad.
    """
    probe = campaign_settings(settings, campaign_arn)["probe"]
    assert probe is not None, "the workflow probes only campaigns that have a probe"
    now = clock.now()
    probing = previous or _new_probing(now)
    ends = datetime.fromisoformat(probing["startedAt"]) + timedelta(minutes=probe["minutes"])
    pause = min(LONGEST_PAUSE, probe["minutes"] * 60 / FEWEST_REQUESTS)
    invocation_ends = now + timedelta(seconds=INVOCATION_SECONDS - pause)
    while True:
        failure = _failure(client, campaign_arn, probe)
        minutes_are_over = clock.now() >= ends
        if failure != THROTTLED or minutes_are_over:
            probing = _counted(probing, failure)
        if probing["badInARow"] >= BAD_IN_A_ROW:
            return {**probing, "phase": "FAILED"}
        if minutes_are_over and probing["badInARow"] == 0:
            return {**probing, "phase": "PASSED"}
        if clock.now() >= invocation_ends:
            return probing
        clock.sleep(pause)


def _new_probing(now: datetime) -> ProbeState:
    return {"phase": "NEAR", "startedAt": now.isoformat(), "badInARow": 0, "failure": None}


def _counted(probing: ProbeState, failure: str | None) -> ProbeState:
    """Return the probing after one more response. The last failure stays in it."""
    if failure is None:
        return {**probing, "badInARow": 0}
    return {**probing, "badInARow": probing["badInARow"] + 1, "failure": failure}


def _failure(
    client: PersonalizeRuntimeClient, campaign_arn: str, probe: ProbeSettings
) -> str | None:
    """Send one request, and return why the response is bad, or None if it is good."""
    try:
        results = _results(client, campaign_arn, probe)
    except ClientError as error:
        return THROTTLED if error.response["Error"]["Code"] in THROTTLING else str(error)
    except BotoCoreError as error:
        return str(error)
    if results < probe["minResults"]:
        return f"{results} results, fewer than {probe['minResults']}"
    return None


def _results(client: PersonalizeRuntimeClient, campaign_arn: str, probe: ProbeSettings) -> int:
    """Send the request of the probe, and return the number of results."""
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

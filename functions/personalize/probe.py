"""Ask a campaign for recommendations after its update, and see whether it answers well enough."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .. import clock
from ..aws import THROTTLING
from .pacing import HOLD_TOTAL

if TYPE_CHECKING:
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_personalize_runtime.type_defs import GetRecommendationsRequestTypeDef

    from ..contract import PlannedCampaign, Probe, Probing

PAUSE = 30
"""Seconds between questions at the most."""
LEAST_QUESTIONS = 10
"""How often a short probe asks in its time."""
PERSISTENT = 3
"""Bad answers in a row that count; a single one may be chance."""
TOO_MANY = "throttled"


def probe_campaign(
    client: PersonalizeRuntimeClient, campaign: PlannedCampaign, before: Probing | None
) -> Probing:
    """Ask again and again for the probe's minutes, for as long as one invocation may.

    FAILED after three bad answers in a row: an error, or fewer results than asked for. PASSED when
    the minutes are over and the last answer is good. NEAR asks for another invocation. A question
    that is throttled gets no answer and is asked again; past the minutes, that too is bad.
    """
    probe = campaign["probe"]
    assert probe is not None, "the workflow asks for a probe where there is one"
    now = clock.now()
    started = before["startedAt"] if before else now.isoformat()
    bad = before["badInARow"] if before else 0
    failure = before["failure"] if before else None
    ends = datetime.fromisoformat(started) + timedelta(minutes=probe["minutes"])
    pause = min(PAUSE, probe["minutes"] * 60 / LEAST_QUESTIONS)
    holding_ends = now + timedelta(seconds=HOLD_TOTAL - pause)
    while True:
        said = _ask(client, campaign["campaignArn"], probe)
        over = clock.now() >= ends
        if said != TOO_MANY or over:
            bad, failure = (bad + 1, said) if said else (0, failure)
        probing: Probing = {
            "phase": "NEAR",
            "startedAt": started,
            "badInARow": bad,
            "failure": failure,
        }
        if bad >= PERSISTENT:
            return {**probing, "phase": "FAILED"}
        if over and not bad:
            return {**probing, "phase": "PASSED"}
        if clock.now() >= holding_ends:
            return probing
        clock.sleep(pause)


def _ask(client: PersonalizeRuntimeClient, campaign_arn: str, probe: Probe) -> str | None:
    """Give what is wrong with the answer; None if nothing is."""
    try:
        if "inputList" in probe:
            results = client.get_personalized_ranking(
                campaignArn=campaign_arn, userId=probe["userId"], inputList=probe["inputList"]
            )["personalizedRanking"]
        else:
            # Asked for by number: left out, an answer has at most 25.
            asked: GetRecommendationsRequestTypeDef = {
                "campaignArn": campaign_arn,
                "numResults": probe["minResults"],
            }
            if "userId" in probe:
                asked["userId"] = probe["userId"]
            if "itemId" in probe:
                asked["itemId"] = probe["itemId"]
            results = client.get_recommendations(**asked)["itemList"]
    except ClientError as error:
        return TOO_MANY if error.response["Error"]["Code"] in THROTTLING else str(error)
    except BotoCoreError as error:
        return str(error)
    few = len(results) < probe["minResults"]
    return f"{len(results)} results, fewer than {probe['minResults']}" if few else None

"""Requests recommendations from a campaign, and tells good responses from bad ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ..rules.probing import Response
from ..texts import shortened

if TYPE_CHECKING:
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient
    from mypy_boto3_personalize_runtime.type_defs import GetRecommendationsRequestTypeDef

    from ..workflow_settings import ProbeSettings

MAX_FAILURE_BYTES = 180
"""The most bytes of an error. The document of a run has it twice: as the failure of the probe, and
as the reason why the campaign goes back."""


def request_recommendations(
    client: PersonalizeRuntimeClient, campaign_arn: str, probe: ProbeSettings
) -> Response:
    """Send one request of a probe, and judge its response.

    A response is bad if it has fewer results than `minResults`, or none that can be read. An error
    shows nothing about the version.
    """
    try:
        results = _results(client, campaign_arn, probe)
    except ClientError as error:
        details = error.response["Error"]
        failure = f"{details['Code']}: {details['Message']}"
        return Response(shortened(failure, MAX_FAILURE_BYTES), is_error=True)
    except BotoCoreError as error:
        return Response(shortened(str(error), MAX_FAILURE_BYTES), is_error=True)
    if not isinstance(results, list):
        return Response("the response has no list of results")
    if len(results) < probe["minResults"]:
        return Response(f"{len(results)} results, fewer than minResults {probe['minResults']}")
    return Response()


def _results(client: PersonalizeRuntimeClient, campaign_arn: str, probe: ProbeSettings) -> object:
    """Return the list in the response to a ranking or recommendations, or None without a list."""
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

"""Moves a campaign back to its good version, even if other requests fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .. import clock
from ..errors import ServiceUnavailable, Throttled
from .campaigns import (
    BUSY_PAUSE,
    busy_reason,
    describe_campaign,
    follows_newest,
    latest_update_time,
    live_version,
    update_request,
)
from .jobs import created_job, first_tried_at, postponed_job
from .statuses import ACTIVE
from .versions import is_latest

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import CampaignTypeDef, UpdateCampaignRequestTypeDef

    from ..contract import Job, Phase, PlannedCampaign
    from ..workflow_settings import Settings

NOT_FOUND = "ResourceNotFoundException"


def roll_back_campaign(
    client: PersonalizeClient,
    settings: Settings,
    planned_campaign: PlannedCampaign,
    update: Job,
    last_try: Job | None,
) -> Job:
    """Move the campaign from a bad version to its good version. Write no tags.

    The phase of the returned job is

    - UNDER_WAY if the update was sent,
    - ACTIVE if the campaign serves the good version,
    - ENDED if the campaign serves a third version, which it keeps,
    - SKIPPED if no good version is known,
    - AGAIN if the update could not be sent, or OVERDUE if that is so after the deadline.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        planned_campaign: the campaign to roll back.
        update: the update to the bad version.
        last_try: the result of the last try to roll back, or None if there was no try yet.
    """
    arn = planned_campaign["campaignArn"]
    bad_version, good_version = update["targetVersionArn"], update["previousVersionArn"]
    if good_version is None:
        failure = f"no good version is known, so the campaign still serves {bad_version}"
        return _unsent_job(arn, "SKIPPED", failure, target=bad_version)
    try:
        campaign = _describe_if_allowed(client, arn)
        if campaign and (job := _job_without_update(campaign, bad_version, good_version)):
            return job
        reason = busy_reason(campaign) if campaign else None
        if reason is None:
            # The update that Personalize creates has to be newer, so that it is recognised.
            began_at = clock.now().replace(microsecond=0)
            client.update_campaign(**rollback_request(campaign, arn, good_version))
            return _sent_job(planned_campaign, good_version, last_try, began_at)
    except (ClientError, ServiceUnavailable, Throttled) as error:
        if _error_code(error) == NOT_FOUND:
            raise
        reason = str(error)
    max_hours = settings["limits"]["maxCampaignHours"]
    job = postponed_job(arn, reason, last_try, max_hours=max_hours, shortest_pause=BUSY_PAUSE)
    if job["phase"] == "ENDED":
        failure = f"{job['failure']}; the campaign may still serve {bad_version}"
        return {**job, "phase": "OVERDUE", "failure": failure}
    return job


def _describe_if_allowed(client: PersonalizeClient, arn: str) -> CampaignTypeDef | None:
    """Return the description of a campaign, or None if Personalize refuses to describe it.

    A function that may not describe the campaign may still be allowed to move it.
    """
    try:
        return describe_campaign(client, arn)
    except ClientError as error:
        if _error_code(error) == NOT_FOUND:
            raise
        return None


def _error_code(error: Exception) -> str | None:
    """Return the code of an error of the service, or None if no response came."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else None


def _job_without_update(
    campaign: CampaignTypeDef, bad_version: str, good_version: str
) -> Job | None:
    """Return the job of a campaign that does not serve the bad version, or None if it does.

    Nothing is known about a campaign that is being updated, or that does not say which version it
    serves.
    """
    arn, live = campaign["campaignArn"], live_version(campaign)
    if busy_reason(campaign) or live == bad_version or (live and is_latest(live)):
        return None
    if live == good_version:
        job = _unsent_job(arn, "ACTIVE", None, target=good_version)
        return {**job, "rolledBackAt": latest_update_time(campaign)}
    failure = f"the campaign serves {live} now, not {bad_version}, so it was not rolled back"
    return _unsent_job(arn, "ENDED", failure, target=good_version)


def rollback_request(
    campaign: CampaignTypeDef | None, arn: str, good_version: str
) -> UpdateCampaignRequestTypeDef:
    """Return the request that moves a campaign back.

    A campaign that follows the newest version would return to the bad version, so the request also
    turns that off. If the campaign was not described, its settings are not known.
    """
    if campaign is None:
        return {"campaignArn": arn, "solutionVersionArn": good_version}
    request = update_request(campaign, good_version)
    if follows_newest(campaign):
        config = campaign["campaignConfig"].copy()
        config["syncWithLatestSolutionVersion"] = False
        return update_request({**campaign, "campaignConfig": config}, good_version)
    return request


def _sent_job(
    planned_campaign: PlannedCampaign, good_version: str, last_try: Job | None, began_at: datetime
) -> Job:
    """Return the job of a rollback that was sent just now. `began_at` is before the request."""
    return {
        **created_job(planned_campaign["campaignArn"], planned_campaign["durations"]),
        "firstTriedAt": first_tried_at(last_try),
        "targetVersionArn": good_version,
        "trialBeganAt": began_at.isoformat(),
    }


def _unsent_job(arn: str, phase: Phase, failure: str | None, *, target: str) -> Job:
    """Return the job of a rollback that needs no update."""
    return {
        "arn": arn,
        "phase": phase,
        "seconds": 0,
        "status": ACTIVE,
        "failure": failure,
        "warnings": [],
        "foreign": False,
        "targetVersionArn": target,
    }

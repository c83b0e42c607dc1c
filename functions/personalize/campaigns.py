"""Moves campaigns to a solution version, and polls their updates.

While a campaign is updated, its status stays ACTIVE. `latestCampaignUpdate` shows the state of the
update, and `solutionVersionArn` shows which version is served.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .. import clock
from .jobs import postponed_job
from .pacing import SHORT_JOB
from .statuses import is_active, is_running, status_warnings
from .versions import is_latest, version_created_at
from .watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        CampaignConfigOutputTypeDef,
        CampaignTypeDef,
        CampaignUpdateSummaryTypeDef,
        UpdateCampaignRequestTypeDef,
    )

    from ..contract import Evaluation, Job, PlannedCampaign
    from ..workflow_settings import Settings

BUSY_PAUSE = 60
"""Seconds until the next try to update a campaign that is busy."""
LONGEST_USUAL_UPDATE = SHORT_JOB
"""Seconds. An update takes 8 to 25 minutes, as users of Personalize have seen. The service promises
no time."""
UPDATE_VISIBLE_AFTER = timedelta(minutes=10)
"""The time after which Describe certainly shows an update that was sent, and what it changed."""


def update_campaign(
    client: PersonalizeClient,
    settings: Settings,
    planned_campaign: PlannedCampaign,
    evaluation: Evaluation,
    update: Job,
) -> Job:
    """Move the campaign to the version on trial, and return the job of the update.

    An earlier try of this function may have sent the update, without a response. So no update is
    sent if the campaign is being updated to the version or serves the version. If the campaign has
    changed since its trial began, the phase of the returned job is AGAIN.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        planned_campaign: the campaign to update.
        evaluation: the judgement of the gate, with the version that the campaign served.
        update: the job with the phase ON_TRIAL.
    """
    target = update["targetVersionArn"]
    campaign = describe_campaign(client, planned_campaign["campaignArn"])
    sent_job: Job = {**update, "phase": "UNDER_WAY"}
    if live_version(campaign) == target or _is_updating_to(campaign, target):
        return sent_job
    reason = busy_reason(campaign)
    if reason is None and live_version(campaign) != evaluation["comparedWith"]:
        reason = f"the campaign serves {campaign['solutionVersionArn']} now"
    if reason is None:
        try:
            client.update_campaign(**update_request(campaign, target))
        except client.exceptions.ResourceInUseException:
            reason = "Personalize answers that the campaign is in use"
    if reason is None:
        return sent_job
    return postponed_job(
        planned_campaign["campaignArn"],
        reason,
        update,
        max_hours=settings["limits"]["maxCampaignHours"],
        shortest_pause=BUSY_PAUSE,
    )


def watch_campaign_update(
    client: PersonalizeClient, settings: Settings, planned_campaign: PlannedCampaign, update: Job
) -> Job:
    """Poll the campaign until no update is running or until this invocation has used its time.

    An update that was sent just now may not be visible yet. So the poll goes on until an update is
    visible that is not older than the trial, or until UPDATE_VISIBLE_AFTER.

    When no update is running any more, the phase is ACTIVE if the campaign serves the target of the
    update, else ENDED. If an update is still running at the deadline, the phase is OVERDUE.
    """
    job = _watch(
        client, settings, planned_campaign, update, lambda campaign: _polled_job(campaign, update)
    )
    if job["phase"] == "OVERDUE":
        failure = f"{job['failure']}; the campaign may serve {update['targetVersionArn']} later"
        return {**job, "failure": failure}
    return job


def watch_rollback(
    client: PersonalizeClient, settings: Settings, planned_campaign: PlannedCampaign, rollback: Job
) -> Job:
    """Poll the campaign until its rollback ends or until this invocation has used its time.

    The phase of a rollback after which the campaign does not serve the good version is AGAIN.
    """

    def polled_job(campaign: CampaignTypeDef) -> Job:
        job = _polled_job(campaign, rollback)
        if job["phase"] == "ENDED":
            return {**job, "phase": "AGAIN", "seconds": BUSY_PAUSE}
        if job["phase"] == "ACTIVE":
            return {**job, "rolledBackAt": latest_update_time(campaign)}
        return job

    job = _watch(client, settings, planned_campaign, rollback, polled_job)
    if job["phase"] == "OVERDUE":
        failure = f"{job['failure']}; the campaign may still serve the version that answers badly"
        return {**job, "failure": failure}
    return job


def _watch(
    client: PersonalizeClient,
    settings: Settings,
    planned_campaign: PlannedCampaign,
    update: Job,
    polled_job: Callable[[CampaignTypeDef], Job],
) -> Job:
    """Poll the campaign. `polled_job` returns the job of the update from the description."""
    return watch(
        lambda: polled_job(describe_campaign(client, planned_campaign["campaignArn"])),
        durations=planned_campaign["durations"],
        max_hours=settings["limits"]["maxCampaignHours"],
        warnings=update["warnings"],
    )


def describe_campaign(client: PersonalizeClient, campaign_arn: str) -> CampaignTypeDef:
    """Return a campaign as DescribeCampaign shows it."""
    return client.describe_campaign(campaignArn=campaign_arn)["campaign"]


def live_version(campaign: CampaignTypeDef) -> str | None:
    """Return the ARN of the version that a campaign serves.

    Return None if the creation of the campaign failed. The campaign then serves nothing, although
    its description contains a version.
    """
    return campaign["solutionVersionArn"] if is_active(campaign["status"]) else None


def latest_update_time(campaign: CampaignTypeDef) -> str | None:
    """Return when the latest update was created, or None if the campaign was never updated."""
    latest_update = campaign.get("latestCampaignUpdate")
    return latest_update["creationDateTime"].isoformat() if latest_update else None


def not_served_message(campaign: CampaignTypeDef, version_arn: str) -> str:
    """Return a message about a campaign that does not serve the version."""
    served = live_version(campaign) or "nothing"
    return (
        f"the campaign serves {served}, not {version_arn}: "
        "it was not updated, or somebody has moved it"
    )


def running_update(campaign: CampaignTypeDef) -> CampaignUpdateSummaryTypeDef | None:
    """Return the update of the campaign that is running, or None."""
    latest_update = campaign.get("latestCampaignUpdate")
    if latest_update and is_running(latest_update["status"]):
        return latest_update
    return None


def busy_reason(campaign: CampaignTypeDef) -> str | None:
    """Return why the campaign cannot be updated now, or None if it can."""
    if update := running_update(campaign):
        return f"the campaign is being updated to {update['solutionVersionArn']}"
    if is_running(campaign["status"]):
        return f"the status of the campaign is {campaign['status']}"
    return None


def follows_newest(campaign: CampaignTypeDef) -> bool:
    """Return True if Personalize moves the campaign to each new version."""
    return campaign.get("campaignConfig", {}).get("syncWithLatestSolutionVersion", False)


def serves_newer_than(
    client: PersonalizeClient, campaign: CampaignTypeDef, version_arn: str
) -> bool:
    """Return True if the campaign serves a version that was created after this version."""
    live = live_version(campaign)
    if live is None or is_latest(live):
        return False
    return version_created_at(client, live) > version_created_at(client, version_arn)


def update_request(campaign: CampaignTypeDef, target: str) -> UpdateCampaignRequestTypeDef:
    """Return the request that changes the version of the campaign and no other setting.

    The request repeats the other settings, because the API does not promise to keep a setting that
    a request leaves out. It does not repeat what DescribeCampaign may show, but UpdateCampaign
    refuses: fewer than one provisioned transaction per second, and empty settings.
    """
    request: UpdateCampaignRequestTypeDef = {
        "campaignArn": campaign["campaignArn"],
        "solutionVersionArn": target,
    }
    if campaign.get("minProvisionedTPS", 0) >= 1:
        request["minProvisionedTPS"] = campaign["minProvisionedTPS"]
    if config := _settings_to_repeat(campaign.get("campaignConfig", {})):
        request["campaignConfig"] = config
    return request


def _settings_to_repeat(config: CampaignConfigOutputTypeDef) -> CampaignConfigOutputTypeDef:
    """Return the settings of a campaign without the settings that are empty."""
    repeated = config.copy()
    if not repeated.get("itemExplorationConfig"):
        repeated.pop("itemExplorationConfig", None)
    if not repeated.get("rankingInfluence"):
        repeated.pop("rankingInfluence", None)
    return repeated


def _is_updating_to(campaign: CampaignTypeDef, target: str) -> bool:
    """Return True if an update of the campaign to the target is running."""
    update = running_update(campaign)
    return update is not None and update["solutionVersionArn"] == target


def _polled_job(campaign: CampaignTypeDef, update: Job) -> Job:
    """Return the job of an update as the description of the campaign shows it.

    What counts is the version that the campaign serves as soon as no update is running. The
    description contains only the latest update, which may be the update of a person.
    """
    target = update["targetVersionArn"]
    latest_update = campaign.get("latestCampaignUpdate")
    status = latest_update["status"] if latest_update else campaign["status"]
    job: Job = {**update, "seconds": 1, "status": status, "warnings": status_warnings(status)}
    if busy_reason(campaign) or not _is_settled(campaign, update):
        return {**job, "phase": "UNDER_WAY"}
    ended_at = (latest_update or campaign)["lastUpdatedDateTime"].isoformat()
    if live_version(campaign) == target:
        return {**job, "phase": "ACTIVE", "failure": None, "endedAt": ended_at}
    failure = _reason_of_failure(campaign, target)
    return {**job, "phase": "ENDED", "failure": failure, "endedAt": ended_at}


def _is_settled(campaign: CampaignTypeDef, update: Job) -> bool:
    """Return True if the description shows the update, and what it changed.

    After the end of an update the campaign may still show the old version for a moment.
    """
    latest_update = campaign.get("latestCampaignUpdate")
    began_at = datetime.fromisoformat(update["trialBeganAt"])
    if latest_update is None or latest_update["creationDateTime"] < began_at:
        return clock.now() >= began_at + UPDATE_VISIBLE_AFTER
    if not is_active(latest_update["status"]):
        return True
    if latest_update["solutionVersionArn"] == campaign["solutionVersionArn"]:
        return True
    return clock.now() >= latest_update["lastUpdatedDateTime"] + UPDATE_VISIBLE_AFTER


def _reason_of_failure(campaign: CampaignTypeDef, target: str) -> str:
    """Return why the campaign does not serve the target, according to its latest update."""
    latest_update = campaign.get("latestCampaignUpdate")
    if latest_update and latest_update["solutionVersionArn"] == target:
        return latest_update.get("failureReason") or not_served_message(campaign, target)
    return not_served_message(campaign, target)

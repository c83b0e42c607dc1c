"""Moves campaigns to a solution version, and back if the version serves badly.

While a campaign is updated its own status stays ACTIVE. `latestCampaignUpdate` shows the state of
the update, and `solutionVersionArn` shows which version is served.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .. import clock
from .jobs import created_job, described_job, first_tried_at, postponed_job
from .statuses import ACTIVE, is_active, is_running
from .tags import PREVIOUS, VERDICT, tags_of, write_tag
from .versions import is_latest, version_created_at
from .watch import watch

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        CampaignUpdateSummaryTypeDef,
        UpdateCampaignRequestTypeDef,
    )

    from ..contract import Evaluation, Job, PlannedCampaign, Settings

BUSY_PAUSE = 60
"""Seconds until the next try to update a campaign that is busy."""
FOLLOWS_NEWEST = (
    "the campaign follows the newest version by itself; turn off its "
    "syncWithLatestSolutionVersion, so that runs can move it"
)
UPDATE_VISIBLE_AFTER = timedelta(minutes=10)
"""The time after which Describe certainly shows an update that was sent."""


class _Move(NamedTuple):
    """The task to move a campaign to a version. It may take several tries."""

    planned_campaign: PlannedCampaign
    target: str
    """ARN of the version that the campaign shall serve."""
    max_hours: float
    """The deadline, in hours after the first try."""
    last_try: Job | None
    """The result of the last try. It is None if there was no try yet."""


def update_campaign(
    client: PersonalizeClient,
    settings: Settings,
    planned_campaign: PlannedCampaign,
    evaluation: Evaluation,
    *,
    target: str,
    last_try: Job | None,
) -> Job:
    """Move the campaign to the target version, unless it serves that version or a newer version.

    Return the job of an update that was sent or adopted, of a campaign that needs no update, or of
    a try that has to be repeated.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        planned_campaign: the campaign to update.
        evaluation: the judgement of the gate.
        target: the ARN of the version that the campaign shall serve.
        last_try: the result of the last try, or None if there was no try yet.
    """
    move = _Move(planned_campaign, target, settings["limits"]["maxCampaignHours"], last_try)
    campaign = _describe(client, planned_campaign)
    if reason := _busy_reason(campaign, target):
        return _postponed_job(move, reason)
    if job := _job_without_update(client, campaign, target):
        return job
    if campaign.get("campaignConfig", {}).get("syncWithLatestSolutionVersion"):
        return _postponed_job(move, FOLLOWS_NEWEST)
    if _is_outdated(client, evaluation, campaign, target):
        return _job_to_judge_again(move)
    rollback_version = _rollback_version(client, campaign)
    return _send_update(client, move, campaign, rollback_version=rollback_version)


def roll_back_campaign(
    client: PersonalizeClient,
    settings: Settings,
    planned_campaign: PlannedCampaign,
    update: Job,
    last_try: Job | None,
) -> Job:
    """Move the campaign from the version of a bad update back to the version before it.

    The bad version is tagged first, so that no run deploys it again. A campaign that was moved to a
    third version since the update keeps it.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        planned_campaign: the campaign to roll back.
        update: the update to the bad version.
        last_try: the result of the last try to roll back, or None if there was no try yet.
    """
    bad_version, target = update["targetVersionArn"], update["previousVersionArn"]
    assert target is not None, "the workflow probes only campaigns that can be rolled back"
    warnings = _tag_as_rolled_back(client, bad_version)
    move = _Move(planned_campaign, target, settings["limits"]["maxCampaignHours"], last_try)
    job = _move_back(client, move, bad_version)
    return {**job, "warnings": [*job["warnings"], *warnings]}


def watch_campaign_update(
    client: PersonalizeClient, settings: Settings, planned_campaign: PlannedCampaign, update: Job
) -> Job:
    """Poll the campaign until its update ends or until this invocation has used its time."""
    max_hours = settings["limits"]["maxCampaignHours"]

    def describe() -> Job:
        campaign = _describe(client, planned_campaign)
        return {**update, **_state_of_update(campaign, update, max_hours)}

    return watch(
        describe,
        durations=planned_campaign["durations"],
        max_hours=max_hours,
        warnings=update["warnings"],
    )


def live_version(campaign: CampaignTypeDef) -> str | None:
    """Return the ARN of the version that a campaign serves.

    Return None if the creation of the campaign failed. The campaign then serves nothing, although
    its description contains a version.
    """
    return campaign["solutionVersionArn"] if is_active(campaign["status"]) else None


def was_rolled_back(client: PersonalizeClient, version_arn: str) -> bool:
    """Return True if any campaign was rolled back from this version."""
    return tags_of(client, version_arn).get(VERDICT) == "ROLLED_BACK"


def _describe(client: PersonalizeClient, planned_campaign: PlannedCampaign) -> CampaignTypeDef:
    return client.describe_campaign(campaignArn=planned_campaign["campaignArn"])["campaign"]


def _running_update(campaign: CampaignTypeDef) -> CampaignUpdateSummaryTypeDef | None:
    """Return the update of the campaign that is running, or None."""
    latest_update = campaign.get("latestCampaignUpdate")
    if latest_update and is_running(latest_update["status"]):
        return latest_update
    return None


def _latest_update_time(campaign: CampaignTypeDef) -> str | None:
    """Return when the latest update was created, or None if the campaign was never updated."""
    latest_update = campaign.get("latestCampaignUpdate")
    return latest_update["creationDateTime"].isoformat() if latest_update else None


def _is_outdated(
    client: PersonalizeClient, evaluation: Evaluation, campaign: CampaignTypeDef, target: str
) -> bool:
    """Return True if the judgement of the gate about the target does not hold any more.

    It holds while the campaign serves the version that the gate compared the target with, and while
    no campaign was rolled back from the target.
    """
    if live_version(campaign) != evaluation["comparedWith"]:
        return True
    return was_rolled_back(client, target)


def _serves_newer_than(
    client: PersonalizeClient, campaign: CampaignTypeDef, version_arn: str
) -> bool:
    """Return True if the campaign serves a version that was created after this version."""
    live = live_version(campaign)
    if live is None or is_latest(live):
        return False
    return version_created_at(client, live) > version_created_at(client, version_arn)


def _busy_reason(campaign: CampaignTypeDef, target: str) -> str | None:
    """Return why the campaign cannot be moved to the target now, or None if it can.

    A campaign that is being updated to the target is not busy, because the run adopts the update.
    """
    if running_update := _running_update(campaign):
        updating_to = running_update["solutionVersionArn"]
        return None if updating_to == target else f"the campaign is being updated to {updating_to}"
    if is_running(campaign["status"]):
        return f"the status of the campaign is {campaign['status']}"
    return None


def _job_without_update(
    client: PersonalizeClient, campaign: CampaignTypeDef, target: str
) -> Job | None:
    """Return the job of a campaign that needs no update, or None if the campaign needs an update.

    The campaign must not be busy. There are three cases without an update: the campaign is being
    updated to the target, it serves the target, or it serves a newer version. In the first two
    cases the job contains both versions, because the campaign may still have to be probed.
    """
    if _running_update(campaign):
        return {
            **_latest_update_job(campaign),
            "targetVersionArn": target,
            "previousVersionArn": _rollback_version(client, campaign),
        }
    if live_version(campaign) == target:
        # After a rollback to the target the tag still names the target, which is not a way back.
        before_target = tags_of(client, campaign["campaignArn"]).get(PREVIOUS)
        return {
            **_served_job(campaign),
            "targetVersionArn": target,
            "previousVersionArn": before_target if before_target != target else None,
        }
    if _serves_newer_than(client, campaign, target):
        live = campaign["solutionVersionArn"]
        failure = f"the campaign serves {live}, which is newer than {target}"
        return {**_served_job(campaign), "phase": "SUPERSEDED", "failure": failure}
    return None


def _job_to_judge_again(move: _Move) -> Job:
    """Return a job with the phase CHANGED, which leads back to the gate, or ENDED if overdue."""
    job = _postponed_job(move, "the quality gate has to judge the version again")
    return {**job, "phase": "CHANGED"} if job["phase"] == "AGAIN" else job


def _postponed_job(move: _Move, reason: str) -> Job:
    """Return a job that tries the move again later, or that has ended if the move is overdue."""
    return postponed_job(
        move.planned_campaign["campaignArn"],
        reason,
        move.last_try,
        max_hours=move.max_hours,
        shortest_pause=BUSY_PAUSE,
    )


def _rollback_version(client: PersonalizeClient, campaign: CampaignTypeDef) -> str | None:
    """Return the ARN of the version to roll back to if the next update of the campaign is bad.

    Usually this is the live version. If any campaign was rolled back from the live version, it is
    bad too. Then return the version that the campaign served before the live version.

    A live version with the verdict REJECTED counts as good: the gate of another campaign rejected
    it, or a person has moved this campaign to it. Return None if no good version is known.
    """
    live = live_version(campaign)
    if live is None or is_latest(live):
        # $LATEST is not a version, so it has no tags to read.
        return live
    if was_rolled_back(client, live):
        return tags_of(client, campaign["campaignArn"]).get(PREVIOUS)
    return live


def _tag_as_rolled_back(client: PersonalizeClient, version_arn: str) -> list[str]:
    """Tag the version, so that no run deploys it again. Return a warning if it takes no tag."""
    try:
        write_tag(client, version_arn, VERDICT, "ROLLED_BACK")
    except client.exceptions.TooManyTagsException:
        warning = (
            f"{version_arn} takes no more tags, so a resumed run may deploy it again; remove one "
            f"of its tags and add the tag {VERDICT} with the value ROLLED_BACK"
        )
        return [warning]
    return []


def _move_back(client: PersonalizeClient, move: _Move, bad_version: str) -> Job:
    """Move the campaign back to the target, unless it was moved to a third version since."""
    campaign = _describe(client, move.planned_campaign)
    if reason := _busy_reason(campaign, move.target):
        return _postponed_job(move, reason)
    if _running_update(campaign):
        return {**_latest_update_job(campaign), "targetVersionArn": move.target}
    live = live_version(campaign)
    if live == move.target:
        return {**_served_job(campaign), "targetVersionArn": move.target}
    if live != bad_version:
        failure = (
            f"the campaign serves {campaign['solutionVersionArn']} now, not {bad_version}, so it "
            "was not rolled back"
        )
        return {**_served_job(campaign), "phase": "ENDED", "failure": failure}
    return _send_update(client, move, campaign, rollback_version=None)


def _send_update(
    client: PersonalizeClient,
    move: _Move,
    campaign: CampaignTypeDef,
    *,
    rollback_version: str | None,
) -> Job:
    """Write the version to roll back to as a tag of the campaign, and send the update."""
    arn = move.planned_campaign["campaignArn"]
    try:
        # A tag cannot contain the $ of $LATEST.
        if rollback_version and not is_latest(rollback_version):
            write_tag(client, arn, PREVIOUS, rollback_version)
        client.update_campaign(**_update_request(campaign, move.target))
    except client.exceptions.ResourceInUseException:
        return _postponed_job(move, "Personalize answers that the campaign is in use")
    return {
        **created_job(arn, move.planned_campaign["durations"]),
        "firstTriedAt": first_tried_at(move.last_try),
        "targetVersionArn": move.target,
        "previousVersionArn": rollback_version,
        "previousUpdateAt": _latest_update_time(campaign),
    }


def _update_request(campaign: CampaignTypeDef, target: str) -> UpdateCampaignRequestTypeDef:
    """Return the request that changes the version of the campaign and no other setting.

    The request repeats the other settings, because the API does not promise to keep a setting that
    a request leaves out.
    """
    request: UpdateCampaignRequestTypeDef = {
        "campaignArn": campaign["campaignArn"],
        "solutionVersionArn": target,
    }
    if "minProvisionedTPS" in campaign:
        request["minProvisionedTPS"] = campaign["minProvisionedTPS"]
    if "campaignConfig" in campaign:
        request["campaignConfig"] = campaign["campaignConfig"]
    return request


def _state_of_update(campaign: CampaignTypeDef, update: Job, max_hours: float) -> Job:
    """Return the job of this run's update, as the description of the campaign shows it.

    The description contains only the latest update. Until this run's update is visible, that is the
    update before it. If a person has updated the campaign since, it is the update of the person. An
    update that was replaced or has not become visible is tried again.
    """
    target = update["targetVersionArn"]
    latest_update = campaign.get("latestCampaignUpdate")
    is_visible = _latest_update_time(campaign) != update.get("previousUpdateAt")
    if latest_update and is_visible and latest_update["solutionVersionArn"] == target:
        job = _latest_update_job(campaign)
        if job["phase"] == "ACTIVE" and campaign["solutionVersionArn"] != target:
            # The update has ended, but the campaign still serves the old version for a moment.
            return {**job, "phase": "UNDER_WAY"}
        return job
    if live_version(campaign) == target:
        return _served_job(campaign)
    age = clock.now() - datetime.fromisoformat(update["createdAt"])
    if not is_visible and age <= UPDATE_VISIBLE_AFTER:
        return {**update, "phase": "UNDER_WAY"}
    return postponed_job(
        campaign["campaignArn"],
        f"another update replaced the update to {target}",
        update,
        max_hours=max_hours,
        shortest_pause=BUSY_PAUSE,
    )


def _latest_update_job(campaign: CampaignTypeDef) -> Job:
    """Return the job of the latest update of a campaign that was updated at least once."""
    latest_update = campaign["latestCampaignUpdate"]
    return described_job(
        campaign["campaignArn"],
        latest_update["status"],
        created=latest_update["creationDateTime"],
        updated=latest_update["lastUpdatedDateTime"],
        failure=latest_update.get("failureReason"),
    )


def _served_job(campaign: CampaignTypeDef) -> Job:
    """Return an ACTIVE job with the times of the campaign, which needs no update."""
    return described_job(
        campaign["campaignArn"],
        ACTIVE,
        created=campaign["creationDateTime"],
        updated=campaign["lastUpdatedDateTime"],
        failure=None,
    )

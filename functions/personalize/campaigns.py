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
"""Seconds until the next try to update a campaign that is being changed."""
UPDATE_VISIBLE_AFTER = timedelta(minutes=10)
"""The time that Describe may take to show an update that was created."""


class _Move(NamedTuple):
    """One try to move a campaign to a version."""

    planned: PlannedCampaign
    target: str
    max_hours: float
    previous: Job | None
    """The result of the previous try, if the campaign was busy then."""


def update_campaign(
    client: PersonalizeClient,
    settings: Settings,
    planned: PlannedCampaign,
    evaluation: Evaluation,
    *,
    target: str,
    previous: Job | None,
) -> Job:
    """Move the campaign to the target version, unless it serves that version or a newer one.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        planned: the campaign to update.
        evaluation: the judgement of the gate. It holds only while the campaign serves the version
            that the gate compared with.
        target: the ARN of the version to serve.
        previous: the result of the previous try, if the campaign was busy then.
    """
    move = _Move(planned, target, settings["limits"]["maxCampaignHours"], previous)
    described = _describe(client, planned)
    if reason := _busy_reason(described, target):
        return _postponed(move, reason)
    if job := _job_without_update(client, described, target):
        return job
    if described.get("campaignConfig", {}).get("syncWithLatestSolutionVersion"):
        return _postponed(move, "it follows the newest version by itself")
    compared_with_live = live_version(described) == evaluation["comparedWith"]
    if not compared_with_live or was_rolled_back(client, target):
        return _judge_again(move)
    rollback_version = _rollback_version(client, described)
    return _send_update(client, move, described, rollback_version=rollback_version)


def roll_back_campaign(
    client: PersonalizeClient,
    settings: Settings,
    planned: PlannedCampaign,
    update: Job,
    previous: Job | None,
) -> Job:
    """Move the campaign back to the version before, unless it was moved to another one since.

    The bad version is tagged first, so that no run deploys it again. If the version takes no more
    tags, the campaign is still moved back, with a warning.
    """
    warnings, bad_version = [], update["targetVersionArn"]
    try:
        write_tag(client, bad_version, VERDICT, "ROLLED_BACK")
    except client.exceptions.TooManyTagsException:
        warnings = [f"{bad_version} takes no more tags, so a resumed run may deploy it again"]
    target = update["previousVersionArn"]
    assert target is not None, "the workflow probes only campaigns that can be rolled back"
    move = _Move(planned, target, settings["limits"]["maxCampaignHours"], previous)
    job = _move_back(client, move, bad_version)
    return {**job, "warnings": [*job["warnings"], *warnings]}


def watch_campaign_update(
    client: PersonalizeClient, settings: Settings, planned: PlannedCampaign, update: Job
) -> Job:
    """Poll the campaign until it serves the target or until this invocation has used its time."""
    max_hours = settings["limits"]["maxCampaignHours"]

    def describe() -> Job:
        return {**update, **_update_state(_describe(client, planned), update, max_hours)}

    return watch(
        describe,
        durations=planned["durations"],
        max_hours=max_hours,
        warnings=update["warnings"],
    )


def live_version(described: CampaignTypeDef) -> str | None:
    """Return the version that a campaign serves, or None if its creation failed."""
    return described["solutionVersionArn"] if is_active(described["status"]) else None


def was_rolled_back(client: PersonalizeClient, version_arn: str) -> bool:
    """Return True if a campaign was rolled back from this version."""
    return tags_of(client, version_arn).get(VERDICT) == "ROLLED_BACK"


def _describe(client: PersonalizeClient, planned: PlannedCampaign) -> CampaignTypeDef:
    return client.describe_campaign(campaignArn=planned["campaignArn"])["campaign"]


def _is_updating(described: CampaignTypeDef) -> bool:
    latest = described.get("latestCampaignUpdate")
    return latest is not None and is_running(latest["status"])


def _serves(described: CampaignTypeDef, version_arn: str) -> bool:
    """Return True if the version is live. A campaign whose creation failed only names a version."""
    return live_version(described) == version_arn


def _serves_newer(client: PersonalizeClient, described: CampaignTypeDef, version_arn: str) -> bool:
    """Return True if the campaign serves a version that was created after this version."""
    served = live_version(described)
    if served is None or is_latest(served):
        return False
    return version_created_at(client, served) > version_created_at(client, version_arn)


def _busy_reason(described: CampaignTypeDef, target: str) -> str | None:
    """Return why the campaign cannot be updated now, or None if it can.

    A running update to the target is no reason, because the run adopts it.
    """
    latest = described.get("latestCampaignUpdate")
    if latest and is_running(latest["status"]):
        updating_to = latest["solutionVersionArn"]
        return None if updating_to == target else f"it is being updated to {updating_to}"
    if is_running(described["status"]):
        return f"its status is {described['status']}"
    return None


def _job_without_update(
    client: PersonalizeClient, described: CampaignTypeDef, target: str
) -> Job | None:
    """Return the job of a campaign that needs no update, or None if it needs one.

    A running update to the target is adopted. A campaign that serves the target may still have to
    be probed. A campaign that serves a newer version keeps it.
    """
    if _is_updating(described):
        return {
            **_update_job(described),
            "targetVersionArn": target,
            "previousVersionArn": _rollback_version(client, described),
        }
    if _serves(described, target):
        before = tags_of(client, described["campaignArn"]).get(PREVIOUS)
        return {
            **_served_job(described),
            "targetVersionArn": target,
            "previousVersionArn": before if before != target else None,
        }
    if _serves_newer(client, described, target):
        failure = f"it serves {described['solutionVersionArn']}"
        return {**_served_job(described), "phase": "SUPERSEDED", "failure": failure}
    return None


def _judge_again(move: _Move) -> Job:
    """Return a job that leads back to the gate, or that has ended after the deadline."""
    job = _postponed(move, "the gate has to judge again")
    return {**job, "phase": "CHANGED"} if job["phase"] == "AGAIN" else job


def _postponed(move: _Move, reason: str) -> Job:
    return postponed_job(
        move.planned["campaignArn"],
        reason,
        move.previous,
        max_hours=move.max_hours,
        seconds=BUSY_PAUSE,
    )


def _rollback_version(client: PersonalizeClient, described: CampaignTypeDef) -> str | None:
    """Return the version to roll back to, or None if no good version is known.

    This is the live version. If a campaign was rolled back from it, this is the version before. A
    live version with the verdict REJECTED counts as good: the gate of another campaign rejected it,
    or a person has moved this campaign to it.
    """
    live = live_version(described)
    if live and not is_latest(live) and was_rolled_back(client, live):
        return tags_of(client, described["campaignArn"]).get(PREVIOUS)
    return live


def _move_back(client: PersonalizeClient, move: _Move, bad_version: str) -> Job:
    """Move the campaign from the bad version to the target."""
    described = _describe(client, move.planned)
    if reason := _busy_reason(described, move.target):
        return _postponed(move, reason)
    if _is_updating(described):
        return {**_update_job(described), "targetVersionArn": move.target}
    if _serves(described, move.target):
        return {**_served_job(described), "targetVersionArn": move.target}
    if not _serves(described, bad_version):
        failure = f"it serves {described['solutionVersionArn']} now"
        return {**_served_job(described), "phase": "ENDED", "failure": failure}
    return _send_update(client, move, described, rollback_version=None)


def _send_update(
    client: PersonalizeClient,
    move: _Move,
    described: CampaignTypeDef,
    *,
    rollback_version: str | None,
) -> Job:
    """Write the version to roll back to as a tag, and send the update."""
    arn = move.planned["campaignArn"]
    try:
        # A tag cannot contain the $ of $LATEST.
        if rollback_version and not is_latest(rollback_version):
            write_tag(client, arn, PREVIOUS, rollback_version)
        client.update_campaign(**_update_request(described, move.target))
    except client.exceptions.ResourceInUseException:
        return _postponed(move, "it is in use")
    latest = described.get("latestCampaignUpdate")
    return {
        **created_job(arn, move.planned["durations"]),
        "firstTriedAt": first_tried_at(move.previous),
        "targetVersionArn": move.target,
        "previousVersionArn": rollback_version,
        "previousUpdateAt": latest["creationDateTime"].isoformat() if latest else None,
    }


def _update_request(described: CampaignTypeDef, target: str) -> UpdateCampaignRequestTypeDef:
    """Return the request that changes only the version.

    It repeats the other settings, because the API does not promise to keep a setting that the
    request leaves out.
    """
    request: UpdateCampaignRequestTypeDef = {
        "campaignArn": described["campaignArn"],
        "solutionVersionArn": target,
    }
    if "minProvisionedTPS" in described:
        request["minProvisionedTPS"] = described["minProvisionedTPS"]
    if "campaignConfig" in described:
        request["campaignConfig"] = described["campaignConfig"]
    return request


def _update_state(described: CampaignTypeDef, update: Job, max_hours: float) -> Job:
    """Return the job of this run's update.

    The latest update is this run's if it has the target version and was created after the update
    before. It has ended when it is ACTIVE and the campaign serves the target.
    """
    target = update["targetVersionArn"]
    latest = described.get("latestCampaignUpdate")
    updated_at = latest["creationDateTime"].isoformat() if latest else None
    is_another_update = updated_at != update.get("previousUpdateAt")
    if latest and latest["solutionVersionArn"] == target and is_another_update:
        job = _update_job(described)
        if job["phase"] == "ACTIVE" and described["solutionVersionArn"] != target:
            return {**job, "phase": "UNDER_WAY"}
        return job
    if _serves(described, target):
        return _served_job(described)
    age = clock.now() - datetime.fromisoformat(update["createdAt"])
    if is_another_update or age > UPDATE_VISIBLE_AFTER:
        return postponed_job(
            described["campaignArn"],
            "another update replaced it",
            update,
            max_hours=max_hours,
            seconds=BUSY_PAUSE,
        )
    return {**update, "phase": "UNDER_WAY"}


def _update_job(described: CampaignTypeDef) -> Job:
    """Return the job of the latest update."""
    latest: CampaignUpdateSummaryTypeDef = described["latestCampaignUpdate"]
    return described_job(
        described["campaignArn"],
        latest["status"],
        created=latest["creationDateTime"],
        updated=latest["lastUpdatedDateTime"],
        failure=latest.get("failureReason"),
    )


def _served_job(described: CampaignTypeDef) -> Job:
    """Return the job of a campaign that needs no update. The times are those of the campaign."""
    return described_job(
        described["campaignArn"],
        ACTIVE,
        created=described["creationDateTime"],
        updated=described["lastUpdatedDateTime"],
        failure=None,
    )

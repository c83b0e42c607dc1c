"""Campaigns: move one to a new solution version, and know when it really serves it.

While a campaign is updated its own status stays ACTIVE and says nothing; `latestCampaignUpdate`
tells how the update goes, and `solutionVersionArn` what is served.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .. import clock
from .jobs import first_tried_at, found, not_yet, started
from .statuses import phase_of
from .tags import PREVIOUS, VERDICT, recall, remember
from .versions import LATEST, version_created_at
from .watch import watch

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        CampaignUpdateSummaryTypeDef,
        UpdateCampaignRequestTypeDef,
    )

    from ..contract import Evaluation, Job, PlannedCampaign

BUSY_PAUSE = 60
"""Seconds until a campaign that somebody else is changing is looked at again."""
UNSEEN = timedelta(minutes=10)
"""How long Describe may take to show an update that was made."""


def update_campaign(
    client: PersonalizeClient,
    campaign: PlannedCampaign,
    version: Job,
    evaluation: Evaluation,
    before: Job | None,
) -> Job:
    """Move the campaign to the version, unless it serves it, or is on its way, or is ahead of it.

    Args:
        client: one that sends each request once.
        campaign: which one.
        version: the solution version to serve.
        evaluation: the gate's, made against the version that was served then.
        before: the answer of the try before, where the campaign was not free.
    """
    arn, target = campaign["campaignArn"], version["arn"]
    described = client.describe_campaign(campaignArn=arn)["campaign"]
    if why := _taken(described, target):
        return _not_free(arn, why, campaign, before)
    if standing := _standing(client, described, target):
        return standing
    if described.get("campaignConfig", {}).get("syncWithLatestSolutionVersion"):
        return _not_free(arn, "it follows the newest version by itself", campaign, before)
    compared = live_version(described) == evaluation["comparedWith"]
    if not compared or _was_rolled_back(client, target):
        waiting = _not_free(arn, "the gate has to be asked again", campaign, before)
        return {**waiting, "phase": "CHANGED"} if waiting["phase"] == "AGAIN" else waiting
    back_to = _back_to(client, described)
    return _move(client, described, campaign, target, before, back_to=back_to)


def roll_back_campaign(
    client: PersonalizeClient, campaign: PlannedCampaign, update: Job, before: Job | None
) -> Job:
    """Move the campaign back to the version before, unless somebody else has moved it since.

    The version that it leaves is marked first, and never deployed again. One that takes no more
    tags is left all the same.
    """
    unmarked, left = [], update["targetVersionArn"]
    try:
        remember(client, left, VERDICT, "ROLLED_BACK")
    except client.exceptions.TooManyTagsException:
        unmarked = [f"{left} takes no more tags, so that a resumed run may deploy it again"]
    job = _move_back(client, campaign, update, before)
    return {**job, "warnings": [*job["warnings"], *unmarked]}


def _move_back(
    client: PersonalizeClient, campaign: PlannedCampaign, update: Job, before: Job | None
) -> Job:
    arn, target = campaign["campaignArn"], update["previousVersionArn"]
    assert target is not None, "the workflow probes only what can be rolled back"
    described = client.describe_campaign(campaignArn=arn)["campaign"]
    if why := _taken(described, target):
        return _not_free(arn, why, campaign, before)
    latest = described.get("latestCampaignUpdate")
    if latest and phase_of(latest["status"]) == "UNDER_WAY":
        return {**_update(arn, latest), "targetVersionArn": target}
    if _serves(described, target):
        return {**_served(described), "targetVersionArn": target}
    if not _serves(described, update["targetVersionArn"]):
        served = described["solutionVersionArn"]
        return {**_served(described), "phase": "ENDED", "failure": f"it serves {served} by now"}
    return _move(client, described, campaign, target, before, back_to=None)


def live_version(described: CampaignTypeDef) -> str | None:
    """Give the version that a campaign serves; None where its creation failed."""
    return described["solutionVersionArn"] if described["status"] == "ACTIVE" else None


def _move(
    client: PersonalizeClient,
    described: CampaignTypeDef,
    campaign: PlannedCampaign,
    target: str,
    before: Job | None,
    *,
    back_to: str | None,
) -> Job:
    arn = described["campaignArn"]
    request: UpdateCampaignRequestTypeDef = {"campaignArn": arn, "solutionVersionArn": target}
    # Given again, since nothing promises that what is left out stays as it is.
    if "minProvisionedTPS" in described:
        request["minProvisionedTPS"] = described["minProvisionedTPS"]
    if "campaignConfig" in described:
        request["campaignConfig"] = described["campaignConfig"]
    try:
        if back_to and not back_to.endswith(LATEST):  # which a tag cannot hold
            remember(client, arn, PREVIOUS, back_to)
        client.update_campaign(**request)
    except client.exceptions.ResourceInUseException:
        return _not_free(arn, "it is in use", campaign, before)
    latest = described.get("latestCampaignUpdate")
    return {
        **started(arn, campaign["durations"]),
        "firstTriedAt": first_tried_at(before),
        "targetVersionArn": target,
        "previousVersionArn": back_to,
        "previousUpdateAt": latest["creationDateTime"].isoformat() if latest else None,
    }


def _back_to(client: PersonalizeClient, described: CampaignTypeDef) -> str | None:
    """Give the version to roll back to: the one served; if that was rolled back, the one before.

    One that is marked REJECTED may be right here: another campaign's gate said so, or a person who
    has moved this one knows better.
    """
    live = live_version(described)
    if live and not live.endswith(LATEST) and _was_rolled_back(client, live):
        return recall(client, described["campaignArn"]).get(PREVIOUS)
    return live


def _was_rolled_back(client: PersonalizeClient, version_arn: str) -> bool:
    return recall(client, version_arn).get(VERDICT) == "ROLLED_BACK"


def _taken(described: CampaignTypeDef, target: str) -> str | None:
    """Give why the campaign takes no update of ours now; None if it does."""
    latest = described.get("latestCampaignUpdate")
    if latest and phase_of(latest["status"]) == "UNDER_WAY":
        other = latest["solutionVersionArn"]
        return None if other == target else f"it is being updated to {other}"
    if phase_of(described["status"]) == "UNDER_WAY":
        return f"its status is {described['status']}"
    return None


def _standing(client: PersonalizeClient, described: CampaignTypeDef, target: str) -> Job | None:
    """Give how the campaign stands if it needs no update of ours; None if it does."""
    arn, served = described["campaignArn"], described["solutionVersionArn"]
    latest = described.get("latestCampaignUpdate")
    if latest and phase_of(latest["status"]) == "UNDER_WAY":
        return {
            **_update(arn, latest),
            "targetVersionArn": target,
            "previousVersionArn": _back_to(client, described),
        }
    if _serves(described, target):
        before = recall(client, arn).get(PREVIOUS)
        return {
            **_served(described),
            "targetVersionArn": target,
            "previousVersionArn": before if before != target else None,
        }
    if live_version(described) and _is_newer(client, served, target):
        return {**_served(described), "phase": "SUPERSEDED", "failure": f"it serves {served}"}
    return None


def watch_campaign_update(client: PersonalizeClient, campaign: PlannedCampaign, update: Job) -> Job:
    """Look at the campaign until it serves the target, for as long as one invocation may."""

    def look() -> Job:
        described = client.describe_campaign(campaignArn=campaign["campaignArn"])["campaign"]
        seen = _look(described, update["targetVersionArn"], update, campaign["maxHours"])
        return {**update, **seen}

    return watch(
        look,
        durations=campaign["durations"],
        max_hours=campaign["maxHours"],
        warnings=update["warnings"],
    )


def _look(described: CampaignTypeDef, target: str, update: Job, max_hours: float) -> Job:
    """Judge by the update that is ours: to our version, and made after the one seen before."""
    latest, served = described.get("latestCampaignUpdate"), described["solutionVersionArn"]
    arn = described["campaignArn"]
    made = latest["creationDateTime"].isoformat() if latest else None
    if latest and latest["solutionVersionArn"] == target and made != update.get("previousUpdateAt"):
        seen = _update(arn, latest)
        if seen["phase"] == "ACTIVE" and served != target:
            return {**seen, "phase": "UNDER_WAY"}
        return seen
    if _serves(described, target):
        return _served(described)
    overtaken = made != update.get("previousUpdateAt")
    unseen = clock.now() - datetime.fromisoformat(update["createdAt"]) > UNSEEN
    if overtaken or unseen:
        return not_yet(arn, "no update stays", update, max_hours=max_hours, seconds=BUSY_PAUSE)
    return {**update, "phase": "UNDER_WAY"}


def _update(arn: str, latest: CampaignUpdateSummaryTypeDef) -> Job:
    return found(
        arn,
        latest["status"],
        created=latest["creationDateTime"],
        updated=latest["lastUpdatedDateTime"],
        failure=latest.get("failureReason"),
    )


def _serves(described: CampaignTypeDef, target: str) -> bool:
    """Tell whether the target is live; a campaign whose creation failed names it, and is not."""
    return described["solutionVersionArn"] == target and described["status"] == "ACTIVE"


def _served(described: CampaignTypeDef) -> Job:
    return found(
        described["campaignArn"],
        "ACTIVE",
        created=described["creationDateTime"],
        updated=described["lastUpdatedDateTime"],
        failure=None,
    )


def _is_newer(client: PersonalizeClient, served: str, target: str) -> bool:
    served_at, target_at = (version_created_at(client, arn) for arn in (served, target))
    return served_at is not None and target_at is not None and served_at > target_at


def _not_free(arn: str, why: str, campaign: PlannedCampaign, before: Job | None) -> Job:
    return not_yet(arn, why, before, max_hours=campaign["maxHours"], seconds=BUSY_PAUSE)

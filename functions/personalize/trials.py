"""Begins and ends the trial of a version on a campaign."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from .. import clock
from ..workflow_settings import campaign_settings, solution_of_campaign
from .campaigns import (
    BUSY_PAUSE,
    busy_reason,
    describe_campaign,
    follows_newest,
    live_version,
    running_update,
    serves_newer_than,
)
from .jobs import created_job, described_job, first_tried_at, postponed_job
from .statuses import ACTIVE, is_active
from .tags import GOOD, PREVIOUS, TRIAL, tags_of, write_tags
from .trial_tags import NONE, Trial, ended_value, read_trial_tags, tags_at_begin
from .verdicts import rollback_reasons, verdict_tags
from .versions import describe_version, is_latest

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import CampaignTypeDef

    from ..contract import Evaluation, Job, PlannedCampaign, TrialEnd, UpdatedCampaign
    from ..workflow_settings import Settings
    from .trial_tags import TrialTags

FOLLOWS_NEWEST = (
    "the campaign follows the newest version by itself; turn off its "
    "syncWithLatestSolutionVersion, so that runs can move it"
)


def begin_trial(
    client: PersonalizeClient,
    settings: Settings,
    planned_campaign: PlannedCampaign,
    evaluation: Evaluation,
    *,
    target: str,
    last_try: Job | None,
) -> Job:
    """Put the target version on trial, unless the campaign serves a newer or a good version.

    The campaign is not moved yet. One request writes which version is on trial and which is good,
    so that the next run can finish the trial if this run ends meanwhile. If a person has deployed
    the target meanwhile, it is put on trial too, because no probe has found yet whether it answers.

    The phase of the returned job is

    - ON_TRIAL if the version is on trial now, or was put on trial by an earlier try,
    - ACTIVE if the campaign serves the version, and an earlier trial has found it good,
    - SUPERSEDED if the campaign serves a newer version,
    - CHANGED if the gate has to judge the version again,
    - AGAIN if the campaign is busy, or ENDED if it is still busy after the deadline.

    Args:
        client: a client that sends each request once.
        settings: the settings of the pipeline.
        planned_campaign: the campaign.
        evaluation: the judgement of the gate.
        target: the ARN of the version that the campaign shall serve.
        last_try: the result of the last try, or None if there was no try yet.
    """
    arn = planned_campaign["campaignArn"]
    campaign = describe_campaign(client, arn)
    tags = read_trial_tags(tags_of(client, arn), solution_of_campaign(settings, arn)["solutionArn"])
    if tags.trial and _has_moved(campaign, tags.trial, target):
        return job_on_trial(planned_campaign, tags, tags.trial, last_try, good=tags.good)
    reason = busy_reason(campaign)
    if reason and _is_updated_for_too_long(settings, campaign):
        return _job_of_hanging_update(settings, arn, reason, last_try)
    if reason is None:
        if job := _job_without_trial(client, campaign, tags, target):
            return job
        is_served = live_version(campaign) == target
        if not is_served and follows_newest(campaign):
            reason = FOLLOWS_NEWEST
        elif not is_served and _has_changed(client, settings, campaign, evaluation, target):
            return _job_for_gate(settings, arn, last_try)
    if reason is None:
        trial = Trial(target, _begin_of_trial(campaign, target))
        good = _good_version(campaign, tags, evaluation, target)
        try:
            write_tags(client, arn, tags_at_begin(trial, good, tags))
        except client.exceptions.ResourceInUseException:
            reason = "Personalize answers that the campaign is in use"
        else:
            return job_on_trial(planned_campaign, tags, trial, last_try, good=good)
    return _postponed_job(settings, arn, reason, last_try)


def end_trial(
    client: PersonalizeClient, settings: Settings, campaign_arn: str, document: UpdatedCampaign
) -> TrialEnd:
    """End the trial of a version on a campaign with one request, and return how it ended.

    - A version that has passed its probe is good from now on.
    - After a rollback the version gets a verdict, so that no run deploys it again. It gets none
      unless its answers were bad and the good version has passed the same probe. Otherwise the
      probe is at fault, and the next run tries the version again.
    - A version for which no good version is known gets its verdict while it is still served.
    - If the campaign was moved meanwhile, or was not updated, nothing is known about the version.
    """
    update, rollback = document["update"], document["rollback"]
    version_arn, good = update["targetVersionArn"], update["previousVersionArn"]
    end = _end_of_trial(settings, campaign_arn, document)
    tags = {TRIAL: ended_value((rollback or update).get("rolledBackAt"))}
    if end["outcome"] == "DEPLOYED":
        tags |= {GOOD: version_arn, PREVIOUS: good or NONE}
    elif end["outcome"] == "ROLLED_BACK":
        tags |= verdict_tags(settings, campaign_arn, version_arn, "ROLLED_BACK", good)
    elif rollback and rollback["phase"] == "SKIPPED":
        tags |= verdict_tags(settings, campaign_arn, version_arn, "ROLLED_BACK", version_arn)
    write_tags(client, campaign_arn, tags)
    return end


def _has_moved(campaign: CampaignTypeDef, trial: Trial, target: str) -> bool:
    """Return True if the target is on trial, and was deployed or is being deployed."""
    update = running_update(campaign)
    serving = update["solutionVersionArn"] if update else live_version(campaign)
    return trial.version_arn == serving == target


def _job_without_trial(
    client: PersonalizeClient, campaign: CampaignTypeDef, tags: TrialTags, target: str
) -> Job | None:
    """Return the job of a campaign that needs no trial of the target, else None.

    A campaign that follows the newest version may show `$LATEST` instead of a version. It serves
    the target if an update has ended that began after the training of the target. It cannot be
    rolled back, so there is no trial.
    """
    live = live_version(campaign)
    job = described_job(
        campaign["campaignArn"],
        ACTIVE,
        created=campaign["creationDateTime"],
        updated=campaign["lastUpdatedDateTime"],
        failure=None,
    )
    if live == target:
        return {**job, "targetVersionArn": target} if tags.good == target else None
    if live and is_latest(live) and _has_followed(client, campaign, target):
        return {**job, "targetVersionArn": target}
    if serves_newer_than(client, campaign, target):
        failure = f"the campaign serves {live}, which is newer than {target}"
        return {**job, "phase": "SUPERSEDED", "failure": failure}
    return None


def _has_followed(client: PersonalizeClient, campaign: CampaignTypeDef, target: str) -> bool:
    """Return True if the latest update of a campaign began after the target version was trained.

    If a person turns `syncWithLatestSolutionVersion` on during the training, that update deploys
    the previous version.
    """
    latest_update = campaign.get("latestCampaignUpdate")
    if latest_update is None or not is_active(latest_update["status"]):
        return False
    trained_at = describe_version(client, target)["lastUpdatedDateTime"]
    return latest_update["creationDateTime"] >= trained_at


def _has_changed(
    client: PersonalizeClient,
    settings: Settings,
    campaign: CampaignTypeDef,
    evaluation: Evaluation,
    target: str,
) -> bool:
    """Return True if the campaign serves another version than the gate compared with.

    Also return True if a campaign was rolled back from the target.
    """
    return live_version(campaign) != evaluation["comparedWith"] or any(
        rollback_reasons(client, settings, campaign["campaignArn"], target)
    )


def _job_for_gate(settings: Settings, arn: str, last_try: Job | None) -> Job:
    """Return the job of a campaign for which the gate has to judge the version again."""
    reason = "the quality gate has to judge the version again"
    job = _postponed_job(settings, arn, reason, last_try)
    return {**job, "phase": "CHANGED"} if job["phase"] == "AGAIN" else job


def _is_updated_for_too_long(settings: Settings, campaign: CampaignTypeDef) -> bool:
    """Return True if an update of the campaign is running that is past its deadline."""
    update = running_update(campaign)
    max_age = timedelta(hours=settings["limits"]["maxCampaignHours"])
    return update is not None and clock.now() - update["creationDateTime"] >= max_age


def _job_of_hanging_update(settings: Settings, arn: str, reason: str, last_try: Job | None) -> Job:
    """Return the ended job of a campaign whose running update is past its deadline.

    This run or an earlier run may already have waited for the update without success.
    """
    max_hours = settings["limits"]["maxCampaignHours"]
    job = _postponed_job(settings, arn, reason, last_try)
    failure = f"gave up, because an update runs for more than {max_hours:g} hours: {reason}"
    return {**job, "phase": "ENDED", "failure": failure}


def _postponed_job(settings: Settings, arn: str, reason: str, last_try: Job | None) -> Job:
    """Return a job that is tried again later, or that has ended if it is overdue."""
    max_hours = settings["limits"]["maxCampaignHours"]
    return postponed_job(arn, reason, last_try, max_hours=max_hours, shortest_pause=BUSY_PAUSE)


def _begin_of_trial(campaign: CampaignTypeDef, target: str) -> datetime:
    """Return a time that is not later than the creation of the update to the target.

    Usually this is the present time. If a person has already deployed the target, it is the time of
    the latest update. Without an update it is the creation of the campaign.
    """
    if live_version(campaign) != target:
        return clock.now().replace(microsecond=0)
    return (campaign.get("latestCampaignUpdate") or campaign)["creationDateTime"]


def _good_version(
    campaign: CampaignTypeDef, tags: TrialTags, evaluation: Evaluation, target: str
) -> str | None:
    """Return the version to roll back to if the target is bad, or None if none is known.

    This is the live version, unless it is on trial itself. If a person has deployed the target, it
    is the version with which the gate has compared it. $LATEST is not a version, so it cannot be a
    tag.
    """
    live = live_version(campaign)
    before = evaluation["comparedWith"] if live == target else live
    on_trial = tags.trial.version_arn if tags.trial else None
    is_trusted = before and not is_latest(before) and before not in (on_trial, target)
    good = before if is_trusted else tags.good
    return good if good != target else None


def job_on_trial(
    planned_campaign: PlannedCampaign,
    tags: TrialTags,
    trial: Trial,
    last_try: Job | None,
    *,
    good: str | None,
) -> Job:
    """Return the job of an update to the version on trial, which may have been sent already."""
    return {
        **created_job(planned_campaign["campaignArn"], planned_campaign["durations"]),
        "phase": "ON_TRIAL",
        "warnings": tags.warnings,
        "firstTriedAt": first_tried_at(last_try),
        "targetVersionArn": trial.version_arn,
        "previousVersionArn": good,
        "trialBeganAt": trial.began_at.isoformat(),
        "rolledBackAt": tags.rolled_back_at,
    }


def _end_of_trial(settings: Settings, campaign_arn: str, document: UpdatedCampaign) -> TrialEnd:
    """Return how a trial has ended, from the results of the probes and of the rollback."""
    probing, rollback = document["probing"], document["rollback"]
    if rollback is None:
        has_passed = probing is not None and probing["phase"] == "PASSED"
        return {"outcome": "DEPLOYED" if has_passed else "FAILED", "failure": None}
    if rollback["phase"] in ("ENDED", "SKIPPED"):
        return {"outcome": "FAILED", "failure": None}
    probing_again = document["rollbackProbing"]
    has_probe = campaign_settings(settings, campaign_arn)["probe"] is not None
    has_failed = has_probe and probing is not None and probing["phase"] == "FAILED"
    if has_failed and probing_again and probing_again["phase"] == "PASSED":
        return {"outcome": "ROLLED_BACK", "failure": None}
    version_arn = document["update"]["targetVersionArn"]
    if probing_again and probing_again["phase"] == "FAILED":
        fault = f"the previous version answers as badly: {probing_again['failure']}"
        failure = f"the probe is at fault, because {fault}; correct the probe"
    elif has_probe and not has_failed:
        failure = "the probe ended with an error before it had judged the version"
    else:
        failure = "the previous version was not probed"
    next_run = f"{version_arn} gets no verdict, and the next run deploys it again"
    return {"outcome": "FAILED", "failure": f"{failure}; {next_run}"}

"""Reads campaigns for the rules of deployments, and builds their tags and updates.

During an update, a campaign remains ACTIVE, and its `solutionVersionArn` still names the *served
version*. Only `latestCampaignUpdate` shows that something is going on. What runs have learned about
its versions is the campaign's *record*, which is stored in tags: the version on *trial* with the
end of its *bake*, the *good version*, the one before that, and the *bad version*.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

from ..bake_alarms import alarm_names
from ..rules.campaigns import (
    CampaignState,
    CampaignUpdate,
    DeploymentRecord,
    DeploymentSpec,
    Trial,
)
from ..rules.deployments import versions_to_compare, versions_to_order
from ..rules.versions import NO_VERSION
from .statuses import is_active, is_running
from .tags import (
    APPROVAL,
    BAD,
    BAKE,
    GOOD,
    PINNED,
    PREVIOUS,
    REPORTED,
    TRIAL,
    past_time,
    tags_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import CampaignTypeDef, UpdateCampaignRequestTypeDef

    from ..contract import ApprovalSettings, Settings, SolutionSettings, Tags
    from ..rules.versions import SolutionVersion

Answer = Literal["ASKED", "APPROVED", "REFUSED"]
LATEST = "/$LATEST"
"""A campaign with syncWithLatestSolutionVersion may show `<solution>/$LATEST` as its version."""
NONE = "-"
"""The value of a tag that says nothing. We always write all tags, because a resource can have at
most 50. Otherwise, a trial could not end if a person has added tags since it began."""
BAKE_PAUSE = 300
"""The seconds between two polls of the alarms of a bake."""
BAKE_POLLS = 600
"""About the most polls of all bakes of a run. A poll is 9 events, and a run may bake twice, because
it also ends the trials of earlier runs. Step Functions allows 25,000 events, and the largest
pipeline may need 13,200 for everything else."""
SERVED = "served"
"""The last word of the tag about a trial, once a run has seen that the campaign serves the version.
Without it, nobody can have rolled the version back."""


def describe_campaign(client: PersonalizeClient, campaign_arn: str) -> CampaignTypeDef:
    """Describe a campaign."""
    return client.describe_campaign(campaignArn=campaign_arn)["campaign"]


def served_version_arn(campaign: CampaignTypeDef) -> str | None:
    """Return the version that a campaign serves, or None if its creation has failed."""
    if is_active(campaign["status"]):
        return campaign["solutionVersionArn"]
    return None


def syncs_with_latest_version(campaign: CampaignTypeDef) -> bool:
    """Return True if Personalize itself moves the campaign to each new version."""
    return campaign.get("campaignConfig", {}).get("syncWithLatestSolutionVersion", False)


def campaign_state(campaign: CampaignTypeDef, tags: Tags, solution_arn: str) -> CampaignState:
    """Return the state of a campaign from the responses of Personalize."""
    # A campaign that was never updated only shows its creation.
    update = campaign.get("latestCampaignUpdate", campaign)
    return CampaignState(
        served_version_arn=served_version_arn(campaign),
        update=CampaignUpdate(
            version_arn=update["solutionVersionArn"],
            is_running=is_running(update["status"]),
            created_at=update["creationDateTime"],
            ended_at=update["lastUpdatedDateTime"],
            failure=update.get("failureReason"),
        ),
        record=read_record(tags, solution_arn),
        reported_verdict=tags.get(REPORTED),
        pin=read_pin(tags),
    )


def read_campaign(client: PersonalizeClient, campaign_arn: str, solution_arn: str) -> CampaignState:
    """Read the state of a campaign, without what only the rules of deployments need."""
    campaign = describe_campaign(client, campaign_arn)
    return campaign_state(campaign, tags_of(client, campaign_arn), solution_arn)


def with_versions(
    campaign: CampaignState,
    spec: DeploymentSpec,
    *,
    find: Callable[[str], SolutionVersion | None],
    read: Callable[[str], SolutionVersion],
    now: datetime,
) -> CampaignState:
    """Return the campaign with what the rules are going to ask about versions.

    To read a version takes several requests, so where only its age matters, it's enough to find it.
    """
    versions = {arn: find(arn) or NO_VERSION for arn in versions_to_order(campaign, spec, now)}
    versions |= {arn: read(arn) for arn in versions_to_compare(campaign, spec, now)}
    return replace(campaign, versions=versions)


def read_record(tags: Tags, solution_arn: str) -> DeploymentRecord:
    """Return the record in the tags of a campaign.

    People can edit tags, so a value that no run can have written counts as missing.
    """
    valid_tags = {key: value for key, value in tags.items() if value.startswith(f"{solution_arn}/")}
    return DeploymentRecord(
        trial=_read_trial(trial_tag=valid_tags.get(TRIAL, ""), bake_tag=tags.get(BAKE, "")),
        good_version_arn=valid_tags.get(GOOD),
        previous_good_version_arn=valid_tags.get(PREVIOUS),
        blocked_version_arn=valid_tags.get(BAD),
    )


def _read_trial(trial_tag: str, bake_tag: str) -> Trial | None:
    """Return the trial in two tags: `<version ARN> <time> served` and `<time>`."""
    version_arn, _, time_and_word = trial_tag.partition(" ")
    time, _, word = time_and_word.partition(" ")
    began_at = past_time(time)
    if began_at is None:
        return None

    # A bake takes at most 12 hours, so no run has written a later end.
    longest_bake = timedelta(hours=12)
    return Trial(
        version_arn=version_arn,
        began_at=began_at,
        was_served=word == SERVED,
        bake_ends_at=past_time(bake_tag, longest_bake),
    )


def record_as_tags(record: DeploymentRecord) -> Tags:
    """Return the tags from which `read_record()` reads this record."""
    trial_tag = NONE
    bake_tag = NONE
    if record.trial is not None:
        trial_tag = f"{record.trial.version_arn} {record.trial.began_at.isoformat()}"
        if record.trial.was_served:
            trial_tag = f"{trial_tag} {SERVED}"
        if record.trial.bake_ends_at is not None:
            bake_tag = record.trial.bake_ends_at.isoformat()

    return {
        TRIAL: trial_tag,
        BAKE: bake_tag,
        GOOD: record.good_version_arn or NONE,
        PREVIOUS: record.previous_good_version_arn or NONE,
        BAD: record.blocked_version_arn or NONE,
    }


def read_pin(tags: Tags) -> str | None:
    """Return since when and by whom a campaign is pinned, or None if it isn't.

    Any value but `-` pins a campaign, for people who tag it without our CLI.
    """
    value = tags.get(PINNED, NONE)
    if value == NONE:
        return None
    return f"pinned {value}".rstrip()


class Approval(NamedTuple):
    """The approval tag of a version: the request of a run, or the answer that has replaced it."""

    answer: Answer
    at: datetime
    by: str = ""
    """The ARN of the person or role that has answered."""

    def end(self, settings: ApprovalSettings) -> datetime:
        """Return when a request expires."""
        return self.at + timedelta(hours=settings["timeoutHours"])


def read_approval(tags: Tags) -> Approval | None:
    """Return what the approval tag of a version says. People can edit it, so it may say nothing."""
    answer, _, time_and_person = tags.get(APPROVAL, "").partition(" ")
    time, _, person_arn = time_and_person.partition(" ")
    given_at = past_time(time)
    if answer not in get_args(Answer) or given_at is None:
        return None
    return Approval(answer=cast("Answer", answer), at=given_at, by=person_arn)


def approval_tags(answer: Answer, now: datetime, by: str = "") -> Tags:
    """Return the tag for a request or an answer that is given now."""
    return {APPROVAL: f"{answer} {now.isoformat(timespec='seconds')} {by}".rstrip()}


def current_answer(tags: Tags, settings: ApprovalSettings | None, now: datetime) -> Answer | None:
    """Return the answer about a version, or None if nobody was asked or the request has expired."""
    approval = read_approval(tags)
    if approval is None:
        return None

    is_request = approval.answer == "ASKED"
    if is_request and settings is not None and now > approval.end(settings):
        return None
    return approval.answer


def deployment_spec(
    settings: Settings,
    solution: SolutionSettings,
    campaign_arn: str,
    candidate_arn: str | None,
    *,
    from_earlier_run: bool,
) -> DeploymentSpec:
    """Return what a run is supposed to do with a campaign, from the settings."""
    campaign = next(item for item in solution["campaigns"] if item["campaignArn"] == campaign_arn)
    approval = solution["approval"]
    bake = campaign["bake"]
    bake_hours = bake["hours"] if bake else 0
    return DeploymentSpec(
        campaign_arn=campaign_arn,
        candidate_arn=candidate_arn,
        from_earlier_run=from_earlier_run,
        gate=solution["qualityGate"],
        approval_hours=approval["timeoutHours"] if approval else None,
        probe=campaign["probe"],
        bake=timedelta(hours=bake_hours),
        bake_pause=_bake_pause(settings, bake_hours),
        alarm_names=alarm_names(settings, campaign),
        max_hours=settings["limits"]["maxCampaignHours"],
    )


def _bake_pause(settings: Settings, bake_hours: float) -> float:
    """Return the seconds between two polls, such that all bakes share the polls of a run."""
    bake_count = sum(
        campaign["bake"] is not None
        for solution in settings["solutions"]
        for campaign in solution["campaigns"]
    )
    return max(BAKE_PAUSE, bake_hours * 3600 * bake_count / BAKE_POLLS)


def update_request(campaign: CampaignTypeDef, version_arn: str) -> UpdateCampaignRequestTypeDef:
    """Return the request that updates a campaign to a version and keeps its other settings.

    The API doesn't promise to keep a setting that a request leaves out, so the request repeats
    them all.
    """
    request: dict[str, object] = {
        "campaignArn": campaign["campaignArn"],
        "solutionVersionArn": version_arn,
    }
    # DescribeCampaign may show 0 transactions, and settings that are empty. UpdateCampaign refuses
    # both.
    if campaign.get("minProvisionedTPS", 0) >= 1:
        request["minProvisionedTPS"] = campaign["minProvisionedTPS"]
    shown_config = campaign.get("campaignConfig", {})
    config = {key: value for key, value in shown_config.items() if value not in ({}, None)}

    if syncs_with_latest_version(campaign):
        # Otherwise, Personalize would move the campaign away again.
        config["syncWithLatestSolutionVersion"] = False
    if config:
        request["campaignConfig"] = config
    return cast("UpdateCampaignRequestTypeDef", request)

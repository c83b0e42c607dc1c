"""Reads campaigns for the rules of deployments, and builds their tags and updates.

During an update, a campaign stays ACTIVE, and its `solutionVersionArn` still names the *served
version*, with which it answers. Only `latestCampaignUpdate` shows that something is going on.

What runs have found out about the versions of a campaign is its *record*. It's stored in tags: the
version on *trial* with the end of its *bake*, the *good version*, to which the campaign is rolled
back, the good version before that, and the *blocked version*, which is not deployed again.
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
    parse_past_time,
    read_tags,
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
most 50. Otherwise, a trial couldn't end after people have used up the rest."""
BAKE_PAUSE = 300
"""The seconds between two polls of a bake, at least."""
BAKE_POLLS = 600
"""The most polls, roughly, of all bakes in a run. A poll takes 9 events, and a run may bake twice,
because it also ends the trials of earlier runs. Step Functions allows 25,000 events, and the
largest pipeline may need 13,200 for everything else."""
SERVED = "served"
"""The last word of a trial's tag, once a run has seen that the campaign serves the version. Without
this word, nobody can have rolled the version back."""


def describe_campaign(client: PersonalizeClient, campaign_arn: str) -> CampaignTypeDef:
    """Describe a campaign."""
    return client.describe_campaign(campaignArn=campaign_arn)["campaign"]


def served_version_arn(campaign: CampaignTypeDef) -> str | None:
    """Return the version that a campaign serves, or None if its creation has failed."""
    if is_active(campaign["status"]):
        return campaign["solutionVersionArn"]
    return None


def syncs_with_latest_version(campaign: CampaignTypeDef) -> bool:
    """Return True if the campaign deploys each new version by itself."""
    return campaign.get("campaignConfig", {}).get("syncWithLatestSolutionVersion", False)


def build_campaign_state(campaign: CampaignTypeDef, tags: Tags, solution_arn: str) -> CampaignState:
    """Derive the state of a campaign from what Personalize shows of it."""
    # A campaign that was never updated shows only its creation.
    shown_update = campaign.get("latestCampaignUpdate", campaign)
    update = CampaignUpdate(
        version_arn=shown_update["solutionVersionArn"],
        is_running=is_running(shown_update["status"]),
        created_at=shown_update["creationDateTime"],
        ended_at=shown_update["lastUpdatedDateTime"],
        failure=shown_update.get("failureReason"),
    )

    return CampaignState(
        served_version_arn=served_version_arn(campaign),
        update=update,
        record=parse_record(tags, solution_arn),
        reported_verdict=tags.get(REPORTED),
        pin=parse_pin(tags),
    )


def read_campaign(client: PersonalizeClient, campaign_arn: str, solution_arn: str) -> CampaignState:
    """Read the state of a campaign, without the versions and alarms that only deployments need."""
    campaign = describe_campaign(client, campaign_arn)
    return build_campaign_state(campaign, read_tags(client, campaign_arn), solution_arn)


def with_versions(
    campaign: CampaignState,
    spec: DeploymentSpec,
    *,
    find: Callable[[str], SolutionVersion | None],
    read: Callable[[str], SolutionVersion],
    now: datetime,
) -> CampaignState:
    """Add the versions that the rules of deployments are going to compare.

    `read` takes several requests. Where only the age of a version matters, `find` is enough.
    """
    versions = {arn: find(arn) or NO_VERSION for arn in versions_to_order(campaign, spec, now)}
    versions |= {arn: read(arn) for arn in versions_to_compare(campaign, spec, now)}

    return replace(campaign, versions=versions)


def parse_record(tags: Tags, solution_arn: str) -> DeploymentRecord:
    """Parse the record in the tags of a campaign.

    People can edit tags, so a value that no run can have written counts as missing.
    """
    valid_tags = {key: value for key, value in tags.items() if value.startswith(f"{solution_arn}/")}
    return DeploymentRecord(
        trial=_parse_trial(trial_tag=valid_tags.get(TRIAL, ""), bake_tag=tags.get(BAKE, "")),
        good_version_arn=valid_tags.get(GOOD),
        previous_good_version_arn=valid_tags.get(PREVIOUS),
        blocked_version_arn=valid_tags.get(BAD),
    )


def _parse_trial(trial_tag: str, bake_tag: str) -> Trial | None:
    """Parse a trial from its two tags: `<version ARN> <began at> served` and `<bake ends at>`."""
    version_arn, _, time_and_word = trial_tag.partition(" ")
    time, _, word = time_and_word.partition(" ")
    began_at = parse_past_time(time)
    if began_at is None:
        return None

    # The config allows a bake of at most 12 hours, so no run has written a later end.
    longest_bake = timedelta(hours=12)
    return Trial(
        version_arn=version_arn,
        began_at=began_at,
        was_served=word == SERVED,
        bake_ends_at=parse_past_time(bake_tag, longest_bake),
    )


def build_record_tags(record: DeploymentRecord) -> Tags:
    """Turn a record into the tags from which `parse_record()` restores it."""
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


def parse_pin(tags: Tags) -> str | None:
    """Return since when and by whom a campaign is pinned, or None if it isn't.

    Any value but `-` counts, because people who write this tag without our CLI want a pin, too.
    """
    value = tags.get(PINNED, NONE)
    if value == NONE:
        return None

    return f"pinned {value}".rstrip()


class Approval(NamedTuple):
    """The approval tag of a version: a run's request for approval, or the answer to it."""

    answer: Answer
    at: datetime
    by: str = ""
    """The ARN of the person or role that has answered."""

    def end(self, settings: ApprovalSettings) -> datetime:
        """Return when the request expires."""
        return self.at + timedelta(hours=settings["timeoutHours"])


def parse_approval(tags: Tags) -> Approval | None:
    """Parse the approval tag of a version. The result is None if it's missing or invalid.

    People can edit tags, so an invalid one is no error.
    """
    answer, _, time_and_person = tags.get(APPROVAL, "").partition(" ")
    time, _, person_arn = time_and_person.partition(" ")
    given_at = parse_past_time(time)
    if answer not in get_args(Answer) or given_at is None:
        return None

    return Approval(answer=cast("Answer", answer), at=given_at, by=person_arn)


def build_approval_tags(answer: Answer, now: datetime, by: str = "") -> Tags:
    """Build the tag for a request or an answer that is given now."""
    return {APPROVAL: f"{answer} {now.isoformat(timespec='seconds')} {by}".rstrip()}


def find_current_answer(
    tags: Tags, settings: ApprovalSettings | None, now: datetime
) -> Answer | None:
    """Return the answer about a version, or None if nobody was asked or the request has expired."""
    approval = parse_approval(tags)
    if approval is None:
        return None

    is_request = approval.answer == "ASKED"
    if is_request and settings is not None and now > approval.end(settings):
        return None
    return approval.answer


def build_deployment_spec(
    settings: Settings,
    solution: SolutionSettings,
    campaign_arn: str,
    candidate_arn: str | None,
    *,
    from_earlier_run: bool,
) -> DeploymentSpec:
    """Derive what a run is supposed to do with a campaign from the settings."""
    campaign = next(
        campaign for campaign in solution["campaigns"] if campaign["campaignArn"] == campaign_arn
    )
    bake_hours = 0.0
    if campaign["bake"] is not None:
        bake_hours = campaign["bake"]["hours"]

    return DeploymentSpec(
        campaign_arn=campaign_arn,
        candidate_arn=candidate_arn,
        from_earlier_run=from_earlier_run,
        gate=solution["qualityGate"],
        approval=solution["approval"],
        probe=campaign["probe"],
        bake=timedelta(hours=bake_hours),
        bake_pause=_bake_pause(settings, bake_hours),
        alarm_names=alarm_names(settings, campaign),
        max_hours=settings["limits"]["maxCampaignHours"],
    )


def _bake_pause(settings: Settings, bake_hours: float) -> float:
    """Return the seconds between two polls of a bake. All bakes of a run share BAKE_POLLS."""
    bake_count = sum(
        campaign["bake"] is not None
        for solution in settings["solutions"]
        for campaign in solution["campaigns"]
    )

    return max(BAKE_PAUSE, bake_hours * 3600 * bake_count / BAKE_POLLS)


def build_update_request(
    campaign: CampaignTypeDef, version_arn: str
) -> UpdateCampaignRequestTypeDef:
    """Build the request that updates a campaign to a version and keeps its other settings.

    AWS doesn't promise to keep a setting that the request leaves out, so the request repeats all of
    them.
    """
    request: dict[str, object] = {
        "campaignArn": campaign["campaignArn"],
        "solutionVersionArn": version_arn,
    }

    # DescribeCampaign may show 0 transactions and empty settings, but UpdateCampaign refuses both.
    if campaign.get("minProvisionedTPS", 0) >= 1:
        request["minProvisionedTPS"] = campaign["minProvisionedTPS"]

    shown_config = campaign.get("campaignConfig", {})
    config = {key: value for key, value in shown_config.items() if value not in ({}, None)}
    if syncs_with_latest_version(campaign):
        # Otherwise, Personalize would deploy the next version by itself.
        config["syncWithLatestSolutionVersion"] = False
    if config:
        request["campaignConfig"] = config

    return cast("UpdateCampaignRequestTypeDef", request)

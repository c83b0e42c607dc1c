"""Reads campaigns for the deployment rules, and builds their tags and updates.

During an update, a campaign stays ACTIVE, and its `solutionVersionArn` is still the *served
version*. Only `latestCampaignUpdate` shows the update.

A campaign's *record* is what runs have learned about its versions. Its tags store the version on
*trial*, the end of its *bake*, the *good version* for rollbacks, the good version before that, and
the *blocked version*, which isn't deployed again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from ..rules.campaigns import CampaignState, CampaignUpdate, DeploymentRecord, DeploymentSpec, Trial
from ..rules.deployments import list_versions_to_compare, list_versions_to_order
from ..rules.versions import NO_VERSION, SolutionVersion
from .statuses import is_active, is_running
from .tags import (
    BAKE_TAG,
    BLOCKED_VERSION_TAG,
    GOOD_VERSION_TAG,
    PIN_TAG,
    PREVIOUS_GOOD_VERSION_TAG,
    REPORTED_VERDICT_TAG,
    TRIAL_TAG,
    parse_past_time,
    read_tags,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import CampaignTypeDef, UpdateCampaignRequestTypeDef

    from ..contract import Tags

LATEST_VERSION_SUFFIX = "/$LATEST"
"""How a campaign's version ARN may end if Personalize deploys each new version to it."""
UNSET_VALUE = "-"
"""The value of a tag that isn't set. We write all tags from the start, because a resource can have
at most 50. Otherwise, people could use up the rest, and a run couldn't add the tags that end a
trial."""
MAX_BAKE_TIME = timedelta(hours=12)
"""The longest bake that the config allows, so no run writes a later end."""
SERVED_MARK = "served"
"""The last word of a trial's tag, added once a run has seen the campaign serve the version. Until
then, nobody can have rolled the version back."""


def describe_campaign(client: PersonalizeClient, campaign_arn: str) -> CampaignTypeDef:
    """Describe a campaign."""
    return client.describe_campaign(campaignArn=campaign_arn)["campaign"]


def find_served_version_arn(campaign: CampaignTypeDef) -> str | None:
    """Return the ARN of the version that a campaign serves, or None if it isn't ACTIVE."""
    if is_active(campaign["status"]):
        return campaign["solutionVersionArn"]
    return None


def syncs_with_latest_version(campaign: CampaignTypeDef) -> bool:
    """Return True if Personalize deploys each new version to the campaign."""
    return campaign.get("campaignConfig", {}).get("syncWithLatestSolutionVersion", False)


def build_campaign_state(campaign: CampaignTypeDef, tags: Tags, solution_arn: str) -> CampaignState:
    """Build the state of a campaign from its description and tags."""
    # If the campaign was never updated, its creation has the same fields.
    latest_update = campaign.get("latestCampaignUpdate", campaign)
    update = CampaignUpdate(
        version_arn=latest_update["solutionVersionArn"],
        is_running=is_running(latest_update["status"]),
        created_at=latest_update["creationDateTime"],
        ended_at=latest_update["lastUpdatedDateTime"],
        failure=latest_update.get("failureReason"),
    )

    return CampaignState(
        served_version_arn=find_served_version_arn(campaign),
        update=update,
        record=parse_record(tags, solution_arn),
        reported_verdict=tags.get(REPORTED_VERDICT_TAG),
        pin=parse_pin(tags),
    )


def read_campaign_state(
    client: PersonalizeClient, campaign_arn: str, solution_arn: str
) -> CampaignState:
    """Read a campaign's state, without the versions and alarms that only deployments need."""
    campaign = describe_campaign(client, campaign_arn)
    return build_campaign_state(campaign, read_tags(client, campaign_arn), solution_arn)


def add_versions(
    state: CampaignState,
    spec: DeploymentSpec,
    *,
    find_version: Callable[[str], SolutionVersion | None],
    read_version: Callable[[str], SolutionVersion],
    now: datetime,
) -> CampaignState:
    """Add the versions that the deployment rules will compare.

    `find_version` is enough if only a version's age matters. `read_version` takes more requests,
    because it also reads metrics, tags and baselines.
    """
    versions: dict[str, SolutionVersion] = {}
    for arn in list_versions_to_order(state, spec, now):
        versions[arn] = find_version(arn) or NO_VERSION
    for arn in list_versions_to_compare(state, spec, now):
        versions[arn] = read_version(arn)

    return replace(state, versions=versions)


def parse_record(tags: Tags, solution_arn: str) -> DeploymentRecord:
    """Parse a campaign's record from its tags.

    People can edit tags, so a value that no run could have written counts as missing.
    """
    # All these values begin with the ARN of one of the solution's versions.
    version_prefix = f"{solution_arn}/"
    version_tags = {key: value for key, value in tags.items() if value.startswith(version_prefix)}

    trial_tag = version_tags.get(TRIAL_TAG, "")
    bake_tag = tags.get(BAKE_TAG, "")
    return DeploymentRecord(
        trial=_parse_trial(trial_tag, bake_tag),
        good_version_arn=version_tags.get(GOOD_VERSION_TAG),
        previous_good_version_arn=version_tags.get(PREVIOUS_GOOD_VERSION_TAG),
        blocked_version_arn=version_tags.get(BLOCKED_VERSION_TAG),
    )


def _parse_trial(trial_tag: str, bake_tag: str) -> Trial | None:
    """Parse a trial from its tags, or return None if there's no valid one.

    The tags look like `<version ARN> <began at> served` and `<bake ends at>`.
    """
    version_arn, _, time_and_mark = trial_tag.partition(" ")
    time, _, mark = time_and_mark.partition(" ")
    began_at = parse_past_time(time)
    if began_at is None:
        return None

    return Trial(
        version_arn=version_arn,
        began_at=began_at,
        was_served=mark == SERVED_MARK,
        bake_ends_at=parse_past_time(bake_tag, max_ahead=MAX_BAKE_TIME),
    )


def build_record_tags(record: DeploymentRecord) -> Tags:
    """Convert a record to tags. This is the inverse of `parse_record()`."""
    trial_tag = UNSET_VALUE
    bake_tag = UNSET_VALUE
    if record.trial is not None:
        trial_tag = f"{record.trial.version_arn} {record.trial.began_at.isoformat()}"
        if record.trial.was_served:
            trial_tag = f"{trial_tag} {SERVED_MARK}"
        if record.trial.bake_ends_at is not None:
            bake_tag = record.trial.bake_ends_at.isoformat()

    return {
        TRIAL_TAG: trial_tag,
        BAKE_TAG: bake_tag,
        GOOD_VERSION_TAG: record.good_version_arn or UNSET_VALUE,
        PREVIOUS_GOOD_VERSION_TAG: record.previous_good_version_arn or UNSET_VALUE,
        BLOCKED_VERSION_TAG: record.blocked_version_arn or UNSET_VALUE,
    }


def parse_pin(tags: Tags) -> str | None:
    """Return a campaign's pin, usually `pinned since <time> by <person>`, or None.

    Any value but `-` counts, because anyone who writes this tag without our CLI wants a pin, too.
    """
    value = tags.get(PIN_TAG, UNSET_VALUE)
    if value == UNSET_VALUE:
        return None

    return f"pinned {value}".rstrip()


def build_update_request(
    campaign: CampaignTypeDef, version_arn: str
) -> UpdateCampaignRequestTypeDef:
    """Build the request that updates a campaign to a version and keeps its other settings.

    AWS doesn't promise to keep settings that the request omits, so the request repeats them all.
    """
    request: dict[str, object] = {
        "campaignArn": campaign["campaignArn"],
        "solutionVersionArn": version_arn,
    }

    # DescribeCampaign may return 0 TPS and empty settings, but UpdateCampaign rejects both.
    if campaign.get("minProvisionedTPS", 0) >= 1:
        request["minProvisionedTPS"] = campaign["minProvisionedTPS"]

    current_config = campaign.get("campaignConfig", {})
    config = {key: value for key, value in current_config.items() if value not in ({}, None)}
    if syncs_with_latest_version(campaign):
        # Otherwise, Personalize would deploy the next version by itself.
        config["syncWithLatestSolutionVersion"] = False
    if config:
        request["campaignConfig"] = config

    return cast("UpdateCampaignRequestTypeDef", request)

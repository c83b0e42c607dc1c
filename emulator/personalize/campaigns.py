"""The operations on campaigns: deploy a version, replace it, follow the latest version."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from emulator.personalize import rules
from emulator.personalize.errors import invalid_input
from emulator.personalize.resources import Campaign, Change, Solution, SolutionVersion
from emulator.personalize.store import Store
from emulator.personalize.tagging import tags_of

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import (
        CreateCampaignRequestTypeDef,
        DeleteCampaignRequestTypeDef,
        UpdateCampaignRequestTypeDef,
    )

SETTINGS = ("solutionVersionArn", "minProvisionedTPS", "campaignConfig")
DEFAULTS: dict[str, object] = {"minProvisionedTPS": 1, "campaignConfig": {}}


def create_campaign(store: Store, request: "CreateCampaignRequestTypeDef") -> dict[str, object]:
    """Create a campaign that serves an ACTIVE version."""
    arn = store.arn("campaign", request["name"])
    rules.check_name_is_free(store, arn)
    sync = _follows_latest(request)
    rules.check_sync_and_latest(request["solutionVersionArn"], sync=sync)
    version = _version(store, request["solutionVersionArn"], sync=sync)
    rules.check_is_active(store, version)
    rules.check_recipe_has_campaigns(version.solution)
    rules.check_campaign_quota(store, version.solution.group_arn)
    tags = tags_of(request.get("tags", ()))
    store.add(
        Campaign(
            arn=arn,
            details={
                "campaignArn": arn,
                **DEFAULTS,
                **request,
                "solutionVersionArn": version.arn,
            },
            timeline=store.start_job("campaign", arn, request["name"], version.solution.arn),
            belongs_to=(version.solution.arn, version.solution.group_arn),
            tags=tags,
        )
    )
    return {"campaignArn": arn}


def update_campaign(store: Store, request: "UpdateCampaignRequestTypeDef") -> dict[str, object]:
    """Start to deploy another version or other settings.

    The old version and settings are in use until the update is ACTIVE.
    """
    campaign = store.get(Campaign, request["campaignArn"])
    rules.check_can_be_updated(store, campaign)
    rules.check_campaign_settings(request)
    keeps_settings = store.options.switches.update_keeps_settings
    old_settings = campaign.settings(store.now) if keeps_settings else {}
    settings = {**DEFAULTS, **old_settings, **request}
    requested_arn = request.get("solutionVersionArn")
    sync = _follows_latest(settings)
    if not sync:
        was_on = _follows_latest(campaign.settings(store.now))
        rules.check_sync_is_turned_off(was_on=was_on, request=request)
    rules.check_sync_and_latest(requested_arn, sync=sync)
    version_arn = requested_arn or campaign.served_version_arn(store.now)
    version = _version(store, version_arn, sync=sync)
    rules.check_is_active(store, version)
    _start_update(store, campaign, version, settings)
    return {"campaignArn": campaign.arn}


def delete_campaign(store: Store, request: "DeleteCampaignRequestTypeDef") -> dict[str, object]:
    """Start to delete a campaign. The solution version that it serves is not deleted."""
    campaign = store.get(Campaign, request["campaignArn"])
    rules.check_can_be_deleted(store, campaign, [])
    store.delete(campaign)
    return {}


def follow_latest(store: Store, solution: Solution) -> None:
    """Start to deploy the newest version on each campaign that follows the latest version."""
    for campaign in store.all(Campaign, solution.arn):
        _deploy_latest(store, campaign)


def _deploy_latest(store: Store, campaign: Campaign) -> None:
    """Start to deploy the newest version if a campaign follows it and serves an older one.

    Do nothing while the campaign is not ACTIVE or is being updated.
    """
    settings = campaign.settings(store.now)
    is_ready = campaign.is_active(store.now) and not campaign.is_changing(store.now)
    if not is_ready or not _follows_latest(settings):
        return
    served_arn = campaign.served_version_arn(store.now)
    newest = _newest_version(store, store.get(SolutionVersion, served_arn).solution)
    if newest.arn != served_arn:
        _start_update(store, campaign, newest, settings)


def _start_update(
    store: Store, campaign: Campaign, version: SolutionVersion, settings: Mapping[str, object]
) -> None:
    """Start an update of a campaign to a version and to the fields `SETTINGS` of `settings`."""

    def finish() -> None:
        campaign.belongs_to = (version.solution.arn, version.solution.group_arn)
        _deploy_latest(store, campaign)

    switches = store.options.switches
    timeline = store.start_job(
        "campaign-update",
        campaign.arn,
        str(campaign.details["name"]),
        on_end=finish,
        verb=switches.update_verb,
    )
    details = {key: settings[key] for key in SETTINGS} | {"solutionVersionArn": version.arn}
    visible_from = store.now + timedelta(seconds=switches.update_visible_after)
    campaign.changes.append(Change(details, timeline, visible_from))
    store.schedule(timeline)


def _version(store: Store, arn: str, *, sync: bool) -> SolutionVersion:
    """Return the solution version that a request names.

    If the campaign follows the latest version (`sync`), the ARN can be `<solution>/$LATEST`.
    """
    if sync and arn.endswith("/$LATEST"):
        return _newest_version(store, store.get(Solution, arn.removesuffix("/$LATEST")))
    return store.get(SolutionVersion, arn)


def _newest_version(store: Store, solution: Solution) -> SolutionVersion:
    """Return the newest ACTIVE version. Raise ApiError if no version is ACTIVE."""
    active = [version for version in solution.versions if version.is_active(store.now)]
    if not active:
        raise invalid_input(f"Solution {solution.arn} has no ACTIVE solution version")
    return active[-1]


def _follows_latest(settings: Mapping[str, object]) -> bool:
    """Return True if a campaign with these settings deploys each new version by itself."""
    config = settings.get("campaignConfig")
    return isinstance(config, dict) and config.get("syncWithLatestSolutionVersion") is True

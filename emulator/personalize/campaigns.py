"""Campaigns: deploying a version, replacing it while the old one answers, following the latest."""

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
    """Deploy an ACTIVE version."""
    arn = store.arn("campaign", request["name"])
    rules.name_is_free(store, arn)
    sync = _syncs(request)
    rules.sync_follows_latest(request["solutionVersionArn"], sync=sync)
    version = _version(store, request["solutionVersionArn"], sync=sync)
    rules.must_be_active(store, version)
    rules.recipe_serves_campaigns(version.solution)
    rules.campaign_quota(store, version.solution.group_arn)
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
            timeline=store.start("campaign", arn, request["name"], version.solution.arn),
            belongs_to=(version.solution.arn, version.solution.group_arn),
            tags=tags,
        )
    )
    return {"campaignArn": arn}


def update_campaign(store: Store, request: "UpdateCampaignRequestTypeDef") -> dict[str, object]:
    """Deploy another version or other settings; the old ones serve until the update is ACTIVE."""
    campaign = store.get(Campaign, request["campaignArn"])
    rules.can_be_updated(store, campaign)
    kept = campaign.settings(store.now) if store.around.switches.update_keeps_settings else {}
    settings = {**DEFAULTS, **kept, **request}
    asked = request.get("solutionVersionArn")
    sync = _syncs(settings)
    rules.sync_follows_latest(asked, sync=sync)
    version = _version(store, asked or campaign.serves(store.now), sync=sync)
    rules.must_be_active(store, version)
    _start_update(store, campaign, version, settings)
    return {"campaignArn": campaign.arn}


def delete_campaign(store: Store, request: "DeleteCampaignRequestTypeDef") -> dict[str, object]:
    """The version that it served stays."""
    campaign = store.get(Campaign, request["campaignArn"])
    rules.can_be_deleted(store, campaign, [])
    store.delete(campaign)
    return {}


def follow_latest(store: Store, solution: Solution) -> None:
    """A version became ACTIVE: campaigns that sync with the latest one begin to deploy it."""
    for campaign in store.all(Campaign, solution.arn):
        _sync(store, campaign)


def _sync(store: Store, campaign: Campaign) -> None:
    settings = campaign.settings(store.now)
    if not _syncs(settings) or not campaign.active(store.now) or campaign.changing(store.now):
        return
    solution = store.get(SolutionVersion, campaign.serves(store.now)).solution
    newest = _newest(store, solution)
    if newest.arn != campaign.serves(store.now):
        _start_update(store, campaign, newest, settings)


def _start_update(
    store: Store, campaign: Campaign, version: SolutionVersion, settings: Mapping[str, object]
) -> None:
    def end() -> None:
        campaign.belongs_to = (version.solution.arn, version.solution.group_arn)
        _sync(store, campaign)

    switches = store.around.switches
    line = store.start(
        "campaign-update",
        campaign.arn,
        str(campaign.details["name"]),
        end=end,
        verb=switches.update_verb,
    )
    details = {key: settings[key] for key in SETTINGS} | {"solutionVersionArn": version.arn}
    seen = store.now + timedelta(seconds=switches.update_visible_after)
    campaign.changes.append(Change(details, line, seen))
    store.schedule(line)


def _version(store: Store, arn: str, *, sync: bool) -> SolutionVersion:
    """The version of an ARN; `<solution>/$LATEST` is the newest ACTIVE one."""
    if sync and arn.endswith("/$LATEST"):
        return _newest(store, store.get(Solution, arn.removesuffix("/$LATEST")))
    return store.get(SolutionVersion, arn)


def _newest(store: Store, solution: Solution) -> SolutionVersion:
    active = [version for version in solution.versions if version.active(store.now)]
    if not active:
        raise invalid_input(f"Solution {solution.arn} has no ACTIVE solution version")
    return active[-1]


def _syncs(settings: Mapping[str, object]) -> bool:
    config = settings.get("campaignConfig")
    return isinstance(config, dict) and config.get("syncWithLatestSolutionVersion") is True

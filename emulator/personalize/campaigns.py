"""The operations on campaigns: CreateCampaign and UpdateCampaign."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from emulator.personalize.errors import invalid_input
from emulator.personalize.lifecycle import (
    create_resource,
    find_active,
    find_updatable,
    start_update,
)
from emulator.personalize.resources import Campaign, Solution, SolutionVersion
from emulator.personalize.store import Request, Store

DEFAULT_CAMPAIGN_SETTINGS: Mapping[str, Any] = {"minProvisionedTPS": 1, "campaignConfig": {}}
LATEST_VERSION_SUFFIX = "/$LATEST"
"""The suffix of a solution's ARN that stands for its newest ACTIVE version."""


def create_campaign(store: Store, request: Request) -> Campaign:
    """Create a campaign that serves an ACTIVE solution version."""
    version = _find_active_version(
        store, request["solutionVersionArn"], is_syncing=_is_syncing(request)
    )
    recipe = version.solution.recipe
    if recipe.type == "USER_SEGMENTATION":
        raise invalid_input(f"The recipe {recipe.name} does not support campaigns")

    details = {**DEFAULT_CAMPAIGN_SETTINGS, **request, "solutionVersionArn": version.arn}
    parent_arns = [version.solution.arn, version.solution.group_arn]
    return create_resource(store, Campaign, details, parent_arns=parent_arns)


def update_campaign(store: Store, request: Request) -> Campaign:
    """Start an update of a campaign to another solution version or other settings.

    The campaign keeps its old version and settings until the update is ACTIVE.
    """
    campaign = find_updatable(store, Campaign, request["campaignArn"])
    if request.get("campaignConfig", {}).get("itemExplorationConfig") == {}:
        # DescribeCampaign may return such a configuration, but UpdateCampaign rejects it.
        raise invalid_input("itemExplorationConfig must not be empty")

    old_settings = campaign.settings_at(store.now)
    new_settings = {**DEFAULT_CAMPAIGN_SETTINGS, **request}
    if store.switches.update_keeps_settings:
        new_settings = {**old_settings, **request}
    if _is_syncing(old_settings) and not _is_syncing(new_settings):
        _require_explicit_end_of_sync(request)

    _start_campaign_update(
        store, campaign, new_settings, version_arn=request.get("solutionVersionArn")
    )
    return campaign


def _require_explicit_end_of_sync(request: Request) -> None:
    """Reject an update that would turn off syncing implicitly (guide, "Updating a campaign")."""
    config = request.get("campaignConfig", {})
    is_explicit = config.get("syncWithLatestSolutionVersion") is False
    if not is_explicit or not request.get("solutionVersionArn"):
        raise invalid_input(
            "syncWithLatestSolutionVersion is turned off by one request with"
            " syncWithLatestSolutionVersion: false and the ARN of a solution version"
        )


def _start_campaign_update(
    store: Store, campaign: Campaign, settings: Mapping[str, Any], version_arn: str | None
) -> None:
    """Start an update of a campaign. Without a version ARN, it keeps the version that it serves."""
    if version_arn is None:
        version = store.get(SolutionVersion, campaign.served_version_arn(store.now))
    else:
        version = _find_active_version(store, version_arn, is_syncing=_is_syncing(settings))

    details = {key: settings[key] for key in DEFAULT_CAMPAIGN_SETTINGS}
    details["solutionVersionArn"] = version.arn
    timeline = start_update(store, campaign, details)
    timeline.on_active(partial(_move_to_solution, campaign, version.solution))


def _move_to_solution(campaign: Campaign, solution: Solution) -> None:
    """Record that a campaign now uses this solution, which can differ from the previous one."""
    campaign.parent_arns = (solution.arn, solution.group_arn)


def _find_active_version(store: Store, arn: str, *, is_syncing: bool) -> SolutionVersion:
    """Look up the ACTIVE solution version that a request asks for.

    If the campaign syncs with the latest version, the ARN must be `<solution>/$LATEST`, and the
    newest ACTIVE version is returned.
    """
    if is_syncing != arn.endswith(LATEST_VERSION_SUFFIX):
        raise invalid_input(
            "solutionVersionArn must be in SolutionArn/$LATEST format if"
            " syncWithLatestSolutionVersion is true, and only then"
        )
    if not is_syncing:
        return find_active(store, SolutionVersion, arn)

    solution = store.get(Solution, arn.removesuffix(LATEST_VERSION_SUFFIX))
    # The versions are sorted, oldest first.
    for version in reversed(store.list_resources(SolutionVersion, solution.arn)):
        if version.is_active(store.now):
            return version

    raise invalid_input(f"Solution {solution.arn} has no ACTIVE solution version")


def _is_syncing(settings: Mapping[str, Any]) -> bool:
    """Return True if a campaign with these settings follows the solution's latest version."""
    return settings.get("campaignConfig", {}).get("syncWithLatestSolutionVersion") is True

"""The operations on campaigns: deploy a version, and replace it."""

from collections.abc import Mapping
from typing import Any

from emulator.personalize.errors import invalid_input
from emulator.personalize.lifecycle import create, find_active, find_updatable, update
from emulator.personalize.resources import Campaign, Solution, SolutionVersion
from emulator.personalize.store import Request, Store

DEFAULTS: dict[str, object] = {"minProvisionedTPS": 1, "campaignConfig": {}}


def create_campaign(store: Store, request: Request) -> Campaign:
    """Create a campaign that serves an ACTIVE version."""
    version_arn = request["solutionVersionArn"]
    version = _find_active_version(store, version_arn, sync=_is_syncing(request))
    recipe = version.solution.recipe
    if recipe.type == "USER_SEGMENTATION":
        raise invalid_input(f"The recipe {recipe.name} does not support campaigns")

    details = {**DEFAULTS, **request, "solutionVersionArn": version.arn}
    belongs_to = [version.solution.arn, version.solution.group_arn]
    return create(store, Campaign, details, belongs_to=belongs_to)


def update_campaign(store: Store, request: Request) -> Campaign:
    """Start to deploy another version or other settings.

    The old version and settings are in use until the update is ACTIVE.
    """
    campaign = find_updatable(store, Campaign, request["campaignArn"])
    if request.get("campaignConfig", {}).get("itemExplorationConfig") == {}:
        # Describe may return such a configuration.
        raise invalid_input("itemExplorationConfig must not be empty")

    old_settings = campaign.settings(store.now)
    settings = {**DEFAULTS, **request}
    if store.switches.update_keeps_settings:
        settings = {**DEFAULTS, **old_settings, **request}
    if _is_syncing(old_settings) and not _is_syncing(settings):
        _check_sync_is_turned_off(request)

    version = _choose_version(store, campaign, request, sync=_is_syncing(settings))
    _deploy(store, campaign, version, settings)
    return campaign


def _check_sync_is_turned_off(request: Request) -> None:
    """Reject an update that ends the sync in passing (guide, "Updating a campaign")."""
    config: Mapping[str, Any] = request.get("campaignConfig", {})
    is_explicit = config.get("syncWithLatestSolutionVersion") is False
    if not is_explicit or not request.get("solutionVersionArn"):
        raise invalid_input(
            "syncWithLatestSolutionVersion is turned off by one request with"
            " syncWithLatestSolutionVersion: false and the ARN of a solution version"
        )


def _choose_version(
    store: Store, campaign: Campaign, request: Request, *, sync: bool
) -> SolutionVersion:
    """Choose the version that an update names, or the served one if it names none."""
    if "solutionVersionArn" in request:
        return _find_active_version(store, request["solutionVersionArn"], sync=sync)
    return store.get(SolutionVersion, campaign.served_version_arn(store.now))


def _deploy(
    store: Store, campaign: Campaign, version: SolutionVersion, settings: Mapping[str, object]
) -> None:
    """Start an update of a campaign to a version and to the other settings of a campaign."""
    details = {key: settings[key] for key in DEFAULTS}
    details["solutionVersionArn"] = version.arn
    deployment = update(store, campaign, details)

    def move_to_solution() -> None:
        campaign.belongs_to = (version.solution.arn, version.solution.group_arn)

    deployment.when_active(move_to_solution)


def _find_active_version(store: Store, arn: str, *, sync: bool) -> SolutionVersion:
    """Find the ACTIVE version that a request names.

    If the campaign follows the latest version (`sync`), the ARN must be `<solution>/$LATEST`.
    """
    if sync != arn.endswith("/$LATEST"):
        raise invalid_input(
            "solutionVersionArn must be in SolutionArn/$LATEST format if"
            " syncWithLatestSolutionVersion is true, and only then"
        )
    if not sync:
        return find_active(store, SolutionVersion, arn)

    solution = store.get(Solution, arn.removesuffix("/$LATEST"))
    # The versions are sorted, oldest first.
    for version in reversed(store.list_resources(SolutionVersion, solution.arn)):
        if version.is_active(store.now):
            return version
    raise invalid_input(f"Solution {solution.arn} has no ACTIVE solution version")


def _is_syncing(settings: Mapping[str, Any]) -> bool:
    """Return True if a campaign with these settings shall deploy each new version by itself."""
    return settings.get("campaignConfig", {}).get("syncWithLatestSolutionVersion") is True

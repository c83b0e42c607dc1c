"""The operations on campaigns: deploy a version, and replace it."""

from collections.abc import Mapping
from typing import Any

from emulator.personalize.errors import invalid_input
from emulator.personalize.lifecycle import active, create, updatable, update
from emulator.personalize.resources import Campaign, Solution, SolutionVersion
from emulator.personalize.store import Request, Store

DEFAULTS: dict[str, object] = {"minProvisionedTPS": 1, "campaignConfig": {}}


def create_campaign(store: Store, request: Request) -> Campaign:
    """Create a campaign that serves an ACTIVE version."""
    version = _active_version(store, request["solutionVersionArn"], sync=_is_syncing(request))
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
    campaign = updatable(store, Campaign, request["campaignArn"])
    config: Mapping[str, Any] = request.get("campaignConfig", {})
    if config.get("itemExplorationConfig") == {}:
        # Describe may return such a configuration.
        raise invalid_input("itemExplorationConfig must not be empty")
    old_settings = campaign.settings(store.now)
    kept_settings = old_settings if store.switches.update_keeps_settings else {}
    settings = {**DEFAULTS, **kept_settings, **request}
    sync, requested_arn = _is_syncing(settings), request.get("solutionVersionArn")
    is_turned_off = config.get("syncWithLatestSolutionVersion") is False and requested_arn
    if _is_syncing(old_settings) and not sync and not is_turned_off:
        # Guide, "Updating a campaign".
        raise invalid_input(
            "syncWithLatestSolutionVersion is turned off by one request with"
            " syncWithLatestSolutionVersion: false and the ARN of a solution version"
        )
    if requested_arn is None:
        version = store.get(SolutionVersion, campaign.served_version_arn(store.now))
    else:
        version = _active_version(store, requested_arn, sync=sync)
    _deploy(store, campaign, version, settings)
    return campaign


def _deploy(
    store: Store, campaign: Campaign, version: SolutionVersion, settings: Mapping[str, object]
) -> None:
    """Start an update of a campaign to a version and to the other settings of a campaign."""

    def finish() -> None:
        campaign.belongs_to = (version.solution.arn, version.solution.group_arn)

    details = {key: settings[key] for key in DEFAULTS} | {"solutionVersionArn": version.arn}
    update(store, campaign, details, on_end=finish)


def _active_version(store: Store, arn: str, *, sync: bool) -> SolutionVersion:
    """Return the version that a request names. Raise ApiError if there is no ACTIVE one.

    If the campaign follows the latest version (`sync`), the ARN must be `<solution>/$LATEST`.
    """
    if sync != arn.endswith("/$LATEST"):
        raise invalid_input(
            "solutionVersionArn must be in SolutionArn/$LATEST format if"
            " syncWithLatestSolutionVersion is true, and only then"
        )
    if not sync:
        return active(store, SolutionVersion, arn)
    solution = store.get(Solution, arn.removesuffix("/$LATEST"))
    versions = store.all(SolutionVersion, solution.arn)
    active_versions = [version for version in versions if version.is_active(store.now)]
    if not active_versions:
        raise invalid_input(f"Solution {solution.arn} has no ACTIVE solution version")
    return active_versions[-1]


def _is_syncing(settings: Mapping[str, Any]) -> bool:
    """Return True if a campaign with these settings shall deploy each new version by itself."""
    return settings.get("campaignConfig", {}).get("syncWithLatestSolutionVersion") is True

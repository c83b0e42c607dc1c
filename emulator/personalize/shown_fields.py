"""What Describe and List show of a resource where AWS's documentation leaves it open.

Each function belongs to one of the `Switches`, and changes the fields of a resource in place.
"""

from collections.abc import Callable
from datetime import datetime
from typing import cast

from emulator.personalize.resources import Campaign, Resource, Solution, SolutionVersion
from emulator.personalize.store import Store, Switches

Fields = dict[str, object]


def shown_fields(store: Store, resource: Resource, time: datetime) -> Fields:
    """Return the fields that Describe and List show of a resource, as it was at a time."""
    switches = store.options.switches
    fields = resource.fields_at(time)
    for part in _parts(fields):
        if switches.underscore_in_stop_status:
            _spell_stop_status(part)
        for resource_class, is_on, change in CHANGES:
            if isinstance(resource, resource_class) and is_on(switches):
                change(resource, part)
    if isinstance(resource, Solution) and switches.solution_time_includes_versions:
        _include_versions(resource, fields, time)
    return fields


def _parts(fields: Fields) -> list[Fields]:
    """Return the fields of a resource, and those of its latest update and version if it has them.

    The fields of the parts are copies, so they can be changed.
    """
    names = ("latestCampaignUpdate", "latestSolutionVersion")
    return [fields, *(cast("Fields", fields[name]) for name in names if name in fields)]


def _spell_stop_status(part: Fields) -> None:
    """Spell CREATE_STOPPING and CREATE_STOPPED with an underscore."""
    status = str(part.get("status"))
    if status.endswith(("STOPPING", "STOPPED")):
        part["status"] = status.replace(" ", "_")


def _name_with_solution(version: Resource, part: Fields) -> None:
    """Put the name of the solution and a slash before the name of a version."""
    solution_name = version.arn.rsplit("/", 2)[1]
    if part.get("name") is not None:
        part["name"] = f"{solution_name}/{part['name']}"


def _latest_instead_of_version(_campaign: Resource, part: Fields) -> None:
    """Show `<solution>/$LATEST` instead of the version if the campaign follows the latest one."""
    config = cast("Fields", part["campaignConfig"])
    if config.get("syncWithLatestSolutionVersion"):
        solution_arn = str(part["solutionVersionArn"]).rpartition("/")[0]
        part["solutionVersionArn"] = f"{solution_arn}/$LATEST"


def _senseless_settings(_campaign: Resource, part: Fields) -> None:
    """Show settings that UpdateCampaign refuses where the campaign has the default ones."""
    config = cast("Fields", part["campaignConfig"])
    part["campaignConfig"] = {"itemExplorationConfig": {}, **config}
    if part["minProvisionedTPS"] == 1:
        part["minProvisionedTPS"] = 0


def _include_versions(solution: Solution, fields: Fields, time: datetime) -> None:
    """Move `lastUpdatedDateTime` of a solution to the creation of its newest version."""
    created = [version.timeline.created for version in solution.versions]
    times = [cast("datetime", fields["lastUpdatedDateTime"]), *created]
    fields["lastUpdatedDateTime"] = max(moment for moment in times if moment <= time)


CHANGES: tuple[
    tuple[type[Resource], Callable[[Switches], bool], Callable[[Resource, Fields], None]], ...
] = (
    (SolutionVersion, lambda switches: switches.version_name_has_solution, _name_with_solution),
    (Campaign, lambda switches: switches.latest_in_describe, _latest_instead_of_version),
    (Campaign, lambda switches: switches.senseless_campaign_settings, _senseless_settings),
)
"""The changes for one class of resources, and the switch of each."""

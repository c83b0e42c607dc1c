"""Plans the jobs of a run: their names, tags and expected durations. All functions are pure."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from ..executions import is_resumed
from ..personalize.jobs import import_mode_of, planned_mode_of, training_mode_of
from ..personalize.ownership import import_job_name, version_name
from ..personalize.statuses import CREATE_FAILED, cannot_succeed, is_active
from ..personalize.tags import BYTES, COUNTED, FINGERPRINT, FIRST_LEVEL, RUN
from .waiting_campaigns import waits_for
from .world import newest_active

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        CampaignUpdateSummaryTypeDef,
        DatasetImportJobSummaryTypeDef,
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..contract import (
        CampaignSettings,
        PlannedCampaign,
        PlannedImport,
        PlannedSolution,
        TrainingMode,
    )
    from .situation import Situation
    from .world import World

    TimedJob = (
        DatasetImportJobSummaryTypeDef
        | SolutionVersionSummaryTypeDef
        | CampaignUpdateSummaryTypeDef
        | CampaignTypeDef
    )

TIMED_JOBS = 5
"""The number of earlier jobs from which the duration of the next job is estimated."""
MAX_TRAINING_DELAY = timedelta(hours=12)
"""A run creates its version within this time after its start, because it imports first.

When the next run starts after 7 days, the FULL version is younger than 7 days by up to this time.
With `fullEveryDays` 7 a new FULL version is due nevertheless, so the allowed age is reduced
by this time.
"""


class _ExistingVersion(NamedTuple):
    """A version that the run uses instead of training one."""

    description: SolutionVersionTypeDef
    for_waiting_campaigns: bool
    """True if only the campaigns that wait for the version are updated, else all campaigns are."""


def planned_import(situation: Situation) -> PlannedImport:
    """Return the import of the selected dataset."""
    dataset, world = situation.dataset, situation.world
    export = world.exports[dataset["datasetArn"]]
    jobs = world.import_jobs.get(dataset["datasetArn"], [])
    return {
        "type": dataset["type"],
        "jobName": _import_name(situation),
        "dataLocation": dataset["dataLocation"],
        "tags": {
            RUN: situation.run["id"],
            BYTES: str(export.size),
            COUNTED: FIRST_LEVEL,
            FINGERPRINT: export.fingerprint,
        },
        "durations": _durations(
            job for job in jobs if import_mode_of(job) == dataset["importMode"]
        ),
    }


def has_begun_import(situation: Situation) -> bool:
    """Return True if the run is resumed and has started the import of the selected dataset."""
    return _import_name(situation) in _earlier_import_statuses(situation)


def planned_solution(situation: Situation) -> PlannedSolution:
    """Return the training of the selected solution, or the use of an existing version."""
    world, solution = situation.world, situation.solution
    existing = _existing_version(situation)
    existing_arn = existing.description["solutionVersionArn"] if existing else None
    mode = _training_mode(situation, existing)
    versions = world.versions[solution["solutionArn"]]
    return {
        "solutionArn": solution["solutionArn"],
        "versionName": _version_name(situation),
        "trainingMode": mode,
        "existingVersionArn": existing_arn,
        "existingVersionIsForeign": (
            existing_arn is not None and existing_arn not in world.trained_by_runs
        ),
        "dataAsOf": world.data_as_of.isoformat() if world.data_as_of else None,
        "tags": {RUN: situation.run["id"]},
        "durations": _durations(
            version for version in versions if training_mode_of(version) == mode
        ),
        "campaigns": [
            _planned_campaign(world, campaign)
            for campaign in _campaigns_to_update(situation, existing)
        ],
    }


def needs_training(situation: Situation) -> bool:
    """Return True if the run has to train a version of the selected solution."""
    return _existing_version(situation) is None


def newest_full_version(situation: Situation) -> SolutionVersionSummaryTypeDef | None:
    """Return the newest ACTIVE version of the selected solution that was trained with FULL."""
    newest_first = situation.world.versions.get(situation.solution["solutionArn"], [])
    return newest_active(version for version in newest_first if training_mode_of(version) == "FULL")


def _import_name(situation: Situation) -> str:
    """Return the name for the import of the selected dataset."""

    def name_of_attempt(attempt: int) -> str:
        return import_job_name(
            situation.settings, situation.run, situation.dataset["type"], attempt
        )

    return _first_name_to_use(name_of_attempt, _earlier_import_statuses(situation))


def _earlier_import_statuses(situation: Situation) -> dict[str, str]:
    """Return name -> status of the imports with which a resumed run can go on.

    The result is empty if the run is not resumed.
    """
    if not is_resumed(situation.run):
        return {}
    jobs = situation.world.import_jobs.get(situation.dataset["datasetArn"], [])
    return {job["jobName"]: job["status"] for job in jobs}


def _version_name(situation: Situation) -> str:
    """Return the name for the version of the selected solution."""

    def name_of_attempt(attempt: int) -> str:
        return version_name(
            situation.settings, situation.run, situation.solution["solutionArn"], attempt
        )

    statuses = {
        name: _status(situation.world, version)
        for name, version in _earlier_versions(situation).items()
    }
    return _first_name_to_use(name_of_attempt, statuses)


def _earlier_versions(situation: Situation) -> Mapping[str, SolutionVersionTypeDef]:
    """Return name -> version of the versions with which a resumed run can go on.

    The result is empty if the run is not resumed.
    """
    return situation.world.versions_by_name if is_resumed(situation.run) else {}


def _first_name_to_use(name_of_attempt: Callable[[int], str], statuses: Mapping[str, str]) -> str:
    """Return the name of the first attempt that has not failed. Attempts count from 1.

    `statuses` maps the names of the jobs that exist to their statuses. If all of them have failed,
    the result is the name of a new attempt.
    """
    failed_names = {name for name, status in statuses.items() if cannot_succeed(status)}
    names = (name_of_attempt(attempt) for attempt in count(1))
    return next(name for name in names if name not in failed_names)


def _existing_version(situation: Situation) -> _ExistingVersion | None:
    """Return the version that the run uses instead of training one, or None.

    A resumed run goes on with the version that it created or adopted. A run that imports nothing
    deploys a version that campaigns still wait for.
    """
    version = _earlier_versions(situation).get(_version_name(situation))
    version = version or _adopted_version(situation)
    if version is not None:
        return _ExistingVersion(version, for_waiting_campaigns=False)
    if situation.datasets:
        return None
    version = _waiting_version(situation)
    return _ExistingVersion(version, for_waiting_campaigns=True) if version else None


def _campaigns_to_update(
    situation: Situation, existing: _ExistingVersion | None
) -> Sequence[CampaignSettings]:
    """Return the campaigns of the selected solution that shall serve the version of this run."""
    campaigns = situation.solution["campaigns"]
    if existing is None or not existing.for_waiting_campaigns:
        return campaigns
    return [
        campaign
        for campaign in campaigns
        if waits_for(existing.description, campaign, situation.settings, situation.world)
    ]


def _adopted_version(situation: Situation) -> SolutionVersionTypeDef | None:
    """Return the foreign version that the resumed run adopted, unless it has failed."""
    if not is_resumed(situation.run):
        return None
    version = situation.world.adopted_versions.get(situation.solution["solutionArn"])
    if version is None or cannot_succeed(_status(situation.world, version)):
        return None
    return version


def _waiting_version(situation: Situation) -> SolutionVersionTypeDef | None:
    """Return the newest version if a run trained it on all data and a campaign waits for it.

    To deploy it costs nothing, while another training would cost money. A request for a training
    mode is a request to train, so no version is returned for it.
    """
    if "trainingMode" in situation.run["request"]:
        return None
    world = situation.world
    newest = _newest_active_version(situation)
    if newest is None or not _used_by_a_run(world, newest):
        return None
    if world.data_as_of is not None and newest["creationDateTime"] <= world.data_as_of:
        return None
    is_waited_for = any(
        waits_for(newest, campaign, situation.settings, world)
        for campaign in situation.solution["campaigns"]
    )
    return newest if is_waited_for else None


def _newest_active_version(situation: Situation) -> SolutionVersionTypeDef | None:
    """Return the newest ACTIVE version of the selected solution among the described versions.

    A version with a verdict does not count.
    """
    world = situation.world
    described = (*world.versions_by_name.values(), *world.adopted_versions.values())
    active = [
        version
        for version in described
        if version["solutionArn"] == situation.solution["solutionArn"]
        and is_active(_status(world, version))
    ]
    return max(active, key=lambda version: version["creationDateTime"], default=None)


def _used_by_a_run(world: World, version: SolutionVersionTypeDef) -> bool:
    """Return True if a run trained or adopted the version."""
    trained = version["solutionVersionArn"] in world.trained_by_runs
    return trained or version in world.adopted_versions.values()


def _training_mode(situation: Situation, existing: _ExistingVersion | None) -> TrainingMode:
    """Return the mode of the request, else of the existing version, else of the settings.

    The UPDATE of the settings becomes FULL if there is no FULL version or if the newest FULL
    version is older than `fullEveryDays` allows.
    """
    if mode := situation.run["request"].get("trainingMode"):
        return mode
    if existing:
        return planned_mode_of(existing.description)
    solution = situation.solution
    if solution["trainingMode"] == "FULL":
        return "FULL"
    full_version = newest_full_version(situation)
    max_age = timedelta(days=solution["fullEveryDays"]) - MAX_TRAINING_DELAY
    if full_version and full_version["creationDateTime"] > situation.world.now - max_age:
        return "UPDATE"
    return "FULL"


def _planned_campaign(world: World, campaign: CampaignSettings) -> PlannedCampaign:
    """Return the update of a campaign.

    The update is expected to take as long as the last update. If the campaign was never updated, it
    is expected to take as long as the creation of the campaign.
    """
    resource = world.campaigns[campaign["campaignArn"]]
    last_job = resource.get("latestCampaignUpdate") or resource
    return {
        "campaignArn": campaign["campaignArn"],
        "isProbed": campaign["probe"] is not None,
        "durations": _durations([last_job]),
    }


def _durations(newest_first: Iterable[TimedJob]) -> list[int]:
    """Return the seconds that the last successful jobs took, newest first.

    The jobs must be sorted, newest first. At most five durations are returned.
    """
    successful = [job for job in newest_first if is_active(job["status"])]
    return [
        round((job["lastUpdatedDateTime"] - job["creationDateTime"]).total_seconds())
        for job in successful[:TIMED_JOBS]
    ]


def _status(world: World, version: SolutionVersionTypeDef) -> str:
    """Return the status of a version. A version that was rolled back counts as CREATE FAILED.

    Only an earlier release has written this verdict as a tag of the version.
    """
    verdict = world.verdicts.get(version["solutionVersionArn"])
    return CREATE_FAILED if verdict == "ROLLED_BACK" else version["status"]

"""Plans the jobs of a run: their names, tags and likely durations. Pure functions."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from ..executions import is_resumed
from ..personalize.jobs import import_mode_of, planned_mode_of, training_mode_of
from ..personalize.ownership import import_job_name, version_name
from ..personalize.statuses import CREATE_FAILED, cannot_succeed, is_active
from ..personalize.tags import BYTES, FINGERPRINT, RUN
from .world import newest_active

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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

    Timed = (
        DatasetImportJobSummaryTypeDef
        | SolutionVersionSummaryTypeDef
        | CampaignUpdateSummaryTypeDef
        | CampaignTypeDef
    )

TIMED_JOBS = 5
"""The number of earlier jobs from which the duration of the next job is estimated."""
MAX_TRAINING_DELAY = timedelta(hours=12)
"""The time after the start of its run within which a version is created.

A FULL version may be younger than its run by this time. So with weekly runs and a FULL training
every 7 days, each training is FULL.
"""


class _Existing(NamedTuple):
    """A version that the run uses instead of training one."""

    version: SolutionVersionTypeDef
    waiting: bool
    """True if only the campaigns that wait for the version are updated."""


def planned_import(situation: Situation) -> PlannedImport:
    """Return the import of the selected dataset."""
    dataset, world = situation.dataset, situation.world
    export = world.exports[dataset["datasetArn"]]
    return {
        "type": dataset["type"],
        "jobName": _import_name(situation),
        "dataLocation": dataset["dataLocation"],
        "tags": {
            RUN: situation.run["id"],
            BYTES: str(export.size),
            FINGERPRINT: export.fingerprint,
        },
        "durations": _durations(
            job
            for job in world.import_jobs.get(dataset["datasetArn"], [])
            if import_mode_of(job) == dataset["importMode"]
        ),
    }


def has_begun_import(situation: Situation) -> bool:
    """Return True if the run is resumed and has started the import of the selected dataset."""
    return _import_name(situation) in _earlier_imports(situation)


def planned_solution(situation: Situation) -> PlannedSolution:
    """Return the training of the selected solution, or the use of an existing version."""
    world, run = situation.world, situation.run
    arn = situation.solution["solutionArn"]
    existing = _existing(situation)
    mode = _training_mode(situation, existing)
    data_as_of = world.data_as_of
    return {
        "solutionArn": arn,
        "versionName": _version_name(situation),
        "trainingMode": mode,
        "existingVersionArn": existing.version["solutionVersionArn"] if existing else None,
        "existingVersionIsForeign": (
            existing is not None
            and existing.version["solutionVersionArn"] not in world.trained_by_runs
        ),
        "dataAsOf": data_as_of.isoformat() if data_as_of else None,
        "tags": {RUN: run["id"]},
        "durations": _durations(
            version for version in world.versions[arn] if training_mode_of(version) == mode
        ),
        "campaigns": [
            _planned_campaign(world, campaign)
            for campaign in situation.solution["campaigns"]
            if existing is None or not existing.waiting or _waits(world, campaign, existing.version)
        ],
    }


def needs_training(situation: Situation) -> bool:
    """Return True if the run has to train a version of the selected solution."""
    return _existing(situation) is None


def newest_full_version(situation: Situation) -> SolutionVersionSummaryTypeDef | None:
    """Return the newest ACTIVE version of the selected solution that was trained with FULL."""
    newest_first = situation.world.versions.get(situation.solution["solutionArn"], [])
    return newest_active(version for version in newest_first if training_mode_of(version) == "FULL")


def _import_name(situation: Situation) -> str:
    return _first_possible_name(
        lambda attempt: import_job_name(
            situation.settings, situation.run, situation.dataset["type"], attempt
        ),
        _earlier_imports(situation),
    )


def _earlier_imports(situation: Situation) -> dict[str, str]:
    """Return name -> status of the imports with which a resumed run can go on."""
    if not is_resumed(situation.run):
        return {}
    jobs = situation.world.import_jobs.get(situation.dataset["datasetArn"], [])
    return {job["jobName"]: job["status"] for job in jobs}


def _version_name(situation: Situation) -> str:
    return _first_possible_name(
        lambda attempt: version_name(
            situation.settings, situation.run, situation.solution["solutionArn"], attempt
        ),
        {
            name: _status(situation.world, version)
            for name, version in _earlier_versions(situation).items()
        },
    )


def _earlier_versions(situation: Situation) -> Mapping[str, SolutionVersionTypeDef]:
    """Return name -> version of the versions with which a resumed run can go on."""
    return situation.world.versions_by_name if is_resumed(situation.run) else {}


def _first_possible_name(name: Callable[[int], str], statuses: Mapping[str, str]) -> str:
    """Return the name of the first attempt that has not failed. Attempts count from 1."""
    return next(
        name(attempt)
        for attempt in count(1)
        if name(attempt) not in statuses or not cannot_succeed(statuses[name(attempt)])
    )


def _existing(situation: Situation) -> _Existing | None:
    """Return the version that the run uses instead of training one, or None.

    A resumed run goes on with the version that it created or adopted. A run that imports nothing
    deploys a version that waits.
    """
    if version := _earlier_versions(situation).get(_version_name(situation)):
        return _Existing(version, waiting=False)
    if version := _adopted_version(situation):
        return _Existing(version, waiting=False)
    if situation.datasets:
        return None
    if version := _waiting_version(situation):
        return _Existing(version, waiting=True)
    return None


def _adopted_version(situation: Situation) -> SolutionVersionTypeDef | None:
    """Return the foreign version that the resumed run adopted, unless it has failed."""
    if not is_resumed(situation.run):
        return None
    version = situation.world.adopted_versions.get(situation.solution["solutionArn"])
    if version is None or cannot_succeed(_status(situation.world, version)):
        return None
    return version


def _waiting_version(situation: Situation) -> SolutionVersionTypeDef | None:
    """Return a version that a run trained on all present data and that a campaign waits for.

    Its deployment costs nothing, while another training costs money.
    """
    if "trainingMode" in situation.run["request"]:
        return None
    world = situation.world
    newest = _newest_active_version(situation)
    if newest is None or not _used_by_a_run(world, newest):
        return None
    if world.data_as_of is not None and newest["creationDateTime"] <= world.data_as_of:
        return None
    campaigns = situation.solution["campaigns"]
    return newest if any(_waits(world, campaign, newest) for campaign in campaigns) else None


def _newest_active_version(situation: Situation) -> SolutionVersionTypeDef | None:
    world = situation.world
    active = (
        version
        for version in (*world.versions_by_name.values(), *world.adopted_versions.values())
        if version["solutionArn"] == situation.solution["solutionArn"]
        and is_active(_status(world, version))
    )
    return max(active, key=lambda version: version["creationDateTime"], default=None)


def _used_by_a_run(world: World, version: SolutionVersionTypeDef) -> bool:
    """Return True if a run trained or adopted the version."""
    trained = version["solutionVersionArn"] in world.trained_by_runs
    return trained or version in world.adopted_versions.values()


def _waits(world: World, planned: CampaignSettings, version: SolutionVersionTypeDef) -> bool:
    """Return True if the campaign still has to be updated to the version.

    A campaign that serves the version or a newer one does not wait. Nor does a campaign that was
    moved to another version since, for example back by a person.
    """
    campaign = world.campaigns[planned["campaignArn"]]
    arn, created = version["solutionVersionArn"], version["creationDateTime"]
    newer = {
        summary["solutionVersionArn"]
        for summary in world.versions[version["solutionArn"]]
        if summary["creationDateTime"] > created
    }
    if is_active(campaign["status"]) and campaign["solutionVersionArn"] in {arn, *newer}:
        return False
    latest = campaign.get("latestCampaignUpdate")
    if latest is None or cannot_succeed(latest["status"]):
        return True
    return latest["solutionVersionArn"] == arn or latest["creationDateTime"] <= created


def _training_mode(situation: Situation, existing: _Existing | None) -> TrainingMode:
    """Return the mode of the request, of the existing version, or of the settings.

    An UPDATE becomes FULL if the newest FULL version is older than the settings allow.
    """
    if mode := situation.run["request"].get("trainingMode"):
        return mode
    if existing:
        return planned_mode_of(existing.version)
    solution = situation.solution
    if solution["trainingMode"] == "FULL":
        return "FULL"
    full = newest_full_version(situation)
    max_age = timedelta(days=solution["fullEveryDays"]) - MAX_TRAINING_DELAY
    if full and full["creationDateTime"] > situation.world.now - max_age:
        return "UPDATE"
    return "FULL"


def _planned_campaign(world: World, campaign: CampaignSettings) -> PlannedCampaign:
    """Return the update of a campaign.

    Its duration is that of the last update. A campaign that was never updated has the duration of
    its creation.
    """
    described = world.campaigns[campaign["campaignArn"]]
    return {
        "campaignArn": campaign["campaignArn"],
        "isProbed": campaign["probe"] is not None,
        "durations": _durations([described.get("latestCampaignUpdate") or described]),
    }


def _durations(newest_first: Iterable[Timed]) -> list[int]:
    """Return the seconds that the last successful jobs took, newest first."""
    seconds = [
        round((job["lastUpdatedDateTime"] - job["creationDateTime"]).total_seconds())
        for job in newest_first
        if is_active(job["status"])
    ]
    return seconds[:TIMED_JOBS]


def _status(world: World, version: SolutionVersionTypeDef) -> str:
    """Return the status of a version. A version with a verdict counts as failed."""
    return CREATE_FAILED if version["solutionVersionArn"] in world.verdicts else version["status"]

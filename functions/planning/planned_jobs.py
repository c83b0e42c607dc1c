"""The jobs of a plan: what each is called, how it is tagged, how long it may take. Pure."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from ..executions import short_hash
from ..personalize.jobs import import_job_name, mode_of, version_name
from ..personalize.statuses import is_hopeless
from ..personalize.tags import BYTES, FINGERPRINT, OBJECTS, RUN
from . import guards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        CampaignUpdateSummaryTypeDef,
        DatasetImportJobSummaryTypeDef,
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..contract import (
        CampaignSettings,
        DatasetSettings,
        PlannedCampaign,
        PlannedImport,
        PlannedSolution,
        Run,
        Settings,
        SolutionSettings,
        Tags,
        TrainingMode,
    )
    from ..exports import Export
    from .world import World

    Timed = (
        DatasetImportJobSummaryTypeDef
        | SolutionVersionSummaryTypeDef
        | CampaignUpdateSummaryTypeDef
        | CampaignTypeDef
    )

REMEMBERED = 5
"""How many of the last jobs tell how long the next may take."""
BORN_LATER = timedelta(hours=12)
"""How long after its run's beginning a version may have been created, at most.

So much younger than its run it may be: with weekly runs and a FULL every 7 days, each is a FULL.
"""


def planned_import(
    settings: Settings, run: Run, world: World, dataset: DatasetSettings
) -> PlannedImport:
    """Plan the import of one dataset; `dataset` names its location with the date filled in."""
    jobs = world.import_jobs.get(dataset["datasetArn"], [])
    return {
        "type": dataset["type"],
        "jobName": _first_free(
            partial(import_job_name, settings["prefix"], run["id"], dataset["type"]),
            {job["jobName"]: job["status"] for job in jobs} if resumed(run) else {},
        ),
        "datasetArn": dataset["datasetArn"],
        "dataLocation": dataset["dataLocation"],
        "importMode": dataset["importMode"],
        "roleArn": settings["importRoleArn"],
        "tags": _tags(settings, run, [world.exports[dataset["datasetArn"]]]),
        "durations": _durations(
            job for job in jobs if job.get("importMode", "FULL") == dataset["importMode"]
        ),
        "maxHours": settings["limits"]["maxImportHours"],
    }


def planned_solution(
    settings: Settings, run: Run, world: World, solution: SolutionSettings, *, importing: bool
) -> PlannedSolution:
    """Plan the training of one solution, or the use of a version that is there already."""
    arn, mode = solution["solutionArn"], _training_mode(run, world, solution)
    earlier = world.named_versions if resumed(run) else {}
    name = _first_free(
        partial(version_name, settings["prefix"], run["id"], arn),
        {name: _state(world, version) for name, version in earlier.items()},
    )
    waiting = None
    existing = earlier.get(name) or _adopted(run, world, solution)
    if existing is None and not importing:
        existing = waiting = _waiting_version(run, world, solution)
    if existing and "trainingMode" not in run["request"]:
        mode = mode_of(existing)
    data_as_of = _data_as_of(world)
    return {
        "solutionArn": arn,
        "versionName": name,
        "trainingMode": mode,
        "existingVersionArn": existing["solutionVersionArn"] if existing else None,
        "existingVersionIsForeign": (
            existing is not None and existing["solutionVersionArn"] not in world.trained_by_runs
        ),
        "dataAsOf": data_as_of.isoformat() if data_as_of else None,
        "tags": _tags(settings, run, list(world.exports.values())),
        "qualityGate": solution["qualityGate"],
        "durations": _durations(
            version
            for version in world.versions[arn]
            if version.get("trainingMode", "FULL") == mode
        ),
        "maxHours": settings["limits"]["maxTrainingHours"],
        "campaigns": [
            _campaign(settings, world, each)
            for each in solution["campaigns"]
            if waiting is None or _waits(world, each, waiting)
        ],
    }


def _campaign(settings: Settings, world: World, planned: CampaignSettings) -> PlannedCampaign:
    """Plan an update; where there was none before, the campaign's creation tells how long."""
    campaign = world.campaigns[planned["campaignArn"]]
    return {
        "campaignArn": planned["campaignArn"],
        "probe": planned["probe"],
        "durations": _durations([campaign.get("latestCampaignUpdate") or campaign]),
        "maxHours": settings["limits"]["maxCampaignHours"],
    }


def _training_mode(run: Run, world: World, solution: SolutionSettings) -> TrainingMode:
    """Give the mode: as asked, else as configured; an UPDATE whose FULL grew too old is a FULL."""
    asked = run["request"].get("trainingMode")
    if asked or solution["trainingMode"] == "FULL":
        return asked or "FULL"
    full = guards.newest_full(world, solution)
    oldest = world.now - timedelta(days=solution["fullEveryDays"]) + BORN_LATER
    return "UPDATE" if full and full["creationDateTime"] > oldest else "FULL"


def _waiting_version(
    run: Run, world: World, solution: SolutionSettings
) -> SolutionVersionTypeDef | None:
    """Return a version that a run trained on all present data and that a campaign waits for.

    Deploying it costs nothing, and training another version does.
    """
    if "trainingMode" in run["request"]:
        return None
    known = (*world.named_versions.values(), *world.adopted.values())
    newest = max(
        (
            version
            for version in known
            if version["solutionArn"] == solution["solutionArn"]
            and _state(world, version) == "ACTIVE"
        ),
        key=lambda version: version["creationDateTime"],
        default=None,
    )
    if newest is None or not (
        newest["solutionVersionArn"] in world.trained_by_runs or newest in world.adopted.values()
    ):
        return None
    data_as_of = _data_as_of(world)
    knows_all = data_as_of is None or newest["creationDateTime"] > data_as_of
    waits = any(_waits(world, each, newest) for each in solution["campaigns"])
    return newest if knows_all and waits else None


def _adopted(run: Run, world: World, solution: SolutionSettings) -> SolutionVersionTypeDef | None:
    """Give the version of somebody else's that the resumed run had adopted, if it may succeed."""
    version = world.adopted.get(solution["solutionArn"]) if resumed(run) else None
    return version if version and not is_hopeless(_state(world, version)) else None


def _waits(world: World, planned: CampaignSettings, version: SolutionVersionTypeDef) -> bool:
    """Tell whether a campaign still has to get the version.

    One that serves it or a newer one does not, nor one that was moved elsewhere since, perhaps
    back by hand.
    """
    campaign, arn = world.campaigns[planned["campaignArn"]], version["solutionVersionArn"]
    newer = {
        each["solutionVersionArn"]
        for each in world.versions[version["solutionArn"]]
        if each["creationDateTime"] > version["creationDateTime"]
    }
    if campaign["status"] == "ACTIVE" and campaign["solutionVersionArn"] in {arn, *newer}:
        return False
    latest = campaign.get("latestCampaignUpdate")
    return not (
        latest
        and latest["solutionVersionArn"] != arn
        and latest["creationDateTime"] > version["creationDateTime"]
        and not is_hopeless(latest["status"])
    )


def _data_as_of(world: World) -> datetime | None:
    """Give when the newest import ended; None where nothing was ever imported."""
    return max(
        (
            job["lastUpdatedDateTime"]
            for jobs in world.import_jobs.values()
            for job in jobs
            if job["status"] == "ACTIVE"
        ),
        default=None,
    )


def _durations(jobs: Iterable[Timed]) -> list[int]:
    """Give how many seconds the last jobs took that ended well, newest first."""
    took = [
        round((job["lastUpdatedDateTime"] - job["creationDateTime"]).total_seconds())
        for job in jobs
        if job["status"] == "ACTIVE"
    ]
    return took[:REMEMBERED]


def _first_free(name: Callable[[int], str], states: Mapping[str, str]) -> str:
    """Give the name of the first attempt that may yet succeed; the attempt's number is its end."""
    return next(
        name(attempt)
        for attempt in count(1)
        if name(attempt) not in states or not is_hopeless(states[name(attempt)])
    )


def nothing_resumed(settings: Settings, run: Run, world: World) -> list[str]:
    """Give a warning if the run that is resumed has left no job at all."""
    imports = (job["jobName"] for jobs in world.import_jobs.values() for job in jobs)
    names = (*imports, *world.named_versions)
    if any(name.startswith(f"{settings['prefix']}-{run['id']}-") for name in names):
        return []
    return [f"resume: run {run['id']} has made no job, so that everything starts anew"]


def resumed(run: Run) -> bool:
    """Tell whether the run goes on with what an earlier execution of it left."""
    return "resume" in run["request"]


def _state(world: World, version: SolutionVersionTypeDef) -> str:
    """Give a version's status; one that was rejected or rolled back from has failed for us."""
    return "CREATE FAILED" if version["solutionVersionArn"] in world.verdicts else version["status"]


def _tags(settings: Settings, run: Run, exports: Sequence[Export]) -> Tags:
    """Give what a job remembers: the run, and what lay in S3 for it."""
    tags = {**settings["tags"], RUN: run["id"]}
    if not exports:
        return tags
    fingerprints = [each.fingerprint for each in exports]
    return {
        **tags,
        BYTES: str(sum(each.size for each in exports)),
        OBJECTS: str(sum(len(each.objects) for each in exports)),
        FINGERPRINT: (
            fingerprints[0] if len(fingerprints) == 1 else short_hash(" ".join(fingerprints), 32)
        ),
    }

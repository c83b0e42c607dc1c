"""Decides for each solution whether there is something new to learn. All functions are pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..executions import is_resumed
from ..personalize.digest import digest_of
from ..personalize.statuses import is_active
from .planned_imports import imports_to_do

if TYPE_CHECKING:
    from ..personalize.trained_versions import TrainedVersion
    from .situation import Situation


def present_digest(situation: Situation) -> str | None:
    """Return the digest of what the selected solution would learn now.

    Return None if the run imports something first, if an incomplete list hides an import, or if
    the solution does not exist.
    """
    world = situation.world
    solution = world.solutions.get(situation.solution["solutionArn"])
    if imports_to_do(situation) or not world.imports_are_complete or solution is None:
        return None
    return digest_of(world.import_jobs, solution, world.now)


def up_to_date_version(situation: Situation) -> TrainedVersion | None:
    """Return the newest version of the selected solution that has learned the present imports.

    The version also counts if it is in training, rejected or stopped.
    """
    digest = present_digest(situation)
    versions = situation.world.trained_versions.get(situation.solution["solutionArn"], [])
    return next((version for version in versions if version.has_learned(digest)), None)


def training_requested_by(situation: Situation) -> str | None:
    """Return what requests a training of data that may have been learned before, or None.

    It is a key of the input or of the settings, or the events of an event tracker or of the API.
    """
    request = situation.run["request"]
    if request.get("force"):
        return "force"
    if "trainingMode" in request:
        return "trainingMode"
    if not situation.settings["skipWhenUnchanged"]:
        return "skipWhenUnchanged"
    if receives_events(situation) and _is_outdated_by_events(situation):
        return "events"
    return None


def needs_training(situation: Situation) -> bool:
    """Return True if the run has to train the selected solution, or to wait for its training.

    A resumed run repeats a training that was stopped. A requested training is run at most once. A
    run that deploys an approved version trains nothing.
    """
    if "deploy" in situation.run["request"]:
        return False
    if imports_to_do(situation):
        return True
    version = up_to_date_version(situation)
    is_requested = training_requested_by(situation) is not None
    if version is None:
        return situation.world.imports_are_complete or is_requested
    if not is_active(version.status) and version.can_be_used:
        return True
    if is_resumed(situation.run) and not version.can_be_used:
        return True
    return is_requested and not version.belongs_to(situation.run["id"])


def receives_events(situation: Situation) -> bool:
    """Return True if the dataset group receives records that no import brings."""
    is_streamed = any(dataset.get("streamed") for dataset in situation.settings["datasets"])
    return is_streamed or bool(situation.world.event_trackers)


def _is_outdated_by_events(situation: Situation) -> bool:
    """Return True if the newest version is older than half the time between two runs."""
    if not situation.world.imports_are_complete:
        return False
    version = up_to_date_version(situation)
    max_age = timedelta(seconds=situation.settings["cadenceSeconds"] / 2)
    return version is None or situation.world.now - version.created_at > max_age

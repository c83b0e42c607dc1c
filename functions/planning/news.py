"""Decides for each solution whether there is something new to learn. All functions are pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..executions import run_began_at
from ..personalize.trainings import wanted_training
from ..rules.trainings import reached_limit, usable_version
from .planned_imports import imports_to_do

if TYPE_CHECKING:
    from ..rules.trainings import Training, WantedTraining
    from .situation import Situation


def wanted(situation: Situation) -> WantedTraining:
    """Return what the run wants of each solution."""
    return wanted_training(situation.settings, situation.run, requested_since(situation))


def up_to_date_version(situation: Situation) -> Training | None:
    """Return the newest version of the selected solution that has learned the present data.

    The version may be in training, or it may have been stopped. Return None if the run imports
    something first, or if the solution does not exist.
    """
    seen = situation.seen_solution
    if seen is None or imports_to_do(situation):
        return None
    return usable_version(seen, replace(wanted(situation), requested_since=None))


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
    return "events" if receives_events(situation) else None


def requested_since(situation: Situation) -> datetime | None:
    """Return the time after which a version has to be trained, or None if its data alone count.

    A person asks for a training that is newer than the beginning of the run. Events ask for one
    that is younger than half the time between two runs.
    """
    requested_by = training_requested_by(situation)
    if requested_by == "events":
        return situation.world.now - timedelta(seconds=situation.settings["cadenceSeconds"] / 2)
    return run_began_at(situation.run) if requested_by else None


def needs_training(situation: Situation) -> bool:
    """Return True if the run has to train the selected solution, or to wait for its training.

    A run that only deploys trains nothing.
    """
    if "only" in situation.run["request"]:
        return False
    seen = situation.seen_solution
    if imports_to_do(situation) or seen is None:
        return True
    version = usable_version(seen, wanted(situation))
    return version is None or version.is_running


def limit_of_month(situation: Situation) -> str | None:
    """Return a message if the limit of the month forbids the training that is needed, or None.

    A training that is running already may be waited for.
    """
    seen = situation.seen_solution
    if seen is None or not needs_training(situation):
        return None
    version = None if imports_to_do(situation) else usable_version(seen, wanted(situation))
    now = situation.world.now
    return None if version else reached_limit(seen.trainings, wanted(situation), now)


def receives_events(situation: Situation) -> bool:
    """Return True if the dataset group receives records that no import brings."""
    is_streamed = any(dataset.get("streamed") for dataset in situation.settings["datasets"])
    return is_streamed or bool(situation.world.event_trackers)

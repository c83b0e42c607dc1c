"""Checks the run as a whole: its event, its lists, and whether there is anything to do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..executions import scheduled_at
from .news import up_to_date_version
from .planned_imports import awaits_marker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .situation import Situation


DEPLOYMENT_EVENT_WINDOW = timedelta(minutes=10)
"""A deployment caused an event if the event's time is at most this long after the change of the
schedule."""
SCHEDULE_ROUNDING = timedelta(minutes=2)
"""A schedule counts in minutes, so the time of an event that a deployment caused may be before the
change by this much. An event with an even earlier time was due before the change and came late."""


def event_of_deployment(situation: Situation) -> str | None:
    """Return why the run is skipped if the deployment of the schedule has caused its event.

    A rate schedule starts an execution when it is created, and perhaps when it is changed. A person
    who deploys does not expect a training, which costs money.
    """
    scheduled = scheduled_at(situation.run["request"])
    changed = situation.world.schedule_changed_at
    if scheduled is None or changed is None:
        return None
    if not -SCHEDULE_ROUNDING <= scheduled - changed <= DEPLOYMENT_EVENT_WINDOW:
        return None
    return (
        f"the schedule was created or changed at {changed.isoformat(timespec='seconds')}, and "
        "a deployment starts no training; to retrain now, use retrain start"
    )


def nothing_new(situation: Situation) -> str:
    """Return why a run with nothing to import, to train or to deploy is skipped."""
    of_solutions = [situation.with_solution(solution) for solution in situation.solutions]
    if "only" in situation.run["request"]:
        return "no campaign waits for a version"
    exports = "the exports were imported before" if situation.datasets else "nothing is imported"
    if any(awaits_marker(situation.with_dataset(dataset)) for dataset in situation.datasets):
        exports = "no new export is ready"
    return (
        f"nothing is new: {exports}, and {_what_was_learned(of_solutions)}; to train anyway, use "
        "retrain start --force"
    )


def _what_was_learned(of_solutions: Sequence[Situation]) -> str:
    """Return why no solution has to be trained."""
    versions = [up_to_date_version(solution) for solution in of_solutions]
    stopped = [version.arn for version in versions if version and version.was_stopped]
    if stopped:
        return f"the training of the present data was stopped: {', '.join(stopped)}"
    return "every solution has learned the present data"

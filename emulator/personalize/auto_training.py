"""Automatic training, which trains a solution every 1 to 30 days.

The rules come from the guide's page "Configuring automatic training" and from the API reference of
CreateSolution and UpdateSolution. Where both say nothing, a switch selects the behaviour.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from emulator.personalize.datasets import find_dataset
from emulator.personalize.errors import invalid_input
from emulator.personalize.lifecycle import check_no_unfinished_job
from emulator.personalize.resources import (
    DataDeletionJob,
    ImportJob,
    PlannedTraining,
    Solution,
    SolutionVersion,
)
from emulator.personalize.solution_versions import start_training
from emulator.personalize.store import Store
from emulator.protocol.errors import ApiError

MAX_DAYS = 30
FIRST_TRAINING_AFTER = timedelta(minutes=30)
"""AWS only says "within one hour"."""
RETRY_AFTER = timedelta(hours=1)


def check_rate(settings: Mapping[str, Any]) -> None:
    """Reject settings whose trainings would be less than 1 day or more than 30 days apart."""
    if not 1 <= _parse_interval(settings).days <= MAX_DAYS:
        raise invalid_input(f"schedulingExpression must be from 1 to {MAX_DAYS} days")


def _parse_interval(settings: Mapping[str, Any]) -> timedelta:
    """Parse the time between two automatic trainings from a solution's settings."""
    expression = settings["solutionConfig"]["autoTrainingConfig"]["schedulingExpression"]
    # The service model's pattern only allows expressions like `rate(7 days)`.
    return timedelta(days=int(re.sub(r"\D", "", expression)))


def plan_first_training(store: Store, solution: Solution) -> None:
    """Plan the first automatic training of a solution that has just become ACTIVE."""
    if solution.settings_at(store.now)["performAutoTraining"]:
        _plan_training(store, solution, store.now + FIRST_TRAINING_AFTER, is_first=True)


def plan_after_update(store: Store, solution: Solution, old_settings: Mapping[str, Any]) -> None:
    """Plan the next automatic training after an update that turned it on or changed its rate."""
    settings = solution.settings_at(store.now)
    if not settings["performAutoTraining"]:
        return

    last_training_start = _find_last_training_start(store, solution)
    if not old_settings["performAutoTraining"] or last_training_start is None:
        plan_first_training(store, solution)
    elif _parse_interval(settings) != _parse_interval(old_settings):
        next_start = max(last_training_start + _parse_interval(settings), store.now)
        _plan_training(store, solution, next_start)


def train_now(store: Store, solution: Solution) -> bool:
    """Start the next automatic training of a solution at once, instead of at its planned time.

    Return False if no interactions are new, or if the training can't start now.

    Raises:
        ValueError: automatic training of the solution is off.
    """
    settings = solution.settings_at(store.now)
    if not settings["performAutoTraining"]:
        raise ValueError(f"automatic training of {solution.arn} is off")
    if not _has_new_interactions(store, solution, _find_last_training_start(store, solution)):
        return False

    _plan_training(store, solution, store.now + _parse_interval(settings))
    return _start_training(store, solution)


def _plan_training(
    store: Store, solution: Solution, time: datetime, *, is_first: bool = False
) -> None:
    """Plan the next automatic training. It replaces the one that was planned before, if any."""
    planned = PlannedTraining(planned_at=store.now, is_first=is_first)
    solution.planned_training = planned
    store.plan(time, partial(_train_if_needed, store, solution, planned))


def _train_if_needed(store: Store, solution: Solution, planned: PlannedTraining) -> None:
    """Start a planned training if it's still due and worthwhile, and plan the next one."""
    is_current = solution.planned_training is planned and solution.is_active(store.now)
    settings = solution.settings_at(store.now)
    if not is_current or not settings["performAutoTraining"]:
        return

    next_time = _start_or_postpone(store, solution, planned)
    _plan_training(store, solution, next_time)


def _start_or_postpone(store: Store, solution: Solution, planned: PlannedTraining) -> datetime:
    """Start a planned training if there's new data. Return when the next one should start.

    If somebody trained the solution in the meantime, the planned training is postponed.
    """
    rate = _parse_interval(solution.settings_at(store.now))
    last_start = _find_last_training_start(store, solution)
    can_postpone = planned.is_first or store.switches.manual_training_postpones
    if can_postpone and last_start is not None and last_start > planned.planned_at:
        return last_start + rate

    if not _has_new_interactions(store, solution, last_start):
        if store.switches.auto_training_without_data == "skips":
            return store.now + rate
        return store.now + RETRY_AFTER

    if not _start_training(store, solution):
        return store.now + RETRY_AFTER
    return store.now + rate


def _find_last_training_start(store: Store, solution: Solution) -> datetime | None:
    """Find when a solution's last training started, whether automatic or manual."""
    versions = store.list_resources(SolutionVersion, solution.arn)
    return max((version.timeline.created for version in versions), default=None)


def _has_new_interactions(store: Store, solution: Solution, since: datetime | None) -> bool:
    """Tell whether interactions were imported or streamed after `since`, or at all if it's None."""
    dataset = find_dataset(store, solution.group_arn, solution.recipe.dataset_type)
    if dataset is None:
        return False
    if since is None:
        return len(dataset.table) > 0

    if dataset.last_event_at is not None and dataset.last_event_at > since:
        return True
    return any(
        job.is_active(store.now) and job.timeline.transitions[-1].time > since
        for job in store.list_resources(ImportJob, dataset.arn)
    )


def _start_training(store: Store, solution: Solution) -> bool:
    """Start a training, or return False if CreateSolutionVersion would be rejected, too."""
    details = {"trainingMode": "FULL", "trainingType": "AUTOMATIC"}
    try:
        check_no_unfinished_job(store, solution.group_arn, DataDeletionJob)
        start_training(store, solution, details)
    except ApiError:
        return False
    return True

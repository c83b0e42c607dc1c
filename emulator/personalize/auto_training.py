"""Automatic training: Personalize trains a solution again and again, at a rate of 1 to 30 days.

What AWS says about it is on the page "Configuring automatic training" of the guide, and in the
reference of CreateSolution and UpdateSolution. What they leave open is a switch.
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
    """Reject a rate of automatic training that is not from 1 to 30 days."""
    if not 1 <= _find_interval(settings).days <= MAX_DAYS:
        raise invalid_input(f"schedulingExpression must be from 1 to {MAX_DAYS} days")


def _find_interval(settings: Mapping[str, Any]) -> timedelta:
    """Find the time between two automatic trainings in the settings of a solution."""
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

    last_start = _find_last_start(store, solution)
    if not old_settings["performAutoTraining"] or last_start is None:
        plan_first_training(store, solution)
    elif _find_interval(settings) != _find_interval(old_settings):
        next_start = max(last_start + _find_interval(settings), store.now)
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
    if not _has_new_interactions(store, solution, _find_last_start(store, solution)):
        return False

    _plan_training(store, solution, store.now + _find_interval(settings))
    return _start_training(store, solution)


def _plan_training(
    store: Store, solution: Solution, time: datetime, *, is_first: bool = False
) -> None:
    """Plan the next automatic training, instead of the one that was planned before."""
    planned = PlannedTraining(planned_at=store.now, is_first=is_first)
    solution.planned_training = planned
    store.plan(time, partial(_train_if_needed, store, solution, planned))


def _train_if_needed(store: Store, solution: Solution, planned: PlannedTraining) -> None:
    """Start a planned training, unless it was called off or makes no sense, and plan the next."""
    is_current = solution.planned_training is planned and solution.is_active(store.now)
    settings = solution.settings_at(store.now)
    if not is_current or not settings["performAutoTraining"]:
        return

    last_start = _find_last_start(store, solution)
    _plan_training(store, solution, _start_or_postpone(store, solution, planned, last_start))


def _start_or_postpone(
    store: Store, solution: Solution, planned: PlannedTraining, last_start: datetime | None
) -> datetime:
    """Start a planned training unless it makes no sense. Return the time of the next one."""
    rate = _find_interval(solution.settings_at(store.now))
    is_postponed = planned.is_first or store.switches.manual_training_postpones
    if last_start is not None and last_start > planned.planned_at and is_postponed:
        # Somebody has trained the solution since this training was planned.
        return last_start + rate

    if not _has_new_interactions(store, solution, last_start):
        if store.switches.auto_training_without_data == "skips":
            return store.now + rate
        return store.now + RETRY_AFTER

    if not _start_training(store, solution):
        return store.now + RETRY_AFTER
    return store.now + rate


def _find_last_start(store: Store, solution: Solution) -> datetime | None:
    """Find when the last training of a solution started, whoever started it."""
    versions = store.list_resources(SolutionVersion, solution.arn)
    return max((version.timeline.created for version in versions), default=None)


def _has_new_interactions(store: Store, solution: Solution, since: datetime | None) -> bool:
    """Check if interactions were imported or streamed since the last training, or at all."""
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
    """Start a training. Return False if the service would refuse it to a caller as well."""
    details = {"trainingMode": "FULL", "trainingType": "AUTOMATIC"}
    try:
        check_no_unfinished_job(store, solution.group_arn, DataDeletionJob)
        start_training(store, solution, details)
    except ApiError:
        return False
    return True

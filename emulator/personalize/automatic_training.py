"""The trainings that the service starts automatically, every 7 days by default.

Source: guide, "Configuring automatic training". The first training starts within an hour after the
solution, or the update that turned automatic training on, is ACTIVE. The next ones follow at the
rate of the solution, counted from the start of the first one. A training happens only if there are
interactions that arrived since the last training, whoever started that one.
"""

import contextlib
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from emulator.personalize.errors import ApiError
from emulator.personalize.resources import Dataset, EventTracker, ImportJob, Solution
from emulator.personalize.store import Store

FIRST_AFTER = timedelta(hours=1)
RATE = re.compile(r"rate\((\d+) days?\)")
DEFAULT_RATE = timedelta(days=7)
NEVER = datetime.min.replace(tzinfo=UTC)


def begin(store: Store, solution: Solution, train: Callable[[], object]) -> None:
    """Plan the automatic trainings of a solution that, or whose update, has just become ACTIVE.

    `train` starts a training, or raises ApiError. Nothing is planned unless the switch
    `automatic_training` is on.
    """
    if not store.options.switches.automatic_training:
        return
    updates = len(solution.changes)

    def train_and_plan_next() -> None:
        is_current = len(solution.changes) == updates
        settings = solution.settings(store.now)
        if not is_current or not settings["performAutoTraining"]:
            return
        if has_new_interactions(store, solution):
            with contextlib.suppress(ApiError):  # The service tries again at the next time.
                train()
        store.call_at(store.now + _rate(settings), train_and_plan_next)

    store.call_at(store.now + FIRST_AFTER, train_and_plan_next)


def has_new_interactions(store: Store, solution: Solution) -> bool:
    """Return True if interactions arrived since the last training of a solution took its data.

    Trainings that failed or were stopped do not count. An ACTIVE event tracker stands for
    interactions that arrive all the time.
    """
    return _has_new_data(store, solution, [solution.recipe.data])


def has_updated_datasets(store: Store, solution: Solution) -> bool:
    """Return True if any dataset was updated since the last training of a solution took its data.

    Trainings and event trackers count as in `has_new_interactions`. New items are new data for a
    training with UPDATE, which processes the "new items added to the items dataset":
    https://stackoverflow.com/questions/69294232.
    """
    types = {dataset.type for dataset in store.all(Dataset, solution.group_arn)}
    return _has_new_data(store, solution, types)


def _has_new_data(store: Store, solution: Solution, types: Collection[str]) -> bool:
    trackers = store.all(EventTracker, solution.group_arn)
    if any(tracker.is_active(store.now) for tracker in trackers):
        return True
    data_times = [
        version.data_time
        for version in solution.versions
        if version.data_time is not None
        and (version.is_active(store.now) or version.is_unfinished(store.now))
    ]
    return any(end > max(data_times, default=NEVER) for end in _import_ends(store, solution, types))


def _import_ends(store: Store, solution: Solution, types: Collection[str]) -> list[datetime]:
    """Return the times at which import jobs of datasets of these types succeeded."""
    return [
        job.timeline.moment_at(store.now).time
        for dataset in store.all(Dataset, solution.group_arn)
        if dataset.type in types
        for job in store.all(ImportJob, dataset.arn)
        if job.is_active(store.now)
    ]


def _rate(settings: Mapping[str, object]) -> timedelta:
    """Return the time between two automatic trainings of a solution with these settings."""
    config = cast("Mapping[str, Mapping[str, str]]", settings.get("solutionConfig", {}))
    expression = config.get("autoTrainingConfig", {}).get("schedulingExpression", "")
    match = RATE.fullmatch(expression)
    return DEFAULT_RATE if match is None else timedelta(days=int(match[1]))

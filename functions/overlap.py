"""Decides whether a run may begin, or has to wait for other executions of its state machine."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from . import clock
from .errors import RunRefused
from .executions import (
    DATE,
    WITHOUT_SUCCESS,
    configured_run_of,
    export_day,
    last_executions,
    machine_arn_of,
    older_executions,
    run_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_stepfunctions import SFNClient

    from .contract import Begin, Run
    from .workflow_settings import Settings

LONGEST_OVERLAP = timedelta(hours=24)
"""A run waits for an older run at most this long (`components/args.py`)."""
LONGEST_WAIT = timedelta(hours=1)
"""The longest time in a Wait state. A state machine that is deleted has to reach its end."""
LONGEST_PAUSE = timedelta(minutes=30)
"""The longest time between two checks for an older run."""
PAUSE_SHARE = 0.1
"""A run that waits for an older run checks again after this share of its waiting time."""
GO: Begin = {"phase": "GO", "seconds": 0, "reason": None}


def begin(client: SFNClient, settings: Settings, run: Run) -> Begin:
    """Return whether the run may begin now, has to wait, or is skipped.

    The list of executions may be `settleSeconds / 2` behind, so no run begins earlier.

    Raises:
        RunRefused: the run has waited too long, and no other run imports its exports.
    """
    if older := older_executions(client, run):
        return _begin_after(client, settings, run, older)
    return _wait_for_lists(client, settings, run) or _wait_for_turn(settings, run) or GO


def _begin_after(client: SFNClient, settings: Settings, run: Run, older: Sequence[str]) -> Begin:
    """Let the run wait for older runs, or skip it because it has waited too long.

    It waits for at most half of the cadence, so that it has begun when the schedule fires again. A
    run that a ready marker has started waits longer, because no later run imports its export.
    """
    for execution_arn in older:
        if _is_duplicate(client, run, execution_arn):
            return _skipped(f"{execution_arn} is executing run {run['id']} already")
    waited, oldest = _waited(run), older[0]
    longest = LONGEST_OVERLAP
    if run["trigger"] != "export":
        longest = min(timedelta(seconds=settings["cadenceSeconds"] / 2), longest)
    if waited >= longest:
        reason = (
            f"{oldest}, an older run, is still running, and this run has waited for "
            f"{longest / timedelta(hours=1):g} hours; {_way_out(settings, run)}; if the older run "
            "hangs, stop it"
        )
        if _has_exports_of_a_day(settings, run):
            raise RunRefused([reason])
        return _skipped(reason)
    pause = max(_half_settled(settings), min(waited * PAUSE_SHARE, LONGEST_PAUSE))
    return _wait(min(pause, longest - waited), f"{oldest}, an older run, is still running")


def _way_out(settings: Settings, run: Run) -> str:
    """Return which run does the work of a run that has waited too long."""
    if _has_exports_of_a_day(settings, run):
        day = export_day(run)
        chosen = "".join(
            f" --dataset {dataset_type}" for dataset_type in _types_with_days(settings)
        )
        return (
            f"no other run imports the exports of {day}; if no later export has replaced them, "
            f"use retrain start{chosen} --export-date {day}"
        )
    if run["trigger"] == "approval":
        return "the next run deploys the version if it is still the newest"
    return "the next run imports and trains what is new"


def _has_exports_of_a_day(settings: Settings, run: Run) -> bool:
    """Return True if ready markers have started the run, and each day has exports of its own."""
    return run["trigger"] == "export" and bool(_types_with_days(settings))


def _types_with_days(settings: Settings) -> list[str]:
    """Return the types of the datasets that have an export of each day."""
    return [dataset["type"] for dataset in settings["datasets"] if DATE in dataset["dataLocation"]]


def _is_duplicate(client: SFNClient, run: Run, execution_arn: str) -> bool:
    """Return True if one event of the schedule has started this run and the execution.

    EventBridge Scheduler may deliver an event twice.
    """
    if run["trigger"] != "schedule":
        return False
    configured = configured_run_of(client, execution_arn)
    return configured is not None and run_of(configured)["id"] == run["id"]


def _wait_for_lists(client: SFNClient, settings: Settings, run: Run) -> Begin | None:
    """Let the run wait after an execution that did not succeed. Return None if it need not wait.

    A function of that execution may have created a job at the end, which no list shows yet.
    """
    settle_time = timedelta(seconds=settings["limits"]["settleSeconds"])
    for execution in last_executions(client, machine_arn_of(run["executionArn"])):
        if execution["status"] in WITHOUT_SUCCESS:
            pause = execution["stopDate"] + settle_time - clock.now()
            if pause > timedelta():
                arn = execution["executionArn"]
                return _wait(pause, f"{arn} has just ended, and its jobs may not be listed yet")
    return None


def _wait_for_turn(settings: Settings, run: Run) -> Begin | None:
    """Let the run wait until all older executions are surely listed. Return None if they are."""
    pause = _half_settled(settings) - _waited(run)
    if pause <= timedelta():
        return None
    return _wait(pause, "an older run may not be listed yet")


def _waited(run: Run) -> timedelta:
    """Return the time since the start of the run."""
    return clock.now() - datetime.fromisoformat(run["startedAt"])


def _half_settled(settings: Settings) -> timedelta:
    """Return the time by which the list of executions may be behind."""
    return timedelta(seconds=settings["limits"]["settleSeconds"] / 2)


def _wait(pause: timedelta, reason: str) -> Begin:
    """Let the run check again after this pause, but at most an hour later.

    A Wait state takes whole seconds.
    """
    seconds = math.ceil(min(pause, LONGEST_WAIT).total_seconds())
    return {"phase": "WAIT", "seconds": seconds, "reason": reason}


def _skipped(reason: str) -> Begin:
    """Skip the run for this reason."""
    return {"phase": "SKIPPED", "seconds": 0, "reason": reason}

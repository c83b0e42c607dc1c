"""Decides if a run may begin, or must wait for older runs or for a deletion of users.

Two concurrent runs would import and train the same data, so the younger one waits. There is no
lock, because a killed run might never release it (docs/adr/0013-no-lock.md).
"""

from __future__ import annotations

import math
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..common import aws, clock
from ..common.errors import RunRefused
from ..common.formatting import format_hours
from ..common.messages import Message
from ..constants import MAX_WAIT_FOR_DELETION, MAX_WAIT_FOR_OLDER_RUN, UNSUCCESSFUL_STATUSES
from ..contract import Run, Settings, trains_nothing
from ..rules.pacing import choose_waiting_pause
from ..rules.trainings import Deletion, find_running_deletion
from .execution_data import choose_export_day, parse_scheduled_time
from .executions import derive_state_machine_arn, list_latest_executions, list_older_executions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_stepfunctions import SFNClient

LIST_LAG_VARIABLE = "LISTS_LAG_SECONDS"
"""The environment variable with the seconds by which lists may lag behind. Only the emulator sets
it, to 0, because its lists are never stale."""
DEFAULT_LIST_LAG_SECONDS = 90
WAIT_AFTER_FAILURE = timedelta(minutes=4)
"""How long a run waits after another run ended without success. That run's last function may still
change something (`reconcile.MAX_TIME_TO_LAST_CHANGE`), which may show up late in a list."""
SCHEDULE_CHANGE_WINDOW = timedelta(minutes=10)
"""A run counts as started by a change of its schedule if it was scheduled at most this long after
the change."""
SCHEDULED_TIME_ROUNDING = timedelta(minutes=2)
"""How long before the change such a run may be scheduled, because scheduled times are in whole
minutes. A run with an even earlier time was due before the change, but started late."""

MIN_PAUSE = timedelta(seconds=1)


class Pause(NamedTuple):
    """Why a run can't begin, and when to check again."""

    reason: str
    seconds: int
    """The seconds until the next check, or 0 if the run gives up."""


def pause_for_older_runs(client: SFNClient, settings: Settings, run: Run) -> Pause | None:
    """Return a pause while an older run may still create jobs, or None if the run may go on.

    Raises:
        RunRefused: the run waited too long, and no other run imports its exports.
    """
    lag_seconds = os.environ.get(LIST_LAG_VARIABLE, DEFAULT_LIST_LAG_SECONDS)
    lag = timedelta(seconds=float(lag_seconds))

    older_arns = list_older_executions(client, run)
    if older_arns:
        # `retrain watch` and `retrain stop` take an execution's name.
        older_name = older_arns[0].rpartition(":")[2]
        reason = f"{older_name}, an older run, is still running"
        if trains_nothing(settings) and run["trigger"] == "schedule":
            # Such runs may start every hour, and the older one may bake a version for 12 hours.
            return Pause(f"{reason}; the next run does what is left to do", 0)

        min_pause = max(lag, MIN_PAUSE)
        pause = _build_growing_pause(run, reason, min_pause, max_wait=compute_max_wait(settings))
        return pause or _build_last_pause(settings, run, reason)

    # In the emulator, lists are never stale, and functions end with their execution.
    if not lag:
        return None
    return _pause_after_failure(client, run) or _pause_for_list_lag(run, lag)


def _pause_after_failure(client: SFNClient, run: Run) -> Pause | None:
    """Return a pause if a run ended without success less than WAIT_AFTER_FAILURE ago."""
    machine_arn = derive_state_machine_arn(run["executionArn"])
    for execution in list_latest_executions(client, machine_arn):
        if execution["status"] not in UNSUCCESSFUL_STATUSES:
            continue

        name = execution["executionArn"].rpartition(":")[2]
        reason = f"{name} has just ended, and its jobs may not be listed yet"
        remaining = execution["stopDate"] + WAIT_AFTER_FAILURE - clock.now()
        pause = _build_pause(reason, remaining)
        if pause is not None:
            return pause
    return None


def _pause_for_list_lag(run: Run, lag: timedelta) -> Pause | None:
    """Return a pause until the list of executions contains every run that's older than this one."""
    seconds = lag.total_seconds()
    reason = f"AWS may list an older run {seconds:g} seconds late, and two must not run at once"
    return _build_pause(reason, lag - _compute_time_waited(run))


def pause_for_deletion(deletions: Iterable[Deletion], run: Run) -> Pause | None:
    """Return a pause while users are being deleted, or None if the run may go on.

    Raises:
        RunRefused: the run waited too long.
    """
    deletion = find_running_deletion(deletions)
    # A run with `only` neither imports nor trains.
    if deletion is None or "only" in run["request"]:
        return None

    reason = f"users are being deleted by {deletion.arn}"
    pause = _build_growing_pause(run, reason, MIN_PAUSE, max_wait=MAX_WAIT_FOR_DELETION)
    if pause is None:
        longest_wait = format_hours(MAX_WAIT_FOR_DELETION / timedelta(hours=1))
        problem = f"{reason}, and this run has waited for {longest_wait}"
        raise RunRefused([f"{problem}; start a run when the job has ended"])
    return pause


def compute_max_wait(settings: Settings) -> timedelta:
    """Compute how long a run may wait for an older one, so that it begins before the next one."""
    half_cadence = timedelta(seconds=settings["cadenceSeconds"] / 2)
    return min(half_cadence, MAX_WAIT_FOR_OLDER_RUN)


def _build_last_pause(settings: Settings, run: Run, reason: str) -> Pause:
    """Build the pause of 0 seconds that ends a run without a failure, because it waited too long.

    Raises:
        RunRefused: no later run would do the work of this one.
    """
    longest_wait = format_hours(compute_max_wait(settings) / timedelta(hours=1))
    problem = f"{reason}, and this run has waited for {longest_wait}"

    # Only the run that was started by that day's ready markers imports the day's exports.
    if run["trigger"] == "export":
        day = choose_export_day(run)
        message = Message(
            text=(
                f"{problem}; if the older run hangs, stop it; no other run imports the exports of "
                f"{day}, unless later exports have replaced them, so import them"
            ),
            command=f"retrain start --export-date {day}",
        )
        raise RunRefused([message])

    way_out = "the next run does what is left to do; if the older run hangs, stop it"
    return Pause(f"{problem}; {way_out}", 0)


def _build_growing_pause(
    run: Run, reason: str, min_pause: timedelta, max_wait: timedelta
) -> Pause | None:
    """Build a pause that grows with the time already waited, or return None after `max_wait`."""
    waited = _compute_time_waited(run)
    remaining = max_wait - waited
    pause = max(min_pause, choose_waiting_pause(waited))
    return _build_pause(reason, min(pause, remaining))


def _compute_time_waited(run: Run) -> timedelta:
    """Compute how long a run has waited, which is the time since it started."""
    return clock.now() - datetime.fromisoformat(run["startedAt"])


def _build_pause(reason: str, remaining: timedelta) -> Pause | None:
    """Build a pause for the remaining time, or return None if no time remains.

    The time is rounded up, because a Wait state only takes whole seconds.
    """
    seconds = math.ceil(remaining.total_seconds())
    if seconds <= 0:
        return None
    return Pause(reason, seconds)


def explain_start_by_schedule_change(run: Run) -> Message | None:
    """Explain why a run does nothing if a change of its schedule started it, or return None.

    Unlike a cron schedule, a rate schedule fires as soon as it's created, and perhaps when it's
    changed. But nobody expects `pulumi up` to start a training, which costs money.
    """
    scheduled_at = parse_scheduled_time(run["request"])
    schedule_arn = run["request"].get("scheduleArn")
    if scheduled_at is None or not schedule_arn:
        return None

    _, group, name = schedule_arn.split("/")
    schedule = aws.scheduler().get_schedule(GroupName=group, Name=name)
    if not schedule["ScheduleExpression"].startswith("rate("):
        return None

    changed_at = max(schedule["CreationDate"], schedule["LastModificationDate"])
    earliest = changed_at - SCHEDULED_TIME_ROUNDING
    latest = changed_at + SCHEDULE_CHANGE_WINDOW
    if not earliest <= scheduled_at <= latest:
        return None

    return Message(
        text=(
            f"the schedule was created or changed at {changed_at.isoformat(timespec='seconds')}, "
            "and a deployment starts no training; to retrain now, start a run"
        ),
        command="retrain start",
    )

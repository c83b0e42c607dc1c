"""Decides whether a run may begin, or must wait for older runs or for the deletion of users.

Two concurrent runs would import and train the same data, so the younger one waits. There is no
lock, because a killed run might never release it (docs/adr/0013-no-lock.md).
"""

from __future__ import annotations

import math
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from ..common import (
    aws,
    clock,
)
from ..common.errors import RunRefused
from ..common.formatting import format_hours
from ..common.messages import Message
from ..constants import (
    MAX_WAIT_FOR_DELETION,
    MAX_WAIT_FOR_OLDER_RUN,
    UNSUCCESSFUL_STATUSES,
)
from ..rules.pacing import choose_waiting_pause
from ..rules.trainings import (
    Deletion,
    find_running_deletion,
)
from .documents import (
    choose_export_day,
    parse_scheduled_time,
)
from .executions import (
    derive_state_machine_arn,
    list_latest_executions,
    list_older_executions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef
    from mypy_boto3_stepfunctions import SFNClient

    from ..contract import (
        Run,
        Settings,
    )

LIST_LAG_VARIABLE = "LISTS_LAG_SECONDS"
"""The environment variable for how many seconds lists may lag behind. It isn't set on AWS. An
emulator sets it to 0, because its lists are never stale."""
DEFAULT_LIST_LAG_SECONDS = 90
WAIT_AFTER_FAILURE = timedelta(minutes=4)
"""How long a run waits after another run ended without success. The last function of that run may
still send a change (`reconcile.MAX_TIME_TO_LAST_CHANGE`), which may show up late in a list."""
DEPLOYMENT_EVENT_WINDOW = timedelta(minutes=10)
"""An event counts as caused by a change of the schedule if it was scheduled at most this long after
the change."""
SCHEDULE_ROUNDING = timedelta(minutes=2)
"""How long before the change such an event may be scheduled, because scheduled times are whole
minutes. An event with an even earlier time was due before the change and arrived late."""

SHORTEST_PAUSE = timedelta(seconds=1)
UNREADABLE_SCHEDULE_ERRORS = ("ResourceNotFoundException", "AccessDeniedException")
"""The error codes for a schedule that doesn't exist, and for another pipeline's schedule, which the
function's role may not read."""


class Pause(NamedTuple):
    """Why a run can't begin yet, or can't begin at all."""

    reason: str
    seconds: int
    """The seconds until the next check, or 0 if the run gives up."""


def pause_for_older_runs(client: SFNClient, settings: Settings, run: Run) -> Pause | None:
    """Return a pause if older runs are running or their jobs may not be listed yet, else None.

    Raises:
        RunRefused: the run waited too long, and no other run imports its exports.
    """
    lag = timedelta(seconds=float(os.environ.get(LIST_LAG_VARIABLE, DEFAULT_LIST_LAG_SECONDS)))

    older_arns = list_older_executions(client, run)
    if older_arns:
        # `retrain watch` and `retrain stop` take an execution's name.
        name = older_arns[0].rpartition(":")[2]
        reason = f"{name}, an older run, is still running"
        shortest = max(lag, SHORTEST_PAUSE)
        pause = _choose_growing_pause(run, reason, shortest, until=compute_max_wait(settings))
        return pause or _give_up(settings, run, reason)

    # In an emulator, lists are never stale, and functions end with their execution.
    if not lag:
        return None
    return _wait_after_failure(client, run) or _wait_for_list(run, lag)


def _wait_after_failure(client: SFNClient, run: Run) -> Pause | None:
    """Return a pause if an execution that ended without success may still change something."""
    for execution in list_latest_executions(client, derive_state_machine_arn(run["executionArn"])):
        if execution["status"] not in UNSUCCESSFUL_STATUSES:
            continue

        name = execution["executionArn"].rpartition(":")[2]
        reason = f"{name} has just ended, and its jobs may not be listed yet"
        remaining = execution["stopDate"] + WAIT_AFTER_FAILURE - clock.now()
        if pause := _pause_for(reason, remaining):
            return pause
    return None


def _wait_for_list(run: Run, lag: timedelta) -> Pause | None:
    """Return a pause if the list of executions may still lack an older one."""
    seconds = lag.total_seconds()
    reason = f"AWS may list an older run {seconds:g} seconds late, and two must not run at once"
    return _pause_for(reason, lag - _time_waited(run))


def pause_for_deletion(deletions: Iterable[Deletion], run: Run) -> Pause | None:
    """Return a pause if users are being deleted, else None.

    Raises:
        RunRefused: the run waited too long.
    """
    job = find_running_deletion(deletions)
    # A run with `only` neither imports nor trains.
    if job is None or "only" in run["request"]:
        return None

    reason = f"users are being deleted by {job.arn}"
    pause = _choose_growing_pause(run, reason, SHORTEST_PAUSE, until=MAX_WAIT_FOR_DELETION)
    if pause is None:
        longest_wait = format_hours(MAX_WAIT_FOR_DELETION / timedelta(hours=1))
        problem = f"{reason}, and this run has waited for {longest_wait}"
        raise RunRefused([f"{problem}; start a run when the job has ended"])
    return pause


def compute_max_wait(settings: Settings) -> timedelta:
    """Return how long a run may wait for an older one and still begin before the next one."""
    return min(timedelta(seconds=settings["cadenceSeconds"] / 2), MAX_WAIT_FOR_OLDER_RUN)


def _give_up(settings: Settings, run: Run, reason: str) -> Pause:
    """Skip the run, or raise RunRefused if the next run wouldn't do its work."""
    longest_wait = format_hours(compute_max_wait(settings) / timedelta(hours=1))
    problem = f"{reason}, and this run has waited for {longest_wait}"

    # Only the run that a ready marker started imports the exports of that day.
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


def _choose_growing_pause(
    run: Run, reason: str, shortest: timedelta, until: timedelta
) -> Pause | None:
    """Return a pause that grows with the time already waited, or None after `until`."""
    waited = _time_waited(run)
    pause = max(shortest, choose_waiting_pause(waited))
    return _pause_for(reason, min(pause, until - waited))


def _time_waited(run: Run) -> timedelta:
    """Return how long a run has waited, which is the time since it started."""
    return clock.now() - datetime.fromisoformat(run["startedAt"])


def _pause_for(reason: str, remaining: timedelta) -> Pause | None:
    """Return a pause for the remaining time, or None if there is none left.

    It's rounded up, because a Wait state only takes whole seconds.
    """
    seconds = math.ceil(remaining.total_seconds())
    if seconds <= 0:
        return None
    return Pause(reason, seconds)


def explain_start_by_schedule_change(run: Run) -> Message | None:
    """Explain why to skip a run if deploying its schedule started it, or return None.

    Unlike a cron schedule, a rate schedule fires as soon as it's created, and perhaps when it's
    changed. But nobody expects a deployment to start a training, which costs money.

    Raises:
        RunRefused: the input names a schedule that doesn't exist or belongs to another pipeline.
    """
    scheduled = parse_scheduled_time(run["request"])
    arn = run["request"].get("scheduleArn")
    if scheduled is None or not arn:
        return None

    schedule = _read_schedule(arn)
    changed_at = max(schedule["CreationDate"], schedule["LastModificationDate"])
    is_close = -SCHEDULE_ROUNDING <= scheduled - changed_at <= DEPLOYMENT_EVENT_WINDOW
    if not is_close or not schedule["ScheduleExpression"].startswith("rate("):
        return None

    return Message(
        text=(
            f"the schedule was created or changed at {changed_at.isoformat(timespec='seconds')}, "
            "and a deployment starts no training; to retrain now, start a run"
        ),
        command="retrain start",
    )


def _read_schedule(arn: str) -> GetScheduleOutputTypeDef:
    """Read a schedule of this pipeline.

    Raises:
        RunRefused: the schedule doesn't exist or belongs to another pipeline.
    """
    _, group, name = arn.split("/")

    try:
        return aws.scheduler().get_schedule(GroupName=group, Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in UNREADABLE_SCHEDULE_ERRORS:
            raise

        message = f"scheduleArn: {arn} is not a schedule of this pipeline; leave it out"
        raise RunRefused([message]) from error

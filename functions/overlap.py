"""Decides whether a run may begin, or has to wait for older runs or for the deletion of users.

Two runs at once would import and train the same data. So of two runs the younger one waits, without
a lock that a killed run might keep (docs/adr/0013-no-lock.md).
"""

from __future__ import annotations

import math
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from . import aws, clock
from .constants import ENDS_WITHOUT_SUCCESS, LONGEST_DELETION, LONGEST_OVERLAP
from .errors import RunRefused
from .executions import derive_machine_arn, last_executions, list_older_executions
from .messages import Message
from .rules.pacing import choose_waiting_pause
from .rules.trainings import Deletion, find_running_deletion
from .runs import choose_export_day, parse_scheduled_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef
    from mypy_boto3_stepfunctions import SFNClient

    from .contract import Run, Settings

LISTS_LAG = "LISTS_LAG_SECONDS"
"""The environment variable for the seconds that lists may lag behind. It isn't set on AWS. An
emulator sets it to 0, because its lists are never outdated."""
DEFAULT_LISTS_LAG = 90
AFTER_DEATH = timedelta(minutes=4)
"""How long a run waits after the end of one that hasn't succeeded. The last function of that one
may still send a change (`reconcile.LAST_CHANGE`), which a list may show late."""
DEPLOYMENT_EVENT_WINDOW = timedelta(minutes=10)
"""An event counts as caused by a change of the schedule if its scheduled time is at most this long
after the change."""
SCHEDULE_ROUNDING = timedelta(minutes=2)
"""How long before the change the scheduled time of such an event may be, because these times are
whole minutes. An event with an even earlier time was due before the change, and came late."""

SHORTEST_PAUSE = timedelta(seconds=1)
NO_SCHEDULE = ("ResourceNotFoundException", "AccessDeniedException")
"""The errors for a schedule of another pipeline, which the function's role may not read."""


class Pause(NamedTuple):
    """Why a run may not begin yet, or not at all."""

    reason: str
    seconds: int
    """The seconds until the next check, or 0 if the run gives up."""


def wait_for_older_runs(client: SFNClient, settings: Settings, run: Run) -> Pause | None:
    """Hold a run back until all older runs have ended and their jobs are listed, then return None.

    Raises:
        RunRefused: the run has waited too long, and no other run imports its exports.
    """
    lag = timedelta(seconds=float(os.environ.get(LISTS_LAG, DEFAULT_LISTS_LAG)))

    older_arns = list_older_executions(client, run)
    if older_arns:
        # `retrain watch` and `retrain stop` find an execution by its name.
        name = older_arns[0].rpartition(":")[2]
        reason = f"{name}, an older run, is still running"
        shortest = max(lag, SHORTEST_PAUSE)
        pause = _choose_growing_pause(run, reason, shortest, until=choose_longest_wait(settings))
        return pause or _give_up(settings, run, reason)

    # In an emulator, lists are never late, and functions end with their execution.
    if not lag:
        return None
    return _wait_after_death(client, run) or _wait_for_list(run, lag)


def _wait_after_death(client: SFNClient, run: Run) -> Pause | None:
    """Hold a run back until an execution without success can't change anything any more."""
    for execution in last_executions(client, derive_machine_arn(run["executionArn"])):
        if execution["status"] not in ENDS_WITHOUT_SUCCESS:
            continue

        name = execution["executionArn"].rpartition(":")[2]
        reason = f"{name} has just ended, and its jobs may not be listed yet"
        remaining = execution["stopDate"] + AFTER_DEATH - clock.now()
        if pause := _pause(reason, remaining):
            return pause
    return None


def _wait_for_list(run: Run, lag: timedelta) -> Pause | None:
    """Hold a run back until the list of executions certainly shows every older one."""
    seconds = lag.total_seconds()
    reason = f"AWS may list an older run {seconds:g} seconds late, and two must not run at once"
    return _pause(reason, lag - _waited(run))


def wait_for_deletion(deletions: Iterable[Deletion], run: Run) -> Pause | None:
    """Hold a run back while users are being deleted, then return None.

    Raises:
        RunRefused: the run has waited too long.
    """
    job = find_running_deletion(deletions)
    # With `only`, the run neither imports nor trains.
    if job is None or "only" in run["request"]:
        return None

    reason = f"users are being deleted by {job.arn}"
    pause = _choose_growing_pause(run, reason, SHORTEST_PAUSE, until=LONGEST_DELETION)
    if pause is None:
        hours = LONGEST_DELETION / timedelta(hours=1)
        problem = f"{reason}, and this run has waited for {hours:g} hours"
        raise RunRefused([f"{problem}; start a run when the job has ended"])
    return pause


def choose_longest_wait(settings: Settings) -> timedelta:
    """Return how long a run waits for an older run, if it's to begin before the next run."""
    return min(timedelta(seconds=settings["cadenceSeconds"] / 2), LONGEST_OVERLAP)


def _give_up(settings: Settings, run: Run, reason: str) -> Pause:
    """Skip the run, or refuse it if the next run wouldn't do its work."""
    hours = choose_longest_wait(settings) / timedelta(hours=1)
    problem = f"{reason}, and this run has waited for {hours:g} hours"

    # A run that a ready marker has started is the only one that imports the exports of its day.
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
    """Return a pause that grows with the time since the run's start, or None after `until`."""
    waited = _waited(run)
    pause = max(shortest, choose_waiting_pause(waited))
    return _pause(reason, min(pause, until - waited))


def _waited(run: Run) -> timedelta:
    """Return how long a run has waited, which is the time since its start."""
    return clock.now() - datetime.fromisoformat(run["startedAt"])


def _pause(reason: str, remaining: timedelta) -> Pause | None:
    """Return a pause for the time that remains, or None if none does.

    It's rounded up to whole seconds, because a Wait state takes no fractions.
    """
    seconds = math.ceil(remaining.total_seconds())
    if seconds <= 0:
        return None
    return Pause(reason, seconds)


def explain_deployment_event(run: Run) -> Message | None:
    """Skip a run that was only started because its schedule was deployed: return why, or None.

    Unlike a cron, a rate fires as soon as it's created, and perhaps also when it's changed. But
    nobody who deploys expects a training, which costs money.

    Raises:
        RunRefused: the input names a schedule that doesn't exist, or belongs to another pipeline.
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
        RunRefused: the schedule doesn't exist, or belongs to another pipeline.
    """
    _, group, name = arn.split("/")

    try:
        return aws.scheduler().get_schedule(GroupName=group, Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NO_SCHEDULE:
            raise

        message = f"scheduleArn: {arn} is not a schedule of this pipeline; leave it out"
        raise RunRefused([message]) from error

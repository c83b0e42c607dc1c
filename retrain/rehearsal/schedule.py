"""Reads the schedule of a deployed stack, and waits for its first event."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import boto3

from emulator.server import slots
from retrain.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from emulator.process import Emulator

POLL_SECONDS = 0.1
FIRST_EVENT_SECONDS = 60
FIRST_EVENT_IS_OVER = timedelta(minutes=11)
"""A run skips an event within 10 minutes of a deployment, because the deployment caused it."""


def next_slot(emulator: Emulator, schedule_arn: str, after: str | None = None) -> str | None:
    """Return the schedule's next slot in ISO 8601, or None if the schedule is disabled.

    The slot comes after the slot `after`, and late enough for a run not to take it for the first
    event. Raises RehearsalError if the schedule has no slot left.
    """
    group, name = schedule_arn.split("/")[1:]
    scheduler = boto3.client("scheduler", **emulator.connection)
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    if schedule["State"] == "DISABLED":
        return None
    timing = cast(
        "slots.Timing",
        {**schedule, "LastModificationDate": schedule["LastModificationDate"].timestamp()},
    )
    earliest = datetime.now(UTC) + FIRST_EVENT_IS_OVER
    if after is not None:
        earliest = max(earliest, datetime.fromisoformat(after))
    slot = slots.next_slot(timing, earliest)
    if slot is None:
        raise RehearsalError(
            f"{schedule['ScheduleExpression']} has no future slot; "
            "change retrainingRate to one that has, for example 7 days"
        )
    return slot.isoformat()


def wait_for_first_event(emulator: Emulator, state_machine_arn: str) -> None:
    """Wait until the run ends that a rate schedule starts when it is created.

    A run that overlapped with it would be skipped. If no run starts within FIRST_EVENT_SECONDS,
    the schedule cannot start any, and the next slot will show it.
    """
    states = boto3.client("stepfunctions", **emulator.connection)
    deadline = time.monotonic() + FIRST_EVENT_SECONDS
    while time.monotonic() < deadline:
        executions = states.list_executions(stateMachineArn=state_machine_arn)["executions"]
        if executions and all(execution["status"] != "RUNNING" for execution in executions):
            return
        time.sleep(POLL_SECONDS)

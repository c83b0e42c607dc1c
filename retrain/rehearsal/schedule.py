"""Reads the schedule of a deployed stack, and waits for its first event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import boto3

from emulator.server import slots
from retrain.rehearsal.errors import RehearsalError
from retrain.rehearsal.waiting import wait_until

if TYPE_CHECKING:
    from emulator.process import Emulator

FIRST_EVENT_SECONDS = 60
SLOT_DELAY = timedelta(minutes=11)
"""A run trains nothing for an event within 10 minutes of a deployment, which may have caused it."""


def next_slot(
    emulator: Emulator, schedule_arn: str, previous_slot: str | None = None
) -> str | None:
    """Return the schedule's next slot in ISO 8601, or None if the schedule is disabled.

    The slot comes after `previous_slot` and after SLOT_DELAY, so that the run trains. Raises
    RehearsalError if the schedule has no slot left.
    """
    group, name = schedule_arn.split("/")[1:]
    scheduler = boto3.client("scheduler", **emulator.connection)
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    if schedule["State"] == "DISABLED":
        return None
    modified = schedule["LastModificationDate"].timestamp()
    timing = cast("slots.Timing", {**schedule, "LastModificationDate": modified})
    earliest = datetime.now(UTC) + SLOT_DELAY
    if previous_slot is not None:
        earliest = max(earliest, datetime.fromisoformat(previous_slot))
    slot = slots.next_slot(timing, earliest)
    if slot is None:
        raise RehearsalError(
            f"{schedule['ScheduleExpression']} does not fire again; change retrainingRate, for "
            "example to 7 days"
        )
    return slot.isoformat()


def wait_for_first_event(emulator: Emulator, state_machine_arn: str) -> None:
    """Wait for the run that a rate schedule starts when it is created, until that run ends.

    The pipeline would skip a run that overlaps with it. If no run has ended after
    FIRST_EVENT_SECONDS, return without an error. The rehearsal then reports a schedule that cannot
    start a run when it fires the next slot.
    """
    step_functions = boto3.client("stepfunctions", **emulator.connection)

    def has_ended() -> bool:
        response = step_functions.list_executions(stateMachineArn=state_machine_arn)
        statuses = [execution["status"] for execution in response["executions"]]
        return bool(statuses) and "RUNNING" not in statuses

    wait_until(has_ended, seconds=FIRST_EVENT_SECONDS)

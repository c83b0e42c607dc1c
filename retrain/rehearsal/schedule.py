"""Chooses the slots of a deployed stack's schedule, and waits for the schedule's first event.

A rehearsal fires slots of past days, one for each day. So a run by hand belongs to a later day than
all runs of the schedule, and each run has another folder if the location contains `{date}`.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, cast

import boto3

from emulator.server import slots
from retrain.rehearsal.errors import RehearsalError
from retrain.rehearsal.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.process import Emulator

FIRST_EVENT_SECONDS = 60
SLOT_DELAY = timedelta(minutes=11)
"""A run trains nothing for an event within 10 minutes of a deployment, which may have caused it."""
PAST_SLOTS = 20
"""The number of past slots, which is more than a rehearsal has runs."""
LONGEST_SEARCH = timedelta(days=25 * 365)
"""The search for past slots does not go back further. A schedule may fire once a year."""


def next_slot(
    emulator: Emulator, schedule_arn: str, previous_slot: str | None = None
) -> str | None:
    """Return the slot after `previous_slot` in ISO 8601, or None if the schedule is disabled.

    The first slot is PAST_SLOTS before today, if the schedule has so many. Slots of today are left
    out. After the past slots come those that are later than SLOT_DELAY. Raises RehearsalError if
    the schedule has no slot left.
    """
    group, name = schedule_arn.split("/")[1:]
    scheduler = boto3.client("scheduler", **emulator.connection)
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    if schedule["State"] == "DISABLED":
        return None
    modified = schedule["LastModificationDate"].timestamp()
    timing = cast("slots.Timing", {**schedule, "LastModificationDate": modified})
    now = datetime.now(UTC)
    past_slots = _past_slots(timing, min(_beginning_of_day(now), now - SLOT_DELAY))
    if previous_slot is not None:
        previous = datetime.fromisoformat(previous_slot)
        past_slots = [slot for slot in past_slots if slot > previous]
        now = max(now, previous)
    slot = past_slots[0] if past_slots else slots.next_slot(timing, now + SLOT_DELAY)
    if slot is None:
        raise RehearsalError(
            f"{schedule['ScheduleExpression']} does not fire again; change retrainingRate, for "
            "example to 7 days"
        )
    return slot.isoformat()


def _past_slots(timing: slots.Timing, before: datetime) -> list[datetime]:
    """Return the last PAST_SLOTS slots of a schedule before a time, one for each day."""
    age = timedelta(days=PAST_SLOTS)
    past_slots: list[datetime] = []
    while len(past_slots) < PAST_SLOTS and age < LONGEST_SEARCH:
        past_slots = list(_slots_of_days(timing, before - age, before))
        age *= 2
    return past_slots[-PAST_SLOTS:]


def _slots_of_days(timing: slots.Timing, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the first slot of each day from `start` to before `end`.

    A rate counts from the schedule's last change. Here it counts from `start`, as if the schedule
    had existed then.
    """
    earlier = cast("slots.Timing", {**timing, "LastModificationDate": start.timestamp()})
    slot = slots.next_slot(earlier, start)
    while slot is not None and slot < end:
        yield slot
        slot = slots.next_slot(earlier, _beginning_of_day(slot) + timedelta(days=1, seconds=-1))


def _beginning_of_day(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), time(), UTC)


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

"""Fires the schedules of EventBridge Scheduler, which MiniStack only stores.

A *slot* is a time at which a schedule is due (`slots.py`). A *delivery* starts a schedule's target,
which is a state machine or a function, for one slot. *Context attributes*, such as the scheduled
time, replace placeholders like `<aws.scheduler.scheduled-time>` in the target's input.

A delivery assumes the schedule's role, whose trust policy sees the ARN of the schedule **group** as
`aws:SourceArn`. The execution's name is derived from the schedule and the slot, so that a repeated
delivery doesn't start a second execution. A failed delivery isn't retried. Instead, the event goes
to the dead-letter queue, also with the schedule's role.

As in AWS, a schedule can't be created or updated if its role doesn't trust Scheduler, or if its
expression is invalid.
"""

import datetime as dt
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError
from ministack.core.responses import get_account_id, get_region
from ministack.services import scheduler

from emulator.protocol.errors import ApiError
from emulator.server import http, iam, ministack, slots
from emulator.server.clients import get_client

SERVICE_PRINCIPAL = "scheduler.amazonaws.com"
TARGET_ARN = re.compile("arn:[^:]+:(states|lambda):")
SECONDS_BETWEEN_POLLS = 0.5
Schedule = dict[str, Any]
"""MiniStack's record of a schedule, with the same field names as in the API."""


def start() -> None:
    """Start a thread that fires the schedules of all accounts and regions whenever they're due."""
    threading.Thread(target=_fire_due_schedules, daemon=True, name="scheduler").start()


def fire(request: dict[str, Any]) -> dict[str, str]:
    """Fire a schedule at once. This implements the control `fire` (see `admin.py`).

    Raises:
        LookupError: the schedule doesn't exist or is disabled.
        ClientError: the schedule's target can't be started.
    """
    name = request["schedule"]
    group = request.get("group", "default")
    slot = dt.datetime.now(dt.UTC)
    if request.get("scheduledTime"):
        slot = dt.datetime.fromisoformat(request["scheduledTime"]).astimezone(dt.UTC)

    schedule = _find_schedule(name, group)
    if schedule["State"] != "ENABLED":
        raise LookupError(f"schedule {name} in group {group} is {schedule['State']}")
    return {"executionArn": _deliver(schedule, slot)}


def _deliver(schedule: Schedule, slot: dt.datetime) -> str:
    """Start a schedule's target for a slot and return the ARN of the execution or function.

    This doesn't wait for the target to finish.

    Raises:
        ClientError: the target can't be started. The event is in the dead-letter queue, if any.
    """
    context_attributes = _build_context_attributes(schedule, slot)
    payload = str(schedule["Target"].get("Input", "{}"))
    for attribute, value in context_attributes.items():
        payload = payload.replace(f"<aws.scheduler.{attribute}>", value)

    try:
        return _start_target(schedule, context_attributes["execution-id"], payload)
    except ClientError as error:
        if "DeadLetterConfig" in schedule["Target"]:
            _send_to_dead_letter_queue(schedule, context_attributes, payload, error)
        raise


def _start_target(schedule: Schedule, execution_id: str, payload: str) -> str:
    """Invoke a schedule's function or start its state machine, using the schedule's role.

    Return the ARN of the function or of the execution.
    """
    target_arn = str(schedule["Target"]["Arn"])
    if target_arn.split(":")[2] == "lambda":
        lambda_client = _get_role_client("lambda", schedule, execution_id)
        lambda_client.invoke(FunctionName=target_arn, InvocationType="Event", Payload=payload)
        return target_arn

    states_client = _get_role_client("stepfunctions", schedule, execution_id)
    # StartExecution is idempotent: a repeated delivery has the same name and input, so it doesn't
    # start a second execution.
    execution = states_client.start_execution(
        stateMachineArn=target_arn, name=execution_id, input=payload
    )
    return str(execution["executionArn"])


def _fire_due_schedules() -> None:
    """Poll for due deliveries forever and run each delivery in its own thread.

    The error of a failed delivery ends up in the server's log.
    """
    since = dt.datetime.now(dt.UTC)
    while True:
        time.sleep(SECONDS_BETWEEN_POLLS)
        now = dt.datetime.now(dt.UTC)
        for delivery in find_due_deliveries(since, now):
            threading.Thread(target=_deliver, args=delivery, daemon=True).start()
        since = now


def _send_to_dead_letter_queue(
    schedule: Schedule, context_attributes: dict[str, str], payload: str, error: ClientError
) -> None:
    """Send an undeliverable event to the schedule's dead-letter queue."""
    account, queue_name = schedule["Target"]["DeadLetterConfig"]["Arn"].split(":")[4:]
    message_attributes = _build_message_attributes(schedule, context_attributes, error)

    with suppress(ClientError):  # The caller raises the original error.
        sqs = _get_role_client("sqs", schedule, context_attributes["execution-id"])
        sqs.send_message(
            QueueUrl=f"{sqs.meta.endpoint_url}/{account}/{queue_name}",
            MessageBody=payload,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in message_attributes.items()
            },
        )


def _get_role_client(service: str, schedule: Schedule, session_name: str) -> Any:  # noqa: ANN401  # as in clients.py
    """Return a client with the credentials of a schedule's role.

    Raises:
        AccessDeniedError: the role doesn't trust Scheduler.
    """
    # A schedule's ARN ends with /GROUP/NAME, and the group's ARN ends with /GROUP.
    group_arn = schedule["Arn"].rpartition("/")[0].replace(":schedule/", ":schedule-group/")
    credentials = iam.assume_role(
        schedule["Target"]["RoleArn"],
        service=SERVICE_PRINCIPAL,
        source_arn=group_arn,
        session_name=session_name,
    )

    region = schedule["Arn"].split(":")[3]
    return get_client(service, region, credentials)


def _build_message_attributes(
    schedule: Schedule, context_attributes: dict[str, str], error: ClientError
) -> dict[str, str]:
    """Build the message attributes that Scheduler adds to an event in a dead-letter queue."""
    return {
        "ERROR_CODE": error.response["Error"]["Code"],
        "ERROR_MESSAGE": error.response["Error"]["Message"],
        "EXECUTION_ID": context_attributes["execution-id"],
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": context_attributes["scheduled-time"],
        "SCHEDULE_ARN": schedule["Arn"],
        "TARGET_ARN": schedule["Target"]["Arn"],
    }


def _build_context_attributes(schedule: Schedule, slot: dt.datetime) -> dict[str, str]:
    """Map the NAME in each placeholder `<aws.scheduler.NAME>` to its value.

    A repeated delivery for the same slot gets the same values.
    """
    scheduled_time = slot.strftime("%Y-%m-%dT%H:%M:%SZ")
    execution_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{schedule['Arn']} {scheduled_time}")
    return {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": scheduled_time,
        "execution-id": execution_id.hex[:16],
        "attempt-number": "1",
    }


def find_due_deliveries(
    since: dt.datetime, now: dt.datetime
) -> Iterator[tuple[Schedule, dt.datetime]]:
    """Yield each enabled schedule with each of its slots between `since` and `now`.

    If a schedule was created or updated in the meantime, its first slot counts even if it's before
    the update. That's possible because slots are in whole seconds, but updates aren't.
    """
    for schedule in _list_schedules():
        changed_at = schedule["LastModificationDate"]
        is_enabled = schedule["State"] == "ENABLED"
        if not is_enabled or changed_at > now.timestamp():
            continue

        after = None
        if changed_at < since.timestamp():
            after = since
        slot = slots.find_next_slot(schedule, after)
        while slot is not None and slot <= now:
            yield schedule, slot
            slot = slots.find_next_slot(schedule, slot)


def _list_schedules() -> list[Schedule]:
    """List MiniStack's records of the schedules in all accounts and regions."""
    return [record for _, record in scheduler._schedules.all_items()]  # noqa: SLF001  # ListSchedules is limited to one account


def _find_schedule(name: str, group: str) -> Schedule:
    """Find a schedule in any account and region. Raise LookupError if it doesn't exist."""
    for schedule in _list_schedules():
        if schedule["Name"] == name and schedule["GroupName"] == group:
            return schedule
    raise LookupError(f"there is no schedule {name} in group {group}")


@ministack.replace(scheduler, "start_scheduler")
def disable_ministack_scheduler(_start: Callable[[], None]) -> None:
    """Prevent MiniStack from firing schedules itself.

    MiniStack would neither check the roles of schedules nor fill in context attributes.
    """


@ministack.guard("scheduler")
def remove_all_named_tags(call: ministack.Call) -> http.Response | None:
    """Handle UntagResource here because MiniStack would only remove the first of several tags."""
    if call.method != "DELETE" or not call.path.startswith("/tags/"):
        return None

    arn = unquote(call.path.removeprefix("/tags/"))
    response: http.Response = scheduler._untag_resource(arn, call.query)  # noqa: SLF001  # no other way
    return response


@ministack.guard("scheduler")
def reject_schedule(call: ministack.Call) -> None:
    """Reject a new or changed schedule that AWS would reject or that the emulator can't fire."""
    if call.method not in {"POST", "PUT"} or not call.path.startswith("/schedules/"):
        return

    reason = _find_rejection_reason(call.document)
    if reason is not None:
        raise ApiError("ValidationException", reason)


def _find_rejection_reason(schedule: Schedule) -> str | None:
    """Return the first reason to reject a schedule, or None if the schedule is valid."""
    target = schedule["Target"]
    group_name = schedule.get("GroupName", "default")
    group_arn = f"arn:aws:scheduler:{get_region()}:{get_account_id()}:schedule-group/{group_name}"
    if not iam.trusts(target["RoleArn"], service=SERVICE_PRINCIPAL, source_arn=group_arn):
        return (
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the"
            " role."
        )

    if not TARGET_ARN.match(target["Arn"]):
        return f"Target.Arn: {target['Arn']!r} is not supported, only a state machine or a function"
    if schedule.keys() & {"StartDate", "EndDate"}:
        return "StartDate and EndDate are not supported by this emulator"

    # Calculate a slot because an invalid expression or time zone raises ValueError then.
    try:
        slots.find_next_slot({**schedule, "LastModificationDate": time.time()})
    except ValueError as error:
        return str(error)
    return None

"""EventBridge Scheduler: MiniStack stores the schedules, and this module fires them.

A slot is a time at which a schedule is due (`slots.py`). A schedule fires at each slot, and when
`fire` is called. The module fills in the context attributes of the input, opens a session of the
schedule's role, and starts the execution or invokes the function. In the role's trust policy,
`aws:SourceArn` is the ARN of the schedule **group**. The name of the execution comes from the
schedule and the slot, so a second delivery for a slot finds the first execution. There is one
attempt. An event that cannot be delivered is sent to the dead-letter queue, with the schedule's
role too.

As on AWS, Scheduler refuses a schedule at its creation or change if its role does not trust the
group, or if its expression is invalid.
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

SERVICE = "scheduler.amazonaws.com"
TARGET_ARN = re.compile("arn:[^:]+:(states|lambda):")
SECONDS_BETWEEN_TICKS = 0.5
Schedule = dict[str, Any]
"""MiniStack's record of a schedule, with the field names of the API."""


def start() -> None:
    """Fire the schedules of every account and region in MiniStack's store from now on."""
    threading.Thread(target=_run, daemon=True, name="scheduler").start()


def fire(request: dict[str, Any]) -> dict[str, str]:
    """Start the target of a schedule, as the control `fire` in `admin.py` asks.

    Raise LookupError if there is no such enabled schedule, and ClientError if the target cannot be
    started.
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
    """Start a schedule's target for a slot, and return the ARN of the execution or function.

    Scheduler does not wait for either. If the target cannot be started, the dead-letter queue gets
    the event, and ClientError is raised.
    """
    context = build_context_attributes(schedule, slot)
    payload = str(schedule["Target"].get("Input", "{}"))
    for attribute, value in context.items():
        payload = payload.replace(f"<aws.scheduler.{attribute}>", value)

    try:
        return _start_target(schedule, context, payload)
    except ClientError as error:
        if "DeadLetterConfig" in schedule["Target"]:
            _send_to_dead_letter_queue(schedule, context, payload, error)
        raise


def _start_target(schedule: Schedule, context: dict[str, str], payload: str) -> str:
    """Invoke the function or start the state machine of a schedule, with the schedule's role.

    A second delivery for a slot finds the first execution, because it has the same name.
    """
    target_arn = str(schedule["Target"]["Arn"])
    if target_arn.split(":")[2] == "lambda":
        lambda_client = _client("lambda", schedule, context)
        lambda_client.invoke(FunctionName=target_arn, InvocationType="Event", Payload=payload)
        return target_arn

    states_client = _client("stepfunctions", schedule, context)
    execution = states_client.start_execution(
        stateMachineArn=target_arn, name=context["execution-id"], input=payload
    )
    return str(execution["executionArn"])


def _run() -> None:
    """Start a thread for each delivery when it is due. The log shows the error of a thread."""
    since = dt.datetime.now(dt.UTC)
    while True:
        time.sleep(SECONDS_BETWEEN_TICKS)
        now = dt.datetime.now(dt.UTC)
        for delivery in find_due_deliveries(since, now):
            threading.Thread(target=_deliver, args=delivery, daemon=True).start()
        since = now


def _send_to_dead_letter_queue(
    schedule: Schedule, context: dict[str, str], payload: str, error: ClientError
) -> None:
    """Send an event that could not be delivered to the schedule's queue."""
    account, queue_name = schedule["Target"]["DeadLetterConfig"]["Arn"].split(":")[4:]
    attributes = _describe_failure(schedule, context, error)

    with suppress(ClientError):  # the log of the calls has the refusal
        sqs = _client("sqs", schedule, context)
        sqs.send_message(
            QueueUrl=f"{sqs.meta.endpoint_url}/{account}/{queue_name}",
            MessageBody=payload,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        )


def _client(service: str, schedule: Schedule, context: dict[str, str]) -> Any:  # noqa: ANN401  # as in clients.py
    """Create a client with the credentials of the schedule's role. Raise AccessDeniedError."""
    schedule_path = schedule["Arn"].rpartition("/")[0]
    credentials = iam.assume_role(
        schedule["Target"]["RoleArn"],
        service=SERVICE,
        source_arn=schedule_path.replace(":schedule/", ":schedule-group/"),
        session_name=context["execution-id"],
    )
    region = schedule["Arn"].split(":")[3]
    return get_client(service, region, credentials)


def _describe_failure(
    schedule: Schedule, context: dict[str, str], error: ClientError
) -> dict[str, str]:
    """Describe why an event was not delivered, in the message attributes of Scheduler."""
    return {
        "ERROR_CODE": error.response["Error"]["Code"],
        "ERROR_MESSAGE": error.response["Error"]["Message"],
        "EXECUTION_ID": context["execution-id"],
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": context["scheduled-time"],
        "SCHEDULE_ARN": schedule["Arn"],
        "TARGET_ARN": schedule["Target"]["Arn"],
    }


def build_context_attributes(schedule: Schedule, slot: dt.datetime) -> dict[str, str]:
    """Build the values of `<aws.scheduler.NAME>`. They are equal for all deliveries for a slot."""
    scheduled_time = slot.strftime("%Y-%m-%dT%H:%M:%SZ")
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{schedule['Arn']} {scheduled_time}")
    return {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": scheduled_time,
        "execution-id": identity.hex[:16],
        "attempt-number": "1",
    }


def find_due_deliveries(
    since: dt.datetime, now: dt.datetime
) -> Iterator[tuple[Schedule, dt.datetime]]:
    """Yield the schedules, and the slots that became due after `since` and are due at `now`.

    A schedule that was created or changed after `since` starts with its first slot, which can be
    a fraction of a second before its change.
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
    """List MiniStack's records of the schedules of every account and region."""
    return [record for _, record in scheduler._schedules.all_items()]  # noqa: SLF001  # ListSchedules has one account


def _find_schedule(name: str, group: str) -> Schedule:
    for schedule in _list_schedules():
        if schedule["Name"] == name and schedule["GroupName"] == group:
            return schedule
    raise LookupError(f"there is no schedule {name} in group {group}")


@ministack.replace(scheduler, "start_scheduler")
def leave_schedules_alone(_start: Callable[[], None]) -> None:
    """Let MiniStack fire no schedules. It would check no role and fill in no attributes."""


@ministack.guard("scheduler")
def remove_every_named_tag(call: ministack.Call) -> http.Response | None:
    """Respond to UntagResource. MiniStack removes the first of several tags only."""
    if call.method != "DELETE" or not call.path.startswith("/tags/"):
        return None
    arn = unquote(call.path.removeprefix("/tags/"))
    response: http.Response = scheduler._untag_resource(arn, call.query)  # noqa: SLF001
    return response


@ministack.guard("scheduler")
def refuse_schedule(call: ministack.Call) -> None:
    """Refuse to create or change a schedule with a wrong role, target, time or expression."""
    if call.method not in {"POST", "PUT"} or not call.path.startswith("/schedules/"):
        return

    problem = _find_problem(call.document)
    if problem is not None:
        raise ApiError("ValidationException", problem)


def _find_problem(schedule: Schedule) -> str | None:
    """Find the first reason to refuse a schedule, or None."""
    target = schedule["Target"]
    group_name = schedule.get("GroupName", "default")
    group_arn = f"arn:aws:scheduler:{get_region()}:{get_account_id()}:schedule-group/{group_name}"
    if not iam.trusts(target["RoleArn"], service=SERVICE, source_arn=group_arn):
        return (
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the"
            " role."
        )

    if not TARGET_ARN.match(target["Arn"]):
        return f"Target.Arn: {target['Arn']!r} is not supported, only a state machine or a function"
    if schedule.keys() & {"StartDate", "EndDate"}:
        return "StartDate and EndDate are not supported by this emulator"

    try:
        slots.find_next_slot({**schedule, "LastModificationDate": time.time()})
    except ValueError as error:
        return str(error)
    return None

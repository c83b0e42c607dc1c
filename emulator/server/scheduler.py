"""EventBridge Scheduler: MiniStack stores the schedules, and this module fires them.

A slot is a time at which a schedule is due (`slots.py`). A schedule fires at each slot, and when
`fire` is called. The module fills in the context attributes of the input, opens a session of the
schedule's role, and starts the execution or invokes the function. In the role's trust policy,
`aws:SourceArn` is the ARN of the schedule **group**. The name of the execution comes from the
schedule and the slot, so a second delivery for a slot finds the first execution. Throttling and
server errors are retried as the retry policy says. An event that cannot be delivered is sent to the
dead-letter queue, with the schedule's role too.

As on AWS, Scheduler refuses a schedule at its creation or change if its role does not trust the
group, or if its expression is invalid. A target that is neither a state machine nor a function
is refused when it is due.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from botocore.exceptions import ClientError
from ministack.core.responses import get_account_id, get_region
from ministack.services import scheduler

from emulator.server import http, iam, ministack, slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

    from emulator.clients import Clients

SERVICE = "scheduler.amazonaws.com"
TARGET_ARN = re.compile("arn:[^:]+:(states|lambda):")
SECONDS_BETWEEN_TICKS = 0.5
RETRIED_CODES = {"ThrottlingException", "TooManyRequestsException", "InternalServerError"}
LOWEST_SERVER_ERROR = 500
LONGEST_PAUSE_SECONDS = 60.0
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
DEFAULT_RETRY_POLICY = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """One attempt to start a schedule's target for one slot.

    `schedule` is MiniStack's record of the schedule, with the field names of the API.
    """

    schedule: dict[str, Any]
    slot: dt.datetime
    attempt: int = 1

    @property
    def arn(self) -> str:
        """The ARN of the schedule."""
        return str(self.schedule["Arn"])

    @property
    def scheduled_time(self) -> str:
        """The slot, in the form of `<aws.scheduler.scheduled-time>`."""
        return self.slot.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def execution_name(self) -> str:
        """The name of the execution. It is equal for all deliveries for a slot."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.arn} {self.scheduled_time}"))

    @property
    def execution_id(self) -> str:
        """The value of `<aws.scheduler.execution-id>`, equal for all deliveries for a slot."""
        return self.execution_name.replace("-", "")[:16]

    @property
    def input(self) -> str:
        """The target's input with the context attributes filled in."""
        text = str(self.schedule["Target"].get("Input", "{}"))
        for attribute, value in {
            "schedule-arn": self.arn,
            "scheduled-time": self.scheduled_time,
            "execution-id": self.execution_id,
            "attempt-number": str(self.attempt),
        }.items():
            text = text.replace(f"<aws.scheduler.{attribute}>", value)
        return text


class Scheduler:
    """The scheduler of every account and region in MiniStack's store."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._fired_slots: dict[str, dt.datetime] = {}  # the last slot of `fire`, by ARN

    def start(self) -> None:
        """From now on, fire schedules when they are due."""
        threading.Thread(target=self._run, daemon=True, name="scheduler").start()

    def reset(self) -> None:
        """Forget the slots for which schedules were fired."""
        self._fired_slots.clear()

    def fire(self, name: str, group: str = "default", slot: dt.datetime | None = None) -> str:
        """Start the target of a schedule for a slot, and return the ARN of the execution.

        The default is the next slot. Each further call without a slot uses the slot after that.

        Raises:
            LookupError: There is no such enabled schedule, or it has no slot left.
            ClientError: The target cannot be started.
        """
        schedule = _stored_schedule(name, group)
        if slot is None:
            now = dt.datetime.now(dt.UTC)
            last_slot = self._fired_slots.get(schedule["Arn"], now)
            slot = slots.next_slot(schedule, max(now, last_slot))
            if slot is None:
                raise LookupError(f"schedule {name} in group {group} has no slot left")
            self._fired_slots[schedule["Arn"]] = slot
        return self.deliver(Delivery(schedule, slot.astimezone(dt.UTC)))

    def deliver(self, delivery: Delivery) -> str:
        """Start the target of a delivery, and return the ARN of the execution.

        Retryable errors are retried as the schedule's retry policy says. The event of a failed
        delivery is sent to the dead-letter queue.

        Raises:
            ClientError: The target cannot be started.
        """
        policy = DEFAULT_RETRY_POLICY | delivery.schedule["Target"].get("RetryPolicy", {})
        deadline = time.monotonic() + policy["MaximumEventAgeInSeconds"]
        while True:
            try:
                return self._start(delivery)
            except ClientError as error:
                pause = min(2.0 ** (delivery.attempt - 1), LONGEST_PAUSE_SECONDS)
                is_too_late = time.monotonic() + pause > deadline
                is_last = delivery.attempt > policy["MaximumRetryAttempts"]
                if not _can_pass(error) or is_too_late or is_last:
                    limit = "MaximumEventAgeInSeconds" if is_too_late else "MaximumRetryAttempts"
                    self._send_to_dead_letter_queue(delivery, error, limit)
                    raise
                time.sleep(pause)
                delivery = replace(delivery, attempt=delivery.attempt + 1)

    def _run(self) -> None:
        """Start a thread for each delivery when it is due. The log shows the error of a thread."""
        since = dt.datetime.now(dt.UTC)
        while True:
            time.sleep(SECONDS_BETWEEN_TICKS)
            now = dt.datetime.now(dt.UTC)
            for delivery in due_deliveries(since, now):
                threading.Thread(target=self.deliver, args=(delivery,), daemon=True).start()
            since = now

    def _start(self, delivery: Delivery) -> str:
        """Start the target once, and return the ARN of the execution. Raise ClientError.

        A function has no execution, so the ARN of the function is returned. Scheduler does not wait
        for it.
        """
        arn = str(delivery.schedule["Target"]["Arn"])
        service = arn.split(":")[2]
        if service == "states":
            states = cast("SFNClient", self._client("stepfunctions", delivery))
            return states.start_execution(
                stateMachineArn=arn, name=delivery.execution_name, input=delivery.input
            )["executionArn"]
        functions = cast("LambdaClient", self._client("lambda", delivery))
        functions.invoke(FunctionName=arn, InvocationType="Event", Payload=delivery.input)
        return arn

    def _send_to_dead_letter_queue(
        self, delivery: Delivery, error: ClientError, limit: str
    ) -> None:
        """Send an event that could not be delivered to the schedule's queue, if it has one.

        `limit` is the limit of the retry policy that was reached. Errors are only logged.
        """
        queue_arn = delivery.schedule["Target"].get("DeadLetterConfig", {}).get("Arn")
        if queue_arn is None:
            return
        attributes = {
            "ERROR_CODE": error.response["Error"]["Code"],
            "ERROR_MESSAGE": error.response["Error"]["Message"],
            "EXECUTION_ID": delivery.execution_id,
            "EXHAUSTED_RETRY_CONDITION": limit,
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": str(delivery.attempt - 1),
            "SCHEDULED_TIME": delivery.scheduled_time,
            "SCHEDULE_ARN": delivery.arn,
            "TARGET_ARN": delivery.schedule["Target"]["Arn"],
        }
        account, queue = queue_arn.split(":")[4:]
        try:
            sqs = cast("SQSClient", self._client("sqs", delivery))
            sqs.send_message(
                QueueUrl=f"{sqs.meta.endpoint_url}/{account}/{queue}",
                MessageBody=delivery.input,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
            )
        except ClientError as send_error:
            log.warning("%s: no dead letter: %s", delivery.arn, send_error)

    def _client(self, service: str, delivery: Delivery) -> object:
        """Return a client with the credentials of the schedule's role.

        Raises:
            AccessDeniedError: The role is missing or does not trust Scheduler.
        """
        head, _, path = delivery.arn.partition(":schedule/")
        credentials = iam.assume_role(
            delivery.schedule["Target"]["RoleArn"],
            service=SERVICE,
            source_arn=f"{head}:schedule-group/{path.partition('/')[0]}",
            session_name=delivery.execution_id,
        )
        return self._clients.get(service, head.split(":")[3], credentials)


def _can_pass(error: ClientError) -> bool:
    """Return True if a later attempt can succeed: after throttling or an error of the server."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error.response["Error"]["Code"] in RETRIED_CODES or status >= LOWEST_SERVER_ERROR


def due_deliveries(since: dt.datetime, now: dt.datetime) -> Iterator[Delivery]:
    """Yield the deliveries that became due after `since` and are due at `now`.

    A schedule that was created or changed after `since` starts with its first slot, which can be
    a fraction of a second before its change.
    """
    for schedule in _stored_schedules():
        changed = schedule["LastModificationDate"]
        is_new = changed >= since.timestamp()
        slot = slots.first_slot(schedule) if is_new else slots.next_slot(schedule, since)
        while slot is not None and slot <= now and changed <= now.timestamp():
            if schedule["State"] == "ENABLED":
                yield Delivery(schedule, slot)
            slot = slots.next_slot(schedule, slot)


def _stored_schedules() -> list[dict[str, Any]]:
    """Return MiniStack's records of the schedules of every account and region."""
    return [record for _, record in scheduler._schedules.all_items()]  # noqa: SLF001  # ListSchedules has one account


def _stored_schedule(name: str, group: str) -> dict[str, Any]:
    """Return the enabled schedule with a name and a group, in any account and region.

    Raises:
        LookupError: There is no such enabled schedule.
    """
    for schedule in _stored_schedules():
        if (schedule["Name"], schedule["GroupName"]) == (name, group):
            if schedule["State"] != "ENABLED":
                raise LookupError(f"schedule {name} in group {group} is {schedule['State']}")
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
def refuse_schedule(call: ministack.Call) -> http.Response | None:
    """Return AWS's error for a request to create or change a schedule, or None.

    It is an error if the role does not trust the schedule's group, the target is not supported, or
    the expression is not valid.
    """
    if call.method not in {"POST", "PUT"} or not call.path.startswith("/schedules/"):
        return None
    request = call.document
    scope = f"arn:aws:scheduler:{get_region()}:{get_account_id()}"
    group_arn = f"{scope}:schedule-group/{request.get('GroupName', 'default')}"
    target = request.get("Target", {})
    role_arn = target.get("RoleArn", "")
    if role_arn and not iam.trusts(role_arn, service=SERVICE, source_arn=group_arn):
        return http.error(
            "ValidationException",
            "The execution role you provide must allow AWS EventBridge Scheduler to assume"
            " the role.",
        )
    if not TARGET_ARN.match(target.get("Arn", "arn:aws:states:")):
        message = (
            f"Target.Arn: {target['Arn']!r} is not supported, only a state machine or a function"
        )
        return http.error("ValidationException", message)
    if "ScheduleExpression" not in request:
        return None
    try:
        slots.first_slot({**request, "LastModificationDate": time.time()})
    except ValueError as error:
        return http.error("ValidationException", str(error))
    return None

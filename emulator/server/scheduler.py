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
import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.exceptions import ClientError
from ministack.core.responses import get_account_id, get_region

from emulator.server import authorization, http, ministack_internals, slots

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

    from emulator.clients import Clients

SERVICE = "scheduler.amazonaws.com"
SECONDS_BETWEEN_TICKS = 0.5
RETRIED_CODES = {"ThrottlingException", "TooManyRequestsException", "InternalServerError"}
LOWEST_SERVER_ERROR = 500
LONGEST_PAUSE_SECONDS = 60.0
# The defaults of a schedule's retry policy.
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
DEFAULT_RETRIES = 185
DEFAULT_EVENT_AGE_SECONDS = 86_400
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """One attempt to start a schedule's target for one slot."""

    schedule: ministack_internals.Schedule
    account: str
    region: str
    slot: dt.datetime
    attempt: int = 1

    @property
    def scheduled_time(self) -> str:
        """The slot, in the form of `<aws.scheduler.scheduled-time>`."""
        return self.slot.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def execution_name(self) -> str:
        """The name of the execution. It is equal for all deliveries for a slot."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.schedule['Arn']} {self.scheduled_time}"))

    @property
    def execution_id(self) -> str:
        """The value of `<aws.scheduler.execution-id>`, equal for all deliveries for a slot."""
        return self.execution_name.replace("-", "")[:16]

    @property
    def input(self) -> str:
        """The target's input with the context attributes filled in."""
        text = self.schedule["Target"].get("Input", "{}")
        for attribute, value in {
            "schedule-arn": self.schedule["Arn"],
            "scheduled-time": self.scheduled_time,
            "execution-id": self.execution_id,
            "attempt-number": str(self.attempt),
        }.items():
            text = text.replace(f"<aws.scheduler.{attribute}>", value)
        return text


class DeliveryError(Exception):
    """A schedule could not start its target.

    `code` and `message` are those of the last error. `retryable` says if another attempt can help.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable


class NextSlot(NamedTuple):
    """The next slot of a schedule, or None if it is never due again.

    `modified` is the schedule's LastModificationDate for which the slot was calculated.
    """

    modified: float
    slot: dt.datetime | None


class Scheduler:
    """The scheduler of every account and region in MiniStack's store."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._next_slots: dict[str, NextSlot] = {}  # by the schedule's ARN
        self._fired_slots: dict[str, dt.datetime] = {}  # the last slot of `fire`, by the same ARN

    def mount(self) -> None:
        """Replace MiniStack's scheduler, and from now on fire schedules when they are due."""
        ministack_internals.stop_ministack_scheduler()
        ministack_internals.guard_service("scheduler", _refusal)
        threading.Thread(target=self._run, daemon=True, name="scheduler").start()

    def reset(self) -> None:
        """Forget the slots of all schedules."""
        self._next_slots.clear()
        self._fired_slots.clear()

    def fire(self, name: str, group: str = "default", slot: dt.datetime | None = None) -> str:
        """Start the target of a schedule for a slot, and return the ARN of the execution.

        The default is the next slot. Each further call without a slot uses the slot after that.

        Raises:
            LookupError: There is no such enabled schedule, or it has no slot left.
            DeliveryError: The target cannot be started.
        """
        stored = _stored_schedule(name, group)
        schedule = stored.schedule
        if schedule["State"] != "ENABLED":
            raise LookupError(f"schedule {name} in group {group} is {schedule['State']}")
        if slot is None:
            now = dt.datetime.now(dt.UTC)
            last_fired_slot = self._fired_slots.get(schedule["Arn"], now)
            slot = slots.next_slot(schedule, max(now, last_fired_slot))
            if slot is None:
                raise LookupError(f"schedule {name} in group {group} has no slot left")
            self._fired_slots[schedule["Arn"]] = slot
        delivery = Delivery(schedule, stored.account, stored.region, slot.astimezone(dt.UTC))
        return self.deliver(delivery)

    def deliver(self, delivery: Delivery) -> str:
        """Start the target of a delivery, and return the ARN of the execution.

        Retryable errors are retried as the schedule's retry policy says. The event of a failed
        delivery is sent to the dead-letter queue.

        Raises:
            DeliveryError: The target cannot be started.
        """
        policy = delivery.schedule["Target"].get("RetryPolicy", {})
        max_attempts = 1 + policy.get("MaximumRetryAttempts", DEFAULT_RETRIES)
        max_age_seconds = policy.get("MaximumEventAgeInSeconds", DEFAULT_EVENT_AGE_SECONDS)
        deadline = time.monotonic() + max_age_seconds
        while True:
            try:
                return self._start(delivery)
            except DeliveryError as error:
                pause = min(2.0 ** (delivery.attempt - 1), LONGEST_PAUSE_SECONDS)
                is_too_late = time.monotonic() + pause > deadline
                if not error.retryable or is_too_late or delivery.attempt >= max_attempts:
                    limit = "MaximumEventAgeInSeconds" if is_too_late else "MaximumRetryAttempts"
                    self._send_to_dead_letter_queue(delivery, error, limit)
                    raise
                time.sleep(pause)
                delivery = replace(delivery, attempt=delivery.attempt + 1)

    def due_deliveries(self, now: dt.datetime) -> list[Delivery]:
        """Return the deliveries that have become due since the last call.

        A schedule that was created or changed since then starts again with its first slot.
        """
        deliveries = []
        for account, region, schedule in ministack_internals.schedules():
            modified, arn = schedule["LastModificationDate"], schedule["Arn"]
            known = self._next_slots.get(arn)
            if known is None or known.modified != modified:
                slot = slots.first_slot(schedule)
            else:
                slot = known.slot
            if slot is not None and slot <= now:
                if schedule["State"] == "ENABLED":
                    deliveries.append(Delivery(schedule, account, region, slot))
                slot = slots.next_slot(schedule, slot)
            self._next_slots[arn] = NextSlot(modified, slot)
        return deliveries

    def _run(self) -> None:
        """Start a thread for each delivery when it is due. Never return."""
        while True:
            time.sleep(SECONDS_BETWEEN_TICKS)
            try:
                for delivery in self.due_deliveries(dt.datetime.now(dt.UTC)):
                    threading.Thread(
                        target=self._deliver_or_log, args=(delivery,), daemon=True
                    ).start()
            except Exception:
                log.exception("the scheduler could not start the schedules that are due")

    def _deliver_or_log(self, delivery: Delivery) -> None:
        """Start the target of a delivery with retries, and log an error instead of raising it."""
        try:
            self.deliver(delivery)
        except DeliveryError as error:
            log.warning("%s for %s: %s", delivery.schedule["Arn"], delivery.scheduled_time, error)

    def _start(self, delivery: Delivery) -> str:
        """Start the target once, and return the ARN of the execution. Raise DeliveryError.

        A function has no execution, so the ARN of the function is returned.
        """
        target_arn = delivery.schedule["Target"]["Arn"]
        service = target_arn.split(":")[2]
        if service not in ("states", "lambda"):
            raise DeliveryError("UnsupportedTarget", f"no state machine or function: {target_arn}")
        try:
            if service == "lambda":
                return self._invoke(delivery)
            client = self._clients.get("stepfunctions", delivery.region, _session(delivery))
            return cast("SFNClient", client).start_execution(
                stateMachineArn=target_arn, name=delivery.execution_name, input=delivery.input
            )["executionArn"]
        except authorization.AccessDeniedError as error:
            raise DeliveryError("AccessDeniedException", str(error)) from error
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            retryable = code in RETRIED_CODES or status >= LOWEST_SERVER_ERROR
            raise DeliveryError(code, message, retryable=retryable) from error

    def _invoke(self, delivery: Delivery) -> str:
        """Invoke a function, as Scheduler does, without waiting for it. Return its ARN."""
        function_arn = delivery.schedule["Target"]["Arn"]
        client = self._clients.get("lambda", delivery.region, _session(delivery))
        cast("LambdaClient", client).invoke(
            FunctionName=function_arn, InvocationType="Event", Payload=delivery.input
        )
        return function_arn

    def _send_to_dead_letter_queue(
        self, delivery: Delivery, error: DeliveryError, limit: str
    ) -> None:
        """Send an event that could not be delivered to the schedule's queue, if it has one.

        `limit` is the limit of the retry policy that was reached. Errors are only logged.
        """
        queue_arn = delivery.schedule["Target"].get("DeadLetterConfig", {}).get("Arn")
        if queue_arn is None:
            return
        attributes = {
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": error.message,
            "EXECUTION_ID": delivery.execution_id,
            "EXHAUSTED_RETRY_CONDITION": limit,
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": str(delivery.attempt - 1),
            "SCHEDULED_TIME": delivery.scheduled_time,
            "SCHEDULE_ARN": delivery.schedule["Arn"],
            "TARGET_ARN": delivery.schedule["Target"]["Arn"],
        }
        try:
            sqs = cast("SQSClient", self._clients.get("sqs", delivery.region, _session(delivery)))
            sqs.send_message(
                QueueUrl=f"{sqs.meta.endpoint_url}/{delivery.account}/{queue_arn.split(':')[5]}",
                MessageBody=delivery.input,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
            )
        except (ClientError, authorization.AccessDeniedError) as send_error:
            log.warning("%s: no dead letter: %s", delivery.schedule["Arn"], send_error)


def _stored_schedule(name: str, group: str) -> ministack_internals.StoredSchedule:
    """Return the schedule with a name and a group, in any account and region.

    Raises:
        LookupError: There is no such schedule.
    """
    for stored in ministack_internals.schedules():
        if (stored.schedule["Name"], stored.schedule["GroupName"]) == (name, group):
            return stored
    raise LookupError(f"there is no schedule {name} in group {group}")


def _group_arn(schedule_arn: str) -> str:
    """Return the ARN of a schedule's group. It is the `aws:SourceArn` for the schedule's role."""
    head, _, path = schedule_arn.partition(":schedule/")
    return f"{head}:schedule-group/{path.partition('/')[0]}"


def _session(delivery: Delivery) -> authorization.Credentials:
    """Return credentials of the schedule's role.

    Raises:
        AccessDeniedError: The role is missing or does not trust Scheduler.
    """
    return authorization.assume_role(
        delivery.schedule["Target"]["RoleArn"],
        service=SERVICE,
        source_arn=_group_arn(delivery.schedule["Arn"]),
        session_name=delivery.execution_id,
    )


def _refusal(method: str, path: str, body: bytes) -> http.Response | None:
    """Return AWS's error for a request to create or change a schedule, or None.

    It is an error if the role does not trust the schedule's group or the expression is not valid.
    """
    if method not in {"POST", "PUT"} or not path.startswith("/schedules/"):
        return None
    request = json.loads(body)
    group_arn = (
        f"arn:aws:scheduler:{get_region()}:{get_account_id()}:schedule-group/"
        + request.get("GroupName", "default")
    )
    role_arn = request.get("Target", {}).get("RoleArn", "")
    if role_arn and not authorization.trusts(role_arn, service=SERVICE, source_arn=group_arn):
        return http.error(
            "ValidationException",
            "The execution role you provide must allow AWS EventBridge Scheduler to assume"
            " the role.",
        )
    if "ScheduleExpression" not in request:
        return None
    try:
        slots.first_slot(cast("slots.Timing", {**request, "LastModificationDate": time.time()}))
    except ValueError as error:
        return http.error("ValidationException", str(error))
    return None

"""EventBridge Scheduler: MiniStack keeps the schedules, this fires each as its own role.

A schedule fires when it is due (`slots.py`), or when it is told to (`fire`). Then the context
attributes in its input are filled in, a session of its role is opened (the trust policy sees the
schedule **group** as `aws:SourceArn`), and the execution is started with a name made from schedule
and slot, so that a second delivery for one slot finds the first one's execution. Throttling and
server errors are tried again, as the schedule's retry policy says; what cannot be delivered goes to
its dead-letter queue, sent by the same role.

As on AWS, a role that the group may not assume, or an expression that is none, is refused when the
schedule is created or changed. Targets other than a state machine are refused when they are due.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError
from ministack.core.responses import get_account_id, get_region

from emulator.server import authorization, http, ministack_seams, slots

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

    from emulator.clients import Clients

SERVICE = "scheduler.amazonaws.com"
TICK_SECONDS = 0.5
RETRIED = {"ThrottlingException", "TooManyRequestsException", "InternalServerError"}
SERVER_ERROR = 500
LONGEST_PAUSE_SECONDS = 60.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """One attempt to start a schedule's target for one slot."""

    schedule: ministack_seams.Schedule
    account: str
    region: str
    slot: dt.datetime
    attempt: int = 1

    @property
    def scheduled_time(self) -> str:
        """The slot, as `<aws.scheduler.scheduled-time>` tells it."""
        return self.slot.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def execution_name(self) -> str:
        """The same for every delivery of this slot."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.schedule['Arn']} {self.scheduled_time}"))

    @property
    def execution_id(self) -> str:
        """The same for every delivery of this slot, in Scheduler's own form."""
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
    """A schedule could not start its target; code and message are the last attempt's."""

    def __init__(self, code: str, message: str, *, again: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.again = again


class Scheduler:
    """Fires the schedules of every account and region in MiniStack's store."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._due: dict[str, tuple[float, dt.datetime | None]] = {}
        self._fired: dict[str, dt.datetime] = {}

    def mount(self) -> None:
        """Take over from MiniStack's own scheduler, and begin to fire what is due."""
        ministack_seams.stop_ministack_scheduler()
        ministack_seams.guard_service("scheduler", _refusal)
        threading.Thread(target=self._run, daemon=True, name="scheduler").start()

    def reset(self) -> None:
        """Forget what was fired."""
        self._due.clear()
        self._fired.clear()

    def fire(self, name: str, group: str = "default", slot: dt.datetime | None = None) -> str:
        """Start the target for a slot (by default the next one not fired yet); the execution's ARN.

        Raises LookupError where no such enabled schedule is, and DeliveryError.
        """
        found = [
            s
            for s in ministack_seams.schedules()
            if (s[2]["Name"], s[2]["GroupName"]) == (name, group)
        ]
        if not found:
            raise LookupError(f"there is no schedule {name} in group {group}")
        account, region, schedule = found[0]
        if schedule["State"] != "ENABLED":
            raise LookupError(f"schedule {name} in group {group} is {schedule['State']}")
        if slot is None:
            now = dt.datetime.now(dt.UTC)
            slot = slots.next_slot(schedule, max(now, self._fired.get(schedule["Arn"], now)))
            if slot is None:
                raise LookupError(f"schedule {name} in group {group} has no slot left")
            self._fired[schedule["Arn"]] = slot
        return self.deliver(Delivery(schedule, account, region, slot.astimezone(dt.UTC)))

    def deliver(self, delivery: Delivery) -> str:
        """Start the target, again where that helps; the execution's ARN. Raises DeliveryError."""
        policy = delivery.schedule["Target"].get("RetryPolicy", {})
        attempts = 1 + policy.get("MaximumRetryAttempts", 185)
        give_up = time.monotonic() + policy.get("MaximumEventAgeInSeconds", 86_400)
        while True:
            try:
                return self._start(delivery)
            except DeliveryError as error:
                pause = min(2.0 ** (delivery.attempt - 1), LONGEST_PAUSE_SECONDS)
                too_late = time.monotonic() + pause > give_up
                if not error.again or too_late or delivery.attempt >= attempts:
                    limit = "MaximumEventAgeInSeconds" if too_late else "MaximumRetryAttempts"
                    self._bury(delivery, error, limit)
                    raise
                time.sleep(pause)
                delivery = replace(delivery, attempt=delivery.attempt + 1)

    def tick(self, now: dt.datetime) -> list[Delivery]:
        """What is due by now and was not before; each schedule's time goes on."""
        due = []
        for account, region, schedule in ministack_seams.schedules():
            changed, arn = schedule["LastModificationDate"], schedule["Arn"]
            known, slot = self._due.get(arn, (None, None))
            if known != changed:
                slot = slots.first_slot(schedule)
            if slot is not None and slot <= now:
                if schedule["State"] == "ENABLED":
                    due.append(Delivery(schedule, account, region, slot))
                slot = slots.next_slot(schedule, slot)
            self._due[arn] = (changed, slot)
        return due

    def _run(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            try:
                for delivery in self.tick(dt.datetime.now(dt.UTC)):
                    threading.Thread(target=self._deliver, args=(delivery,), daemon=True).start()
            except Exception:
                log.exception("the scheduler stumbled")

    def _deliver(self, delivery: Delivery) -> None:
        try:
            self.deliver(delivery)
        except DeliveryError as error:
            log.warning("%s for %s: %s", delivery.schedule["Arn"], delivery.scheduled_time, error)

    def _start(self, delivery: Delivery) -> str:
        target = delivery.schedule["Target"]
        if ":states:" not in target["Arn"]:
            raise DeliveryError("UnsupportedTarget", f"only state machines, not {target['Arn']}")
        try:
            client = self._clients.get("stepfunctions", delivery.region, _session(delivery))
            return cast("SFNClient", client).start_execution(
                stateMachineArn=target["Arn"], name=delivery.execution_name, input=delivery.input
            )["executionArn"]
        except authorization.AccessDeniedError as error:
            raise DeliveryError("AccessDeniedException", str(error)) from error
        except ClientError as error:
            code = error.response["Error"]["Code"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            again = code in RETRIED or status >= SERVER_ERROR
            raise DeliveryError(code, error.response["Error"]["Message"], again=again) from error

    def _bury(self, delivery: Delivery, error: DeliveryError, limit: str) -> None:
        """Send what could not be delivered to the dead-letter queue, if there is one."""
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
        except (ClientError, authorization.AccessDeniedError) as lost:
            log.warning("%s: no dead letter: %s", delivery.schedule["Arn"], lost)


def _group_arn(schedule_arn: str) -> str:
    """The group's ARN, which is what a role's trust policy can name."""
    head, _, rest = schedule_arn.partition(":schedule/")
    return f"{head}:schedule-group/{rest.partition('/')[0]}"


def _session(delivery: Delivery) -> authorization.Credentials:
    """Open the schedule's role. Raises AccessDeniedError."""
    return authorization.assume_role(
        delivery.schedule["Target"]["RoleArn"],
        service=SERVICE,
        source_arn=_group_arn(delivery.schedule["Arn"]),
        session_name=delivery.execution_id,
    )


def _refusal(method: str, path: str, body: bytes) -> http.Answer | None:
    """AWS's refusal of a schedule that cannot work, when it is created or changed."""
    if method not in {"POST", "PUT"} or not path.startswith("/schedules/"):
        return None
    request = json.loads(body)
    group = f"arn:aws:scheduler:{get_region()}:{get_account_id()}:schedule-group/" + request.get(
        "GroupName", "default"
    )
    role = request.get("Target", {}).get("RoleArn", "")
    problem = None
    if role and not authorization.trusts(role, service=SERVICE, source_arn=group):
        problem = (
            "The execution role you provide must allow AWS EventBridge Scheduler to assume"
            " the role."
        )
    elif "ScheduleExpression" in request:
        try:
            slots.first_slot(cast("slots.Timing", {**request, "LastModificationDate": time.time()}))
        except ValueError as error:
            problem = str(error)
    return http.error("ValidationException", problem) if problem else None

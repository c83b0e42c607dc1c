"""Every touch on the insides of MiniStack and moto, in one place, with its reason.

Tried against ministack 1.5.33 and moto 5.2.5. What is touched here is no public interface of theirs, so it may
move with any release: `missing()` names what has, and a test asks it.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
import time
from typing import TYPE_CHECKING, Protocol, cast

from ministack import app as ministack
from ministack.services import eventbridge, iam, lambda_svc, s3, scheduler, sts
from moto.core.config import default_user_config
from moto.core.request import Request
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from moto.stepfunctions.responses import StepFunctionResponse

if TYPE_CHECKING:
    import datetime
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from types import ModuleType

    from botocore.client import BaseClient

    Response = tuple[int, dict[str, str], bytes]
    Handler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[Response]]

Document = dict[str, object]


class StateMachineRun(Protocol):
    """What this code reads of moto's Execution."""

    exec_arn: str
    name: str
    status: str
    account_id: str
    region_name: str
    state_machine_arn: str
    start_date: datetime.datetime
    stop_date: datetime.datetime | None
    execution_input: str
    output: object
    error: str | None
    cause: str | None


# --- MiniStack: reads ------------------------------------------------------------------------------


def trust_policy(role_arn: str) -> Document | None:
    """The trust policy of a role in MiniStack's store, or None where there is no such role."""
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name)  # noqa: SLF001  # IAM has no lock-free read of its own
    if role is None or role["Arn"] != role_arn:
        return None
    return cast("Document", json.loads(role["AssumeRolePolicyDocument"]))


def bucket_policy(bucket: str, account: str) -> Document | None:
    """The policy of a bucket, or None."""
    text = s3._bucket_policies.get_scoped(account, None, bucket)  # noqa: SLF001  # read without a signed request
    return cast("Document", json.loads(text)) if text else None


def register_session(access_key: str, session: Document) -> None:
    """Make MiniStack accept a role session that was opened here."""
    sts.register_session(access_key, session)


def schedules() -> Iterator[tuple[str, str, Document]]:
    """Every schedule as (account, region, record), whoever asks."""
    for (account, region, _), record in scheduler._schedules.all_items():  # noqa: SLF001  # all accounts at once
        yield account, region, record


# --- MiniStack: replacements -----------------------------------------------------------------------


def stop_ministack_scheduler() -> None:
    """Keep MiniStack from firing schedules: it checks no role and fills in no context attribute."""
    scheduler.start_scheduler = lambda: None


def serve_states(handler: Handler) -> None:
    """Let `handler` answer `AWSStepFunctions.*`, after MiniStack has authenticated and authorised the call."""
    ministack.SERVICE_HANDLERS["states"] = handler


def guard_event_targets(allowed: Callable[[str, str], bool]) -> None:
    """Deliver an event to a Lambda function only where `allowed(function ARN, rule ARN)`.

    MiniStack does not look at the function's resource policy.
    """
    deliver = eventbridge._invoke_target  # noqa: SLF001  # the one place that knows both rule and target

    def invoke_target(
        target: Document, event: Document, rule: Document, view: object = None
    ) -> None:
        arn = str(target.get("Arn", ""))
        if ":lambda:" not in arn or allowed(arn, str(rule["Arn"])):
            deliver(target, event, rule, view)

    eventbridge._invoke_target = invoke_target  # noqa: SLF001


def answer_functions_at_once() -> None:
    """Send what MiniStack's Lambda Runtime API writes without delay.

    It writes headers and body apart, so Nagle's algorithm holds each event back for 40 ms.
    """
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def function_policy(function_arn: str) -> Document | None:
    """The resource policy of a function (in the account and region in force), or None."""
    found = lambda_svc.function_policy_for_arn(function_arn)
    return cast("Document", found[0]) if found else None


def put_service_event(entry: Document) -> None:
    """Put an event whose source is a service (`aws.*`), which PutEvents refuses to callers."""
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)  # noqa: SLF001


# --- moto ------------------------------------------------------------------------------------------


def interpret_state_machines() -> None:
    """Let moto run state machines instead of only recording them."""
    default_user_config["stepfunctions"] = {"execute_state_machine": True}


def step_functions_response(
    path: str, headers: Mapping[str, str], body: bytes, account: str
) -> Response:
    """Let moto's Step Functions answer one request, in `account` and the region that it was signed for."""
    url = f"http://{headers.get('host', 'localhost')}{path}"
    request = Request.from_primitives("POST", url, {**headers, "x-moto-account-id": account}, body)
    status, answer_headers, answer = StepFunctionResponse.dispatch(request, url, headers)
    content = answer.encode() if isinstance(answer, str) else answer
    return int(status), {str(k): str(v) for k, v in answer_headers.items()}, content


def state_machine_arns(role_arn: str, account: str, region: str) -> list[str]:
    """The machines that run as `role_arn`."""
    backend = stepfunctions_parser_backends[account][region]
    return [machine.arn for machine in backend.state_machines if machine.roleArn == role_arn]


def boto_client_users() -> list[ModuleType]:
    """The modules of moto's interpreter that make boto3 clients; each holds the function by its own name."""
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("moto.stepfunctions.parser.asl.") and "boto_client_for" in vars(module)
    ]


def replace_boto_client_for(factory: Callable[..., BaseClient]) -> None:
    """Let every task of a state machine call AWS through `factory(region, service, state_credentials)`.

    Moto's own calls with fixed credentials, so no role would be enforced.
    """
    for module in boto_client_users():
        vars(module)["boto_client_for"] = factory


def execution(arn: str, account: str, region: str) -> StateMachineRun | None:
    """The execution with this ARN, as it is now, or None."""
    backend = stepfunctions_parser_backends[account][region]
    for machine in backend.state_machines:
        for candidate in machine.executions:
            if candidate.execution_arn == arn:
                return cast("StateMachineRun", candidate)
    return None


def end_stopped_executions_at_once() -> None:
    """Let a stopped execution be ABORTED when StopExecution has answered, as on AWS.

    Moto waits until the task under way has returned; a function may run for minutes.
    """
    stop = ExecutionWorker.stop

    def stop_now(
        self: ExecutionWorker, stop_date: datetime.datetime, error: str | None, cause: str | None
    ) -> None:
        while self.env is None:  # the execution's thread makes it first of all
            time.sleep(0.01)
        stop(self, stop_date, error, cause)
        self._execution_communication.terminated()  # noqa: SLF001  # what moto calls when the thread ends

    ExecutionWorker.stop = stop_now  # type: ignore[method-assign]  # a seam


def on_status_change(report: Callable[[StateMachineRun], None]) -> None:
    """Call `report(execution)` once when an execution has started and once when it has ended."""
    start, terminated = Execution.start, BaseExecutionWorkerCommunication.terminated
    lock = threading.Lock()

    def reporting_start(self: Execution) -> None:
        start(self)
        report(cast("StateMachineRun", self))

    def reporting_terminated(self: BaseExecutionWorkerCommunication) -> None:
        with lock:
            if self.execution.stop_date is not None:  # a stopped one whose thread ends later
                return
            terminated(self)
        report(cast("StateMachineRun", self.execution))

    Execution.start = reporting_start  # type: ignore[method-assign]  # a seam
    BaseExecutionWorkerCommunication.terminated = reporting_terminated  # type: ignore[method-assign]  # a seam

"""Every touch on the insides of moto's Step Functions, in one place, with its reason.

Tried against moto 5.2.5. None of this is a public interface, so any release may move it; a test
tells.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Protocol, cast

from moto.core.config import default_user_config
from moto.core.request import Request
from moto.core.utils import utcnow
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from moto.stepfunctions.responses import StepFunctionResponse

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from botocore.client import BaseClient

    from emulator.http import Answer


class StateMachineRun(Protocol):
    """What this code reads of moto's Execution."""

    exec_arn: str
    name: str
    status: str
    account_id: str
    region_name: str
    state_machine_arn: str
    start_date: dt.datetime
    stop_date: dt.datetime | None
    execution_input: str
    output: object
    error: str | None
    cause: str | None


def interpret_state_machines() -> None:
    """Let moto run state machines instead of only recording them."""
    default_user_config["stepfunctions"] = {"execute_state_machine": True}


def respond(path: str, headers: Mapping[str, str], body: bytes, account: str) -> Answer:
    """Let moto answer one request, in `account` and the region that it was signed for."""
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
    """The modules of the interpreter that make boto3 clients; each holds the function by name."""
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("moto.stepfunctions.parser.asl.") and "boto_client_for" in vars(module)
    ]


def replace_boto_client_for(factory: Callable[..., BaseClient]) -> None:
    """Let every task call AWS through `factory(region, service, state_credentials)`.

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
        self: ExecutionWorker, stop_date: dt.datetime, error: str | None, cause: str | None
    ) -> None:
        for _ in range(500):  # 5 seconds; the execution's thread makes it first of all
            if self.env is not None:
                break
            time.sleep(0.01)
        stop(self, stop_date, error, cause)
        self._execution_communication.terminated()  # what moto calls when the thread ends

    ExecutionWorker.stop = stop_now  # type: ignore[method-assign]  # a seam


def on_status_change(report: Callable[[StateMachineRun, str], None]) -> None:
    """Call `report(execution, status)` when an execution has started, and when it has ended.

    A short one may have ended already when its start is reported, with the status RUNNING.
    """
    start, terminated = Execution.start, BaseExecutionWorkerCommunication.terminated
    lock = threading.Lock()

    def reporting_start(self: Execution) -> None:
        start(self)
        report(cast("StateMachineRun", self), "RUNNING")

    def reporting_terminated(self: BaseExecutionWorkerCommunication) -> None:
        with lock:
            if self.execution.stop_date is not None:  # a stopped one whose thread ends later
                return
            terminated(self)
        report(cast("StateMachineRun", self.execution), self.execution.status)

    Execution.start = reporting_start  # type: ignore[method-assign]  # a seam
    BaseExecutionWorkerCommunication.terminated = reporting_terminated  # type: ignore[method-assign]  # a seam


def forget_everything() -> None:
    """Stop every execution and drop every state machine."""
    for regions in stepfunctions_parser_backends.values():
        for backend in regions.values():
            for machine in backend.state_machines:
                for run in machine.executions:
                    if run.status == "RUNNING":
                        run.stop(stop_date=utcnow(), error=None, cause=None)
    stepfunctions_parser_backends.reset()

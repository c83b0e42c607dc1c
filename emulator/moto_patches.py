"""The places where moto's Step Functions interpreter differs from AWS, and what replaces them.

Most functions below yield replacements for methods of moto, and their docstrings say what moto does
differently. The server installs replacements for the life of its process. The virtual interpreter
(`emulator/virtual/`) patches them in for a block. `server/moto_responses.py` replaces the responses
of the API.

Written for moto 5.2.5. No replaced method is a public interface, so any release of moto may move
it. A test checks that every method is still in its place.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import emulator.moto_imports  # noqa: F401  # must come before the interpreter

# isort: split
from botocore.exceptions import ClientError
from moto.core.config import default_user_config
from moto.core.utils import utcnow
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_lambda as lambda_service,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import (
    StateTaskLambda,
)
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped, ProgramTimedOut
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from botocore.client import BaseClient
    from moto.stepfunctions.models import StateMachine
    from moto.stepfunctions.parser.api import ExecutionFailedEventDetails
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails


# Held while an execution ends, because moto sets its status before its output, error and cause.
end_lock = threading.Lock()
LAST_EVENTS = frozenset(
    {
        HistoryEventType.ExecutionSucceeded,
        HistoryEventType.ExecutionFailed,
        HistoryEventType.ExecutionAborted,
        HistoryEventType.ExecutionTimedOut,
    }
)
# StopExecution waits up to 5 seconds until the thread of the execution has begun.
THREAD_CHECKS, SECONDS_BETWEEN_CHECKS = 500, 0.01


class Replacement(NamedTuple):
    """The new value of an attribute of a class or module of moto."""

    owner: object
    name: str
    value: object


class StateMachineRun(Protocol):
    """An execution: the attributes of moto's class `Execution` that the emulator uses."""

    exec_arn: str
    name: str
    status: str
    exec_status: object | None
    account_id: str
    region_name: str
    state_machine_arn: str
    start_date: dt.datetime
    stop_date: dt.datetime | None
    state_machine: StateMachine
    execution_input: str
    output: object
    error: str | None
    cause: str | None

    def stop(self, stop_date: dt.datetime, error: str | None, cause: str | None) -> None:
        """Abort the execution."""

    def to_history_output(self) -> dict[str, list[dict[str, object]]]:
        """Return a copy of the execution's `events`."""


def install(replacements: Iterable[Replacement]) -> None:
    """Replace the attributes for the rest of the process."""
    for owner, name, value in replacements:
        setattr(owner, name, value)


def interpret_state_machines() -> None:
    """Make moto run state machines. By default it only records them."""
    default_user_config["stepfunctions"] = {"execute_state_machine": True}


# How executions run


def text_as_start_time() -> Iterator[Replacement]:
    """Yield a replacement that makes `$$.Execution.StartTime` a string. In moto it is a datetime.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
    """
    moto_start_details = Execution.get_start_execution_details

    def get_start_execution_details(self: Execution) -> object:
        start_date = self.start_date
        vars(self)["start_date"] = start_date.isoformat()
        try:
            return moto_start_details(self)
        finally:
            self.start_date = start_date

    yield Replacement(Execution, "get_start_execution_details", get_start_execution_details)


def lambda_error_names() -> Iterator[Replacement]:
    """Yield a replacement that names the errors of an Invoke call `Lambda.*`.

    An example is Lambda.TooManyRequestsException. Moto names the errors so only for the Resource
    `lambda:invoke`. If the Resource is a function's ARN, it names every error `Exception`, and then
    no Retry or Catch of the state matches the error.
    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    moto_failure_event = StateTaskLambda._from_error  # noqa: SLF001  # private in moto
    name_and_cause = lambda_service.StateTaskServiceLambda._error_cause_from_client_error  # noqa: SLF001  # private in moto

    def failure_event(task: StateTaskLambda, env: Environment, ex: Exception) -> FailureEvent:
        if not isinstance(ex, ClientError):
            return moto_failure_event(task, env=env, ex=ex)
        error, cause = name_and_cause(ex)
        details = {"lambdaFunctionFailedEventDetails": {"error": error, "cause": cause}}
        return FailureEvent(
            env=env,
            error_name=CustomErrorName(error),
            event_type=HistoryEventType.LambdaFunctionFailed,
            event_details=cast("EventDetails", details),
        )

    yield Replacement(StateTaskLambda, "_from_error", failure_event)


# How executions end


def end_once(on_end: Callable[[Environment], None] = lambda _: None) -> Iterator[Replacement]:
    """Yield replacements that end an execution immediately when it is stopped or times out.

    The history then ends with ExecutionAborted or ExecutionTimedOut, as on AWS. Moto first waits
    until the task in progress has returned, and a function may run for minutes. If the task fails
    in the meantime, moto writes ExecutionFailed as the last event, and in a Map it sets the status
    FAILED. After an execution was stopped or has timed out, `on_end` is called.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html
    """
    moto_publish: Callable[..., None] = EventManager._publish_history_event  # noqa: SLF001  # private in moto

    def publish_before_the_end(self: EventManager, **event: object) -> None:
        history = self._history_event_list
        if not history or history[-1]["type"] not in LAST_EVENTS:
            moto_publish(self, **event)

    yield Replacement(EventManager, "_publish_history_event", publish_before_the_end)
    yield from keep_first_end(on_end)


def keep_first_end(on_end: Callable[[Environment], None]) -> Iterator[Replacement]:
    """Yield replacements that write the last event as soon as an execution ends.

    No later error changes the final state.
    A frame is the environment of an iteration of a Map or of a branch. Only the outermost
    environment writes the last event.
    """
    moto_set_stop, moto_set_timed_out = Environment.set_stop, Environment.set_timed_out
    moto_set_error = Environment.set_error

    def stop(
        self: Environment, stop_date: dt.datetime, cause: str | None, error: str | None
    ) -> None:
        with self._state_mutex:
            ends_execution = self.is_running() and not self.is_frame()
            if ends_execution:
                details = {"error": error, "cause": cause}
                self.event_history_context.source_event_id = 0  # as in moto's own last event
                _write_last_event(self, HistoryEventType.ExecutionAborted, "Aborted", details)
            moto_set_stop(self, stop_date=stop_date, cause=cause, error=error)
        if ends_execution:
            on_end(self)

    def time_out(self: Environment) -> None:
        with self._state_mutex:
            if self.is_frame():
                moto_set_timed_out(self)
                return
            if not self.is_running():
                return
            _write_last_event(self, HistoryEventType.ExecutionTimedOut, "TimedOut", {})
            moto_set_timed_out(self)
        on_end(self)

    def fail(self: Environment, error: ExecutionFailedEventDetails) -> None:
        with self._state_mutex:
            has_ended = isinstance(self.program_state(), ProgramStopped | ProgramTimedOut)
            if self.is_frame() or not has_ended:
                moto_set_error(self, error=error)

    yield Replacement(Environment, "set_stop", stop)
    yield Replacement(Environment, "set_timed_out", time_out)
    yield Replacement(Environment, "set_error", fail)


def _write_last_event(
    env: Environment, event_type: HistoryEventType, suffix: str, details: dict[str, str | None]
) -> None:
    """Add the last event of an execution to its history, with the details that are not None.

    The details are in the field `execution<suffix>EventDetails`.
    """
    known_details = {key: text for key, text in details.items() if text is not None}
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=event_type,
        event_details=cast("EventDetails", {f"execution{suffix}EventDetails": known_details}),
    )


def stop_without_waiting() -> Iterator[Replacement]:
    """Yield a replacement that sets the status ABORTED before StopExecution returns.

    Moto sets it only when the thread of the execution ends. Moto's StopExecution also fails if the
    thread has not begun, so the replacement first waits for it.
    """
    moto_stop = ExecutionWorker.stop

    def stop_now(
        self: ExecutionWorker, stop_date: dt.datetime, error: str | None, cause: str | None
    ) -> None:
        for _ in range(THREAD_CHECKS):
            has_begun = self.env is not None and self.env.program_state() is not None
            if has_begun:
                break
            time.sleep(SECONDS_BETWEEN_CHECKS)
        moto_stop(self, stop_date, error, cause)
        self._execution_communication.terminated()  # moto calls this when the thread ends

    yield Replacement(ExecutionWorker, "stop", stop_now)


def report_starts(report: Callable[[StateMachineRun], None]) -> Iterator[Replacement]:
    """Yield a replacement that calls `report` after an execution has started.

    A short execution may already have ended.
    """
    moto_start = Execution.start

    def start_and_report(self: Execution) -> None:
        moto_start(self)
        report(cast("StateMachineRun", self))

    yield Replacement(Execution, "start", start_and_report)


def report_ends(report: Callable[[StateMachineRun], None]) -> Iterator[Replacement]:
    """Yield a replacement that calls `report` once for each execution, when it has ended.

    The replacement also copies the error and the cause of a stopped execution into its attributes,
    because moto has them only in the history.
    """
    moto_terminated = BaseExecutionWorkerCommunication.terminated

    def terminate_and_report(self: BaseExecutionWorkerCommunication) -> None:
        execution = self.execution
        with end_lock:
            if execution.stop_date is not None:  # its stop was reported before its thread ended
                return
            moto_terminated(self)
            worker = execution.exec_worker
            state = worker.env.program_state() if worker and worker.env else None
            if isinstance(state, ProgramStopped):
                execution.error, execution.cause = state.error, state.cause
        report(cast("StateMachineRun", execution))

    yield Replacement(BaseExecutionWorkerCommunication, "terminated", terminate_and_report)


# The deletion of state machines


def is_being_deleted(machine: StateMachine) -> bool:
    """Return True if the state machine is marked by `begin_deletion`."""
    return bool(vars(machine).get("deleting"))


def begin_deletion(machine: StateMachine) -> None:
    """Mark a state machine as being deleted. `finish_deletions` removes it later."""
    vars(machine)["deleting"] = True


def finish_deletions(machines: list[StateMachine]) -> None:
    """Remove the state machines that are being deleted and have no running execution.

    `machines` is moto's own list. Another thread may remove a machine from it at the same time.
    """
    for machine in list(filter(is_being_deleted, machines)):
        if not _running_executions(machine) and machine in machines:
            machines.remove(machine)
            machine.backend.tagger.delete_all_tags_for_resource(machine.arn)


def end_executions_of_deleted_machines() -> Iterator[Replacement]:
    """Yield replacements that end the executions of a state machine that is being deleted.

    Each of them is aborted at the next state that it enters. When the last one has ended, the state
    machine is removed.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    moto_eval = CommonStateField.eval
    moto_terminated = BaseExecutionWorkerCommunication.terminated

    def abort_or_evaluate(self: CommonStateField, env: Environment) -> None:
        execution_arn = env.states.context_object.context_object_data["Execution"]["Id"]
        _abort_if_machine_is_being_deleted(execution_arn)
        moto_eval(self, env)  # does nothing if the execution was stopped

    def terminate_and_finish_deletions(self: BaseExecutionWorkerCommunication) -> None:
        moto_terminated(self)
        finish_deletions(_machines_in_region_of(self.execution.exec_arn))

    yield Replacement(CommonStateField, "eval", abort_or_evaluate)
    yield Replacement(
        BaseExecutionWorkerCommunication, "terminated", terminate_and_finish_deletions
    )


def _abort_if_machine_is_being_deleted(execution_arn: str) -> None:
    """Abort the execution with this ARN if its state machine is marked by `begin_deletion`."""
    for machine in filter(is_being_deleted, _machines_in_region_of(execution_arn)):
        for execution in _running_executions(machine):
            if execution.exec_arn == execution_arn:
                execution.stop(stop_date=utcnow(), error=None, cause=None)


def _running_executions(machine: StateMachine) -> list[Execution]:
    """Return the executions of a state machine that have not ended, oldest first."""
    executions = cast("list[Execution]", machine.executions)
    return [execution for execution in executions if execution.stop_date is None]


def _machines_in_region_of(execution_arn: str) -> list[StateMachine]:
    """Return moto's own list of the state machines in the account and region of an execution."""
    _, _, _, region, account, *_ = execution_arn.split(":")
    return stepfunctions_parser_backends[account][region].state_machines


def forget_everything() -> None:
    """Stop every execution and drop every state machine."""
    for regions in stepfunctions_parser_backends.values():
        for backend in regions.values():
            for machine in backend.state_machines:
                for execution in machine.executions:
                    if execution.status == "RUNNING":
                        execution.stop(stop_date=utcnow(), error=None, cause=None)
    stepfunctions_parser_backends.reset()


# The clients of Tasks


def state_machine_arns(role_arn: str, account: str, region: str) -> list[str]:
    """Return the ARNs of the state machines that run as `role_arn`, oldest first."""
    backend = stepfunctions_parser_backends[account][region]
    return [machine.arn for machine in backend.state_machines if machine.roleArn == role_arn]


def modules_with_boto_clients() -> list[ModuleType]:
    """Return the modules of the interpreter that create boto3 clients, sorted by their names.

    Each of them imports the function `boto_client_for` from moto.
    """
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("moto.stepfunctions.parser.asl.") and "boto_client_for" in vars(module)
    ]


def task_clients(client_for: Callable[..., BaseClient]) -> Iterator[Replacement]:
    """Yield replacements that make every Task call AWS with a client from `client_for`.

    Its arguments are `region`, `service` and `state_credentials`. Moto's clients have fixed
    credentials, so no role would be enforced.
    """
    for module in modules_with_boto_clients():
        yield Replacement(module, "boto_client_for", client_for)

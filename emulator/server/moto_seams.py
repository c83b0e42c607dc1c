"""Every touch on how moto's Step Functions runs, in one place, with its reason.

Tried against moto 5.2.5. None of this is a public interface, so any release may move it; a test
tells. What it answers is `moto_answers.py`' subject.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from typing import TYPE_CHECKING, Protocol, cast

import jsonpath_ng.ext.parser
import jsonpath_ng.parser
from moto.core.config import default_user_config
from moto.core.utils import utcnow
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped, ProgramTimedOut
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from types import ModuleType

    from botocore.client import BaseClient
    from moto.stepfunctions.models import StateMachine
    from moto.stepfunctions.parser.api import ExecutionFailedEventDetails
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails


# Held while an execution ends: moto sets its status before its output, error and cause.
ending = threading.Lock()
LAST_EVENTS = frozenset(
    {
        HistoryEventType.ExecutionSucceeded,
        HistoryEventType.ExecutionFailed,
        HistoryEventType.ExecutionAborted,
        HistoryEventType.ExecutionTimedOut,
    }
)
# Moto parses the definition for every execution, and each path whenever it is followed. The trees
# are read-only: it runs the iterations of a Map, side by side, on one of them.
REMEMBERING_PARSERS: tuple[tuple[object, str, object], ...] = (
    (
        AmazonStateLanguageParser,
        "parse",
        staticmethod(functools.lru_cache(64)(AmazonStateLanguageParser.parse)),
    ),
    (json_path, "parse", functools.lru_cache(4096)(jsonpath_ng.ext.parser.parse)),
    (result_path, "parse", functools.lru_cache(4096)(jsonpath_ng.parser.parse)),
)


class StateMachineRun(Protocol):
    """What this code reads of moto's Execution."""

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
        """Abort it."""

    def to_history_output(self) -> dict[str, list[dict[str, object]]]:
        """Give a copy of its `events`."""


def interpret_state_machines() -> None:
    """Let moto run state machines instead of only recording them."""
    default_user_config["stepfunctions"] = {"execute_state_machine": True}


def parse_once() -> None:
    """Parse a definition once for all of its executions, and a path once for all states."""
    for owner, name, parser in REMEMBERING_PARSERS:
        setattr(owner, name, parser)


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


def end_executions_once() -> None:
    """Let what ends an execution first be its end, at once, and its history's last event.

    Moto waits until the task under way has returned before a stopped execution is ABORTED and
    before it writes the last event of one that was stopped or timed out; a function may run for
    minutes. What fails in the meantime, or because of it, turns the last event into
    ExecutionFailed, and in a Map the status into FAILED.
    """
    stop = ExecutionWorker.stop
    publish: Callable[..., None] = EventManager._publish_history_event  # noqa: SLF001  # a seam

    def stop_now(
        self: ExecutionWorker, stop_date: dt.datetime, error: str | None, cause: str | None
    ) -> None:
        for _ in range(500):  # 5 seconds; the execution's thread makes it first of all
            if self.env is not None and self.env.program_state() is not None:
                break
            time.sleep(0.01)
        stop(self, stop_date, error, cause)
        self._execution_communication.terminated()  # what moto calls when the thread ends

    def publish_until_the_end(self: EventManager, **event: object) -> None:
        history = self._history_event_list
        if not history or history[-1]["type"] not in LAST_EVENTS:
            publish(self, **event)

    ExecutionWorker.stop = stop_now  # type: ignore[method-assign]  # a seam
    EventManager._publish_history_event = publish_until_the_end  # type: ignore[assignment,method-assign]  # noqa: SLF001
    _keep_the_first_end()


def _keep_the_first_end() -> None:
    """Write the last event with the state that it is about, and let no other state follow."""
    set_stop, set_timed_out = Environment.set_stop, Environment.set_timed_out
    set_error = Environment.set_error

    def stop(
        self: Environment, stop_date: dt.datetime, cause: str | None, error: str | None
    ) -> None:
        with self._state_mutex:  # a seam
            if self.is_running() and not self.is_frame():
                given = {"error": error, "cause": cause}
                details = {key: text for key, text in given.items() if text is not None}
                self.event_history_context.source_event_id = 0  # as moto has it
                _write(self, HistoryEventType.ExecutionAborted, "Aborted", details)
            set_stop(self, stop_date=stop_date, cause=cause, error=error)

    def time_out(self: Environment) -> None:
        with self._state_mutex:  # a seam
            if self.is_frame():
                set_timed_out(self)
            elif self.is_running():
                _write(self, HistoryEventType.ExecutionTimedOut, "TimedOut", {})
                set_timed_out(self)

    def fail(self: Environment, error: ExecutionFailedEventDetails) -> None:
        with self._state_mutex:  # a seam
            over = isinstance(self.program_state(), ProgramStopped | ProgramTimedOut)
            if self.is_frame() or not over:
                set_error(self, error=error)

    Environment.set_stop = stop  # type: ignore[method-assign]  # a seam
    Environment.set_timed_out = time_out  # type: ignore[method-assign]  # a seam
    Environment.set_error = fail  # type: ignore[method-assign]  # a seam


def _write(env: Environment, event: HistoryEventType, how: str, details: dict[str, str]) -> None:
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=event,
        event_details=cast("EventDetails", {f"execution{how}EventDetails": details}),
    )


def on_status_change(report: Callable[[StateMachineRun, str], None]) -> None:
    """Call `report(execution, status)` when an execution has started, and when it has ended.

    A short one may have ended already when its start is reported, with the status RUNNING.
    """
    start, terminated = Execution.start, BaseExecutionWorkerCommunication.terminated

    def reporting_start(self: Execution) -> None:
        start(self)
        report(cast("StateMachineRun", self), "RUNNING")

    def reporting_terminated(self: BaseExecutionWorkerCommunication) -> None:
        with ending:
            if self.execution.stop_date is not None:  # a stopped one whose thread ends later
                return
            terminated(self)
            worker = self.execution.exec_worker
            state = worker.env.program_state() if worker and worker.env else None
            if isinstance(state, ProgramStopped):  # moto keeps them in the history alone
                self.execution.error, self.execution.cause = state.error, state.cause
        report(cast("StateMachineRun", self.execution), self.execution.status)

    Execution.start = reporting_start  # type: ignore[method-assign]  # a seam
    BaseExecutionWorkerCommunication.terminated = reporting_terminated  # type: ignore[method-assign]  # a seam


def is_being_deleted(machine: StateMachine) -> bool:
    """Return True if a state machine is being deleted and waits for its executions to end."""
    return bool(vars(machine).get("deleting"))


def begin_deletion(machine: StateMachine) -> None:
    """Mark a state machine as being deleted. `finish_deletions` removes it."""
    vars(machine)["deleting"] = True


def finish_deletions(machines: list[StateMachine]) -> None:
    """Remove the state machines that are being deleted and have no running execution."""
    for machine in [each for each in machines if is_being_deleted(each)]:
        if not _running(machine) and machine in machines:
            machines.remove(machine)
            machine.backend.tagger.delete_all_tags_for_resource(machine.arn)


def _running(machine: StateMachine) -> list[Execution]:
    return [run for run in cast("list[Execution]", machine.executions) if run.stop_date is None]


def end_executions_of_deleted_machines() -> None:
    """Abort the executions of a state machine that is being deleted, each at its next state.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    evaluate, terminated = CommonStateField.eval, BaseExecutionWorkerCommunication.terminated

    def machines_beside(execution_arn: str) -> list[StateMachine]:
        _, _, _, region, account, *_ = execution_arn.split(":")
        return stepfunctions_parser_backends[account][region].state_machines

    def evaluate_unless_deleted(self: CommonStateField, env: Environment) -> None:
        execution_arn = env.states.context_object.context_object_data["Execution"]["Id"]
        for machine in machines_beside(execution_arn):
            for run in _running(machine) if is_being_deleted(machine) else ():
                if run.exec_arn == execution_arn:
                    run.stop(stop_date=utcnow(), error=None, cause=None)
        evaluate(self, env)  # does nothing in an execution that was stopped

    def terminated_and_gone(self: BaseExecutionWorkerCommunication) -> None:
        terminated(self)
        finish_deletions(machines_beside(self.execution.exec_arn))

    CommonStateField.eval = evaluate_unless_deleted  # type: ignore[assignment,method-assign]  # a seam
    BaseExecutionWorkerCommunication.terminated = terminated_and_gone  # type: ignore[method-assign]  # a seam


def forget_everything() -> None:
    """Stop every execution and drop every state machine."""
    for regions in stepfunctions_parser_backends.values():
        for backend in regions.values():
            for machine in backend.state_machines:
                for run in machine.executions:
                    if run.status == "RUNNING":
                        run.stop(stop_date=utcnow(), error=None, cause=None)
    stepfunctions_parser_backends.reset()

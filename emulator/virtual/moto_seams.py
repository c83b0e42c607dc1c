"""Where moto's Step Functions interpreter is made to live on virtual time; written for moto 5.2.5.

`SUBSTITUTES` names every place in it that waits, starts a thread, reads the time or rolls dice
while a machine runs; what stands there is replaced for the duration. The functions below replace
methods, and each says what moto does there and why that will not do. A place that is not there any
more is a `SeamMovedError`; a test looks for new ones.
"""

import copy
import functools
import importlib
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from types import SimpleNamespace
from typing import TYPE_CHECKING, Self, cast
from unittest.mock import patch

from botocore.exceptions import ClientError
from moto.core.responses import ActionResult
from moto.stepfunctions.parser import models, utils  # noqa: F401 - models loads the whole of it
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_lambda as invocations,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import (
    StateTaskLambda,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.responses import StepFunctionResponse

from emulator.server.moto_seams import REMEMBERING_PARSERS
from emulator.virtual.virtual_time import Event, Thread, VirtualClock

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

PACKAGE = "moto.stepfunctions.parser"
_EXEC = "asl.component.state.exec"
SUBSTITUTES: dict[tuple[str, str], str] = {
    ("backend.execution_worker", "Thread"): "starts an execution",
    ("asl.component.program.program", "threading"): "TimeoutSeconds of the machine",
    (f"{_EXEC}.execute_state", "threading"): "TimeoutSeconds of a state",
    (f"{_EXEC}.execute_state", "Thread"): "runs each attempt of a state",
    (f"{_EXEC}.state_map.iteration.inline_iteration_component", "threading"): "starts iterations",
    (f"{_EXEC}.state_map.iteration.job", "threading"): "waits for the iterations of a Map",
    (f"{_EXEC}.state_parallel.branch_worker", "threading"): "starts the branches of a Parallel",
    (f"{_EXEC}.state_parallel.branches_decl", "threading"): "waits for the branches",
    (f"{_EXEC}.state_task.service.state_task_service_callback", "threading"): "waits for a token",
    (f"{_EXEC}.state_task.service.state_task_service_callback", "time"): "polls .sync tasks",
    ("asl.eval.callback.callback", "Event"): "waits for a token",
    ("asl.eval.environment", "threading"): "the event that interrupts a Wait state",
    ("asl.component.common.retry.retrier_decl", "time"): "sleeps between attempts",
    ("asl.component.common.retry.jitter_strategy_decl", "random"): "JitterStrategy FULL",
    ("asl.component.state.wait.wait_function.timestamp", "datetime"): "Timestamp of a Wait state",
    ("asl.component.state.state", "datetime"): "$$.State.EnteredTime",
    ("asl.eval.event.event_manager", "datetime"): "timestamps of the history",
    ("backend.execution", "datetime"): "stopDate",
    ("models", "datetime"): "startDate, $$.Execution.StartTime",
    ("asl.eval.states", "long_uid"): "task tokens",
}
COPIERS = (
    "asl.eval.states",
    "asl.eval.event.event_manager",
    "asl.component.common.string.string_expression",
    "asl.component.common.path.result_path",
)
"""Where documents are copied at every step, by `copy.deepcopy`."""
ORIGINALS = (threading, threading.Thread, threading.Event, time, random, utils.long_uid)
ATOMS = (str, int, float, type(None))
_DATETIME = importlib.import_module("datetime")

Details = dict[str, dict[str, str | None]]
Invoke = Callable[[Environment, Mapping[str, str | bytes]], dict[str, object]]
"""Runs the function of a lambda:invoke task: (environment, parameters) -> response."""


class SeamMovedError(AssertionError):
    """The installed moto is not the one that the seams were written for."""


class _Moment(datetime):
    """A time that prints as Step Functions prints it: 2026-11-29T03:00:00.000Z."""

    def isoformat(self, sep: str = "T", timespec: str = "milliseconds") -> str:
        return super().isoformat(sep, timespec).replace("+00:00", "Z")


@contextmanager
def virtual(clock: VirtualClock, invoke: Invoke, ended: Callable[[str], None]) -> Iterator[None]:
    """Run moto's executions on `clock`, their functions through `invoke`; `ended` gets the ARNs.

    Threads of an execution are the clock's group of its ARN.
    """
    threads = utils.TMP_THREADS  # moto appends every thread and never takes one away
    with ExitStack() as stack:
        for target, name, replacement in _replacements(clock, invoke, ended):
            stack.enter_context(patch.object(target, name, replacement))
        try:
            yield
        finally:
            threads.clear()


def _replacements(
    clock: VirtualClock, invoke: Invoke, ended: Callable[[str], None]
) -> Iterator[tuple[object, str, object]]:
    doubles = _doubles(clock)
    for module_name, name in SUBSTITUTES:
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
        original = getattr(module, name, None)
        if original not in doubles:
            raise SeamMovedError(
                f"{module.__name__}.{name} is {original!r}: another moto, or a world in a world"
            )
        yield module, name, doubles[original]

    for module_name in COPIERS:
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
        if getattr(module, "copy", None) is not copy:
            raise SeamMovedError(f"{module.__name__} does not copy: another moto?")
        yield module, "copy", SimpleNamespace(deepcopy=_copy)

    yield WaitFunction, "_wait_interval", _wait_interval
    yield Execution, "start", _in_group(clock, Execution.start)
    yield Execution, "get_start_execution_details", _started_as_text(Execution)
    terminated = BaseExecutionWorkerCommunication.terminated
    yield BaseExecutionWorkerCommunication, "terminated", _then_tell(ended, terminated)
    yield Environment, "set_stop", _stop_at_once(clock, Environment.set_stop)
    yield Environment, "set_timed_out", _time_out_at_once(clock, Environment.set_timed_out)
    yield lambda_eval_utils, "execute_lambda_function_integration", _call_function(invoke)
    yield StateTaskLambda, "_from_error", _name_service_errors()
    yield EvalComponent, "_log_failure_event_exception", _log_nothing
    yield EvalComponent, "_log_exception", _log_nothing
    yield StepFunctionResponse, "get_execution_history", _first_events
    yield from REMEMBERING_PARSERS


def _doubles(clock: VirtualClock) -> dict[object, object]:
    """Give what stands in for each original on the clock."""
    thread, event = functools.partial(Thread, clock), functools.partial(Event, clock)

    class Now(_Moment):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            # A Wait's Timestamp is compared with a now() that has no zone, and means UTC.
            now = clock.now() if tz else clock.now().replace(tzinfo=None)
            return cls.combine(now.date(), now.timetz())

    return {
        threading: SimpleNamespace(
            Thread=thread, Event=event, Lock=threading.Lock, RLock=threading.RLock
        ),
        threading.Thread: thread,
        threading.Event: event,
        time: SimpleNamespace(sleep=clock.sleep, time=clock.time),
        random: clock.random,
        utils.long_uid: lambda: str(uuid.UUID(int=clock.random.getrandbits(128), version=4)),
        _DATETIME: SimpleNamespace(
            datetime=Now, date=date, timedelta=timedelta, timezone=timezone, UTC=UTC
        ),
    }


def _wait_interval(_self: WaitFunction, env: Environment, wait_seconds: int) -> None:
    """Wait; moto takes the difference of two floats, truncates it, and waits a second longer."""
    if wait_seconds > 0:
        env.program_state_event.wait(wait_seconds)


def _in_group(
    clock: VirtualClock, start: Callable[[Execution], None]
) -> Callable[[Execution], None]:
    """Let an execution's threads be found by its ARN."""

    def start_in_group(execution: Execution) -> None:
        with clock.group(execution.exec_arn):
            start(execution)

    return start_in_group


def _started_as_text(execution_class: type[Execution]) -> Callable[[Execution], object]:
    """Give `$$.Execution.StartTime` as a string; moto leaves a datetime in the document."""
    details = execution_class.get_start_execution_details

    def start_details(execution: Execution) -> object:
        with patch.object(execution, "start_date", execution.start_date.isoformat()):
            return details(execution)

    return start_details


def _then_tell(ended: Callable[[str], None], terminated: Callable[..., None]) -> object:
    """Say that an execution has ended; moto leaves that to polling."""

    def terminate(communication: BaseExecutionWorkerCommunication) -> None:
        terminated(communication)
        ended(communication.execution.exec_arn)

    return terminate


def _stop_at_once(clock: VirtualClock, set_stop: Callable[..., None]) -> Callable[..., None]:
    """Abort now; moto waits for the running tasks, and inside a Map it ends as FAILED instead."""

    def stop(env: Environment, stop_date: datetime, cause: str | None, error: str | None) -> None:
        was_running = env.is_running()
        set_stop(env, stop_date=stop_date, cause=cause, error=error)
        if was_running and not env.is_frame():
            details: Details = {"executionAbortedEventDetails": {"error": error, "cause": cause}}
            _finish(clock, env, HistoryEventType.ExecutionAborted, details)

    return stop


def _time_out_at_once(clock: VirtualClock, set_timed_out: Callable[..., None]) -> object:
    """End now; moto writes the last event only when the running task has ended."""

    def time_out(env: Environment) -> None:
        set_timed_out(env)
        if not env.is_frame():
            details: Details = {"executionTimedOutEventDetails": {}}
            _finish(clock, env, HistoryEventType.ExecutionTimedOut, details)

    return time_out


def _finish(
    clock: VirtualClock, env: Environment, event_type: HistoryEventType, details: Details
) -> None:
    """Write an execution's last event and end its threads, save those that run a function."""
    env.event_history_context.source_event_id = 0
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=event_type,
        event_details=cast("EventDetails", details),
    )
    clock.unwind(env.states.context_object.context_object_data["Execution"]["Id"])


def _call_function(invoke: Invoke) -> Callable[..., None]:
    """Call the function directly; moto makes a new boto3 client for every invocation."""

    def execute(
        env: Environment, parameters: dict[str, str | bytes], region: str, state_credentials: object
    ) -> None:
        del region, state_credentials
        response = invoke(env, parameters)
        if not env.is_running():  # moto would write a TaskSucceeded after the TaskTimedOut
            raise TimeoutError("the state is over; nobody waits for this result")
        env.stack.append(response)

    return execute


def _name_service_errors() -> Callable[..., FailureEvent]:
    """Name Invoke's errors `Lambda.*` for a function's ARN too, where moto says `Exception`."""
    from_error = StateTaskLambda._from_error  # noqa: SLF001 - a seam
    named_as_by_invoke = (
        invocations.StateTaskServiceLambda._error_cause_from_client_error  # noqa: SLF001 - a seam
    )

    def name_error(task: StateTaskLambda, env: Environment, ex: Exception) -> FailureEvent:
        if isinstance(ex, ClientError):
            error, cause = named_as_by_invoke(ex)
            details: Details = {
                "lambdaFunctionFailedEventDetails": {"error": error, "cause": cause}
            }
            return FailureEvent(
                env=env,
                error_name=CustomErrorName(error),
                event_type=HistoryEventType.LambdaFunctionFailed,
                event_details=cast("EventDetails", details),
            )
        return from_error(task, env=env, ex=ex)

    return name_error


def _copy(document: object) -> object:
    """Copy what JSON can hold as it is, which `copy.deepcopy` does ten times slower."""
    if type(document) is dict:
        return {key: _copy(value) for key, value in document.items()}
    if type(document) is list:
        return [_copy(value) for value in document]
    return document if isinstance(document, ATOMS) else copy.deepcopy(document)


def _first_events(response: StepFunctionResponse) -> ActionResult:
    """Give as many events as are asked for; moto writes all of them out, which takes a while."""
    history = response.stepfunction_backend.get_execution_history(
        response._get_param("executionArn")  # noqa: SLF001 - a seam
    )
    first = response._get_param("maxResults")  # noqa: SLF001 - a seam
    return ActionResult({"events": history["events"][:first]})


def _log_nothing(*_: object, **__: object) -> None:
    """Keep quiet; moto prints the whole machine for every error, at every level it passes."""

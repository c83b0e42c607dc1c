"""Moto's Step Functions interpreter on virtual time, with handlers of this process as functions.

`SUBSTITUTES` names every place in moto that waits, starts a thread, reads the time or draws a
random number while a state machine runs. `virtual_interpreter` replaces them for a block. It raises
`MotoChangedError` if a place has moved, and a test looks for new places. Written for moto 5.2.5.
"""

import copy
import functools
import importlib
import marshal
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from types import SimpleNamespace
from typing import Self
from unittest.mock import patch

from moto.stepfunctions.parser import models, utils  # noqa: F401  # models loads the whole parser
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.backend.execution import Execution

from emulator import moto_parsing, moto_patches
from emulator.moto_patches import Replacement
from emulator.virtual.virtual_time import Event, Thread, VirtualClock

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
# The modules that copy documents with `copy.deepcopy` in every state.
COPYING_MODULES = (
    "asl.eval.states",
    "asl.eval.event.event_manager",
    "asl.component.common.string.string_expression",
    "asl.component.common.path.result_path",
    f"{_EXEC}.execute_state",
    f"{_EXEC}.state_map.state_map",
)
ORIGINALS = (threading, threading.Thread, threading.Event, time, random, utils.long_uid)
_DATETIME = importlib.import_module("datetime")

Invoke = Callable[[Environment, Mapping[str, str | bytes]], dict[str, object]]
"""Runs the function of a lambda:invoke task: (environment, parameters) -> response."""


class MotoChangedError(AssertionError):
    """The installed moto is not the version that this module was written for."""


class _Moment(datetime):
    """A time that prints as Step Functions prints it: 2026-11-29T03:00:00.000Z."""

    def isoformat(self, sep: str = "T", timespec: str = "milliseconds") -> str:
        return super().isoformat(sep, timespec).replace("+00:00", "Z")


@contextmanager
def virtual_interpreter(
    clock: VirtualClock, invoke: Invoke, on_end: Callable[[str], None]
) -> Iterator[None]:
    """Run moto's executions on `clock` for the block, and their functions with `invoke`.

    `on_end` is called with the ARN of each execution that has ended. The threads of an execution
    are a group of the clock, and the name of the group is the execution's ARN.
    """
    threads = utils.TMP_THREADS  # moto appends every thread and never removes it
    with ExitStack() as stack:
        for replacement in _replacements(clock, invoke, on_end):
            stack.enter_context(patch.object(*replacement))
        try:
            yield
        finally:
            threads.clear()


def _replacements(
    clock: VirtualClock, invoke: Invoke, on_end: Callable[[str], None]
) -> Iterator[Replacement]:
    """Yield everything that is replaced in moto. `virtual_interpreter` explains the arguments."""
    yield from _substitutes(clock)
    yield from _fast_copies()
    yield Replacement(WaitFunction, "_wait_interval", _wait_interval)
    yield Replacement(Execution, "start", _start_in_group(clock, Execution.start))
    yield Replacement(
        lambda_eval_utils, "execute_lambda_function_integration", _call_function(invoke)
    )
    yield Replacement(EvalComponent, "_log_failure_event_exception", _log_nothing)
    yield Replacement(EvalComponent, "_log_exception", _log_nothing)
    yield from moto_parsing.parse_once()
    yield from moto_patches.text_as_start_time()
    yield from moto_patches.lambda_error_names()
    yield from moto_patches.end_once(lambda env: clock.unwind(_execution_arn(env)))
    yield from moto_patches.report_ends(lambda execution: on_end(execution.exec_arn))


def _substitutes(clock: VirtualClock) -> Iterator[Replacement]:
    """Yield a replacement on the clock for each of SUBSTITUTES.

    Raises:
        MotoChangedError: A place does not have the expected original.
    """
    virtual_objects = _virtual_objects(clock)
    for module_name, name in SUBSTITUTES:
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
        original = getattr(module, name, None)
        if original not in virtual_objects:
            raise MotoChangedError(
                f"{module.__name__}.{name} is {original!r}; moto is not version 5.2.5, or this is"
                " a block inside another one"
            )
        yield Replacement(module, name, virtual_objects[original])


def _fast_copies() -> Iterator[Replacement]:
    """Yield a replacement of the module `copy` for each of COPYING_MODULES."""
    for module_name in COPYING_MODULES:
        module = importlib.import_module(f"{PACKAGE}.{module_name}")
        if getattr(module, "copy", None) is not copy:
            raise MotoChangedError(f"{module.__name__} has no copy; moto is not version 5.2.5")
        yield Replacement(module, "copy", SimpleNamespace(deepcopy=_copy_document))


def _virtual_objects(clock: VirtualClock) -> dict[object, object]:
    """Return the object on the clock for each of ORIGINALS and for the module `datetime`."""
    thread, event = functools.partial(Thread, clock), functools.partial(Event, clock)

    class Now(_Moment):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            # Moto compares the Timestamp of a Wait with a now() that has no zone but means UTC.
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
    """Wait exactly `wait_seconds`.

    Moto subtracts two floats and truncates the result, which can make it wait a second longer.
    """
    if wait_seconds > 0:
        env.program_state_event.wait(wait_seconds)


def _start_in_group(
    clock: VirtualClock, start: Callable[[Execution], None]
) -> Callable[[Execution], None]:
    """Return a `start` that puts the threads of an execution into the group of its ARN."""

    def start_in_group(execution: Execution) -> None:
        with clock.group(execution.exec_arn):
            start(execution)

    return start_in_group


def _execution_arn(env: Environment) -> str:
    """Return the ARN of the execution that an environment of moto belongs to."""
    return str(env.states.context_object.context_object_data["Execution"]["Id"])


def _call_function(invoke: Invoke) -> Callable[..., None]:
    """Return a replacement for moto's call of a Lambda function, which calls `invoke`.

    Moto would create a boto3 client for every call.
    """

    def execute(
        env: Environment, parameters: dict[str, str | bytes], region: str, state_credentials: object
    ) -> None:
        del region, state_credentials
        response = invoke(env, parameters)
        if not env.is_running():  # else moto writes a TaskSucceeded after the TaskTimedOut
            raise TimeoutError("the state is over; nobody waits for this result")
        env.stack.append(response)

    return execute


def _copy_document(document: object) -> object:
    """Return a deep copy. `copy.deepcopy` takes thirty times as long for a JSON document."""
    try:
        content = marshal.dumps(document)  # type: ignore[arg-type]  # ValueError for other types
        return marshal.loads(content)  # noqa: S302  # this process wrote the bytes
    except ValueError:  # the document contains an object that is no plain value
        pass
    if type(document) is list:
        return [_copy_document(item) for item in document]
    if type(document) is dict:
        return {key: _copy_document(value) for key, value in document.items()}
    return copy.deepcopy(document)


def _log_nothing(*_: object, **__: object) -> None:
    """Log nothing. Moto logs the whole state machine for each error, and several times."""

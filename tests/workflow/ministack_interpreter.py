"""Run the pipeline's state machine in MiniStack's interpreter instead of moto's.

All of it happens in the calling thread, on virtual time: iterations of a Map come one after the
other, each with its own waiting. Tried against ministack 1.5.33, whose insides may move.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Self
from unittest.mock import patch

from ministack.core.responses import request_scope
from ministack.services import stepfunctions

from components.state_machine.steps import STEPS
from emulator.virtual.lambda_runtime import Failed, function_name, invoke
from tests.workflow.interpreter import ACCOUNT, REGION, Call, Execution
from tests.workflow.pipeline import SCHEDULE, SLOT, Pipeline, handler


def run_in_ministack(made: Pipeline, **request: object) -> Execution:
    """Start an execution as `Pipeline.run` does, and follow it to its end; it has no events."""
    calls: list[Call] = []
    told = {"trigger": "schedule", "scheduledTime": SLOT, "scheduleArn": SCHEDULE, **request}
    # The functions ask moto for this machine's executions; it has none, as if ours came first.
    name = made.machine.arn.rpartition(":")[2]
    machine = {
        "name": name,
        "definition": json.dumps(made.definition),
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/machine",
    }
    with _inside(made, calls), request_scope(ACCOUNT, REGION):
        arn = _answer(stepfunctions._create_state_machine(machine))["stateMachineArn"]  # noqa: SLF001 - no public way in
        start = {"stateMachineArn": arn, "input": json.dumps(told), "name": "run-1"}
        started = _answer(stepfunctions._start_execution(start))["executionArn"]  # noqa: SLF001 - (as above)
        ended = stepfunctions._executions.pop(started)  # noqa: SLF001 - (as above)
        stepfunctions._state_machines.pop(arn)  # noqa: SLF001 - (as above)
    output = json.loads(ended["output"]) if ended["status"] == "SUCCEEDED" else None
    return Execution(
        arn=started,
        status=ended["status"],
        output=output,
        error=ended.get("error"),
        cause=ended.get("cause"),
        events=[],
        calls=calls,
    )


@contextmanager
def _inside(made: Pipeline, calls: list[Call]) -> Iterator[None]:
    functions = {**{step: handler(step) for step in STEPS}, **made.handlers}
    timeouts = {name: step.timeout_seconds for name, step in STEPS.items()}

    def call_lambda(arn: str, event: Mapping[str, object]) -> object:
        payload = json.dumps(event)
        calls.append(Call(function_name(arn), json.loads(payload), None))
        try:
            outcome = invoke(functions, timeouts, made.clock, arn, payload)
        except Failed as failed:
            calls[-1] = calls[-1]._replace(outcome=failed.error)
            cause = getattr(failed.reason, "payload", str(failed.reason))
            raise stepfunctions._ExecutionError(failed.error, cause) from None  # noqa: SLF001 - what its own raises
        calls[-1] = calls[-1]._replace(outcome=outcome)
        return outcome

    with patch.multiple(
        stepfunctions,
        ThreadPoolExecutor=_AtOnce,
        futures_wait=lambda _: None,
        threading=SimpleNamespace(Thread=_Thread),
        time=SimpleNamespace(sleep=made.clock.sleep, time=made.clock.time),
        now_iso=lambda: made.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        _scaled_sleep=made.clock.sleep,
        _call_lambda=call_lambda,
        _emit_execution_status_event=lambda _: None,
    ):
        yield


class _AtOnce:
    """An executor that does everything in the thread that submits it."""

    def __init__(self, max_workers: int) -> None:
        del max_workers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., object], *arguments: object) -> "Future[object]":
        done: Future[object] = Future()
        try:
            done.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            done.set_exception(error)
        return done

    def shutdown(self, *, wait: bool) -> None:
        pass


class _Thread:
    """A thread that has ended when it is started."""

    def __init__(
        self, target: Callable[..., object], args: tuple[object, ...], *, daemon: bool
    ) -> None:
        del daemon
        self._target, self._args = target, args

    def start(self) -> None:
        self._target(*self._args)


def _answer(answer: tuple[int, Mapping[str, str], bytes]) -> Mapping[str, str]:
    status, _, body = answer
    assert status == 200, body
    return json.loads(body)

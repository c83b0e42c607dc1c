"""Run state machines with Python handlers in this process, on virtual time.

moto interprets the state machines. A Task whose Resource is the ARN of a function or
`lambda:invoke` calls the Python handler of that function (`lambda_runtime.py`). All waiting
happens on a virtual clock (`moto_time.py`).
"""

import itertools
import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, cast
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.models import (
    StepFunctionsParserBackend,
    stepfunctions_parser_backends,
)

from emulator.personalize.faults import Faults
from emulator.virtual.api_responses import OPERATIONS, replacements
from emulator.virtual.lambda_runtime import Handler, InvocationError, function_name, invoke
from emulator.virtual.moto_time import virtual_interpreter
from emulator.virtual.virtual_time import Event, VirtualClock

if TYPE_CHECKING:
    from moto.stepfunctions.parser.api import HistoryEvent
    from moto.stepfunctions.parser.backend.execution import Execution as MotoExecution
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ATTEMPT_EVENTS = {
    "LambdaFunctionScheduled",
    "TaskScheduled",
    "MapStateStarted",
    "ParallelStateStarted",
}
"""The history events with which an attempt at a state begins."""


class Clock(Protocol):
    """The module or object from which the handlers read the time."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]


class Call(NamedTuple):
    """One invocation of a function.

    `outcome` is the result of the function, or the name of its error. It is None while the function
    is running.
    """

    function: str
    payload: object
    outcome: object


@dataclass(frozen=True)
class Execution:
    """The state of an execution at one moment.

    `events` has the format of boto3's GetExecutionHistory. `calls` is sorted by the time at which
    the invocations began.
    """

    arn: str
    status: str
    output: dict[str, object] | None
    error: str | None
    cause: str | None
    events: "list[HistoryEventTypeDef]" = field(repr=False)
    calls: list[Call] = field(repr=False)

    @property
    def timeline(self) -> list[tuple[datetime, str]]:
        """Return the time and the name of each state that was entered, in order.

        States inside a Map are included.
        """
        return [
            (event["timestamp"], event["stateEnteredEventDetails"]["name"])
            for event in self.events
            if "stateEnteredEventDetails" in event
        ]

    @property
    def states(self) -> list[str]:
        """Return the names of all states that were entered, in order, even inside a Map."""
        return [name for _, name in self.timeline]

    @property
    def transitions(self) -> int:
        """Return the number of state transitions that AWS bills.

        AWS bills "each time a step of your workflow is executed", and each retry
        (https://aws.amazon.com/step-functions/pricing/). So each state entered counts once, and
        each attempt that does not directly follow the entry into its state counts once more.
        """
        types = {event["id"]: event["type"] for event in self.events}
        retries = [
            event
            for event in self.events
            if event["type"] in ATTEMPT_EVENTS
            and not types[event["previousEventId"]].endswith("StateEntered")
        ]
        return len(self.timeline) + len(retries)


def run(
    definition: Mapping[str, object],
    functions: Mapping[str, Handler],
    input: Mapping[str, object],  # noqa: A002 - AWS's word
    *,
    clock: VirtualClock | None = None,
    name: str | None = None,
) -> Execution:
    """Run one execution of a state machine to its end, and return it.

    Use `StepFunctions` to run several executions, or to abort them.
    """
    with StepFunctions(clock) as step_functions:
        return step_functions.machine(definition, functions).start(input, name=name).wait()


class StepFunctions:
    """The Step Functions service of an account, for the duration of a `with` block.

    boto3 clients that are created inside the block talk to moto, in `REGION` of `ACCOUNT`. Nothing
    remains after the block. Time passes on `clock`, and only while the thread that created the
    clock sleeps on it or waits for an execution. That thread gets a `StuckError` if nothing can
    continue.

    Args:
        clock: the virtual time, by default a new clock.
        handler_clock: where the handlers read the time. Its `now` and `sleep` are replaced by those
            of `clock` inside the block.

    Attributes:
        faults: the faults that the calls of boto3 clients meet (`api_responses.py`).
    """

    def __init__(
        self, clock: VirtualClock | None = None, *, handler_clock: Clock | None = None
    ) -> None:
        self.clock = clock or VirtualClock()
        self.faults = Faults(OPERATIONS)
        self._handler_clock = handler_clock
        self._machines: dict[str, Machine] = {}
        self._calls: dict[str, list[Call]] = {}
        self._end_events: dict[str, Event] = {}
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            region = {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
            stack.enter_context(patch.dict(os.environ, region))
            if self._handler_clock is not None:
                for name in ("now", "sleep"):
                    virtual_function = getattr(self.clock, name)
                    stack.enter_context(patch.object(self._handler_clock, name, virtual_function))
            # moto also prepares answers for the library `requests`, which takes longer than a run.
            # Only boto3 sends requests here.
            stack.enter_context(patch("moto.core.models.RESPONSES_METHODS", ()))
            stack.enter_context(mock_aws(config={"stepfunctions": {"execute_state_machine": True}}))
            stack.enter_context(
                virtual_interpreter(self.clock, self._invoke, lambda arn: self.end_event(arn).set())
            )
            for replacement in replacements(self.faults, self.clock.now):
                stack.enter_context(patch.object(*replacement))
            stack.callback(self._stop_executions)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.__exit__(kind, error, trace)

    @property
    def backend(self) -> StepFunctionsParserBackend:
        """Return moto's store of state machines and executions."""
        return stepfunctions_parser_backends[ACCOUNT][REGION]

    @property
    def client(self) -> "SFNClient":
        """Return a new boto3 client of this service."""
        return boto3.client("stepfunctions", region_name=REGION)

    def machine(
        self,
        definition: Mapping[str, object],
        functions: Mapping[str, Handler],
        *,
        name: str = "machine",
        timeouts: Mapping[str, float] | None = None,
    ) -> "Machine":
        """Create a state machine.

        `functions` are the handlers by function name. `timeouts` are the timeouts of functions in
        seconds, by function name. The default is 900.

        Raises:
            ValueError: There is a state machine with this name. Moto would return it.
        """
        if any(machine.name == name for machine in self.backend.state_machines):
            raise ValueError(f"a state machine {name!r} exists already")
        created = self.backend.create_state_machine(
            name=name,
            definition=json.dumps(definition),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        )
        # Moto takes the real time, without a zone.
        created.creation_date = self.clock.now().replace(tzinfo=None)
        arn: str = created.arn
        self._machines[arn] = Machine(self, arn, functions, timeouts or {})
        return self._machines[arn]

    def end_event(self, execution_arn: str) -> Event:
        """Return the event that is set when the execution ends."""
        return self._end_events.setdefault(execution_arn, Event(self.clock))

    def execution(self, execution_arn: str) -> Execution:
        """Return the present state of an execution."""
        moto_execution = self.moto_execution(execution_arn)
        history = self.backend.get_execution_history(execution_arn)["events"]
        return Execution(
            arn=execution_arn,
            status=str(moto_execution.status),
            output=moto_execution.output,
            error=moto_execution.error,
            cause=moto_execution.cause,
            events=[_boto3_event(event) for event in history],
            calls=list(self._calls.get(execution_arn, [])),
        )

    def moto_execution(self, execution_arn: str) -> "MotoExecution":
        """Return moto's object of an execution."""
        return cast("MotoExecution", self.backend.describe_execution(execution_arn))

    def _invoke(self, env: Environment, parameters: Mapping[str, str | bytes]) -> dict[str, object]:
        """Return the response of Lambda's Invoke for a Task, and record the call.

        `env` is moto's environment of the execution, and `parameters` are those of Invoke.
        """
        context = env.states.context_object.context_object_data
        machine = self._machines[context["StateMachine"]["Id"]]
        arn, payload = str(parameters["FunctionName"]), parameters.get("Payload", "{}")
        calls = self._calls.setdefault(context["Execution"]["Id"], [])
        position = len(calls)  # other threads may append calls before this one has ended
        calls.append(Call(function_name(arn), json.loads(payload), None))
        try:
            outcome = invoke(machine.functions, machine.timeouts, self.clock, arn, payload)
        except InvocationError as error:
            calls[position] = calls[position]._replace(outcome=error.error)
            raise error.reason from error.__cause__
        calls[position] = calls[position]._replace(outcome=outcome)
        return {"ExecutedVersion": "$LATEST", "Payload": outcome, "StatusCode": 200}

    def _stop_executions(self) -> None:
        """End the threads of every execution, and delete the state machines of this object."""
        for machine in list(self.backend.state_machines):
            for execution in machine.executions:
                self.clock.end(execution.execution_arn)
            if machine.arn in self._machines:  # an outer mock_aws would keep the state machine
                self.backend.delete_state_machine(machine.arn)


@dataclass(frozen=True)
class Machine:
    """A state machine and its functions, created by `StepFunctions.machine`."""

    step_functions: StepFunctions = field(repr=False)
    arn: str
    functions: Mapping[str, Handler]
    timeouts: Mapping[str, float]
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1), repr=False)

    def start(
        self,
        input: Mapping[str, object],  # noqa: A002 - AWS's word
        *,
        name: str | None = None,
    ) -> "StartedExecution":
        """Start an execution. It continues whenever the owner of the clock waits."""
        execution = self.step_functions.backend.start_execution(
            self.arn, name or f"run-{next(self._numbers)}", json.dumps(input)
        )
        return StartedExecution(self.step_functions, execution.exec_arn)


@dataclass(frozen=True)
class StartedExecution:
    """An execution that may still be running."""

    step_functions: StepFunctions = field(repr=False)
    arn: str

    def now(self) -> Execution:
        """Return the present state of the execution."""
        return self.step_functions.execution(self.arn)

    def wait(self) -> Execution:
        """Let virtual time pass until the execution ends, and return the ended execution."""
        self.step_functions.end_event(self.arn).wait()
        return self.now()

    def abort(self, error: str | None = None, cause: str | None = None) -> None:
        """Stop the execution immediately, as StopExecution does.

        A function that is running continues to its end, as in Lambda.
        """
        clock = self.step_functions.clock
        clock.let_others_run()  # so that an execution that was just started has a thread
        execution = self.step_functions.moto_execution(self.arn)
        execution.stop(clock.now(), error, cause)
        clock.let_others_run()  # so that the execution's threads end

    def time_out(self) -> None:
        """End the execution immediately, as the TimeoutSeconds of the state machine does."""
        clock = self.step_functions.clock
        clock.let_others_run()  # so that an execution that was just started has a thread
        worker = self.step_functions.moto_execution(self.arn).exec_worker
        assert worker is not None, "a started execution has a worker"
        assert worker.env is not None, "the thread of the execution has begun"
        worker.env.set_timed_out()
        clock.let_others_run()  # so that the execution's threads end


def _boto3_event(event: "HistoryEvent") -> "HistoryEventTypeDef":
    """Convert moto's history event into the format of boto3."""
    time = datetime.fromisoformat(str(event["timestamp"]))
    return cast("HistoryEventTypeDef", {**event, "timestamp": time, "type": event["type"].value})

"""Run a state machine with real handlers in this process, on virtual time.

moto's Step Functions interpreter does the running; a Task whose Resource is a function's ARN or
`lambda:invoke` calls the Python handler of that name (`lambda_runtime.py`), and all waiting is
virtual (`emulator/virtual/moto_time.py`).
"""

import itertools
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self, cast
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.models import (
    StepFunctionsParserBackend,
    stepfunctions_parser_backends,
)

from emulator.virtual.lambda_runtime import Failed, Fails, Handler, function_name, invoke, replies
from emulator.virtual.moto_time import virtual
from emulator.virtual.virtual_time import Event, StuckError, VirtualClock
from functions import clock as handlers_clock

if TYPE_CHECKING:
    from moto.stepfunctions.parser.api import HistoryEvent
    from moto.stepfunctions.parser.backend.execution import Execution as MotoExecution
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

__all__ = [
    "Call",
    "Execution",
    "Fails",
    "Handler",
    "Machine",
    "Running",
    "StuckError",
    "VirtualClock",
    "World",
    "replies",
    "run",
]

ACCOUNT = "123456789012"
REGION = "eu-west-1"
BEGINNINGS = {
    "LambdaFunctionScheduled",
    "TaskScheduled",
    "MapStateStarted",
    "ParallelStateStarted",
}
"""The events with which an attempt at a state begins."""


class Call(NamedTuple):
    """One invocation, in order of its beginning.

    `outcome` is the result or the error's name; None if the execution ended before the function.
    """

    function: str
    payload: object
    outcome: object


@dataclass(frozen=True)
class Execution:
    """How an execution stands or ended; `events` are what boto3's GetExecutionHistory gives."""

    arn: str
    status: str
    output: dict[str, object] | None
    error: str | None
    cause: str | None
    events: "list[HistoryEventTypeDef]" = field(repr=False)
    calls: list[Call] = field(repr=False)

    @property
    def timeline(self) -> list[tuple[datetime, str]]:
        """When each state was entered, and its name; those inside a Map too."""
        return [
            (event["timestamp"], event["stateEnteredEventDetails"]["name"])
            for event in self.events
            if "stateEnteredEventDetails" in event
        ]

    @property
    def states(self) -> list[str]:
        """The names of the states entered, in order; those inside a Map too."""
        return [name for _, name in self.timeline]

    @property
    def transitions(self) -> int:
        """What AWS bills: "each time a step of your workflow is executed", and each retry.

        https://aws.amazon.com/step-functions/pricing/ says no more; so a state entered is one, and
        an attempt that does not follow upon the entrance into its state is one more.
        """
        types = {event["id"]: event["type"] for event in self.events}
        retries = [
            event
            for event in self.events
            if event["type"] in BEGINNINGS
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
    """Run a machine to its end; for several at once, or to abort one, see `World`."""
    with World(clock) as world:
        return world.machine(definition, functions).start(input, name=name).wait()


class World:
    """An account with Step Functions for the duration of a `with`; nothing of it is left behind.

    boto3 clients made inside talk to moto, in `REGION` of `ACCOUNT`, with credentials that open
    nothing; `functions.clock` is the virtual one. Everything happens on `clock`, and only while
    its owner (the thread that made it) sleeps on it or waits for an execution. What cannot end
    raises `StuckError` there.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self._machines: dict[str, Machine] = {}
        self._calls: dict[str, list[Call]] = {}
        self._ended: dict[str, Event] = {}
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            region = {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
            stack.enter_context(patch.dict(os.environ, region))
            stack.enter_context(patch.object(handlers_clock, "now", self.clock.now))
            stack.enter_context(patch.object(handlers_clock, "sleep", self.clock.sleep))
            # Only boto3 speaks here; to prepare answers for `requests` too takes longer than a run.
            stack.enter_context(patch("moto.core.models.RESPONSES_METHODS", ()))
            stack.enter_context(mock_aws(config={"stepfunctions": {"execute_state_machine": True}}))
            stack.enter_context(
                virtual(self.clock, self._invoke, lambda arn: self.ended(arn).set())
            )
            stack.callback(self._end)
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
        """What moto keeps of it."""
        return stepfunctions_parser_backends[ACCOUNT][REGION]

    @property
    def client(self) -> "SFNClient":
        """A new boto3 client for the Step Functions of this world."""
        return boto3.client("stepfunctions", region_name=REGION)

    def machine(
        self,
        definition: Mapping[str, object],
        functions: Mapping[str, Handler],
        *,
        name: str = "machine",
        timeouts: Mapping[str, float] | None = None,
    ) -> "Machine":
        """Create a state machine; `timeouts` are its functions' limits in seconds, else 900."""
        if any(other.name == name for other in self.backend.state_machines):
            raise ValueError(f"there is a state machine {name!r} already")  # moto would keep that
        arn: str = self.backend.create_state_machine(
            name=name,
            definition=json.dumps(definition),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        ).arn
        self._machines[arn] = Machine(self, arn, functions, timeouts or {})
        return self._machines[arn]

    def ended(self, execution_arn: str) -> Event:
        """Return the event that happens when an execution ends."""
        return self._ended.setdefault(execution_arn, Event(self.clock))

    def execution(self, execution_arn: str) -> Execution:
        """Return how an execution stands now."""
        moto = self.moto_execution(execution_arn)
        history = self.backend.get_execution_history(execution_arn)["events"]
        return Execution(
            arn=execution_arn,
            status=str(moto.status),
            output=moto.output,
            error=moto.error,
            cause=moto.cause,
            events=[_as_boto3_gives_it(event) for event in history],
            calls=list(self._calls.get(execution_arn, [])),
        )

    def moto_execution(self, execution_arn: str) -> "MotoExecution":
        """Return what moto keeps of an execution."""
        return cast("MotoExecution", self.backend.describe_execution(execution_arn))

    def _invoke(self, env: Environment, parameters: Mapping[str, str | bytes]) -> dict[str, object]:
        context = env.states.context_object.context_object_data
        machine = self._machines[context["StateMachine"]["Id"]]
        arn, payload = str(parameters["FunctionName"]), parameters.get("Payload", "{}")
        calls = self._calls.setdefault(context["Execution"]["Id"], [])
        number = len(calls)
        calls.append(Call(function_name(arn), json.loads(payload), None))
        try:
            outcome = invoke(machine.functions, machine.timeouts, self.clock, arn, payload)
        except Failed as failed:
            calls[number] = calls[number]._replace(outcome=failed.error)
            raise failed.reason from failed.__cause__
        calls[number] = calls[number]._replace(outcome=outcome)
        return {"ExecutedVersion": "$LATEST", "Payload": outcome, "StatusCode": 200}

    def _end(self) -> None:
        for machine in list(self.backend.state_machines):
            for execution in machine.executions:
                self.clock.end(execution.execution_arn)
            if machine.arn in self._machines:  # a mock_aws around this one would keep it
                self.backend.delete_state_machine(machine.arn)


@dataclass(frozen=True)
class Machine:
    """A state machine and the functions behind it; made by `World.machine`."""

    world: World = field(repr=False)
    arn: str
    functions: Mapping[str, Handler]
    timeouts: Mapping[str, float]
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1), repr=False)

    def start(
        self,
        input: Mapping[str, object],  # noqa: A002 - AWS's word
        *,
        name: str | None = None,
    ) -> "Running":
        """Start an execution; it goes on whenever the clock's owner waits."""
        execution = self.world.backend.start_execution(
            self.arn, name or f"run-{next(self._numbers)}", json.dumps(input)
        )
        return Running(self.world, execution.exec_arn)


@dataclass(frozen=True)
class Running:
    """An execution that has been started."""

    world: World = field(repr=False)
    arn: str

    def now(self) -> Execution:
        """Return how it stands now."""
        return self.world.execution(self.arn)

    def wait(self) -> Execution:
        """Let virtual time pass until it ends, and return how it ended."""
        self.world.ended(self.arn).wait()
        return self.now()

    def abort(self, error: str | None = None, cause: str | None = None) -> None:
        """Stop it, as StopExecution does: at once; a function that runs goes on to its end."""
        self.world.clock.sleep(0)  # an execution that was just started has nothing to stop yet
        execution = self.world.moto_execution(self.arn)
        execution.stop(self.world.clock.now(), error, cause)
        self.world.clock.sleep(0)  # so that it has ended when this returns


def _as_boto3_gives_it(event: "HistoryEvent") -> "HistoryEventTypeDef":
    time = datetime.fromisoformat(str(event["timestamp"]))
    return cast("HistoryEventTypeDef", {**event, "timestamp": time, "type": event["type"].value})

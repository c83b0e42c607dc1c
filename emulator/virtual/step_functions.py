"""Run state machines with Python handlers in this process, on virtual time.

A Task calls the Python handler of its function as Lambda would: JSON in, JSON out, limited time,
Lambda's errors. Handlers get None as their context, because no function of ours reads it.
"""

import functools
import itertools
import json
import traceback
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from emulator.personalize.faults import Faults
from emulator.protocol.service_models import load_service_model
from emulator.states import execution as states
from emulator.states import service
from emulator.states.documents import StateFailed
from emulator.states.execution import invoke_failure
from emulator.states.service import Row
from emulator.virtual.virtual_time import Event, LimitReached, VirtualClock

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

ACCOUNT = "123456789012"
REGION = "eu-west-1"
SCOPE = f"{REGION}:{ACCOUNT}"
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_TIMEOUT_SECONDS = 900

Handler = Callable[[dict[str, object], None], object]


class Fails(Exception):  # noqa: N818  # reads as a sentence: the handler fails with ...
    """Raised by a handler to fail with an error of Lambda itself.

    Names like `Lambda.TooManyRequestsException` are errors of the Invoke call, and names like
    `Sandbox.Timedout` are errors of the function.
    """

    def __init__(self, error: str, message: str = "made to fail") -> None:
        super().__init__(error, message)
        self.error = error
        self.message = message


def function_name(arn: str) -> str:
    """Return the name of a function. `arn` is its name or ARN, and may end in a version."""
    return arn.rpartition(":function:")[2].split(":")[0]


class Call(NamedTuple):
    """One invocation of a function.

    `outcome` is its result or the name of its error, or None while the function is running.
    """

    function: str
    payload: object
    outcome: object


@dataclass(frozen=True)
class Execution:
    """The state of an execution at one moment. `calls` is sorted by their start."""

    arn: str
    status: str
    output: dict[str, object] | None
    error: str | None
    cause: str | None
    events: "list[HistoryEventTypeDef]" = field(repr=False)
    calls: list[Call] = field(repr=False)

    @property
    def timeline(self) -> list[tuple[datetime, str]]:
        """Return the time and the name of each state that was entered, in order, even in a Map."""
        return [
            (event["timestamp"], event["stateEnteredEventDetails"]["name"])
            for event in self.events
            if "stateEnteredEventDetails" in event
        ]

    @property
    def states(self) -> list[str]:
        """Return the names of all states that were entered, in order, even inside a Map."""
        return [name for _, name in self.timeline]


def run(
    definition: Mapping[str, object],
    functions: Mapping[str, Handler],
    input: object,  # noqa: A002 - AWS's word
    *,
    clock: VirtualClock | None = None,
) -> Execution:
    """Run one execution of a state machine to its end, and return it."""
    with StepFunctions(clock) as step_functions:
        return step_functions.machine(definition, functions).start(input).wait()


class StepFunctions:
    """The Step Functions service of an account, for the duration of a `with` block.

    Time passes on `clock`, and only while the greenlet that created the clock sleeps on it or waits
    for an execution. The executions that are running at the end of the block end there. The object
    is the host of the interpreter. `service` is the API without the faults that boto3 clients meet.
    The fault `stale` is for ListExecutions and DescribeExecution.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        if clock is None:
            clock = VirtualClock()
        self.clock = clock
        # What the host of the interpreter needs besides `call` and `status_changed`
        self.now = clock.now
        self.uniform = clock.random.uniform
        self.event = functools.partial(Event, clock)
        self.start = clock.start

        self.service = service.StepFunctions(self)
        self.faults = Faults(load_service_model("stepfunctions").operation_names)
        self._machines: dict[str, Machine] = {}
        self.calls: defaultdict[str, list[Call]] = defaultdict(list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for execution in self.service.executions():
            self.clock.end(execution.arn)

    def machine(
        self,
        definition: Mapping[str, object],
        functions: Mapping[str, Handler],
        *,
        name: str = "machine",
        timeouts: Mapping[str, float] | None = None,
    ) -> "Machine":
        """Create a state machine. Raise ApiError if its definition cannot be interpreted.

        `functions` has the handlers, and `timeouts` the seconds (by default 900), by function name.
        """
        role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        fields = {"name": name, "definition": json.dumps(definition), "roleArn": role}
        arn = self.service.call("CreateStateMachine", fields, SCOPE)["stateMachineArn"]
        self._machines[arn] = Machine(self, arn, functions, timeouts or {})
        return self._machines[arn]

    def executions(self) -> "list[StartedExecution]":
        """Return the executions of all state machines, those of the oldest machine first."""
        return [StartedExecution(self, execution) for execution in self.service.executions()]

    def respond(self, operation: str, request: Mapping[str, Any]) -> Row:
        """Return the response to a request, after the faults of its operation.

        Raise ApiError if the request is refused, and NoResponse if the response is lost.
        """
        fault = self.faults.take_for_call(operation, request)
        fault.raise_before_operation()
        as_of = self.now() - timedelta(seconds=fault.stale_seconds)
        response = self.service.call(operation, request, SCOPE, as_of)
        fault.raise_after_operation()
        return response

    # The host of the interpreter, with `now`, `uniform`, `event` and `start`

    def call(self, execution: states.Execution, resource: str, payload: str) -> object:
        """Call the handler of a function, and record the call."""
        machine = self._machines[execution.machine.arn]
        calls = self.calls[execution.arn]

        position = len(calls)  # other tasks may append calls before this one has ended
        calls.append(Call(function_name(resource), json.loads(payload), None))

        try:
            outcome = _invoke(machine, self.clock, resource, payload)
        except StateFailed as failure:
            calls[position] = calls[position]._replace(outcome=failure.error)
            raise

        calls[position] = calls[position]._replace(outcome=outcome)
        return outcome

    def status_changed(self, execution: states.Execution) -> None:
        """Do nothing. Virtual time has no EventBridge."""


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
        input: object,  # noqa: A002 - AWS's word
        *,
        name: str | None = None,
    ) -> "StartedExecution":
        """Start an execution. It continues whenever the owner of the clock waits."""
        if name is None:
            name = f"run-{next(self._numbers)}"
        fields = {"stateMachineArn": self.arn, "name": name, "input": json.dumps(input)}
        api = self.step_functions.service
        arn = api.call("StartExecution", fields, SCOPE)["executionArn"]
        return StartedExecution(self.step_functions, api.execution(arn))


@dataclass(frozen=True)
class StartedExecution:
    """An execution that may still be running. `running` is the interpreter's object."""

    step_functions: StepFunctions = field(repr=False)
    running: states.Execution

    @property
    def arn(self) -> str:
        """Return the ARN of the execution."""
        return self.running.arn

    def now(self) -> Execution:
        """Return the present state of the execution."""
        output = None
        if self.running.output is not None:
            output = json.loads(self.running.output)

        return Execution(
            arn=self.arn,
            status=self.running.status,
            output=output,
            error=self.running.error,
            cause=self.running.cause,
            events=list(self.running.events),  # type: ignore[arg-type]  # in boto3's format
            calls=list(self.step_functions.calls[self.arn]),
        )

    def wait(self) -> Execution:
        """Let virtual time pass until the execution ends, and return the ended execution."""
        self.running.ended.wait()
        return self.now()

    def abort(self, error: str | None = None, cause: str | None = None) -> None:
        """Stop the execution as StopExecution does. A function that is running goes on."""
        self.running.stop(error, cause)

    def time_out(self) -> None:
        """End the execution immediately, as the TimeoutSeconds of the state machine does."""
        self.running.time_out()


def _invoke(machine: Machine, clock: VirtualClock, arn: str, payload: str) -> object:
    """Call the handler of a function and return its result after a round trip through JSON.

    Raise StateFailed if the function is missing or fails, or sleeps on the clock past its timeout.
    """
    name = function_name(arn)
    request_id = _create_request_id(clock)
    if name not in machine.functions:
        message = f"Function not found: {arn}"
        raise invoke_failure("ResourceNotFoundException", message, 404, "-")

    timeout = machine.timeouts.get(name, MAX_TIMEOUT_SECONDS)
    clock.running.limit = clock.time_after(timeout)  # the task ends with the function
    try:
        return _call_handler(machine.functions[name], payload)
    except LimitReached:
        raise _explain_timeout(timeout, request_id) from None
    except Fails as failure:
        raise _explain_fault(failure, request_id) from None
    except Exception as error:
        raise _explain_error(error, request_id) from error


def _explain_timeout(timeout: float, request_id: str) -> StateFailed:
    message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
    return _function_error("Sandbox.Timedout", message)


def _explain_error(error: Exception, request_id: str) -> StateFailed:
    """Turn an error of a handler into the failure that a Task would see."""
    frames = traceback.extract_tb(error.__traceback__)[2:]  # without the frames of this module
    return _function_error(
        type(error).__name__,
        str(error),
        requestId=request_id,
        stackTrace=traceback.format_list(frames),
    )


def _call_handler(handler: Handler, payload: str) -> object:
    result = handler(json.loads(payload), None)
    response, _content_type = LambdaMarshaller().marshal_response(result)
    return json.loads(response)


def _create_request_id(clock: VirtualClock) -> str:
    """Create an id like Lambda's, but from the clock, so that it is the same each time."""
    return str(uuid.UUID(int=clock.random.getrandbits(128), version=4))


def _explain_fault(failure: Fails, request_id: str) -> StateFailed:
    """Turn what a handler raised to play Lambda's part into the failure that a Task would see."""
    if not failure.error.startswith("Lambda."):
        return _function_error(failure.error, failure.message)

    code = failure.error.removeprefix("Lambda.")
    status = 500
    if code == "TooManyRequestsException":
        status = 429
    return invoke_failure(code, failure.message, status, request_id)


def _function_error(error: str, message: str, **details: object) -> StateFailed:
    """Return the error of an invocation in which the function itself failed.

    Its cause is the JSON that Lambda returns with `FunctionError`. An error of the sandbox has no
    details.
    """
    cause = {"errorMessage": message, "errorType": error, **details}
    return StateFailed(error, json.dumps(cause, separators=(",", ":")))

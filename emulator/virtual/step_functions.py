"""Runs state machines in this process and in virtual time, with Python handlers as their functions.

A Task calls its function's handler as Lambda would: input and output go through JSON, the time is
limited, and errors look like Lambda's. Only the handler's context is None, because none of our
functions reads it.
"""

import functools
import itertools
import json
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self, cast

from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from emulator.personalize.faults import Faults
from emulator.protocol.service_models import load_service_model
from emulator.states.documents import StateFailed, to_json
from emulator.states.execution import Execution as InterpretedExecution
from emulator.states.execution import build_invoke_failure
from emulator.states.service import Fields
from emulator.states.service import StepFunctions as StepFunctionsService
from emulator.virtual.virtual_time import DeadlineReached, Event, VirtualClock

ACCOUNT = "123456789012"
REGION = "eu-west-1"
SCOPE = f"{REGION}:{ACCOUNT}"
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_TIMEOUT_SECONDS = 900

Handler = Callable[[dict[str, object], None], object]


class LambdaFailure(Exception):  # noqa: N818  # AWS's failure, not an error of the handler
    """Raised by a handler to simulate an error of Lambda itself.

    An error like `Lambda.TooManyRequestsException` means that the Invoke call failed. Any other
    error, like `Sandbox.Timedout`, is reported as an error of the function.
    """

    def __init__(self, error: str, message: str = "made to fail") -> None:
        super().__init__(error, message)
        self.error = error
        self.message = message


class Call(NamedTuple):
    """A call of a function.

    `outcome` is the function's result or the name of its error, or None while it's still running.
    """

    function: str
    payload: object
    outcome: object


class Execution(InterpretedExecution):
    """An execution in virtual time, which also records its function calls."""

    @functools.cached_property
    def calls(self) -> list[Call]:
        """The function calls so far, in the order in which they started."""
        return []

    @property
    def output(self) -> Any:  # noqa: ANN401  # any JSON value
        """The parsed output, or None if the execution hasn't succeeded."""
        return json.loads(self.output_text or "null")

    @property
    def timeline(self) -> list[tuple[datetime, str]]:
        """When each state was entered, and its name, in order, including states inside a Map."""
        return [
            (event["timestamp"], event["stateEnteredEventDetails"]["name"])
            for event in self.events
            if "stateEnteredEventDetails" in event
        ]

    @property
    def states(self) -> list[str]:
        """The names of the states that were entered, in order, including states inside a Map."""
        return [name for _, name in self.timeline]

    def wait(self) -> Self:
        """Let virtual time pass until the execution ends, and return the execution."""
        self.ended.wait()
        return self


def run(
    definition: Mapping[str, object],
    functions: Mapping[str, Handler],
    input: object,  # noqa: A002 - AWS's word
    *,
    clock: VirtualClock | None = None,
) -> Execution:
    """Run a single execution of a state machine to its end, and return the execution."""
    with StepFunctions(clock) as step_functions:
        return step_functions.create_state_machine(definition, functions).start(input).wait()


class StepFunctions:
    """An account's Step Functions in virtual time. Running executions end with the `with` block.

    Time passes on `clock`, but only while its owner, the greenlet that created it, sleeps on it or
    waits for an execution.

    `respond` is the API for boto3 clients, whose calls may meet `faults`. The fault `stale` only
    affects ListExecutions and DescribeExecution. `service` is the same API without faults. It uses
    this object as the `Host` of its executions.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        if clock is None:
            clock = VirtualClock()
        self.clock = clock
        # Together with the methods `call` and `status_changed`, these make this object a `Host`.
        self.now = clock.now
        self.uniform = clock.random.uniform
        self.event = functools.partial(Event, clock)
        self.start = clock.start

        self.service = StepFunctionsService(self, Execution)
        self.faults = Faults(load_service_model("stepfunctions").operation_names)
        self._state_machines: dict[str, StateMachine] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for execution in self.service.executions():
            self.clock.kill_group(execution.arn)

    def create_state_machine(
        self,
        definition: Mapping[str, object],
        functions: Mapping[str, Handler],
        *,
        name: str = "machine",
        timeouts: Mapping[str, float] | None = None,
    ) -> "StateMachine":
        """Create a state machine. Raise ApiError if the emulator can't interpret its definition.

        `functions` maps function names to handlers, and `timeouts` maps them to seconds (default
        900).
        """
        role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        request = {"name": name, "definition": json.dumps(definition), "roleArn": role}
        arn = self.service.call("CreateStateMachine", request, SCOPE)["stateMachineArn"]
        self._state_machines[arn] = StateMachine(self, arn, functions, timeouts or {})
        return self._state_machines[arn]

    def executions(self) -> list[Execution]:
        """List all executions, oldest first, state machine by state machine."""
        return cast("list[Execution]", self.service.executions())

    def respond(self, operation: str, request: Mapping[str, Any]) -> Fields:
        """Perform an operation, and return its response, if no fault gets in the way.

        Raise ApiError if the request is rejected, or NoResponse if a fault loses the response.
        """
        fault = self.faults.take_for_call(operation, request)
        fault.raise_before_operation()
        as_of = self.now() - timedelta(seconds=fault.stale_seconds)
        response = self.service.call(operation, request, SCOPE, as_of)
        fault.raise_after_operation()
        return response

    # The rest of `Host`

    def call(self, execution: InterpretedExecution, resource: str, payload: str) -> object:
        """Call the handler of a Task's function, and record the call."""
        state_machine = self._state_machines[execution.state_machine.arn]
        calls = cast("Execution", execution).calls

        # Remember the position, because other Tasks may append calls before this one ends.
        position = len(calls)
        calls.append(Call(_parse_function_name(resource), json.loads(payload), outcome=None))

        try:
            outcome = _invoke_function(state_machine, self.clock, resource, payload)
        except StateFailed as failure:
            calls[position] = calls[position]._replace(outcome=failure.error)
            raise

        calls[position] = calls[position]._replace(outcome=outcome)
        return outcome

    def status_changed(self, execution: InterpretedExecution) -> None:
        """Do nothing, because there's no EventBridge in virtual time."""


@dataclass(frozen=True)
class StateMachine:
    """A state machine with its handlers. `StepFunctions.create_state_machine` creates it."""

    step_functions: StepFunctions = field(repr=False)
    arn: str
    functions: Mapping[str, Handler]
    timeouts: Mapping[str, float]
    _run_numbers: "itertools.count[int]" = field(
        default_factory=lambda: itertools.count(1), repr=False
    )

    def start(
        self,
        input: object,  # noqa: A002 - AWS's word
        *,
        name: str | None = None,
    ) -> Execution:
        """Start an execution. It makes progress whenever the owner of the clock waits."""
        if name is None:
            name = f"run-{next(self._run_numbers)}"
        request = {"stateMachineArn": self.arn, "name": name, "input": json.dumps(input)}

        service = self.step_functions.service
        arn = service.call("StartExecution", request, SCOPE)["executionArn"]
        return cast("Execution", service.find_execution(arn))


def _parse_function_name(function_arn: str) -> str:
    """Extract the function's name from its ARN, which may end with a version."""
    return function_arn.rpartition(":function:")[2].split(":")[0]


def _invoke_function(
    state_machine: StateMachine, clock: VirtualClock, function_arn: str, payload: str
) -> object:
    """Call a function's handler, and return the result after a round trip through JSON.

    Raise StateFailed if the function doesn't exist, fails, or sleeps past its timeout.
    """
    name = _parse_function_name(function_arn)
    request_id = _create_request_id(clock)
    if name not in state_machine.functions:
        message = f"Function not found: {function_arn}"
        raise build_invoke_failure("ResourceNotFoundException", message, 404, "-")

    timeout = state_machine.timeouts.get(name, MAX_TIMEOUT_SECONDS)
    # This is never reset, because the clock's task ends with the function call.
    clock.current_task.deadline = clock.time_after(timeout)
    try:
        return _call_handler(state_machine.functions[name], payload)
    except DeadlineReached:
        raise _build_timeout_failure(timeout, request_id) from None
    except LambdaFailure as failure:
        raise _build_simulated_failure(failure, request_id) from None
    except Exception as error:
        raise _build_handler_failure(error, request_id) from error


def _create_request_id(clock: VirtualClock) -> str:
    """Create an ID in Lambda's format, from random numbers that are the same in each run."""
    return str(uuid.UUID(int=clock.random.getrandbits(128), version=4))


def _call_handler(handler: Handler, payload: str) -> object:
    """Call a handler, and convert its event from JSON and its result to JSON, as Lambda does."""
    result = handler(json.loads(payload), None)
    response, _content_type = LambdaMarshaller().marshal_response(result)
    return json.loads(response)


# A function's failure, as its Task gets it


def _build_timeout_failure(timeout: float, request_id: str) -> StateFailed:
    message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
    return _build_function_failure("Sandbox.Timedout", message)


def _build_simulated_failure(failure: LambdaFailure, request_id: str) -> StateFailed:
    if not failure.error.startswith("Lambda."):
        return _build_function_failure(failure.error, failure.message)

    code = failure.error.removeprefix("Lambda.")
    status = 500
    if code == "TooManyRequestsException":
        status = 429
    return build_invoke_failure(code, failure.message, status, request_id)


def _build_handler_failure(error: Exception, request_id: str) -> StateFailed:
    # Lambda's stack trace begins in the handler, but the first two frames are in this module.
    frames = traceback.extract_tb(error.__traceback__)[2:]
    return _build_function_failure(
        type(error).__name__,
        str(error),
        requestId=request_id,
        stackTrace=traceback.format_list(frames),
    )


def _build_function_failure(error: str, message: str, **details: object) -> StateFailed:
    """Build a failure whose cause is the JSON that Lambda returns along with `FunctionError`.

    Only an exception in the handler has details. Errors of the sandbox, like a timeout, don't.
    """
    cause = {"errorMessage": message, "errorType": error, **details}
    return StateFailed(error, to_json(cause))

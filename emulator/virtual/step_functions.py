"""Runs state machines in this process and in virtual time, with Python handlers as their functions.

A Task calls its function's handler as Lambda would: the input and output are converted from and to
JSON, there's a timeout, and errors look like Lambda's. The exception is the handler's context
argument, which is None because none of our functions uses it.
"""

import functools
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

    If the error's name starts with `Lambda.`, as in `Lambda.TooManyRequestsException`, the Invoke
    request fails. Any other error, such as `Sandbox.Timedout`, is reported as a function error.
    """

    def __init__(self, error: str, message: str = "made to fail") -> None:
        super().__init__(error, message)
        self.error = error
        self.message = message


class Call(NamedTuple):
    """A function call during an execution."""

    function: str
    """The function's name, without the version."""
    payload: object
    outcome: object
    """The function's result or the name of its error, or None while the function is running."""


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
        """The time at which each state was entered, with its name, including states in a Map."""
        return [
            (event["timestamp"], event["stateEnteredEventDetails"]["name"])
            for event in self.events
            if "stateEnteredEventDetails" in event
        ]

    @property
    def states(self) -> list[str]:
        """The names of the states that were entered, in order, including states in a Map."""
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
    """Run one execution of a state machine until it ends, and return the execution."""
    with StepFunctions(clock) as step_functions:
        return step_functions.create_state_machine(definition, functions).start(input).wait()


class StepFunctions:
    """Step Functions in virtual time, for a single account and region.

    Use it as a context manager because executions that are still running at the end of the `with`
    block have to be killed. Virtual time passes only while the owner of `clock`, which is the
    greenlet that created the clock, is sleeping or waiting for an execution.

    `respond` is the API for boto3 clients, including injected `faults`. The fault `stale` only
    affects ListExecutions and DescribeExecution. `service` is the same API without faults, and uses
    this object as the `Host` of its executions.
    """

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock = clock or VirtualClock()
        # With these attributes and the methods `call` and `status_changed`, this class is a `Host`.
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
        """Create a state machine whose functions are Python handlers.

        `functions` maps function names to handlers, and `timeouts` maps function names to seconds,
        900 by default.

        Raises:
            ApiError: the emulator doesn't support something in the definition.
        """
        role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        request = {"name": name, "definition": json.dumps(definition), "roleArn": role}
        arn = self.service.call("CreateStateMachine", request, SCOPE)["stateMachineArn"]
        self._state_machines[arn] = StateMachine(self, arn, functions, timeouts or {})
        return self._state_machines[arn]

    def executions(self) -> list[Execution]:
        """List all executions, grouped by state machine, oldest first."""
        return cast("list[Execution]", self.service.executions())

    def respond(self, operation: str, request: Mapping[str, Any]) -> Fields:
        """Perform an operation and return its response, unless an injected fault prevents that.

        Raises:
            ApiError: the request is rejected, by the service or by a fault.
            NoResponse: a fault drops the response.
        """
        fault = self.faults.take_for_call(operation, request)
        fault.raise_before_operation()
        as_of = self.now() - timedelta(seconds=fault.stale_seconds)
        response = self.service.call(operation, request, SCOPE, as_of)
        fault.raise_after_operation()
        return response

    # The other methods of `Host`

    def call(self, execution: InterpretedExecution, resource: str, payload: str) -> object:
        """Call the handler of a Task's function and record the call in the execution's `calls`."""
        state_machine = self._state_machines[execution.state_machine.arn]
        calls = cast("Execution", execution).calls

        # Remember the position of this call because other Tasks may append calls before it ends.
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
        """Do nothing because there's no EventBridge in virtual time."""


@dataclass(frozen=True)
class StateMachine:
    """A state machine and its handlers, as created by `StepFunctions.create_state_machine`."""

    step_functions: StepFunctions = field(repr=False)
    arn: str
    functions: Mapping[str, Handler]
    """Function name -> handler."""
    timeouts: Mapping[str, float]
    """Function name -> timeout in seconds, for functions whose timeout isn't 15 minutes."""

    def start(
        self,
        input: object,  # noqa: A002 - AWS's word
        *,
        name: str | None = None,
    ) -> Execution:
        """Start an execution, which makes progress whenever the owner of the clock waits."""
        if name is None:
            name = f"run-{len(self.step_functions.executions()) + 1}"
        request = {"stateMachineArn": self.arn, "name": name, "input": json.dumps(input)}

        service = self.step_functions.service
        arn = service.call("StartExecution", request, SCOPE)["executionArn"]
        return cast("Execution", service.find_execution(arn))


def _parse_function_name(function_arn: str) -> str:
    """Extract the function name from an ARN that may end with a version."""
    return function_arn.rpartition(":function:")[2].split(":")[0]


def _invoke_function(
    state_machine: StateMachine, clock: VirtualClock, function_arn: str, payload: str
) -> object:
    """Call a function's handler and return the result after a round trip through JSON.

    Raises:
        StateFailed: the function doesn't exist, fails, or sleeps beyond its timeout.
    """
    name = _parse_function_name(function_arn)
    # The IDs are the same in each test run.
    request_id = str(uuid.UUID(int=clock.random.getrandbits(128), version=4))
    if name not in state_machine.functions:
        message = f"Function not found: {function_arn}"
        raise build_invoke_failure("ResourceNotFoundException", message, 404, "-")

    timeout = state_machine.timeouts.get(name, MAX_TIMEOUT_SECONDS)
    # The deadline doesn't have to be reset because this task of the clock ends with the call.
    clock.current_task.deadline = clock.time_after(timeout)
    try:
        return _call_handler(state_machine.functions[name], payload, request_id)
    except DeadlineReached:
        message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
        raise _build_function_failure("Sandbox.Timedout", message) from None


def _call_handler(handler: Handler, payload: str, request_id: str) -> object:
    """Call a handler with JSON as its event and its result, as Lambda does.

    Raises:
        StateFailed: the handler raises an exception.
    """
    try:
        result = handler(json.loads(payload), None)
        response, _content_type = LambdaMarshaller().marshal_response(result)
    except LambdaFailure as failure:
        raise _build_simulated_failure(failure, request_id) from None
    except Exception as error:
        raise _build_handler_failure(error, request_id) from error

    return json.loads(response)


# The failures of functions, as their Tasks see them


def _build_simulated_failure(failure: LambdaFailure, request_id: str) -> StateFailed:
    """Build the failure that a handler simulates by raising LambdaFailure."""
    if not failure.error.startswith("Lambda."):
        return _build_function_failure(failure.error, failure.message)

    code = failure.error.removeprefix("Lambda.")
    status = 500
    if code == "TooManyRequestsException":
        status = 429
    return build_invoke_failure(code, failure.message, status, request_id)


def _build_handler_failure(error: Exception, request_id: str) -> StateFailed:
    """Build the failure for an exception that a handler raised, with its stack trace."""
    # In Lambda, the stack trace begins in the handler, so skip the frame in this module.
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return _build_function_failure(
        type(error).__name__,
        str(error),
        requestId=request_id,
        stackTrace=traceback.format_list(frames),
    )


def _build_function_failure(error: str, message: str, **details: object) -> StateFailed:
    """Build a failure whose cause is the JSON that Lambda returns along with `FunctionError`.

    An exception in the handler has more details, such as a stack trace, but a timeout doesn't.
    """
    cause = {"errorMessage": message, "errorType": error, **details}
    return StateFailed(error, to_json(cause))

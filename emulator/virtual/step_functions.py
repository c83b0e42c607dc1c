"""Run state machines with Python handlers in this process, on virtual time.

A Task calls the Python handler of its function as Lambda would: JSON in, JSON out, limited time,
Lambda's errors. Handlers get None as their context, because no function of ours reads it.
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
from emulator.states import service
from emulator.states.documents import StateFailed, to_json
from emulator.states.execution import Execution as InterpretedExecution
from emulator.states.execution import explain_refused_invocation
from emulator.states.service import Row
from emulator.virtual.virtual_time import Event, LimitReached, VirtualClock

ACCOUNT = "123456789012"
REGION = "eu-west-1"
SCOPE = f"{REGION}:{ACCOUNT}"
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_TIMEOUT_SECONDS = 900

Handler = Callable[[dict[str, object], None], object]


class LambdaFailure(Exception):  # noqa: N818  # AWS's failure, not an error of the handler
    """A handler raises this to fail with an error of Lambda itself.

    Names like `Lambda.TooManyRequestsException` are errors of the Invoke call, and names like
    `Sandbox.Timedout` are errors of the function.
    """

    def __init__(self, error: str, message: str = "made to fail") -> None:
        super().__init__(error, message)
        self.error = error
        self.message = message


class Call(NamedTuple):
    """One invocation of a function.

    `outcome` is its result or the name of its error, or None while the function is running.
    """

    function: str
    payload: object
    outcome: object


class Execution(InterpretedExecution):
    """An execution on virtual time, which also knows the calls of its Tasks."""

    @functools.cached_property
    def calls(self) -> list[Call]:
        """The invocations of functions, sorted by their start."""
        return []

    @property
    def output(self) -> Any:  # noqa: ANN401  # whatever JSON the machine returns
        """The output, or None while there is none."""
        return json.loads(self.output_text or "null")

    @property
    def timeline(self) -> list[tuple[datetime, str]]:
        """The time and the name of each state that was entered, in order, even in a Map."""
        return [
            (event["timestamp"], event["stateEnteredEventDetails"]["name"])
            for event in self.events
            if "stateEnteredEventDetails" in event
        ]

    @property
    def states(self) -> list[str]:
        """The names of all states that were entered, in order, even inside a Map."""
        return [name for _, name in self.timeline]

    def wait(self) -> Self:
        """Let virtual time pass until the execution ends."""
        self.ended.wait()
        return self


def run(
    definition: Mapping[str, object],
    functions: Mapping[str, Handler],
    input: object,  # noqa: A002 - AWS's word
    *,
    clock: VirtualClock | None = None,
) -> Execution:
    """Run one execution of a state machine to its end, and return it."""
    with StepFunctions(clock) as step_functions:
        return step_functions.create_machine(definition, functions).start(input).wait()


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

        self.service = service.StepFunctions(self, Execution)
        self.faults = Faults(load_service_model("stepfunctions").operation_names)
        self._machines: dict[str, Machine] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for execution in self.service.executions():
            self.clock.end(execution.arn)

    def create_machine(
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

    def executions(self) -> list[Execution]:
        """List the executions of all state machines, those of the oldest machine first."""
        return cast("list[Execution]", self.service.executions())

    def respond(self, operation: str, request: Mapping[str, Any]) -> Row:
        """Respond to a request, after the faults of its operation.

        Raise ApiError if the request is refused, and NoResponse if the response is lost.
        """
        fault = self.faults.take_for_call(operation, request)
        fault.raise_before_operation()
        as_of = self.now() - timedelta(seconds=fault.stale_seconds)
        response = self.service.call(operation, request, SCOPE, as_of)
        fault.raise_after_operation()
        return response

    # The host of the interpreter, with `now`, `uniform`, `event` and `start`

    def call(self, execution: InterpretedExecution, resource: str, payload: str) -> object:
        """Call the handler of a function, and record the call."""
        machine = self._machines[execution.machine.arn]
        calls = cast("Execution", execution).calls

        # Remember the position, because other Tasks may call functions before this call ends.
        position = len(calls)
        calls.append(Call(_function_name(resource), json.loads(payload), outcome=None))

        try:
            outcome = _invoke(machine, self.clock, resource, payload)
        except StateFailed as failure:
            calls[position] = calls[position]._replace(outcome=failure.error)
            raise

        calls[position] = calls[position]._replace(outcome=outcome)
        return outcome

    def status_changed(self, execution: InterpretedExecution) -> None:
        """Do nothing. Virtual time has no EventBridge."""


@dataclass(frozen=True)
class Machine:
    """A state machine and its functions, created by `StepFunctions.create_machine`."""

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
    ) -> Execution:
        """Start an execution. It continues whenever the owner of the clock waits."""
        if name is None:
            name = f"run-{next(self._numbers)}"
        fields = {"stateMachineArn": self.arn, "name": name, "input": json.dumps(input)}
        api = self.step_functions.service
        arn = api.call("StartExecution", fields, SCOPE)["executionArn"]
        return cast("Execution", api.execution(arn))


def _function_name(arn: str) -> str:
    """Cut the name of a function out of its ARN, which may end in a version."""
    return arn.rpartition(":function:")[2].split(":")[0]


def _invoke(machine: Machine, clock: VirtualClock, arn: str, payload: str) -> object:
    """Call the handler of a function and return its result after a round trip through JSON.

    Raise StateFailed if the function is missing or fails, or sleeps on the clock past its timeout.
    """
    name = _function_name(arn)
    request_id = _create_request_id(clock)
    if name not in machine.functions:
        message = f"Function not found: {arn}"
        raise explain_refused_invocation("ResourceNotFoundException", message, 404, "-")

    timeout = machine.timeouts.get(name, MAX_TIMEOUT_SECONDS)
    clock.running.limit = clock.time_after(timeout)  # the task ends with the function
    try:
        return _call_handler(machine.functions[name], payload)
    except LimitReached:
        raise _explain_timeout(timeout, request_id) from None
    except LambdaFailure as failure:
        raise _explain_lambda_failure(failure, request_id) from None
    except Exception as error:
        raise _explain_exception(error, request_id) from error


def _create_request_id(clock: VirtualClock) -> str:
    """Create an ID like Lambda's, but from the clock, so that it is the same each time."""
    return str(uuid.UUID(int=clock.random.getrandbits(128), version=4))


def _call_handler(handler: Handler, payload: str) -> object:
    """Call a handler, with the conversions to and from JSON that Lambda does."""
    result = handler(json.loads(payload), None)
    response, _content_type = LambdaMarshaller().marshal_response(result)
    return json.loads(response)


# How a Task sees that its function failed


def _explain_timeout(timeout: float, request_id: str) -> StateFailed:
    message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
    return _function_error("Sandbox.Timedout", message)


def _explain_lambda_failure(failure: LambdaFailure, request_id: str) -> StateFailed:
    if not failure.error.startswith("Lambda."):
        return _function_error(failure.error, failure.message)

    code = failure.error.removeprefix("Lambda.")
    status = 500
    if code == "TooManyRequestsException":
        status = 429
    return explain_refused_invocation(code, failure.message, status, request_id)


def _explain_exception(error: Exception, request_id: str) -> StateFailed:
    # The first two frames are of this module, and Lambda's stack trace begins in the handler.
    frames = traceback.extract_tb(error.__traceback__)[2:]
    return _function_error(
        type(error).__name__,
        str(error),
        requestId=request_id,
        stackTrace=traceback.format_list(frames),
    )


def _function_error(error: str, message: str, **details: object) -> StateFailed:
    """Build the failure whose cause is the JSON that Lambda returns with `FunctionError`.

    An error of the sandbox has no details, because no handler was there to write them.
    """
    cause = {"errorMessage": message, "errorType": error, **details}
    return StateFailed(error, to_json(cause))

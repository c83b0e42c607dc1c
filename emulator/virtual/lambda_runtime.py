"""Calls a Python handler as Lambda would: JSON in, JSON out, limited time, Lambda's errors.

Handlers get None as their context, because the functions of the pipeline do not read it.
"""

import json
import traceback
import uuid
from collections.abc import Callable, Mapping

from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from emulator.states.documents import StateFailed
from emulator.states.execution import invoke_failure
from emulator.virtual.virtual_time import LimitReached, VirtualClock

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
        self.error, self.message = error, message


def function_name(arn: str) -> str:
    """Return the name of a function. `arn` is its name or ARN, and may end in a version."""
    return arn.rpartition(":function:")[2].split(":")[0]


def invoke(
    functions: Mapping[str, Handler],
    timeouts: Mapping[str, float],
    clock: VirtualClock,
    arn: str,
    payload: str | bytes,
) -> object:
    """Call the handler of a function and return its result after a round trip through JSON.

    The handlers and their timeouts in seconds (by default 900) are by function name. Raise
    StateFailed if the function is missing or fails, or sleeps on the clock past its timeout.
    """
    name = function_name(arn)
    request_id = str(uuid.UUID(int=clock.random.getrandbits(128), version=4))
    timeout = timeouts.get(name, MAX_TIMEOUT_SECONDS)
    if name not in functions:
        message = f"Function not found: {arn}"
        raise invoke_failure("ResourceNotFoundException", message, 404, "-")
    try:
        clock.running.limit = clock.time_after(timeout)  # the task ends with the function
        result = functions[name](json.loads(payload), None)
        return json.loads(LambdaMarshaller().marshal_response(result)[0])
    except LimitReached:
        message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
        raise _function_error("Sandbox.Timedout", message) from None
    except Fails as failure:
        if failure.error.startswith("Lambda."):
            code = failure.error.removeprefix("Lambda.")
            status = 429 if code == "TooManyRequestsException" else 500
            raise invoke_failure(code, failure.message, status, request_id) from None
        raise _function_error(failure.error, failure.message) from None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:]
        details = {"requestId": request_id, "stackTrace": traceback.format_list(frames)}
        raise _function_error(type(error).__name__, str(error), **details) from error


def _function_error(error: str, message: str, **details: object) -> StateFailed:
    """Return the error of an invocation in which the function itself failed.

    Its cause is the JSON that Lambda returns with `FunctionError`. An error of the sandbox has no
    details.
    """
    cause = {"errorMessage": message, "errorType": error, **details}
    return StateFailed(error, json.dumps(cause, separators=(",", ":")))

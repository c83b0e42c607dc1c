"""The responses of Step Functions in virtual time: moto's, with injected faults and old data.

The faults are those of calls in `emulator.personalize.faults`, for the operations `OPERATIONS`. On
AWS, ListExecutions and DescribeExecution are eventually consistent. The fault `stale` shows the
executions as they were before:

    {"fault": "stale", "operation": "ListExecutions", "seconds": 90, "times": null, "rate": 0.3}
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import cast

from botocore import xform_name
from botocore.exceptions import ReadTimeoutError
from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.responses import StepFunctionResponse

from emulator.moto_patches import Replacement, StateMachineRun
from emulator.personalize.errors import ApiError, NoResponse
from emulator.personalize.faults import Fault, Faults

OPERATIONS = (
    "ListExecutions",
    "DescribeExecution",
    "DescribeStateMachineForExecution",
    "GetExecutionHistory",
    "StartExecution",
    "StopExecution",
)
ENDPOINT = "https://states.invalid"

Method = Callable[[StepFunctionResponse], ActionResult]
Row = dict[str, object]


def replacements(faults: Faults, now: Callable[[], datetime]) -> Iterator[Replacement]:
    """Yield a replacement of each of OPERATIONS that meets the faults. `now` is the virtual time.

    The other differences from moto: only the first page of a history is returned, an execution that
    timed out has a stop date, and each is described with the definition that it started with.
    """
    methods: dict[str, Method] = {
        "ListExecutions": _list_executions,
        "DescribeExecution": _describe_execution(StepFunctionResponse.describe_execution),
        "DescribeStateMachineForExecution": _machine_of_execution(
            StepFunctionResponse.describe_state_machine_for_execution
        ),
        "GetExecutionHistory": _first_events,
        "StartExecution": StepFunctionResponse.start_execution,
        "StopExecution": StepFunctionResponse.stop_execution,
    }
    for operation in OPERATIONS:
        method = _with_faults(operation, methods[operation], faults, now)
        yield Replacement(StepFunctionResponse, xform_name(operation), method)


def _with_faults(
    operation: str, method: Method, faults: Faults, now: Callable[[], datetime]
) -> Method:
    """Return a method that meets the faults of an operation before and after `method`."""

    def respond(response: StepFunctionResponse) -> ActionResult:
        fault = faults.take_for_call(operation, _parameters(response))
        if fault is None:
            return method(response)
        try:
            fault.raise_before_operation(f"states:{operation}", "the caller")
            result = method(response)
            fault.raise_after_operation()
        except ApiError as error:
            raise _aws_error(error) from None
        except NoResponse:
            raise ReadTimeoutError(endpoint_url=ENDPOINT) from None
        return _as_it_was(response, operation, result, fault, now())

    return respond


def _parameters(response: StepFunctionResponse) -> dict[str, str]:
    """Return the parameters of a request that are texts."""
    names = ("stateMachineArn", "executionArn", "name", "statusFilter")
    values = {name: response._get_param(name) for name in names}  # noqa: SLF001  # private in moto
    return {name: value for name, value in values.items() if value is not None}


def _execution(response: StepFunctionResponse) -> StateMachineRun:
    """Return moto's object of the execution that a request names."""
    execution = response.stepfunction_backend.describe_execution(
        _parameters(response)["executionArn"]
    )
    return cast("StateMachineRun", execution)


def _aws_error(error: ApiError) -> AWSError:
    """Return moto's kind of error for an error of a fault."""
    return AWSError(error.message, error.code, error.status)


def _as_it_was(
    response: StepFunctionResponse,
    operation: str,
    result: ActionResult,
    fault: Fault,
    now: datetime,
) -> ActionResult:
    """Return the result of ListExecutions or DescribeExecution as it was `stale_seconds` ago.

    Raises:
        AWSError: DescribeExecution, and the execution did not exist then.
    """
    if fault.stale_seconds == 0:
        return result
    time = now - timedelta(seconds=fault.stale_seconds)
    if operation == "DescribeExecution":
        row = _row_at(cast("Row", result.result), time)
        if row is None:
            code, message = "ExecutionDoesNotExist", "Execution Does Not Exist"
            raise _aws_error(ApiError(code, message))
        return ActionResult(row)
    if operation != "ListExecutions":
        return result
    rows = [_row_at(row, time) for row in _summaries(response)]
    status = _parameters(response).get("statusFilter")
    shown = [row for row in rows if row is not None and status in (None, row["status"])]
    return ActionResult({"executions": shown})


def _list_executions(response: StepFunctionResponse) -> ActionResult:
    """List the executions of a state machine, latest first.

    Moto leaves out the stop date of an execution that timed out.
    """
    status = _parameters(response).get("statusFilter")
    rows = [row for row in _summaries(response) if status in (None, row["status"])]
    return ActionResult({"executions": rows})


def _describe_execution(describe: Method) -> Method:
    """Return a DescribeExecution that also shows when an execution timed out."""

    def describe_execution(response: StepFunctionResponse) -> ActionResult:
        description = cast("Row", describe(response).result)
        return ActionResult({**description, **_summary(_execution(response))})

    return describe_execution


def _summaries(response: StepFunctionResponse) -> list[Row]:
    """Return the executions of the state machine that a request names, latest first."""
    backend = response.stepfunction_backend
    machine = backend.describe_state_machine(_parameters(response)["stateMachineArn"])
    executions = cast("list[StateMachineRun]", machine.executions)
    return [_summary(execution) for execution in reversed(executions)]


def _summary(execution: StateMachineRun) -> Row:
    """Return an execution as ListExecutions shows it now."""
    summary: Row = {
        "executionArn": execution.exec_arn,
        "name": execution.name,
        "startDate": execution.start_date,
        "stateMachineArn": execution.state_machine_arn,
        "status": str(execution.status),
    }
    return summary if execution.stop_date is None else {**summary, "stopDate": execution.stop_date}


def _row_at(row: Row, time: datetime) -> Row | None:
    """Return what a response says about an execution at a time, or None if it did not exist."""
    if cast("datetime", row["startDate"]) > time:
        return None
    stop_date = cast("datetime | None", row.get("stopDate"))
    if stop_date is None or stop_date <= time:
        return row
    end_fields = ("stopDate", "output", "outputDetails", "error", "cause")
    kept = {name: value for name, value in row.items() if name not in end_fields}
    return {**kept, "status": "RUNNING"}


def _machine_of_execution(describe: Method) -> Method:
    """Return a DescribeStateMachineForExecution that shows what the execution started with.

    Moto shows the present definition and role of the state machine.
    """

    def describe_for_execution(response: StepFunctionResponse) -> ActionResult:
        description = cast("Row", describe(response).result)
        machine = _execution(response).state_machine
        start_values = {"definition": machine.definition, "roleArn": machine.roleArn}
        return ActionResult({**description, **start_values})

    return describe_for_execution


def _first_events(response: StepFunctionResponse) -> ActionResult:
    """Return the first `maxResults` events, or the last ones if `reverseOrder` is true.

    Moto serialises all of them, which takes long.
    """
    history = response.stepfunction_backend.get_execution_history(
        _parameters(response)["executionArn"]
    )
    events = history["events"]
    if response._get_bool_param("reverseOrder"):  # noqa: SLF001  # private in moto
        events = events[::-1]
    limit = response._get_param("maxResults")  # noqa: SLF001  # private in moto
    return ActionResult({"events": events[:limit]})

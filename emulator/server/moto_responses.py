"""The responses of moto's Step Functions, changed where they differ from AWS.

Written for moto 5.2.5. A test checks that every replaced method is still in its place.
`emulator/moto_patches.py` changes how the state machines run.
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, NamedTuple, cast

from moto.core.exceptions import AWSError
from moto.core.request import Request
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.stepfunctions.exceptions import InvalidExecutionInput, InvalidToken, ValidationException
from moto.stepfunctions.parser import api
from moto.stepfunctions.responses import StepFunctionResponse

from emulator import moto_patches

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from emulator.server.http import Response

    Row = dict[str, object]

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html,
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 100, 1000
MAX_INPUT_BYTES = 262_144  # .../step-functions/latest/apireference/API_StartExecution.html
DATA_FIELDS = ("input", "output")  # the fields that `includeExecutionData` is about


def respond(path: str, headers: Mapping[str, str], body: bytes, account: str) -> Response:
    """Return moto's response to a request.

    The request is for `account` and for the region that it is signed for.
    """
    url = f"http://{headers.get('host', 'localhost')}{path}"
    request = Request.from_primitives("POST", url, {**headers, "x-moto-account-id": account}, body)
    status, response_headers, response = Responses.dispatch(request, url, headers)
    content = response.encode() if isinstance(response, str) else response
    return int(status), {str(name): str(text) for name, text in response_headers.items()}, content


def set_error_codes() -> None:
    """Set the attribute `TYPE` of each error class of moto's interpreter.

    Moto reads the code of an error response from it, but these classes have only `code`.
    """
    for error in vars(api).values():
        if isinstance(error, type) and issubclass(error, AWSError) and error.TYPE is None:
            error.TYPE = vars(error).get("code")


class StateMachineDeletingError(AWSError):
    """A request is for a state machine that is being deleted."""

    TYPE = "StateMachineDeleting"
    STATUS = 400


class Page(NamedTuple):
    """The rows of a page, and the token of the next page."""

    rows: Sequence[Row]
    next_token: str | None


class Responses(StepFunctionResponse):
    """Moto's responses, changed where those of AWS are different. A method serves an operation."""

    def create_state_machine(self) -> ActionResult:
        """Create a state machine, unless one with the same name is being deleted."""
        self._raise_if_being_deleted(
            f"arn:aws:states:{self.region}:{self.current_account}:stateMachine:"
            f"{self._get_param('name')}"
        )
        return super().create_state_machine()

    def update_state_machine(self) -> ActionResult:
        """Update a state machine, unless it is being deleted."""
        self._raise_if_being_deleted(self._get_param("stateMachineArn"))
        return super().update_state_machine()

    def delete_state_machine(self) -> ActionResult:
        """Start to delete a state machine. It disappears when its last execution has ended."""
        machines = self.stepfunction_backend.state_machines
        for machine in machines:
            if machine.arn == self._get_param("stateMachineArn"):
                moto_patches.begin_deletion(machine)
        moto_patches.finish_deletions(machines)
        return EmptyResult()

    def describe_state_machine(self) -> ActionResult:
        """Describe a state machine, with the status DELETING while it is being deleted."""
        description = cast("Row", super().describe_state_machine().result)
        if self._is_being_deleted(self._get_param("stateMachineArn")):
            description = {**description, "status": "DELETING"}
        return ActionResult(description)

    def describe_state_machine_for_execution(self) -> ActionResult:
        """Describe a state machine with the definition and role that an execution started with."""
        description = cast("Row", super().describe_state_machine_for_execution().result)
        machine = self._execution().state_machine
        start_values = {"definition": machine.definition, "roleArn": machine.roleArn}
        return ActionResult({**description, **start_values})

    def start_execution(self) -> ActionResult:
        """Start an execution. If the request has no name, generate one.

        Raises:
            AWSError: The name or the input is not valid, or the state machine is being deleted.
        """
        name = self._get_param("name") or str(uuid.uuid4())
        execution_input = self._get_param("input", if_none="{}")
        self.stepfunction_backend._validate_name(name)  # noqa: SLF001  # moto has no public check
        if len(execution_input.encode()) > MAX_INPUT_BYTES:
            raise ValidationException(
                "1 validation error detected: Value at 'input' failed to satisfy constraint:"
                f" Member must have length less than or equal to {MAX_INPUT_BYTES}"
            )
        try:
            json.loads(execution_input)
        except ValueError as error:
            message = f"Invalid State Machine Execution Input: '{error}'"
            raise InvalidExecutionInput(message) from None
        machine_arn = self._get_param("stateMachineArn")
        self._raise_if_being_deleted(machine_arn)
        execution = self.stepfunction_backend.start_execution(machine_arn, name, execution_input)
        return ActionResult(
            {"executionArn": execution.execution_arn, "startDate": execution.start_date}
        )

    def stop_execution(self) -> ActionResult:
        """Stop an execution with the error and the cause of the request, which moto ignores."""
        execution = self._execution()
        error, cause = self._get_param("error"), self._get_param("cause")
        execution.stop(stop_date=utcnow(), error=error, cause=cause)
        return ActionResult({"stopDate": execution.stop_date})

    def describe_execution(self) -> ActionResult:
        """Describe an execution, with its stop date if it has ended.

        Moto leaves out the stop date of an execution that timed out.
        """
        with moto_patches.end_lock:
            description = cast("Row", super().describe_execution().result)
            return ActionResult({**description, **_stop_date(self._execution())})

    def list_executions(self) -> ActionResult:
        """List the executions of a state machine, latest first.

        An ended execution is sorted by its end, and a running one by its start.
        """
        machine_arn, status = self._get_param("stateMachineArn"), self._get_param("statusFilter")
        if machine_arn is None:
            raise ValidationException(
                "the emulator's Step Functions lists executions by their stateMachineArn only"
            )
        machine = self.stepfunction_backend.describe_state_machine(machine_arn)
        with moto_patches.end_lock:
            executions = [
                execution
                for execution in cast("list[moto_patches.StateMachineRun]", machine.executions)
                if execution.exec_status is not None  # moto lists it before it has a status
                and status in {None, execution.status}
            ]
            executions.sort(
                key=lambda execution: execution.stop_date or execution.start_date, reverse=True
            )
            rows: list[Row] = [
                {
                    "executionArn": execution.exec_arn,
                    "name": execution.name,
                    "startDate": execution.start_date,
                    "stateMachineArn": machine.arn,
                    "status": execution.status,
                    **_stop_date(execution),
                }
                for execution in executions
            ]
        page = self._page(rows, "executionArn")
        return ActionResult({"executions": page.rows, "nextToken": page.next_token})

    def get_execution_history(self) -> ActionResult:
        """List the events of an execution, page by page.

        Moto ignores `reverseOrder`, `includeExecutionData` and `maxResults`.
        """
        events = self._execution().to_history_output()["events"]
        if self._get_bool_param("reverseOrder"):
            events.reverse()
        page = self._page(events, "id")
        rows = page.rows
        if not self._get_bool_param("includeExecutionData", if_none=True):
            rows = [_without_data(event) for event in rows]
        return ActionResult({"events": rows, "nextToken": page.next_token})

    def _is_being_deleted(self, machine_arn: str) -> bool:
        """Return True if there is a state machine with this ARN that is being deleted."""
        return any(
            machine.arn == machine_arn and moto_patches.is_being_deleted(machine)
            for machine in self.stepfunction_backend.state_machines
        )

    def _raise_if_being_deleted(self, machine_arn: str) -> None:
        """Raise StateMachineDeletingError if the state machine is being deleted."""
        if self._is_being_deleted(machine_arn):
            raise StateMachineDeletingError(f"State Machine is being deleted: '{machine_arn}'")

    def _execution(self) -> moto_patches.StateMachineRun:
        """Return the execution that the request names. Raise ExecutionDoesNotExist without it."""
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        return cast("moto_patches.StateMachineRun", execution)

    def _page(self, rows: Sequence[Row], id_field: str) -> Page:
        """Return the page of rows that `maxResults` and `nextToken` of the request ask for.

        A token is the encoded id of the first row of its page. The id of a row is in `id_field`.
        """
        size = self._get_int_param("maxResults") or DEFAULT_PAGE_SIZE
        if size > MAX_PAGE_SIZE:
            raise ValidationException(
                f"1 validation error detected: Value '{size}' at 'maxResults' failed to satisfy"
                f" constraint: Member must have value less than or equal to {MAX_PAGE_SIZE}"
            )
        token = self._get_param("nextToken")
        tokens = [base64.b64encode(str(row[id_field]).encode()).decode() for row in rows]
        if token is not None and token not in tokens:
            raise InvalidToken("'Invalid token'")
        start = 0 if token is None else tokens.index(token)
        end = start + size
        return Page(rows[start:end], tokens[end] if end < len(rows) else None)


def _stop_date(execution: moto_patches.StateMachineRun) -> dict[str, dt.datetime]:
    """Return a mapping with the field `stopDate`, which is empty while the execution is running."""
    if execution.status == "RUNNING" or execution.stop_date is None:
        return {}
    return {"stopDate": execution.stop_date}


def _without_data(event: Mapping[str, object]) -> Row:
    """Return a history event without the inputs and outputs in its details."""
    event_without_data: Row = {}
    for key, value in event.items():
        if isinstance(value, dict):
            details = {name: detail for name, detail in value.items() if name not in DATA_FIELDS}
            event_without_data[key] = details
        else:
            event_without_data[key] = value
    return event_without_data

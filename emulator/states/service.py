"""The API of Step Functions: state machines, executions, histories and tags.

Requests and responses have the fields of boto3. An operation is the method of `StepFunctions` that
has its name in boto3. Express machines, versions and aliases, activities, RedriveExecution, Map
Runs, and the content of an execution's log group are not emulated.
"""

import functools
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from botocore import xform_name

from emulator.protocol.errors import ApiError
from emulator.protocol.service_models import format_errors, load_service_model
from emulator.states import interpreter, language
from emulator.states.execution import Execution, Host, Machine

Row = dict[str, Any]

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
DEFAULT_PAGE_SIZE = 100
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]+")
# Of these, only the definition and the role have an effect in the emulator.
SETTINGS = (
    *("definition", "roleArn"),
    *("loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"),
)
SUPPORTED = {
    "type": "STANDARD",
    "publish": False,
    "includeExecutionData": True,
    "mapRunArn": None,
    "redriveFilter": None,
}
"""The only values that these fields of requests can have."""


class Request(NamedTuple):
    """A request for an operation."""

    fields: Mapping[str, Any]
    scope: str
    """The region and the account, as in an ARN: `eu-west-1:123456789012`."""
    as_of: datetime
    """The time as of which DescribeExecution and ListExecutions show the executions.

    It may be in the past, because both operations are eventually consistent.
    """


class StepFunctions:
    """The Step Functions of all accounts and regions. Its executions run on a host."""

    def __init__(self, host: Host, execution_class: type[Execution] = Execution) -> None:
        self._host = host
        self._execution_class = execution_class
        self._machines: dict[str, Machine] = {}

    def call(
        self, operation: str, fields: Mapping[str, Any], scope: str, as_of: datetime | None = None
    ) -> Row:
        """Respond to a request for an operation, for example `StartExecution`.

        `Request` explains the scope, and `as_of`, which is the present by default.

        Raises:
            ApiError: the request is refused.
        """
        # Look the operation up in the model too, because not every method is an operation.
        model = load_service_model("stepfunctions")
        method = getattr(self, xform_name(operation), None)
        if operation not in model.operation_names or method is None:
            message = f"the emulator's Step Functions has no {operation}"
            raise ApiError("UnknownOperationException", message)

        errors = format_errors(model.operation_model(operation), fields)
        if errors:
            raise ApiError("ValidationException", errors)
        _check_supported(fields)

        request = Request(fields, scope, as_of or self._host.now())
        response: Row = method(request)
        return response

    def executions(self) -> list[Execution]:
        """List the executions of all state machines, those of the oldest machine first."""
        executions: list[Execution] = []
        for machine in self._machines.values():
            executions += machine.executions.values()
        return executions

    def execution(self, arn: str, as_of: datetime | None = None) -> Execution:
        """Find an execution by its ARN.

        Raises:
            ApiError: it doesn't exist, or it had not yet started at the time `as_of`.
        """
        machine_arn, _, name = arn.replace(":execution:", ":stateMachine:").rpartition(":")
        execution = None
        if machine_arn in self._machines:
            execution = self._machines[machine_arn].executions.get(name)

        if execution is None or (as_of is not None and execution.start_date > as_of):
            raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution

    def create_state_machine(self, request: Request) -> Row:
        """Create a state machine, or return the one that was created with the same request."""
        name = request.fields["name"]
        arn = f"arn:aws:states:{request.scope}:stateMachine:{name}"
        settings = _read_settings(request)
        tags = _read_tags(request.fields.get("tags", ()))

        new_machine = Machine(name, arn, settings, self._host.now(), tags)
        machine = self._machines.setdefault(arn, new_machine)

        # AWS doesn't compare the role, so it may differ in a repeated request.
        if machine.settings != {**settings, "roleArn": machine.settings["roleArn"]}:
            raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
        return {"stateMachineArn": arn, "creationDate": machine.creation_date}

    def describe_state_machine(self, request: Request) -> Row:
        """Describe a state machine."""
        machine = self._find_machine(request.fields["stateMachineArn"])
        return {
            "stateMachineArn": machine.arn,
            "name": machine.name,
            **machine.settings,
            "status": "ACTIVE",
            "type": "STANDARD",
            "creationDate": machine.creation_date,
        }

    def update_state_machine(self, request: Request) -> Row:
        """Change a state machine. Its running executions keep their definition and their role."""
        machine = self._find_machine(request.fields["stateMachineArn"])
        machine.settings = {**machine.settings, **_read_settings(request)}
        return {"updateDate": self._host.now()}

    def delete_state_machine(self, request: Request) -> Row:
        """Delete a state machine and abort its executions. On AWS they end at their next state."""
        machine = self._machines.pop(request.fields["stateMachineArn"], None)
        if machine is not None:
            for execution in list(machine.executions.values()):
                execution.abort()
        return {}

    def list_state_machines(self, request: Request) -> Row:
        """List the state machines of the account and region, oldest first."""
        rows = [
            {
                "stateMachineArn": machine.arn,
                "name": machine.name,
                "type": "STANDARD",
                "creationDate": machine.creation_date,
            }
            for machine in list(self._machines.values())
            if machine.arn.startswith(f"arn:aws:states:{request.scope}:")
        ]

        return _cut_page("stateMachines", rows, "stateMachineArn", request)

    def tag_resource(self, request: Request) -> Row:
        """Add tags to a state machine."""
        machine = self._find_machine(request.fields["resourceArn"])
        machine.tags.update(_read_tags(request.fields["tags"]))
        return {}

    def untag_resource(self, request: Request) -> Row:
        """Remove tags from a state machine."""
        machine = self._find_machine(request.fields["resourceArn"])
        for key in request.fields["tagKeys"]:
            machine.tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, request: Request) -> Row:
        """List the tags of a state machine."""
        tags = self._find_machine(request.fields["resourceArn"]).tags
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def start_execution(self, request: Request) -> Row:
        """Start an execution. The same request again returns the execution while it is running."""
        input_text = request.fields.get("input", "{}")
        _check_execution_input(input_text)
        machine = self._find_machine(request.fields["stateMachineArn"])
        name = request.fields.get("name", str(uuid.uuid4()))

        # Only setdefault makes sure that of two equal requests in two threads, one starts it.
        new_execution = self._execution_class(self._host, machine, name, input_text)
        execution = machine.executions.setdefault(name, new_execution)
        if execution is new_execution:
            execution.start(interpreter.run)
        elif execution.status != "RUNNING" or execution.input != input_text:
            message = f"Execution Already Exists: '{execution.arn}'"
            raise ApiError("ExecutionAlreadyExists", message)

        return {"executionArn": execution.arn, "startDate": execution.start_date}

    def stop_execution(self, request: Request) -> Row:
        """Abort an execution."""
        execution = self.execution(request.fields["executionArn"])
        execution.abort(request.fields.get("error"), request.fields.get("cause"))
        return {"stopDate": execution.stop_date}

    def describe_execution(self, request: Request) -> Row:
        """Describe an execution."""
        execution = self.execution(request.fields["executionArn"], request.as_of)
        description = _summarize(execution, request.as_of)
        description["input"] = execution.input

        if description["status"] != "RUNNING":
            end = {
                "output": execution.output_text,
                "error": execution.error,
                "cause": execution.cause,
            }
            description |= {name: text for name, text in end.items() if text is not None}
        return description

    def list_executions(self, request: Request) -> Row:
        """List the executions of a state machine, latest first.

        An execution that has ended is sorted by its end, and a running one by its start.
        """
        machine = self._find_machine(request.fields.get("stateMachineArn"))
        summaries = [
            _summarize(execution, request.as_of)
            for execution in reversed(list(machine.executions.values()))
            if execution.start_date <= request.as_of
        ]

        status = request.fields.get("statusFilter")
        if status is not None:
            summaries = [summary for summary in summaries if summary["status"] == status]

        summaries.sort(key=_last_change, reverse=True)
        return _cut_page("executions", summaries, "executionArn", request)

    def get_execution_history(self, request: Request) -> Row:
        """List the events of an execution."""
        events = list(self.execution(request.fields["executionArn"]).events)
        if request.fields.get("reverseOrder"):
            events.reverse()
        return _cut_page("events", events, "id", request)

    def _find_machine(self, arn: str | None) -> Machine:
        """Find a state machine. Raise ApiError if it does not exist."""
        if arn not in self._machines:
            raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return self._machines[arn]


def _check_supported(fields: Mapping[str, Any]) -> None:
    """Reject what AWS would accept and this emulator lacks, and names that AWS would reject."""
    for name, supported_value in SUPPORTED.items():
        value = fields.get(name, supported_value)
        if value != supported_value:
            message = f"{name}: this emulator supports only {supported_value!r}, not {value!r}"
            raise ApiError("ValidationException", message)

    if "name" in fields and not NAME.fullmatch(fields["name"]):
        raise ApiError("InvalidName", f"Invalid Name: '{fields['name']}'")


@functools.lru_cache(64)  # Tests create the same large state machine again and again.
def _check_definition(definition: str) -> None:
    """Reject a definition that is not JSON, or that the emulator could not interpret."""
    try:
        problems = language.find_problems(json.loads(definition))
    except ValueError as error:
        problems = [f"the definition is not JSON: {error}"]

    if problems:
        message = f"Invalid State Machine Definition: '{'; '.join(problems)}'"
        raise ApiError("InvalidDefinition", message)


def _check_execution_input(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        message = f"Invalid State Machine Execution Input: '{error}'"
        raise ApiError("InvalidExecutionInput", message) from None


def _read_tags(pairs: Sequence[Row]) -> dict[str, str]:
    return {pair["key"]: pair["value"] for pair in pairs}


def _read_settings(request: Request) -> Row:
    """Take the settings of a state machine from a request. Raise ApiError for its definition."""
    if "definition" in request.fields:
        _check_definition(request.fields["definition"])
    return {name: request.fields[name] for name in SETTINGS if name in request.fields}


def _summarize(execution: Execution, as_of: datetime) -> Row:
    """Summarize an execution as ListExecutions shows it at a time."""
    summary = {
        "executionArn": execution.arn,
        "name": execution.name,
        "stateMachineArn": execution.machine.arn,
        "startDate": execution.start_date,
        "status": "RUNNING",
    }

    # The status and the date are set one after the other, so wait until the end is complete.
    with execution.lock:
        if execution.stop_date is not None and execution.stop_date <= as_of:
            summary["status"] = execution.status
            summary["stopDate"] = execution.stop_date
    return summary


def _last_change(summary: Row) -> datetime:
    """Return when an execution ended, or when it started if it has not ended."""
    time: datetime = summary.get("stopDate") or summary["startDate"]
    return time


def _cut_page(name: str, rows: Sequence[Row], id_field: str, request: Request) -> Row:
    """Cut out the page of rows that `maxResults` and `nextToken` of the request ask for.

    A token is the ID of the first row of its page, so that an execution that starts in the
    meantime does not move the pages. The ID of a row is in `id_field`.
    """
    ids = [str(row[id_field]) for row in rows]
    start = 0
    token = request.fields.get("nextToken")
    if token in ids:
        start = ids.index(token)
    elif token is not None:
        raise ApiError("InvalidToken", "Invalid Token: 'Invalid token'")

    # AWS reads 0 as the default.
    end = start + (request.fields.get("maxResults") or DEFAULT_PAGE_SIZE)
    page: Row = {name: rows[start:end]}
    if end < len(rows):
        page["nextToken"] = ids[end]
    return page

"""The API of Step Functions: state machines, executions, histories and tags.

Requests and responses have the fields of boto3. Not emulated: Express machines, versions and
aliases, activities, RedriveExecution, Map Runs, and the content of an execution's log group.
"""

import base64
import functools
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from emulator.states import interpreter, language
from emulator.states.execution import DATA_FIELDS, MAX_DOCUMENT_BYTES, Execution, Host

Row = dict[str, Any]

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html,
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 100, 1000
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
CONFIGURATIONS = ("loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")
"""The settings of a state machine that have no effect in the emulator."""


class StatesError(Exception):
    """An error response of the API with its code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass(eq=False)
class Machine:
    """A state machine. Its executions are sorted by their start, the oldest first."""

    arn: str
    definition: str
    role: str
    creation_date: datetime
    configurations: Row
    tags: dict[str, str]
    is_deleting: bool = False
    executions: dict[str, Execution] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the last part of the ARN."""
        return self.arn.rpartition(":")[2]

    def is_running(self) -> bool:
        """Return True if an execution is running."""
        return any(run.status == "RUNNING" for run in list(self.executions.values()))


class Fields(dict[str, Any]):
    """The fields of a request. To read a field that is missing is an error of the request."""

    def __missing__(self, name: str) -> object:
        raise _invalid("Value null", name, "not be null")


class Request(NamedTuple):
    """A request for an operation.

    `scope` is the region and the account, as in an ARN: `eu-west-1:123456789012`. `as_of` is the
    time as of which DescribeExecution and ListExecutions show the executions, because both are
    eventually consistent. None is the present.
    """

    fields: Mapping[str, Any]
    scope: str
    as_of: datetime | None = None


class StepFunctions:
    """The Step Functions of all accounts and regions. Its executions run on a host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._machines: dict[str, Machine] = {}

    def call(self, operation: str, request: Request) -> Row:
        """Return the response to a request for an operation, for example `StartExecution`.

        Raise StatesError if the request is refused.
        """
        if operation not in OPERATIONS:
            message = f"the emulator's Step Functions has no {operation}"
            raise StatesError("UnknownOperationException", message)
        for machine in list(self._machines.values()):
            if machine.is_deleting and not machine.is_running():
                self._machines.pop(machine.arn, None)
        return OPERATIONS[operation](self, request._replace(fields=Fields(request.fields)))

    def executions(self) -> list[Execution]:
        """Return the executions of all state machines, those of the oldest machine first."""
        return [run for machine in self._machines.values() for run in machine.executions.values()]

    def execution(self, arn: str) -> Execution:
        """Return an execution. Raise StatesError if it does not exist."""
        machine_arn, _, name = arn.replace(":execution:", ":stateMachine:").rpartition(":")
        machine = self._machines.get(machine_arn)
        if machine is None or name not in machine.executions:
            raise StatesError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return machine.executions[name]

    def create_state_machine(self, request: Request) -> Row:
        """Create a state machine, or return the one that was created with the same request."""
        name, definition = request.fields["name"], request.fields["definition"]
        _check_name(name)
        _check_kind(request)
        _check_definition(definition)
        arn = f"arn:aws:states:{request.scope}:stateMachine:{name}"
        configurations, role = _configurations(request), request.fields["roleArn"]
        tags = {tag["key"]: tag["value"] for tag in request.fields.get("tags", ())}
        new = Machine(arn, definition, role, self._host.now(), configurations, tags)
        machine = self._machines.setdefault(arn, new)
        _raise_if_deleting(machine)
        if (machine.definition, machine.configurations) != (definition, configurations):
            raise StatesError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
        return {"stateMachineArn": arn, "creationDate": machine.creation_date}

    def describe_state_machine(self, request: Request) -> Row:
        """Describe a state machine."""
        machine = self._machine(request)
        return {
            **_description(machine, machine.definition, machine.role),
            "status": "DELETING" if machine.is_deleting else "ACTIVE",
            "type": "STANDARD",
            "creationDate": machine.creation_date,
        }

    def update_state_machine(self, request: Request) -> Row:
        """Change a state machine. Its running executions keep their definition and their role."""
        machine, fields = self._machine(request), request.fields
        _raise_if_deleting(machine)
        _check_kind(request)
        configurations = _configurations(request)
        if not configurations and fields.keys().isdisjoint(("definition", "roleArn")):
            message = "Either the definition, the role ARN, or a configuration must be specified"
            raise StatesError("MissingRequiredParameter", message)
        _check_definition(fields.get("definition", machine.definition))
        machine.definition = fields.get("definition", machine.definition)
        machine.role = fields.get("roleArn", machine.role)
        machine.configurations = {**machine.configurations, **configurations}
        return {"updateDate": self._host.now()}

    def delete_state_machine(self, request: Request) -> Row:
        """Start to delete a state machine. It disappears when its last execution has ended.

        An execution is aborted at the next state that it enters.
        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
        """
        machine = self._machines.get(request.fields["stateMachineArn"])
        if machine is not None:
            machine.is_deleting = True
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
        return _page("stateMachines", rows, "stateMachineArn", request)

    def tag_resource(self, request: Request) -> Row:
        """Add tags to a state machine."""
        tags = {tag["key"]: tag["value"] for tag in request.fields["tags"]}
        self._tagged_machine(request).tags.update(tags)
        return {}

    def untag_resource(self, request: Request) -> Row:
        """Remove tags from a state machine."""
        for key in request.fields["tagKeys"]:
            self._tagged_machine(request).tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, request: Request) -> Row:
        """List the tags of a state machine."""
        tags = self._tagged_machine(request).tags
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def start_execution(self, request: Request) -> Row:
        """Start an execution. The same request again returns the execution while it is running."""
        text = request.fields.get("input", "{}")
        name = request.fields.get("name") or str(uuid.uuid4())
        _check_name(name)
        if len(text.encode()) > MAX_DOCUMENT_BYTES:
            limit = f"have length less than or equal to {MAX_DOCUMENT_BYTES}"
            raise _invalid("Value", "input", limit)
        try:
            json.loads(text)
        except ValueError as error:
            message = f"Invalid State Machine Execution Input: '{error}'"
            raise StatesError("InvalidExecutionInput", message) from None
        machine = self._machine(request)
        _raise_if_deleting(machine)
        new = Execution(self._host, machine, name, text)
        execution = machine.executions.setdefault(name, new)
        if execution is new:
            execution.start(interpreter.run)
        elif (execution.status, execution.input) != ("RUNNING", text):
            message = f"Execution Already Exists: '{execution.arn}'"
            raise StatesError("ExecutionAlreadyExists", message)
        return {"executionArn": execution.arn, "startDate": execution.start_date}

    def stop_execution(self, request: Request) -> Row:
        """Abort an execution."""
        execution = self.execution(request.fields["executionArn"])
        execution.stop(request.fields.get("error"), request.fields.get("cause"))
        return {"stopDate": execution.stop_date}

    def describe_execution(self, request: Request) -> Row:
        """Describe an execution."""
        execution = self.execution(request.fields["executionArn"])
        row = _summary(execution, request.as_of)
        if row is None:
            message = f"Execution Does Not Exist: '{execution.arn}'"
            raise StatesError("ExecutionDoesNotExist", message)
        row |= {"input": execution.input, "inputDetails": {"included": True}}
        if row["status"] == "SUCCEEDED":
            row |= {"output": execution.output, "outputDetails": {"included": True}}
        if row["status"] != "RUNNING":
            reasons = {"error": execution.error, "cause": execution.cause}
            row |= {key: text for key, text in reasons.items() if text is not None}
        return row

    def describe_state_machine_for_execution(self, request: Request) -> Row:
        """Describe the state machine of an execution, as it was when the execution started."""
        execution = self.execution(request.fields["executionArn"])
        description = _description(execution.machine, execution.definition, execution.role)
        return {**description, "updateDate": execution.machine.creation_date}

    def list_executions(self, request: Request) -> Row:
        """List the executions of a state machine, latest first.

        An execution that has ended is sorted by its end, and a running one by its start.
        """
        if "stateMachineArn" not in request.fields:
            message = "the emulator's Step Functions lists executions by their stateMachineArn only"
            raise StatesError("ValidationException", message)
        executions = list(self._machine(request).executions.values())
        rows = [_summary(execution, request.as_of) for execution in reversed(executions)]
        status = request.fields.get("statusFilter")
        shown = [row for row in rows if row is not None and status in {None, row["status"]}]
        shown.sort(key=_latest_date, reverse=True)
        return _page("executions", shown, "executionArn", request)

    def get_execution_history(self, request: Request) -> Row:
        """List the events of an execution."""
        events = list(self.execution(request.fields["executionArn"]).events)
        if request.fields.get("reverseOrder"):
            events.reverse()
        if not request.fields.get("includeExecutionData", True):
            events = [_without_data(event) for event in events]
        return _page("events", events, "id", request)

    def _machine(self, request: Request) -> Machine:
        arn = request.fields["stateMachineArn"]
        if arn not in self._machines:
            raise StatesError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return self._machines[arn]

    def _tagged_machine(self, request: Request) -> Machine:
        arn = request.fields["resourceArn"]
        if arn not in self._machines:
            raise StatesError("ResourceNotFound", f"Resource not found: '{arn}'")
        return self._machines[arn]


OPERATIONS: Mapping[str, Callable[[StepFunctions, Request], Row]] = {
    "CreateStateMachine": StepFunctions.create_state_machine,
    "DescribeStateMachine": StepFunctions.describe_state_machine,
    "UpdateStateMachine": StepFunctions.update_state_machine,
    "DeleteStateMachine": StepFunctions.delete_state_machine,
    "ListStateMachines": StepFunctions.list_state_machines,
    "TagResource": StepFunctions.tag_resource,
    "UntagResource": StepFunctions.untag_resource,
    "ListTagsForResource": StepFunctions.list_tags_for_resource,
    "StartExecution": StepFunctions.start_execution,
    "StopExecution": StepFunctions.stop_execution,
    "DescribeExecution": StepFunctions.describe_execution,
    "DescribeStateMachineForExecution": StepFunctions.describe_state_machine_for_execution,
    "ListExecutions": StepFunctions.list_executions,
    "GetExecutionHistory": StepFunctions.get_execution_history,
}


def _invalid(value: str, name: str, constraint: str) -> StatesError:
    message = f"{value} at '{name}' failed to satisfy constraint: Member must {constraint}"
    return StatesError("ValidationException", f"1 validation error detected: {message}")


def _check_kind(request: Request) -> None:
    """Raise StatesError unless a state machine is STANDARD and has no versions."""
    for name, supported in (("type", "STANDARD"), ("publish", False)):
        value = request.fields.get(name, supported)
        if value != supported:
            message = f"{name}: {value!r} is not supported by this emulator, only {supported!r}"
            raise StatesError("StateMachineTypeNotSupported", message)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise StatesError("InvalidName", f"Invalid Name: '{name}'")


@functools.lru_cache(64)
def _check_definition(text: str) -> None:
    try:
        problems = language.problems(json.loads(text))
    except ValueError as error:
        problems = [f"the definition is not JSON: {error}"]
    if problems:
        message = f"Invalid State Machine Definition: '{'; '.join(problems)}'"
        raise StatesError("InvalidDefinition", message)


def _raise_if_deleting(machine: Machine) -> None:
    if machine.is_deleting:
        message = f"State Machine is being deleted: '{machine.arn}'"
        raise StatesError("StateMachineDeleting", message)


def _configurations(request: Request) -> Row:
    return {name: request.fields[name] for name in CONFIGURATIONS if name in request.fields}


def _description(machine: Machine, definition: str, role: str) -> Row:
    """Return the fields that both descriptions of a state machine have."""
    return {
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "definition": definition,
        "roleArn": role,
        **machine.configurations,
    }


def _summary(execution: Execution, as_of: datetime | None) -> Row | None:
    """Return an execution as a list shows it, or None if it had not started at the time `as_of`."""
    if as_of is not None and execution.start_date > as_of:
        return None
    row: Row = {
        "executionArn": execution.arn,
        "name": execution.name,
        "stateMachineArn": execution.machine.arn,
        "startDate": execution.start_date,
        "status": "RUNNING",
    }
    with execution.lock:
        stop_date, status = execution.stop_date, execution.status
    if stop_date is None or (as_of is not None and stop_date > as_of):
        return row
    return {**row, "status": status, "stopDate": stop_date}


def _latest_date(row: Row) -> datetime:
    date: datetime = row["stopDate"] if "stopDate" in row else row["startDate"]
    return date


def _page(name: str, rows: Sequence[Row], id_field: str, request: Request) -> Row:
    """Return the page of rows that `maxResults` and `nextToken` of the request ask for.

    A token is the encoded id of the first row of its page. The id of a row is in `id_field`.
    """
    size = request.fields.get("maxResults") or DEFAULT_PAGE_SIZE
    if size > MAX_PAGE_SIZE:
        limit = f"have value less than or equal to {MAX_PAGE_SIZE}"
        raise _invalid(f"Value '{size}'", "maxResults", limit)
    token = request.fields.get("nextToken")
    ids = [str(row[id_field]) for row in rows]
    try:
        start = 0 if token is None else ids.index(base64.b64decode(token).decode())
    except ValueError:
        raise StatesError("InvalidToken", "Invalid Token: 'Invalid token'") from None
    end = start + size
    page: Row = {name: rows[start:end]}
    if end < len(rows):
        page["nextToken"] = base64.b64encode(ids[end].encode()).decode()
    return page


def _without_data(event: Row) -> Row:
    """Return a history event without the inputs and outputs in its details."""
    return {
        key: {name: item for name, item in value.items() if name not in DATA_FIELDS}
        if isinstance(value, dict)
        else value
        for key, value in event.items()
    }

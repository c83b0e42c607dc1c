"""Step Functions' API: state machines, executions, histories and tags.

Requests and responses have the same format as in boto3, and each operation is a method of
`StepFunctions` with the same name as in boto3. Express workflows, versions, aliases, activities,
RedriveExecution and Map Runs aren't emulated, and executions don't write to a log group.
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
from emulator.protocol.service_models import load_service_model
from emulator.protocol.validation import format_errors
from emulator.states import interpreter, language
from emulator.states.execution import Execution, Host, StateMachine

Fields = dict[str, Any]
"""The fields of a response, or of an item in a response."""

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
DEFAULT_PAGE_SIZE = 100
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
VALID_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]+")
# The emulator only uses the definition and the role. It just stores the other settings.
STATE_MACHINE_SETTINGS = (
    "definition",
    "roleArn",
    "loggingConfiguration",
    "tracingConfiguration",
    "encryptionConfiguration",
)
SUPPORTED_VALUES = {
    "type": "STANDARD",
    "publish": False,
    "includeExecutionData": True,
    "mapRunArn": None,
    "redriveFilter": None,
}
"""Request field -> the only value that the emulator supports."""


class Request(NamedTuple):
    """A request to an operation, with the account, region and time that it applies to."""

    fields: Mapping[str, Any]
    scope: str
    """The region and the account, as in an ARN: `eu-west-1:123456789012`."""
    as_of: datetime
    """The time for which DescribeExecution and ListExecutions return the state of executions.

    It may be in the past because both operations are eventually consistent.
    """


class StepFunctions:
    """Step Functions in all accounts and regions. The executions run in the environment `host`."""

    def __init__(self, host: Host, execution_class: type[Execution] = Execution) -> None:
        self._host = host
        self._execution_class = execution_class
        self._state_machines: dict[str, StateMachine] = {}

    def call(
        self, operation: str, fields: Mapping[str, Any], scope: str, as_of: datetime | None = None
    ) -> Fields:
        """Perform an operation, for example `StartExecution`, and return its response.

        `Request` documents `scope` and `as_of`. The default of `as_of` is the current time.

        Raises:
            ApiError: the request is rejected.
        """
        # Not every method is an operation, so look the name up in the service model, too.
        model = load_service_model("stepfunctions")
        method = getattr(self, xform_name(operation), None)
        if operation not in model.operation_names or method is None:
            raise ApiError(
                "UnknownOperationException", f"the emulator's Step Functions has no {operation}"
            )

        errors = format_errors(model.operation_model(operation), fields)
        if errors:
            raise ApiError("ValidationException", errors)
        _check_fields(fields)

        request = Request(fields, scope, as_of or self._host.now())
        response: Fields = method(request)
        return response

    def executions(self) -> list[Execution]:
        """List all executions, grouped by state machine, oldest first."""
        executions: list[Execution] = []
        for state_machine in self._state_machines.values():
            executions += state_machine.executions.values()
        return executions

    def find_execution(self, arn: str, as_of: datetime | None = None) -> Execution:
        """Find an execution by its ARN.

        Raises:
            ApiError: the execution doesn't exist, or didn't exist yet at the time `as_of`.
        """
        state_machine_arn, _, name = arn.replace(":execution:", ":stateMachine:").rpartition(":")
        execution = None
        if state_machine_arn in self._state_machines:
            execution = self._state_machines[state_machine_arn].executions.get(name)

        if execution is None or (as_of is not None and execution.start_date > as_of):
            raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution

    def create_state_machine(self, request: Request) -> Fields:
        """Create a state machine. If an equal request already did, return that state machine."""
        name = request.fields["name"]
        arn = f"arn:aws:states:{request.scope}:stateMachine:{name}"
        settings = _read_settings(request)
        tags = {tag["key"]: tag["value"] for tag in request.fields.get("tags", ())}

        new_state_machine = StateMachine(name, arn, settings, self._host.now(), tags)
        state_machine = self._state_machines.setdefault(arn, new_state_machine)

        # AWS doesn't compare the role, so the same request with another role counts as equal.
        if state_machine.settings != {**settings, "roleArn": state_machine.settings["roleArn"]}:
            raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
        return {"stateMachineArn": arn, "creationDate": state_machine.creation_date}

    def describe_state_machine(self, request: Request) -> Fields:
        """Return a state machine's settings and status."""
        state_machine = self._find_state_machine(request.fields["stateMachineArn"])
        return {
            "stateMachineArn": state_machine.arn,
            "name": state_machine.name,
            **state_machine.settings,
            "status": "ACTIVE",
            "type": "STANDARD",
            "creationDate": state_machine.creation_date,
        }

    def update_state_machine(self, request: Request) -> Fields:
        """Update a state machine. Running executions keep their definition and role."""
        state_machine = self._find_state_machine(request.fields["stateMachineArn"])
        state_machine.settings = {**state_machine.settings, **_read_settings(request)}
        return {"updateDate": self._host.now()}

    def delete_state_machine(self, request: Request) -> Fields:
        """Delete a state machine and abort its executions at once.

        In AWS, an execution would go on until its next state transition.
        """
        state_machine = self._state_machines.pop(request.fields["stateMachineArn"], None)
        if state_machine is not None:
            for execution in list(state_machine.executions.values()):
                execution.abort()
        return {}

    def list_state_machines(self, request: Request) -> Fields:
        """List the state machines in the request's account and region, oldest first."""
        items = [
            {
                "stateMachineArn": state_machine.arn,
                "name": state_machine.name,
                "type": "STANDARD",
                "creationDate": state_machine.creation_date,
            }
            for state_machine in list(self._state_machines.values())
            if state_machine.arn.startswith(f"arn:aws:states:{request.scope}:")
        ]

        return _paginate("stateMachines", items, "stateMachineArn", request)

    def tag_resource(self, request: Request) -> Fields:
        """Add tags to a state machine, replacing those that have the same keys."""
        state_machine = self._find_state_machine(request.fields["resourceArn"])
        for tag in request.fields["tags"]:
            state_machine.tags[tag["key"]] = tag["value"]
        return {}

    def untag_resource(self, request: Request) -> Fields:
        """Remove tags from a state machine."""
        state_machine = self._find_state_machine(request.fields["resourceArn"])
        for key in request.fields["tagKeys"]:
            state_machine.tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, request: Request) -> Fields:
        """List the tags of a state machine."""
        tags = self._find_state_machine(request.fields["resourceArn"]).tags
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def start_execution(self, request: Request) -> Fields:
        """Start an execution, or return the running one with the same name and the same input."""
        input_text = request.fields.get("input", "{}")
        _check_execution_input(input_text)
        state_machine = self._find_state_machine(request.fields["stateMachineArn"])
        name = request.fields.get("name", str(uuid.uuid4()))

        # `setdefault` is atomic, so if two threads have equal requests, only one of them starts the
        # execution.
        new_execution = self._execution_class(self._host, state_machine, name, input_text)
        execution = state_machine.executions.setdefault(name, new_execution)
        if execution is new_execution:
            execution.start(interpreter.run)
        elif execution.status != "RUNNING" or execution.input != input_text:
            raise ApiError("ExecutionAlreadyExists", f"Execution Already Exists: '{execution.arn}'")

        return {"executionArn": execution.arn, "startDate": execution.start_date}

    def stop_execution(self, request: Request) -> Fields:
        """Abort an execution, unless it has already ended."""
        execution = self.find_execution(request.fields["executionArn"])
        execution.abort(request.fields.get("error"), request.fields.get("cause"))
        return {"stopDate": execution.stop_date}

    def describe_execution(self, request: Request) -> Fields:
        """Return an execution's status, input and outcome at the time `as_of`."""
        execution = self.find_execution(request.fields["executionArn"], request.as_of)
        description = _summarize(execution, request.as_of)
        description["input"] = execution.input

        if description["status"] != "RUNNING":
            results = {
                "output": execution.output_text,
                "error": execution.error,
                "cause": execution.cause,
            }
            description |= {name: text for name, text in results.items() if text is not None}
        return description

    def list_executions(self, request: Request) -> Fields:
        """List a state machine's executions, the most recently started or ended first."""
        state_machine = self._find_state_machine(request.fields.get("stateMachineArn"))
        summaries = [
            _summarize(execution, request.as_of)
            for execution in reversed(list(state_machine.executions.values()))
            if execution.start_date <= request.as_of
        ]

        status = request.fields.get("statusFilter")
        if status is not None:
            summaries = [summary for summary in summaries if summary["status"] == status]

        # Sort by the end of an execution or, if it's still running, by its start.
        summaries.sort(key=lambda it: it.get("stopDate") or it["startDate"], reverse=True)
        return _paginate("executions", summaries, "executionArn", request)

    def get_execution_history(self, request: Request) -> Fields:
        """List an execution's events, oldest first unless `reverseOrder` is set."""
        events = list(self.find_execution(request.fields["executionArn"]).events)
        if request.fields.get("reverseOrder"):
            events.reverse()
        return _paginate("events", events, "id", request)

    def _find_state_machine(self, arn: str | None) -> StateMachine:
        """Find a state machine by its ARN. Raise ApiError if there's no such state machine."""
        if arn not in self._state_machines:
            raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return self._state_machines[arn]


def _check_fields(fields: Mapping[str, Any]) -> None:
    """Reject invalid names, and values that AWS would accept but the emulator doesn't support."""
    for name, supported_value in SUPPORTED_VALUES.items():
        value = fields.get(name, supported_value)
        if value != supported_value:
            raise ApiError(
                "ValidationException",
                f"{name}: this emulator supports only {supported_value!r}, not {value!r}",
            )

    if "name" in fields and not VALID_NAME.fullmatch(fields["name"]):
        raise ApiError("InvalidName", f"Invalid Name: '{fields['name']}'")


@functools.lru_cache(64)  # Tests create the same large state machine again and again.
def _check_definition(definition: str) -> None:
    """Reject a definition that isn't JSON or that the emulator can't interpret."""
    try:
        problems = language.find_problems(json.loads(definition))
    except ValueError as error:
        problems = [f"the definition is not JSON: {error}"]

    if problems:
        raise ApiError(
            "InvalidDefinition", f"Invalid State Machine Definition: '{'; '.join(problems)}'"
        )


def _check_execution_input(text: str) -> None:
    """Reject the input of a new execution if it isn't JSON."""
    try:
        json.loads(text)
    except ValueError as error:
        raise ApiError(
            "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'"
        ) from None


def _read_settings(request: Request) -> Fields:
    """Return the settings in a request, after checking the definition.

    Raises:
        ApiError: the definition is invalid or not supported.
    """
    if "definition" in request.fields:
        _check_definition(request.fields["definition"])
    return {name: request.fields[name] for name in STATE_MACHINE_SETTINGS if name in request.fields}


def _summarize(execution: Execution, as_of: datetime) -> Fields:
    """Return the fields that ListExecutions shows for an execution at the time `as_of`."""
    summary = {
        "executionArn": execution.arn,
        "name": execution.name,
        "stateMachineArn": execution.state_machine.arn,
        "startDate": execution.start_date,
        "status": "RUNNING",
    }

    # Another thread may be ending the execution. Without the lock, we might see the new value of
    # only one of these two fields.
    with execution.lock:
        if execution.stop_date is not None and execution.stop_date <= as_of:
            summary["status"] = execution.status
            summary["stopDate"] = execution.stop_date
    return summary


def _paginate(
    response_field: str, items: Sequence[Fields], id_field: str, request: Request
) -> Fields:
    """Return the page of items that a request's `maxResults` and `nextToken` ask for.

    The token is the ID of the first item on the next page, taken from `id_field`. With a position
    as the token, the pages would shift whenever an execution starts between two requests.
    """
    ids = [str(item[id_field]) for item in items]
    start = 0
    token = request.fields.get("nextToken")

    if token in ids:
        start = ids.index(token)
    elif token is not None:
        raise ApiError("InvalidToken", "Invalid Token: 'Invalid token'")

    # For AWS, 0 means the default page size.
    page_size = request.fields.get("maxResults") or DEFAULT_PAGE_SIZE
    end = start + page_size

    page: Fields = {response_field: items[start:end]}
    if end < len(items):
        page["nextToken"] = ids[end]
    return page

"""Executions of state machines, with their histories, parallel branches and timeouts.

A *branch* is a part of an execution that runs sequentially: the state machine as a whole, an
attempt of a Task or a Map, or an iteration of a Map. When a branch fails, the branches that run in
parallel with it are closed. When the execution ends, all of its branches are closed.
"""

import functools
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from emulator.states.documents import Json, StateFailed, to_json

# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_DOCUMENT_BYTES = 262_144
MAX_EVENTS = 25_000
MAX_SECONDS = 365 * 86_400
"""AWS ends an execution after one year."""

STATE_EVENT_PREFIX = re.compile("^[A-Z][a-z]+State(?=Entered|Exited)")

Event = Any
"""An object with the methods `set` and `wait`, like `threading.Event`."""
parse_definition: Callable[[str], Json] = functools.lru_cache(64)(json.loads)
"""Parses the definition of a state machine. All executions share the cached result."""


class Host(Protocol):
    """The environment of executions: either threads in real time, or tasks in virtual time."""

    def now(self) -> datetime:
        """Return the current time in UTC."""

    def uniform(self, low: float, high: float) -> float:
        """Return a random number between `low` and `high`."""

    def event(self) -> Event:
        """Create an event."""

    def start(self, work: Callable[[], None], execution_arn: str) -> None:
        """Run some work of an execution in parallel with all other work."""

    def call(self, execution: "Execution", resource: str, payload: str) -> Json:
        """Call a Task's function and return the result. Raise StateFailed if the call fails."""

    def status_changed(self, execution: "Execution") -> None:
        """Handle the start or the end of an execution, for example by publishing an event."""


def build_invoke_failure(code: str, message: str, status: int, request_id: str) -> StateFailed:
    """Build the failure of a Task whose Invoke request was rejected by Lambda.

    In that case, the function hasn't run at all.
    """
    response = f"Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null"
    return StateFailed(f"Lambda.{code}", f"{message} (Service: AWSLambda; {response})")


class BranchClosed(Exception):  # noqa: N818  # not an error
    """Raised in a closed branch, so that its work stops."""


@dataclass(eq=False)
class StateMachine:
    """A state machine and its executions."""

    name: str
    arn: str
    settings: dict[str, Any]
    """The definition, the role and the other settings from CreateStateMachine."""
    creation_date: datetime
    tags: dict[str, str]
    executions: "dict[str, Execution]" = field(default_factory=dict)
    """The executions by name, oldest first."""


class Execution:
    """An execution, which keeps the definition and role that its state machine had at the start."""

    status = "RUNNING"
    output_text: str | None = None
    """The output as JSON. It's None unless the execution has succeeded."""
    error: str | None = None
    """The name of the error, if the execution failed or was aborted with one."""
    cause: str | None = None
    stop_date: datetime | None = None
    """When the execution ended. It's None while the execution is running."""

    def __init__(self, host: Host, state_machine: StateMachine, name: str, input_text: str) -> None:
        self.host = host
        self.state_machine = state_machine
        self.name = name
        self.input = input_text
        self.role = state_machine.settings["roleArn"]
        self.definition = parse_definition(state_machine.settings["definition"])

        arn_prefix = state_machine.arn.replace(":stateMachine:", ":execution:")
        self.arn = f"{arn_prefix}:{name}"
        self.start_date = self.now()

        self.events: list[dict[str, Any]] = []
        """The history, in the format of GetExecutionHistory in boto3."""
        self.ended = host.event()
        """Set when the execution ends, whatever its status."""
        self.lock = threading.RLock()
        """Protects the status, the history and the branches, which several threads change."""
        self.waiting_branches: dict[Event, Branch] = {}
        """Event -> the branch that's waiting for the event. Closing the branch sets the event."""
        self._serialized: dict[int, tuple[Json, str]] = {}
        """The cache of `serialize`."""
        self.root = Branch(self)

    def start(self, run: "Callable[[Execution], None]") -> None:
        """Start the execution and its timeout.

        `run` is the interpreter's function. It's passed in because the interpreter imports this
        module, so an import in the other direction would be circular.
        """
        self.add_event("ExecutionStarted", 0, input=self.input, roleArn=self.role)
        self.host.status_changed(self)
        self.host.start(functools.partial(run, self), self.arn)
        self.host.start(self._watch_timeout, self.arn)

    def abort(self, error: str | None = None, cause: str | None = None) -> None:
        """Abort the execution, as StopExecution does. Running functions aren't interrupted."""
        self.end("ABORTED", 0, error=error, cause=cause)

    def time_out(self) -> None:
        """End the execution with the status TIMED_OUT."""
        self.end("TIMED_OUT", self.root.last_event_id)

    def end(self, status: str, previous_event_id: int, **details: str | None) -> None:
        """End the execution, which adds the last event to its history and closes all branches.

        Do nothing if the execution has already ended.
        """
        with self.lock:
            if self.status != "RUNNING":
                return

            # For example, the event for TIMED_OUT is ExecutionTimedOut.
            status_in_camel_case = status.title().replace("_", "")
            self.add_event(f"Execution{status_in_camel_case}", previous_event_id, **details)
            self.output_text = details.get("output")
            self.error = details.get("error")
            self.cause = details.get("cause")
            self.stop_date = self.now()
            self.status = status

            self._serialized.clear()
            self.root.close()

        self.ended.set()
        self.host.status_changed(self)

    def now(self) -> datetime:
        """Return the current time in whole milliseconds, which is the precision of AWS's API."""
        time = self.host.now()
        return time.replace(microsecond=time.microsecond // 1000 * 1000)

    def serialize(self, document: Json) -> str:
        """Serialize a document as JSON, with a cache for documents that several events contain.

        The cache's key is the document's `id`. The cache also holds a reference to the document
        because Python could otherwise reuse the `id` for another object.
        """
        if id(document) not in self._serialized:
            self._serialized[id(document)] = (document, to_json(document))
        return self._serialized[id(document)][1]

    def check_size(self, document: Json, name: str) -> None:
        """Raise StateFailed if a document exceeds AWS's size limit.

        `name` is the state or function that the document comes from.
        """
        if len(self.serialize(document).encode()) > MAX_DOCUMENT_BYTES:
            raise StateFailed(
                "States.DataLimitExceeded",
                f"The state/task '{name}' returned a result with a size exceeding the maximum"
                " number of bytes service limit.",
            )

    def add_event(self, event_type: str, previous_event_id: int, **details: Json) -> int:
        """Add an event to the history and return its ID. Details that are None are left out.

        Raises:
            BranchClosed: the history was full, so the execution has failed.
        """
        with self.lock:
            event_id = len(self.events) + 1
            is_execution_event = event_type.startswith("Execution")
            if event_id == MAX_EVENTS and not is_execution_event:
                self._fail_with_full_history(previous_event_id)
                raise BranchClosed

            event = {
                "timestamp": self.now(),
                "type": event_type,
                "id": event_id,
                "previousEventId": previous_event_id,
            }
            known_details = {key: value for key, value in details.items() if value is not None}
            if known_details or is_execution_event:
                event[_name_details_field(event_type)] = known_details

            self.events.append(event)
            return event_id

    def _fail_with_full_history(self, previous_event_id: int) -> None:
        """Fail the execution while there's still space for one event, the failure itself.

        https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html
        """
        message = f"The execution reached the maximum number of history events ({MAX_EVENTS})."
        self.end("FAILED", previous_event_id, error="States.Runtime", cause=message)

    def _watch_timeout(self) -> None:
        """Wait until the execution ends, or end it as TIMED_OUT when its timeout is over."""
        timeout = self.definition.get("TimeoutSeconds", MAX_SECONDS)
        if not self.ended.wait(min(timeout, MAX_SECONDS)):
            self.time_out()


def _name_details_field(event_type: str) -> str:
    """Return the field name for an event's details, such as `lambdaFunctionFailedEventDetails`.

    State events share a field name whatever the state's type. For example, PassStateEntered and
    TaskStateEntered both have `stateEnteredEventDetails`.
    """
    name = STATE_EVENT_PREFIX.sub("State", event_type)
    return f"{name[0].lower()}{name[1:]}EventDetails"


class Branch:
    """A part of an execution that runs sequentially.

    `last_event_id` becomes the `previousEventId` of the branch's next event.
    """

    def __init__(self, execution: Execution, parent: "Branch | None" = None) -> None:
        self.execution = execution
        self._parent = parent
        self._closed = False
        self.last_event_id = 0
        if parent is not None:
            self.last_event_id = parent.last_event_id

    def is_closed(self) -> bool:
        """Tell whether this branch, or one that contains it, has been closed."""
        return self._closed or (self._parent is not None and self._parent.is_closed())

    def close(self) -> None:
        """Close this branch and all branches inside it, so that their work stops."""
        with self.execution.lock:
            self._closed = True
            # A waiting branch only notices that it's closed after it wakes up.
            for event, branch in self.execution.waiting_branches.items():
                if branch.is_closed():
                    event.set()

    def add_event(self, event_type: str, *, is_followed: bool = True, **details: Json) -> None:
        """Add an event to the history, following the branch's last event.

        If `is_followed` is False, the branch's next event won't refer to this event as its previous
        one.

        Raises:
            BranchClosed: the branch is closed.
        """
        with self.execution.lock:
            self._raise_if_closed()
            event_id = self.execution.add_event(event_type, self.last_event_id, **details)
            if is_followed:
                self.last_event_id = event_id

    def wait(self, event: Event, timeout: float | None = None) -> bool:
        """Wait for an event for at most `timeout` seconds, and return whether the event was set.

        Raises:
            BranchClosed: the branch was already closed, or was closed during the wait.
        """
        execution = self.execution
        with execution.lock:
            self._raise_if_closed()
            execution.waiting_branches[event] = self

        was_set: bool = event.wait(timeout)

        with execution.lock:
            del execution.waiting_branches[event]
            self._raise_if_closed()
        return was_set

    def sleep(self, seconds: float) -> None:
        """Pause the branch. Raise BranchClosed if it's closed in the meantime."""
        if seconds > 0:
            self.wait(self.execution.host.event(), seconds)

    def run_in_parallel(
        self,
        work_by_branch: "Mapping[Branch, Callable[[Branch], Json]]",
        timeout: float | None = None,
    ) -> list[Json]:
        """Run the work of several branches in parallel and return the results in order.

        After a failure or a timeout, all of these branches are closed.

        Raises:
            StateFailed: one of the branches failed.
            TimeoutError: the branches weren't finished after `timeout` seconds.
        """
        group = _ParallelBranches(self, work_by_branch)
        finished_in_time = group.run(timeout)
        if finished_in_time and not group.failures:
            return [group.results[branch] for branch in work_by_branch]

        for branch in work_by_branch:
            branch.close()
        if group.failures:
            raise group.failures[0]

        # In the history, the timeout event follows the newest event of these branches.
        self.last_event_id = max(branch.last_event_id for branch in work_by_branch)
        raise TimeoutError

    def _raise_if_closed(self) -> None:
        """Raise BranchClosed, which stops the branch's work, if the branch is closed."""
        if self.is_closed():
            raise BranchClosed


class _ParallelBranches:
    """Branches that run in parallel until all of them have a result or one of them fails."""

    def __init__(
        self, parent: Branch, work_by_branch: "Mapping[Branch, Callable[[Branch], Json]]"
    ) -> None:
        self.results: dict[Branch, Json] = {}
        self.failures: list[StateFailed] = []
        self._parent = parent
        self._work_by_branch = work_by_branch
        self._finished = parent.execution.host.event()

    def run(self, timeout: float | None) -> bool:
        """Run all branches. Return False if they haven't finished after `timeout` seconds."""
        execution = self._parent.execution
        for branch in self._work_by_branch:
            execution.host.start(functools.partial(self._run_branch, branch), execution.arn)

        # If there are no branches, nothing would ever set the event, so don't wait for it.
        return not self._work_by_branch or self._parent.wait(self._finished, timeout)

    def _run_branch(self, branch: Branch) -> None:
        """Run a branch's work. After a failure or the last result, the parent branch continues."""
        try:
            self.results[branch] = self._work_by_branch[branch](branch)
        except StateFailed as failure:
            self.failures.append(failure)
        except BranchClosed:
            return

        # The parent's next event follows the last event of the branch that finishes last.
        self._parent.last_event_id = branch.last_event_id
        if self.failures or len(self.results) == len(self._work_by_branch):
            self._finished.set()

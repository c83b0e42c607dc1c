"""A state machine and its executions: their histories, their ends, and the branches in them.

A branch is a part of an execution in which one thing happens after the other: the machine, an
attempt of a Task or a Map, or an iteration of a Map. A failure closes the branches beside it, and
the end of the execution closes all of them.
"""

import functools
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from emulator.states.documents import Json, StateFailed, to_json

# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_DOCUMENT_BYTES = 262_144
MAX_EVENTS = 25_000
MAX_SECONDS = 365 * 86_400
"""An execution lasts at most one year."""

STATE_EVENT = re.compile("^[A-Z][a-z]+State(?=Entered|Exited)")

Event: TypeAlias = Any
"""An object with the methods `set` and `wait` of `threading.Event`."""
parse_definition: Callable[[str], Json] = functools.lru_cache(64)(json.loads)


class Host(Protocol):
    """The world in which executions run."""

    def now(self) -> datetime:
        """Tell the time in UTC."""

    def uniform(self, low: float, high: float) -> float:
        """Draw a random number."""

    def event(self) -> Event:
        """Create an event."""

    def start(self, work: Callable[[], None], execution_arn: str) -> None:
        """Start work of an execution, which runs at the same time as other work."""

    def call(self, execution: "Execution", resource: str, payload: str) -> Json:
        """Call the function of a Task and return its result. Raise StateFailed if it fails."""

    def status_changed(self, execution: "Execution") -> None:
        """Take note that an execution has started or ended."""


def explain_refused_invocation(
    code: str, message: str, status: int, request_id: str
) -> StateFailed:
    """Build the failure of a Task whose call of Lambda's Invoke did not reach the function."""
    response = f"Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null"
    return StateFailed(f"Lambda.{code}", f"{message} (Service: AWSLambda; {response})")


class BranchClosed(Exception):  # noqa: N818  # not an error
    """The branch was closed, so its work must end where it is."""


@dataclass(eq=False)
class Machine:
    """A state machine."""

    name: str
    arn: str
    settings: dict[str, Any]
    """The definition, the role, and what else CreateStateMachine takes.

    An update replaces them, because running executions keep the settings of their start.
    """
    creation_date: datetime
    tags: dict[str, str]
    executions: "dict[str, Execution]" = field(default_factory=dict)
    """The executions by name, oldest first."""


class Execution:
    """An execution of a state machine. It keeps the definition and the role of its start."""

    status = "RUNNING"
    output_text: str | None = None
    error: str | None = None
    cause: str | None = None
    stop_date: datetime | None = None

    def __init__(self, host: Host, machine: Machine, name: str, input_text: str) -> None:
        self.host = host
        self.machine = machine
        self.name = name
        self.input = input_text
        self.role = machine.settings["roleArn"]
        self.definition = parse_definition(machine.settings["definition"])

        execution_prefix = machine.arn.replace(":stateMachine:", ":execution:")
        self.arn = f"{execution_prefix}:{name}"
        self.start_date = self.now()
        self.events: list[dict[str, Any]] = []
        """The history, in the format of boto3's GetExecutionHistory."""
        self.ended = host.event()
        self.lock = threading.RLock()
        self.waits: dict[Event, Branch] = {}
        """The events for which branches wait at present. Closing a branch sets them."""
        self._texts: dict[int, tuple[Json, str]] = {}
        self.root = Branch(self)

    def start(self, run: "Callable[[Execution], None]") -> None:
        """Start the execution. `run` is the interpreter, which imports this module."""
        self.add_event("ExecutionStarted", 0, input=self.input, roleArn=self.role)
        self.host.status_changed(self)
        self.host.start(functools.partial(run, self), self.arn)
        self.host.start(self._time_out_later, self.arn)

    def abort(self, error: str | None = None, cause: str | None = None) -> None:
        """Abort the execution, as StopExecution does. Functions that are running go on."""
        self.end("ABORTED", 0, error=error, cause=cause)

    def time_out(self) -> None:
        """End the execution, as the TimeoutSeconds of its machine does."""
        self.end("TIMED_OUT", self.root.last_id)

    def end(self, status: str, previous: int, **details: str | None) -> None:
        """End the execution with an event after the event `previous`, unless it has ended."""
        with self.lock:
            if self.status != "RUNNING":
                return

            # TIMED_OUT, for example, is the event ExecutionTimedOut.
            ending = status.title().replace("_", "")
            self.add_event(f"Execution{ending}", previous, **details)
            self.output_text = details.get("output")
            self.error = details.get("error")
            self.cause = details.get("cause")
            self.stop_date = self.now()
            self.status = status

            self._texts.clear()
            self.root.close()

        self.ended.set()
        self.host.status_changed(self)

    def now(self) -> datetime:
        """Tell the time in whole milliseconds, as the API shows it."""
        time = self.host.now()
        return time.replace(microsecond=time.microsecond // 1000 * 1000)

    def text(self, document: Json) -> str:
        """Write a document as JSON, but only once, however many events show it.

        The cache also holds the document itself, because otherwise its id could be used again.
        """
        if id(document) not in self._texts:
            self._texts[id(document)] = (document, to_json(document))
        return self._texts[id(document)][1]

    def check_size(self, document: Json, name: str) -> None:
        """Raise StateFailed for a document that is too long. `name` is its state or function."""
        if len(self.text(document).encode()) > MAX_DOCUMENT_BYTES:
            raise StateFailed(
                "States.DataLimitExceeded",
                f"The state/task '{name}' returned a result with a size exceeding the maximum"
                " number of bytes service limit.",
            )

    def add_event(self, event_type: str, previous: int, **details: Json) -> int:
        """Add an event to the history, and return its ID. Details that are None are left out.

        Raises:
            BranchClosed: the history was full, so the execution has failed instead.
        """
        with self.lock:
            event_id = len(self.events) + 1
            is_of_execution = event_type.startswith("Execution")
            if event_id == MAX_EVENTS and not is_of_execution:
                self._fail_with_full_history(previous)
                raise BranchClosed

            event = {
                "timestamp": self.now(),
                "type": event_type,
                "id": event_id,
                "previousEventId": previous,
            }
            known_details = {key: value for key, value in details.items() if value is not None}
            if known_details or is_of_execution:
                event[_name_details_field(event_type)] = known_details
            self.events.append(event)
            return event_id

    def _fail_with_full_history(self, previous: int) -> None:
        """Fail the execution, because the only event that still fits is its end.

        https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html
        """
        message = f"The execution reached the maximum number of history events ({MAX_EVENTS})."
        self.end("FAILED", previous, error="States.Runtime", cause=message)

    def _time_out_later(self) -> None:
        """Wait for the end of the execution, and end it at its timeout."""
        seconds = self.definition.get("TimeoutSeconds", MAX_SECONDS)
        if not self.ended.wait(min(seconds, MAX_SECONDS)):
            self.time_out()


def _name_details_field(event_type: str) -> str:
    """Name the field with the details of an event, such as `lambdaFunctionFailedEventDetails`.

    The states of all types share one field: PassStateEntered and TaskStateEntered both have
    `stateEnteredEventDetails`.
    """
    name = STATE_EVENT.sub("State", event_type)
    return f"{name[0].lower()}{name[1:]}EventDetails"


class Branch:
    """A part of an execution. `last_id` is the event that the next event of the branch follows."""

    def __init__(self, execution: Execution, parent: "Branch | None" = None) -> None:
        self.execution = execution
        self._parent = parent
        self._closed = False
        self.last_id = 0
        if parent is not None:
            self.last_id = parent.last_id

    def is_closed(self) -> bool:
        """Return True if this branch was closed, or one that contains it."""
        return self._closed or (self._parent is not None and self._parent.is_closed())

    def close(self) -> None:
        """End the work of this branch and of the branches inside it."""
        with self.execution.lock:
            self._closed = True
            # A branch that waits finds out that it is closed only when it is woken.
            for event, branch in self.execution.waits.items():
                if branch.is_closed():
                    event.set()

    def add(self, event_type: str, *, is_followed: bool = True, **details: Json) -> None:
        """Add an event, which the next event of the branch may follow. Raise BranchClosed."""
        with self.execution.lock:
            self._raise_if_closed()
            event_id = self.execution.add_event(event_type, self.last_id, **details)
            if is_followed:
                self.last_id = event_id

    def wait(self, event: Event, seconds: float | None = None) -> bool:
        """Return True if an event is set in time. Raise BranchClosed if the branch is closed."""
        execution = self.execution
        with execution.lock:
            self._raise_if_closed()
            execution.waits[event] = self

        was_set: bool = event.wait(seconds)

        with execution.lock:
            del execution.waits[event]
            self._raise_if_closed()
        return was_set

    def sleep(self, seconds: float) -> None:
        """Wait some seconds."""
        if seconds > 0:
            self.wait(self.execution.host.event(), seconds)

    def run_together(
        self, jobs: "Mapping[Branch, Callable[[Branch], Json]]", seconds: float | None = None
    ) -> list[Json]:
        """Run work in its branches at the same time, and return the results in order.

        Raise the first StateFailed, or TimeoutError after `seconds`. Then the branches are closed.
        """
        group = _Group(self, jobs)
        is_in_time = group.run(seconds)
        if is_in_time and not group.failures:
            return [group.results[branch] for branch in jobs]

        for branch in jobs:
            branch.close()
        if group.failures:
            raise group.failures[0]
        self.last_id = max(branch.last_id for branch in jobs)
        raise TimeoutError

    def _raise_if_closed(self) -> None:
        if self.is_closed():
            raise BranchClosed


class _Group:
    """Branches that work at the same time, until all have results or the first one fails."""

    def __init__(self, parent: Branch, jobs: "Mapping[Branch, Callable[[Branch], Json]]") -> None:
        self.results: dict[Branch, Json] = {}
        self.failures: list[StateFailed] = []
        self._parent = parent
        self._jobs = jobs
        self._is_over = parent.execution.host.event()

    def run(self, seconds: float | None) -> bool:
        """Start the work of all branches, and return False if it takes more than `seconds`."""
        execution = self._parent.execution
        for branch in self._jobs:
            execution.host.start(functools.partial(self._run_branch, branch), execution.arn)

        # Without branches, nobody would ever say that the work is over.
        return not self._jobs or self._parent.wait(self._is_over, seconds)

    def _run_branch(self, branch: Branch) -> None:
        """Do the work of one branch, and end the group after a failure or the last result."""
        try:
            self.results[branch] = self._jobs[branch](branch)
        except StateFailed as failure:
            self.failures.append(failure)
        except BranchClosed:
            return

        # The next event follows the last one of the branch that ended last.
        self._parent.last_id = branch.last_id
        if self.failures or len(self.results) == len(self._jobs):
            self._is_over.set()

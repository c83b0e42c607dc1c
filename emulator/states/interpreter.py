"""Runs executions of state machines, with the errors, the limits and the history of AWS.

`language.problems` has found no problems in the definition. An execution runs on a `Host`, which
has the time and the functions. It consists of branches: one for the machine, one for each attempt
of a Task or a Map, and one for each iteration of a Map. A failure closes the branches beside it,
and the end of the execution closes all of them.
"""

import functools
import json
import operator
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from emulator.states.documents import (
    Json,
    Object,
    Place,
    RuntimeFailed,
    StateFailed,
    fill,
    read,
    read_field,
    to_json,
    write,
)

if TYPE_CHECKING:
    from emulator.states.service import Machine

# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_DOCUMENT_BYTES = 262_144
MAX_EVENTS = 25_000
MAX_SECONDS = 366 * 86_400
"""An execution lasts at most one year."""

TERMINAL_ERRORS = frozenset({"States.Runtime", "States.DataLimitExceeded"})
"""The errors that Retry and Catch do not match.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
DATA_FIELDS = ("input", "output")
"""The details of events that `includeExecutionData` is about."""

Event: TypeAlias = Any
"""An object with the methods `set` and `wait` of `threading.Event`."""
parse_definition: Callable[[str], Json] = functools.lru_cache(64)(json.loads)


class Host(Protocol):
    """The world in which executions run."""

    def now(self) -> datetime:
        """Return the time in UTC."""

    def uniform(self, low: float, high: float) -> float:
        """Return a random number."""

    def event(self) -> Event:
        """Return a new event."""

    def start(self, work: Callable[[], None], execution_arn: str) -> None:
        """Start work of an execution, which runs at the same time as other work."""

    def call(self, execution: "Execution", resource: str, payload: str) -> Json:
        """Call the function of a Task and return its result. Raise StateFailed if it fails."""

    def status_changed(self, execution: "Execution") -> None:
        """Take note that an execution has started or ended."""


def invoke_failure(code: str, message: str, status: int, request_id: str) -> StateFailed:
    """Return the failure of a call of Lambda's Invoke that did not reach the function."""
    response = f"Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null"
    return StateFailed(f"Lambda.{code}", f"{message} (Service: AWSLambda; {response})")


class BranchClosed(Exception):  # noqa: N818  # not an error
    """The branch was closed. Its work ends where it is."""


class Next(NamedTuple):
    """The output of a state, and the name of the next state. None ends the machine."""

    output: Json
    name: str | None


class Execution:
    """An execution of a state machine. It keeps the definition and the role of its start."""

    def __init__(self, host: Host, machine: "Machine", name: str, text: str) -> None:
        self.host, self.machine, self.name, self.input = host, machine, name, text
        self.definition, self.role = machine.definition, machine.role
        self.arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}"
        self.status = "RUNNING"
        self.output: str | None = None
        self.error: str | None = None
        self.cause: str | None = None
        self.start_date = self.now()
        self.stop_date: datetime | None = None
        self.events: list[dict[str, Any]] = []
        """The history, in the format of boto3's GetExecutionHistory."""
        self.ended = host.event()
        self.lock = threading.RLock()
        self.waits: dict[Event, Branch] = {}
        """The events for which branches wait at present."""
        self._texts: dict[int, tuple[Json, str]] = {}
        self._root = Branch(self)

    def start(self) -> None:
        """Start the work of the execution."""
        self.add_event("ExecutionStarted", 0, input=self.input, roleArn=self.role)
        self.host.status_changed(self)
        self.host.start(self._run, self.arn)
        self.host.start(self._time_out_later, self.arn)

    def stop(self, error: str | None = None, cause: str | None = None) -> None:
        """Abort the execution, as StopExecution does. Functions that are running go on."""
        self._end("ABORTED", 0, error=error, cause=cause)

    def time_out(self) -> None:
        """End the execution, as the TimeoutSeconds of its machine does."""
        self._end("TIMED_OUT", self._root.last_id)

    def now(self) -> datetime:
        """Return the time in whole milliseconds, as the API shows it."""
        time = self.host.now()
        return time.replace(microsecond=time.microsecond // 1000 * 1000)

    def text(self, document: Json) -> str:
        """Return a document as JSON. It is written once for all events that show it."""
        known = self._texts.get(id(document))
        if known is None:
            known = self._texts[id(document)] = (document, to_json(document))
        return known[1]

    def check_size(self, document: Json, name: str) -> None:
        """Raise StateFailed if a document of the state or function `name` has more than 256 KiB."""
        if len(self.text(document).encode()) > MAX_DOCUMENT_BYTES:
            limit = "a size exceeding the maximum number of bytes service limit"
            message = f"The state/task '{name}' returned a result with {limit}."
            raise StateFailed("States.DataLimitExceeded", message)

    def add_event(self, kind: str, previous: int, **details: Json) -> int:
        """Add an event to the history, and return its id. Details that are None are left out.

        The last event that a history can have is the end of the execution. Instead of another event
        the execution fails, and BranchClosed is raised.
        https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html
        """
        with self.lock:
            number = len(self.events) + 1
            if number == MAX_EVENTS and not kind.startswith("Execution"):
                message = f"The execution reached the maximum number of history events ({number})."
                self._end("FAILED", previous, error="States.Runtime", cause=message)
                raise BranchClosed
            event = {
                "timestamp": self.now(),
                "type": kind,
                "id": number,
                "previousEventId": previous,
            }
            shown = {key: value for key, value in details.items() if value is not None}
            for key in DATA_FIELDS:
                if key in shown:
                    shown[f"{key}Details"] = {"truncated": False}
            if shown or kind.startswith("Execution"):
                event[_details_field(kind)] = shown
            self.events.append(event)
            return number

    def _run(self) -> None:
        """Run the machine to its end."""
        document = json.loads(self.input)
        context = {
            "Execution": {
                "Id": self.arn,
                "Input": document,
                "Name": self.name,
                "RoleArn": self.role,
                "StartTime": _iso_time(self.start_date),
            },
            "StateMachine": {"Id": self.machine.arn, "Name": self.machine.name},
        }
        root = self._root
        try:
            output = root.run(parse_definition(self.definition), document, context)
            self._end("SUCCEEDED", root.last_id, output=self.text(output))
        except StateFailed as failure:
            self._end("FAILED", root.last_id, error=failure.error, cause=failure.cause)
        except BranchClosed:
            pass

    def _time_out_later(self) -> None:
        """Wait for the end of the execution, and end it at its timeout."""
        seconds = parse_definition(self.definition).get("TimeoutSeconds", MAX_SECONDS)
        if not self.ended.wait(min(seconds, MAX_SECONDS)):
            self.time_out()

    def _end(self, status: str, previous: int, **details: str | None) -> None:
        """End the execution, unless it has ended already."""
        with self.lock:
            if self.status != "RUNNING":
                return
            self.add_event(f"Execution{status.title().replace('_', '')}", previous, **details)
            self.output, self.error, self.cause = map(details.get, ("output", "error", "cause"))
            self.stop_date, self.status = self.now(), status
            self._texts.clear()
            self._root.close()
        self.ended.set()
        self.host.status_changed(self)


class Branch:
    """A part of an execution in which one thing happens after the other.

    `last_id` is the id of the event that the next event of the branch follows.
    """

    def __init__(self, execution: Execution, parent: "Branch | None" = None) -> None:
        self.execution, self._parent = execution, parent
        self.last_id: int = parent.last_id if parent else 0
        self._closed = False

    def is_closed(self) -> bool:
        """Return True if this branch was closed, or one that contains it."""
        return self._closed or (self._parent is not None and self._parent.is_closed())

    def close(self) -> None:
        """End the work of this branch and of the branches inside it."""
        with self.execution.lock:
            self._closed = True
            for event, branch in self.execution.waits.items():
                if branch.is_closed():
                    event.set()

    def add(self, kind: str, *, is_followed: bool = True, **details: Json) -> None:
        """Add an event, which the next event of the branch follows or not.

        Raise BranchClosed if the branch is closed.
        """
        with self.execution.lock:
            self._raise_if_closed()
            number = self.execution.add_event(kind, self.last_id, **details)
            if is_followed:
                self.last_id = number

    def wait(self, event: Event, seconds: float | None = None) -> bool:
        """Wait for an event, at most some seconds. Return True if it was set.

        Raise BranchClosed if the branch is closed, or was closed in the meantime.
        """
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

    def together(
        self, works: "Mapping[Branch, Callable[[Branch], Json]]", seconds: float | None = None
    ) -> list[Json]:
        """Run work in its branches at the same time, and return the results in order.

        Raise the first StateFailed, or TimeoutError after `seconds`. Then the branches are closed.
        """
        is_over = self.execution.host.event()
        results: dict[Branch, Json] = {}
        failures: list[StateFailed] = []

        def run(branch: Branch) -> None:
            try:
                results[branch] = works[branch](branch)
            except StateFailed as failure:
                failures.append(failure)
            except BranchClosed:
                return
            self.last_id = branch.last_id
            if failures or len(results) == len(works):
                is_over.set()

        for branch in works:
            self.execution.host.start(functools.partial(run, branch), self.execution.arn)
        in_time = not works or self.wait(is_over, seconds)
        if failures or not in_time:
            for branch in works:
                branch.close()
        if failures:
            raise failures[0]
        if not in_time:
            self.last_id = max(branch.last_id for branch in works)
            raise TimeoutError
        return [results[branch] for branch in works]

    def attempt(self, work: "Callable[[Branch], Json]", seconds: float | None = None) -> Json:
        """Run one attempt of a state in a branch, and return its result, as `together` does."""
        (result,) = self.together({Branch(self.execution, self): work}, seconds)
        return result

    def run(self, machine: Object, document: Json, context: Object) -> Json:
        """Run a machine from its first state to its end, and return its output.

        Raise StateFailed if a state fails and nothing catches the error.
        """
        name = machine["StartAt"]
        while name is not None:
            document, name = self._state(name, machine["States"][name], document, context)
        return document

    def _state(self, name: str, state: Object, document: Json, context: Object) -> Next:
        execution, kind = self.execution, state["Type"]
        if execution.machine.is_deleting:
            execution.stop()
        self.add(f"{kind}StateEntered", name=name, input=execution.text(document))
        entered = {"EnteredTime": _iso_time(execution.now()), "Name": name}
        place, entered_id = Place(document, {**context, "State": entered}), self.last_id
        try:
            result = self._follow_rules(state, place)
        except RuntimeFailed as failure:
            where = f"executing the state '{name}' (entered at the event id #{entered_id})"
            cause = f"An error occurred while {where}. {failure.cause}"
            raise StateFailed(failure.error, cause) from failure
        execution.check_size(result.output, name)
        self.add(f"{kind}StateExited", name=name, output=execution.text(result.output))
        return result

    def _follow_rules(self, state: Object, place: Place) -> Next:
        """Run a state, and follow its rules Retry and Catch after an error."""
        retries: Counter[int] = Counter()  # by the identity of the rule
        while True:
            try:
                return STATES[state["Type"]](self, state, place)
            except StateFailed as failure:
                retry = _first_match(state.get("Retry", ()), failure)
                if retry is not None and retries[id(retry)] < retry.get("MaxAttempts", 3):
                    self.sleep(self._pause(retry, retries[id(retry)]))
                    retries[id(retry)] += 1
                    continue
                if state["Type"] == "Map":
                    self.add("MapStateFailed")
                catch = _first_match(state.get("Catch", ()), failure)
                if catch is None:
                    raise
                error = {"Error": failure.error, "Cause": failure.cause or ""}
                output = write(place.document, catch.get("ResultPath", "$"), error)
                return Next(output, catch["Next"])

    def _pause(self, rule: Object, retries: int) -> float:
        """Return the seconds before the next attempt."""
        seconds: float = rule.get("IntervalSeconds", 1) * rule.get("BackoffRate", 2) ** retries
        seconds = min(seconds, rule.get("MaxDelaySeconds", seconds))
        is_random = rule.get("JitterStrategy") == "FULL"
        return self.execution.host.uniform(0, seconds) if is_random else seconds

    def _raise_if_closed(self) -> None:
        if self.is_closed():
            raise BranchClosed


# The types of states. Each function returns the output and the next state, or raises StateFailed.


def _pass(_branch: Branch, state: Object, place: Place) -> Next:
    result = state["Result"] if "Result" in state else _parameters(state, place)
    return _finish(state, place, result)


def _succeed(_branch: Branch, _state: Object, place: Place) -> Next:
    return Next(place.document, None)


def _fail(_branch: Branch, state: Object, place: Place) -> Next:
    raise StateFailed(_text_field(state, place, "Error"), _text_field(state, place, "Cause"))


def _choice(_branch: Branch, state: Object, place: Place) -> Next:
    for rule in state["Choices"]:
        if _holds(rule, place):
            return Next(place.document, rule["Next"])
    if "Default" not in state:
        message = "no condition of the Choice is true, and it has no Default"
        raise StateFailed("States.NoChoiceMatched", message)
    return Next(place.document, state["Default"])


def _wait(branch: Branch, state: Object, place: Place) -> Next:
    branch.sleep(state["Seconds"] if "Seconds" in state else _seconds_at_path(state, place))
    return Next(place.document, state.get("Next"))


def _task(branch: Branch, state: Object, place: Place) -> Next:
    execution, resource, seconds = branch.execution, state["Resource"], state.get("TimeoutSeconds")
    parameters = _parameters(state, place)
    execution.check_size(parameters, place.context["State"]["Name"])
    payload = execution.text(parameters)

    def call(attempt: Branch) -> Json:
        scheduled = {"resource": resource, "input": payload, "timeoutInSeconds": seconds}
        attempt.add("LambdaFunctionScheduled", **scheduled)
        attempt.add("LambdaFunctionStarted")
        try:
            result = execution.host.call(execution, resource, payload)
            execution.check_size(result, resource)
        except StateFailed as failure:
            attempt.add("LambdaFunctionFailed", error=failure.error, cause=failure.cause)
            raise
        attempt.add("LambdaFunctionSucceeded", output=execution.text(result))
        return result

    try:
        result = branch.attempt(call, seconds)
    except TimeoutError:
        branch.add("LambdaFunctionTimedOut", error="States.Timeout")
        raise StateFailed("States.Timeout", None) from None
    return _finish(state, place, result)


def _map(branch: Branch, state: Object, place: Place) -> Next:
    items = read_field(state.get("ItemsPath", "$"), place, "ItemsPath")
    if not isinstance(items, list):
        raise RuntimeFailed(f"The ItemsPath does not reference an array: {to_json(items)}")
    result = branch.attempt(functools.partial(_iterate, state=state, place=place, items=items))
    return _finish(state, place, result)


def _iterate(attempt: Branch, state: Object, place: Place, items: Sequence[Json]) -> Json:
    """Run the iterations of a Map at the same time, and return their outputs."""
    name = place.context["State"]["Name"]
    attempt.add("MapStateStarted", length=len(items))

    def run(index: int, iteration: Branch) -> Json:
        document, item = items[index], {"Index": index, "Value": items[index]}
        context = {**place.context, "Map": {"Item": item}}
        try:
            if "ItemSelector" in state:
                document = fill(state["ItemSelector"], Place(place.document, context))
            output = iteration.run(state["ItemProcessor"], document, context)
        except StateFailed:
            iteration.add("MapIterationFailed", is_followed=False, name=name, index=index)
            raise
        iteration.add("MapIterationSucceeded", name=name, index=index)
        return output

    works: dict[Branch, Callable[[Branch], Json]] = {}
    for index in range(len(items)):
        iteration = Branch(attempt.execution, attempt)
        iteration.add("MapIterationStarted", name=name, index=index)
        works[iteration] = functools.partial(run, index)
    outputs = attempt.together(works)
    attempt.add("MapStateSucceeded", is_followed=False)
    return outputs


STATES: Mapping[str, Callable[[Branch, Object, Place], Next]] = {
    "Pass": _pass,
    "Task": _task,
    "Choice": _choice,
    "Wait": _wait,
    "Map": _map,
    "Succeed": _succeed,
    "Fail": _fail,
}


def _parameters(state: Object, place: Place) -> Json:
    """Return the Parameters of a state. A state without them gets the whole document."""
    return fill(state["Parameters"], place) if "Parameters" in state else place.document


def _finish(state: Object, place: Place, result: Json) -> Next:
    """Return the output of a state with a result, and the next state."""
    if "ResultSelector" in state:
        result = fill(state["ResultSelector"], Place(result, place.context))
    output = write(place.document, state.get("ResultPath", "$"), result)
    return Next(output, state.get("Next"))


def _text_field(state: Object, place: Place, field: str) -> str | None:
    """Return the Error or the Cause of a Fail, which can be at a path."""
    path = state.get(f"{field}Path")
    text: Json = state.get(field) if path is None else read_field(path, place, f"{field}Path")
    if text is not None and not isinstance(text, str):
        raise RuntimeFailed(f"The {field}Path does not reference a text: {path} == {to_json(text)}")
    return text


def _seconds_at_path(state: Object, place: Place) -> int:
    """Return the seconds at the SecondsPath of a Wait."""
    path, subject = state["SecondsPath"], "The SecondsPath parameter"
    try:
        seconds = read(path, place)
    except LookupError:
        raise RuntimeFailed(f"{subject} does not reference an input value: {path}") from None
    if type(seconds) is not int:
        raise RuntimeFailed(f"{subject} cannot be parsed as a long value: {path} == {seconds}")
    if seconds < 0:
        raise RuntimeFailed(f"{subject} references a negative value: {path} == {seconds}")
    return seconds


def _first_match(rules: Sequence[Object], failure: StateFailed) -> Object | None:
    """Return the first rule of Retry or Catch that names the error.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    if failure.error in TERMINAL_ERRORS:
        return None
    names = {failure.error, "States.ALL"}
    if failure.error != "States.Timeout":
        names.add("States.TaskFailed")
    return next((rule for rule in rules if not names.isdisjoint(rule["ErrorEquals"])), None)


COMPARISONS: Mapping[str, tuple[type, Callable[[Json, Json], bool]]] = {
    "StringEquals": (str, operator.eq),
    "BooleanEquals": (bool, operator.eq),
    "NumericEquals": (float, operator.eq),
    "NumericLessThan": (float, operator.lt),
    "NumericLessThanEquals": (float, operator.le),
    "NumericGreaterThan": (float, operator.gt),
    "NumericGreaterThanEquals": (float, operator.ge),
}
"""The type of the value that each comparison needs, and the comparison."""


def _holds(condition: Object, place: Place) -> bool:
    """Return True if a condition of a Choice is true."""
    if "And" in condition:
        return all(_holds(inner, place) for inner in condition["And"])
    if "Or" in condition:
        return any(_holds(inner, place) for inner in condition["Or"])
    if "Not" in condition:
        return not _holds(condition["Not"], place)
    return _compare(condition, place)


def _compare(condition: Object, place: Place) -> bool:
    """Return True if the value at the Variable of a condition meets the condition.

    A comparison with a value of another type is false. Without a value, only IsPresent is no error.
    """
    variable = condition["Variable"]
    try:
        value = read(variable, place)
    except LookupError:
        if "IsPresent" in condition:
            return not condition["IsPresent"]
        problem = "The choice state's condition path references an invalid value."
        raise RuntimeFailed(f"Invalid path '{variable}': {problem}") from None
    if "IsPresent" in condition:
        return bool(condition["IsPresent"])
    if "IsNull" in condition:
        return (value is None) is condition["IsNull"]
    name = next(name for name in COMPARISONS if name in condition)
    expected_type, compare = COMPARISONS[name]
    value = float(value) if type(value) is int else value
    return type(value) is expected_type and compare(value, condition[name])


def _iso_time(time: datetime) -> str:
    """Return a time as the context object shows it: 2026-11-29T03:00:00.000Z."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _details_field(kind: str) -> str:
    """Return the field of an event in which its details are."""
    for suffix in ("StateEntered", "StateExited"):
        if kind.endswith(suffix):
            kind = suffix
    return f"{kind[0].lower()}{kind[1:]}EventDetails"

"""Runs the states of executions, with the errors of AWS.

`language.find_problems` has found no problems in the definition.
"""

import functools
import json
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from emulator.states.documents import (
    Json,
    Object,
    RuntimeFailed,
    StateFailed,
    StateInput,
    fill,
    read,
    read_field,
    to_json,
    write,
)
from emulator.states.execution import Branch, BranchClosed, Execution

TERMINAL_ERRORS = frozenset({"States.Runtime", "States.DataLimitExceeded"})
"""The errors that Retry and Catch do not match.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""


class Next(NamedTuple):
    """The output of a state, and the name of the next state. None ends the machine."""

    output: Json
    name: str | None


def run(execution: Execution) -> None:
    """Run the machine of an execution to its end."""
    document = json.loads(execution.input)
    root = execution.root
    context = {
        "Execution": {
            "Id": execution.arn,
            "Input": document,
            "Name": execution.name,
            "RoleArn": execution.role,
            "StartTime": _iso_time(execution.start_date),
        },
        "StateMachine": {"Id": execution.machine.arn, "Name": execution.machine.name},
    }

    try:
        output = _run_machine(root, execution.definition, document, context)
        execution.end("SUCCEEDED", root.last_id, output=execution.text(output))
    except StateFailed as failure:
        execution.end("FAILED", root.last_id, error=failure.error, cause=failure.cause)
    except BranchClosed:
        pass


def _run_machine(branch: Branch, machine: Object, document: Json, context: Object) -> Json:
    """Run a machine from its first state to its end, and return its output.

    Raise StateFailed if a state fails and nothing catches the error.
    """
    name = machine["StartAt"]
    while name is not None:
        document, name = _run_state(branch, name, machine["States"][name], document, context)
    return document


def _run_state(branch: Branch, name: str, state: Object, document: Json, context: Object) -> Next:
    execution = branch.execution
    kind = state["Type"]
    branch.add(f"{kind}StateEntered", name=name, input=execution.text(document))
    entered_id = branch.last_id

    state_context = {"EnteredTime": _iso_time(execution.now()), "Name": name}
    state_input = StateInput(document, {**context, "State": state_context})
    try:
        result = _follow_rules(branch, state, state_input)
    except RuntimeFailed as failure:
        cause = (
            f"An error occurred while executing the state '{name}' (entered at the event id"
            f" #{entered_id}). {failure.cause}"
        )
        raise StateFailed(failure.error, cause) from failure

    execution.check_size(result.output, name)
    branch.add(f"{kind}StateExited", name=name, output=execution.text(result.output))
    return result


def _follow_rules(branch: Branch, state: Object, state_input: StateInput) -> Next:
    """Run a state, and follow its rules Retry and Catch after an error."""
    retry_counts: Counter[int] = Counter()  # each rule counts its own retries
    while True:
        try:
            return STATES[state["Type"]](branch, state, state_input)
        except StateFailed as failure:
            retry = _first_match(state.get("Retry", ()), failure)
            if retry is None or retry_counts[id(retry)] >= retry.get("MaxAttempts", 3):
                return _catch(branch, state, state_input, failure)

            branch.sleep(_pause(branch, retry, retry_counts[id(retry)]))
            retry_counts[id(retry)] += 1


def _catch(branch: Branch, state: Object, state_input: StateInput, failure: StateFailed) -> Next:
    """Go on where the state's Catch says, with the error in the document.

    Raises:
        StateFailed: nothing catches the error.
    """
    if state["Type"] == "Map":
        branch.add("MapStateFailed")

    rule = _first_match(state.get("Catch", ()), failure)
    if rule is None:
        raise failure

    cause = ""  # A failure without a cause has an empty one here.
    if failure.cause is not None:
        cause = failure.cause
    error = {"Error": failure.error, "Cause": cause}
    output = write(state_input.document, rule.get("ResultPath", "$"), error)
    return Next(output, rule["Next"])


def _pause(branch: Branch, rule: Object, retry_count: int) -> float:
    """Calculate the seconds before the next attempt: each pause is longer than the last one."""
    seconds: float = rule.get("IntervalSeconds", 1) * rule.get("BackoffRate", 2) ** retry_count
    seconds = min(seconds, rule.get("MaxDelaySeconds", seconds))
    if rule.get("JitterStrategy") == "FULL":
        return branch.execution.host.uniform(0, seconds)
    return seconds


# The types of states. Each function returns the output and the next state, or raises StateFailed.


def _pass(_branch: Branch, state: Object, state_input: StateInput) -> Next:
    if "Result" in state:
        return _finish(state, state_input, state["Result"])
    return _finish(state, state_input, _parameters(state, state_input))


def _fail(_branch: Branch, state: Object, state_input: StateInput) -> Next:
    raise StateFailed(
        _text_field(state, state_input, "Error"), _text_field(state, state_input, "Cause")
    )


def _choice(_branch: Branch, state: Object, state_input: StateInput) -> Next:
    for rule in state["Choices"]:
        if _holds(rule, state_input):
            return Next(state_input.document, rule["Next"])
    if "Default" not in state:
        message = "no condition of the Choice is true, and it has no Default"
        raise StateFailed("States.NoChoiceMatched", message)
    return Next(state_input.document, state["Default"])


def _wait(branch: Branch, state: Object, state_input: StateInput) -> Next:
    if "SecondsPath" in state:
        branch.sleep(_seconds_at_path(state, state_input))
    else:
        branch.sleep(state["Seconds"])
    return Next(state_input.document, state.get("Next"))


def _task(branch: Branch, state: Object, state_input: StateInput) -> Next:
    execution = branch.execution
    parameters = _parameters(state, state_input)
    execution.check_size(parameters, state_input.context["State"]["Name"])

    # The call needs a branch of its own, so that a timeout can end it.
    work = functools.partial(_call_function, state, execution.text(parameters))
    try:
        (result,) = branch.together(
            {Branch(execution, branch): work}, seconds=state.get("TimeoutSeconds")
        )
    except TimeoutError:
        branch.add("LambdaFunctionTimedOut", error="States.Timeout")
        raise StateFailed("States.Timeout", None) from None
    return _finish(state, state_input, result)


def _call_function(state: Object, payload: str, attempt: Branch) -> Json:
    """Call the function of a Task, and record how the call went."""
    execution = attempt.execution
    resource = state["Resource"]
    attempt.add(
        "LambdaFunctionScheduled",
        resource=resource,
        input=payload,
        timeoutInSeconds=state.get("TimeoutSeconds"),
    )
    attempt.add("LambdaFunctionStarted")

    try:
        result = execution.host.call(execution, resource, payload)
        execution.check_size(result, resource)
    except StateFailed as failure:
        attempt.add("LambdaFunctionFailed", error=failure.error, cause=failure.cause)
        raise

    attempt.add("LambdaFunctionSucceeded", output=execution.text(result))
    return result


def _map(branch: Branch, state: Object, state_input: StateInput) -> Next:
    items = read_field(state.get("ItemsPath", "$"), state_input, "ItemsPath")
    if not isinstance(items, list):
        raise RuntimeFailed(f"The ItemsPath does not reference an array: {to_json(items)}")
    work = functools.partial(_iterate, items, state, state_input)
    (result,) = branch.together({Branch(branch.execution, branch): work})
    return _finish(state, state_input, result)


def _iterate(items: list[Json], state: Object, state_input: StateInput, attempt: Branch) -> Json:
    """Run the iterations of a Map at the same time, and return their outputs."""
    name = state_input.context["State"]["Name"]
    attempt.add("MapStateStarted", length=len(items))

    jobs: dict[Branch, Callable[[Branch], Json]] = {}
    for index, item in enumerate(items):
        iteration = Branch(attempt.execution, attempt)
        iteration.add("MapIterationStarted", name=name, index=index)
        jobs[iteration] = functools.partial(_run_iteration, index, item, state, state_input)

    outputs = attempt.together(jobs)
    attempt.add("MapStateSucceeded", is_followed=False)
    return outputs


def _run_iteration(
    index: int, item: Json, state: Object, state_input: StateInput, iteration: Branch
) -> Json:
    """Run the machine inside a Map for one item, which ItemSelector may put into a document."""
    name = state_input.context["State"]["Name"]
    context = {**state_input.context, "Map": {"Item": {"Index": index, "Value": item}}}
    document = item
    try:
        if "ItemSelector" in state:
            document = fill(state["ItemSelector"], StateInput(state_input.document, context))
        output = _run_machine(iteration, state["ItemProcessor"], document, context)
    except StateFailed:
        iteration.add("MapIterationFailed", is_followed=False, name=name, index=index)
        raise

    iteration.add("MapIterationSucceeded", name=name, index=index)
    return output


STATES: Mapping[str, Callable[[Branch, Object, StateInput], Next]] = {
    "Pass": _pass,
    "Task": _task,
    "Choice": _choice,
    "Wait": _wait,
    "Map": _map,
    "Succeed": _pass,
    "Fail": _fail,
}


def _parameters(state: Object, state_input: StateInput) -> Json:
    if "Parameters" not in state:
        return state_input.document
    return fill(state["Parameters"], state_input)


def _finish(state: Object, state_input: StateInput, result: Json) -> Next:
    """Return the output of a state with a result, and the next state."""
    if "ResultSelector" in state:
        result = fill(state["ResultSelector"], StateInput(result, state_input.context))
    output = write(state_input.document, state.get("ResultPath", "$"), result)
    return Next(output, state.get("Next"))


def _text_field(state: Object, state_input: StateInput, field: str) -> str | None:
    """Return the Error or the Cause of a Fail, which can be at a path."""
    path = state.get(f"{field}Path")
    if path is None:
        literal: str | None = state.get(field)
        return literal

    text = read_field(path, state_input, f"{field}Path")
    if text is not None and not isinstance(text, str):
        raise RuntimeFailed(f"The {field}Path does not reference a text: {path} == {to_json(text)}")
    return text


def _seconds_at_path(state: Object, state_input: StateInput) -> int:
    """Return the seconds at the SecondsPath of a Wait."""
    path = state["SecondsPath"]
    subject = "The SecondsPath parameter"
    try:
        seconds = read(path, state_input)
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


def _holds(condition: Object, state_input: StateInput) -> bool:
    """Return True if a condition of a Choice is true."""
    if "And" in condition:
        return all(_holds(inner, state_input) for inner in condition["And"])
    if "Or" in condition:
        return any(_holds(inner, state_input) for inner in condition["Or"])
    if "Not" in condition:
        return not _holds(condition["Not"], state_input)
    return _compare(condition, state_input)


def _compare(condition: Object, state_input: StateInput) -> bool:
    """Return True if the value at the Variable of a condition meets the condition.

    A comparison with a value of another type is false. Without a value, only IsPresent is no error.
    """
    variable = condition["Variable"]
    try:
        value = read(variable, state_input)
    except LookupError:
        if "IsPresent" in condition:
            return not condition["IsPresent"]
        problem = "The choice state's condition path references an invalid value."
        raise RuntimeFailed(f"Invalid path '{variable}': {problem}") from None
    if "IsPresent" in condition:
        return bool(condition["IsPresent"])
    if "IsNull" in condition:
        return (value is None) is condition["IsNull"]

    # A condition has exactly one comparison, as language.find_problems has checked.
    name = next(name for name in COMPARISONS if name in condition)
    expected_type, compare = COMPARISONS[name]
    if type(value) is int:
        value = float(value)
    return type(value) is expected_type and compare(value, condition[name])


def _iso_time(time: datetime) -> str:
    """Return a time as the context object shows it: 2026-11-29T03:00:00.000Z."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

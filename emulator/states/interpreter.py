"""Runs the states of an execution, which fail with the same errors as in AWS.

The interpreter doesn't validate definitions. It relies on `language.find_problems`, which is called
when a state machine is created or updated. A *retrier* is an element of a state's Retry, and a
*catcher* is an element of a state's Catch.
"""

import functools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from emulator.states.documents import (
    Json,
    JsonObject,
    RuntimeFailed,
    StateFailed,
    StateInput,
    fill_template,
    read_field_path,
    read_path,
    to_json,
    write_path,
)
from emulator.states.execution import Branch, BranchClosed, Execution

TERMINAL_ERRORS = frozenset({"States.Runtime", "States.DataLimitExceeded"})
"""Errors that no retrier or catcher matches, not even with States.ALL:
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""


class Transition(NamedTuple):
    """What a state results in."""

    output: Json
    """The document that the next state gets as its input."""
    next_state: str | None
    """The name of the next state, or None if this was the last one."""


def run(execution: Execution) -> None:
    """Run an execution from its first state to its end and record how it ended."""
    branch = execution.root
    document = json.loads(execution.input)
    context = _build_context(execution, document)

    try:
        output = _run_machine(branch, execution.definition, document, context)
        execution.end("SUCCEEDED", branch.last_event_id, output=execution.serialize(output))
    except StateFailed as failure:
        execution.end("FAILED", branch.last_event_id, error=failure.error, cause=failure.cause)
    except BranchClosed:
        pass  # The execution has already ended, for example because of StopExecution or a timeout.


def _build_context(execution: Execution, document: Json) -> JsonObject:
    """Build the part of the context object (`$$`) that is the same in all states."""
    return {
        "Execution": {
            "Id": execution.arn,
            "Input": document,
            "Name": execution.name,
            "RoleArn": execution.role,
            "StartTime": _format_time(execution.start_date),
        },
        "StateMachine": {"Id": execution.state_machine.arn, "Name": execution.state_machine.name},
    }


def _run_machine(branch: Branch, machine: JsonObject, document: Json, context: JsonObject) -> Json:
    """Run a state machine and return the output of its last state.

    `machine` is either the execution's definition or the ItemProcessor of a Map.

    Raises:
        StateFailed: a state failed, and none of its catchers matches the error.
    """
    state_name = machine["StartAt"]
    while state_name is not None:
        state = machine["States"][state_name]
        document, state_name = _run_state(branch, state_name, state, document, context)
    return document


def _run_state(
    branch: Branch, name: str, state: JsonObject, document: Json, context: JsonObject
) -> Transition:
    """Run a state and record its input and output in the history."""
    execution = branch.execution
    state_type = state["Type"]
    branch.add_event(f"{state_type}StateEntered", name=name, input=execution.serialize(document))
    entered_event_id = branch.last_event_id

    state_context = {"EnteredTime": _format_time(execution.now()), "Name": name}
    state_input = StateInput(document, {**context, "State": state_context})
    try:
        transition = _run_with_retries(branch, state, state_input)
    except RuntimeFailed as failure:
        cause = (
            f"An error occurred while executing the state '{name}' (entered at the event id"
            f" #{entered_event_id}). {failure.cause}"
        )
        raise StateFailed(failure.error, cause) from failure

    output = transition.output
    execution.check_size(output, name)
    branch.add_event(f"{state_type}StateExited", name=name, output=execution.serialize(output))
    return transition


def _run_with_retries(branch: Branch, state: JsonObject, state_input: StateInput) -> Transition:
    """Run a state and retry it if it fails. If no retries are left, use a matching catcher."""
    retry_counts: Counter[int] = Counter()  # Each retrier has its own MaxAttempts.

    while True:
        try:
            return STATE_FUNCTIONS[state["Type"]](branch, state, state_input)
        except StateFailed as failure:
            retrier = _find_matching_rule(state.get("Retry", ()), failure)
            if retrier is None or retry_counts[id(retrier)] >= retrier.get("MaxAttempts", 3):
                return _catch_error(branch, state, state_input, failure)

            branch.sleep(_calculate_delay(branch, retrier, retry_counts[id(retrier)]))
            retry_counts[id(retrier)] += 1


def _catch_error(
    branch: Branch, state: JsonObject, state_input: StateInput, failure: StateFailed
) -> Transition:
    """Return the transition of the catcher that matches an error.

    Its output is the state's input, with the error inserted at the catcher's ResultPath.

    Raises:
        StateFailed: no catcher matches the error.
    """
    if state["Type"] == "Map":
        branch.add_event("MapStateFailed")

    catcher = _find_matching_rule(state.get("Catch", ()), failure)
    if catcher is None:
        raise failure

    error = {"Error": failure.error, "Cause": failure.cause or ""}
    output = write_path(state_input.document, catcher.get("ResultPath", "$"), error)
    return Transition(output, catcher["Next"])


def _calculate_delay(branch: Branch, retrier: JsonObject, retry_count: int) -> float:
    """Calculate the seconds to wait before the next retry, with exponential backoff."""
    # These defaults come from the specification of the States Language.
    interval = retrier.get("IntervalSeconds", 1)
    seconds: float = interval * retrier.get("BackoffRate", 2) ** retry_count
    seconds = min(seconds, retrier.get("MaxDelaySeconds", seconds))

    if retrier.get("JitterStrategy") == "FULL":
        return branch.execution.host.uniform(0, seconds)
    return seconds


# One function for each type of state, which runs a state once and may raise StateFailed.


def _run_pass(_branch: Branch, state: JsonObject, state_input: StateInput) -> Transition:
    """Return a transition with the state's Result, or else its Parameters, or else its input.

    This also runs Succeed states, which have neither a Result nor Parameters.
    """
    if "Result" in state:
        return _build_transition(state, state_input, state["Result"])
    return _build_transition(state, state_input, _build_parameters(state, state_input))


def _run_fail(_branch: Branch, state: JsonObject, state_input: StateInput) -> Transition:
    """Raise StateFailed with the state's Error and with its Cause, literal or from CausePath."""
    cause = state.get("Cause")

    if "CausePath" in state:
        path = state["CausePath"]
        cause = read_field_path(path, state_input, "CausePath")
        if cause is not None and not isinstance(cause, str):
            raise RuntimeFailed(
                f"The CausePath does not reference a text: {path} == {to_json(cause)}"
            )

    raise StateFailed(state.get("Error"), cause)


def _run_choice(_branch: Branch, state: JsonObject, state_input: StateInput) -> Transition:
    """Go to the Next of the first rule that matches, or else to the Default."""
    for rule in state["Choices"]:
        if _matches_rule(rule, state_input):
            return Transition(state_input.document, rule["Next"])

    if "Default" not in state:
        raise StateFailed(
            "States.NoChoiceMatched", "no condition of the Choice is true, and it has no Default"
        )
    return Transition(state_input.document, state["Default"])


def _run_wait(branch: Branch, state: JsonObject, state_input: StateInput) -> Transition:
    """Sleep for the state's Seconds, or for those at its SecondsPath."""
    if "SecondsPath" in state:
        branch.sleep(_read_seconds(state, state_input))
    else:
        branch.sleep(state["Seconds"])

    return Transition(state_input.document, state.get("Next"))


def _run_task(branch: Branch, state: JsonObject, state_input: StateInput) -> Transition:
    """Call a Task's function, and wait until the function returns or the Task times out."""
    execution = branch.execution
    parameters = _build_parameters(state, state_input)
    execution.check_size(parameters, state_input.context["State"]["Name"])

    # The call needs its own branch because a timeout ends the call, but the state may be retried.
    work = functools.partial(_call_function, state, execution.serialize(parameters))
    try:
        (result,) = branch.run_in_parallel(
            {Branch(execution, branch): work}, timeout=state.get("TimeoutSeconds")
        )
    except TimeoutError:
        branch.add_event("LambdaFunctionTimedOut", error="States.Timeout")
        raise StateFailed("States.Timeout", None) from None
    return _build_transition(state, state_input, result)


def _call_function(state: JsonObject, payload: str, attempt: Branch) -> Json:
    """Call a Task's function and record the call and its outcome in the history."""
    execution = attempt.execution
    resource = state["Resource"]
    attempt.add_event(
        "LambdaFunctionScheduled",
        resource=resource,
        input=payload,
        timeoutInSeconds=state.get("TimeoutSeconds"),
    )
    attempt.add_event("LambdaFunctionStarted")

    try:
        result = execution.host.call(execution, resource, payload)
        execution.check_size(result, resource)
    except StateFailed as failure:
        attempt.add_event("LambdaFunctionFailed", error=failure.error, cause=failure.cause)
        raise

    attempt.add_event("LambdaFunctionSucceeded", output=execution.serialize(result))
    return result


def _run_map(branch: Branch, state: JsonObject, state_input: StateInput) -> Transition:
    """Run the state machine inside a Map once for each item in the list at ItemsPath."""
    items = read_field_path(state.get("ItemsPath", "$"), state_input, "ItemsPath")
    if not isinstance(items, list):
        raise RuntimeFailed(f"The ItemsPath does not reference an array: {to_json(items)}")

    # The Map's own events need a branch. Otherwise, if the execution timed out, the timeout event
    # would follow the latest Map event in the history instead of MapStateEntered.
    work = functools.partial(_run_iterations, items, state, state_input)
    (result,) = branch.run_in_parallel({Branch(branch.execution, branch): work})
    return _build_transition(state, state_input, result)


def _run_iterations(
    items: list[Json], state: JsonObject, state_input: StateInput, attempt: Branch
) -> Json:
    """Run all iterations of a Map in parallel and return their outputs in the order of items."""
    name = state_input.context["State"]["Name"]
    attempt.add_event("MapStateStarted", length=len(items))

    work_by_iteration: dict[Branch, Callable[[Branch], Json]] = {}
    for index, item in enumerate(items):
        iteration = Branch(attempt.execution, attempt)
        iteration.add_event("MapIterationStarted", name=name, index=index)
        work = functools.partial(_run_iteration, index, item, state, state_input)
        work_by_iteration[iteration] = work

    outputs = attempt.run_in_parallel(work_by_iteration)
    attempt.add_event("MapStateSucceeded", is_followed=False)
    return outputs


def _run_iteration(
    index: int, item: Json, state: JsonObject, state_input: StateInput, iteration: Branch
) -> Json:
    """Run the state machine inside a Map for one item and return its output.

    The iteration's input is the item itself, or the result of ItemSelector if the Map has one.
    """
    name = state_input.context["State"]["Name"]
    # Inside an iteration, the context object also contains the item.
    context = {**state_input.context, "Map": {"Item": {"Index": index, "Value": item}}}
    document = item

    try:
        if "ItemSelector" in state:
            selector_input = StateInput(state_input.document, context)
            document = fill_template(state["ItemSelector"], selector_input)

        output = _run_machine(iteration, state["ItemProcessor"], document, context)
    except StateFailed:
        iteration.add_event("MapIterationFailed", is_followed=False, name=name, index=index)
        raise

    iteration.add_event("MapIterationSucceeded", name=name, index=index)
    return output


STATE_FUNCTIONS: Mapping[str, Callable[[Branch, JsonObject, StateInput], Transition]] = {
    "Pass": _run_pass,
    "Task": _run_task,
    "Choice": _run_choice,
    "Wait": _run_wait,
    "Map": _run_map,
    "Succeed": _run_pass,
    "Fail": _run_fail,
}


def _build_parameters(state: JsonObject, state_input: StateInput) -> Json:
    """Fill in the state's Parameters. Without any, the whole document is the parameter."""
    if "Parameters" not in state:
        return state_input.document
    return fill_template(state["Parameters"], state_input)


def _build_transition(state: JsonObject, state_input: StateInput, result: Json) -> Transition:
    """Apply ResultSelector and ResultPath to a state's result, for a transition to its Next."""
    if "ResultSelector" in state:
        result = fill_template(state["ResultSelector"], StateInput(result, state_input.context))
    output = write_path(state_input.document, state.get("ResultPath", "$"), result)
    return Transition(output, state.get("Next"))


def _read_seconds(state: JsonObject, state_input: StateInput) -> int:
    """Return the seconds at a Wait state's SecondsPath.

    Raises:
        RuntimeFailed: the value is missing, negative or not an integer.
    """
    path = state["SecondsPath"]
    subject = "The SecondsPath parameter"
    try:
        seconds = read_path(path, state_input)
    except LookupError:
        raise RuntimeFailed(f"{subject} does not reference an input value: {path}") from None

    if type(seconds) is not int:
        raise RuntimeFailed(f"{subject} cannot be parsed as a long value: {path} == {seconds}")
    if seconds < 0:
        raise RuntimeFailed(f"{subject} references a negative value: {path} == {seconds}")
    return seconds


def _find_matching_rule(rules: Sequence[JsonObject], failure: StateFailed) -> JsonObject | None:
    """Find the first retrier or catcher that matches an error, by its name or by a wildcard.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    if failure.error in TERMINAL_ERRORS:
        return None

    # States.TaskFailed matches every error except a timeout.
    matching_names = {failure.error, "States.ALL"}
    if failure.error != "States.Timeout":
        matching_names.add("States.TaskFailed")

    for rule in rules:
        if not matching_names.isdisjoint(rule["ErrorEquals"]):
            return rule
    return None


COMPARED_TYPES: Mapping[str, type] = {
    "StringEquals": str,
    "BooleanEquals": bool,
    "NumericEquals": float,
}
"""Comparison operator -> the type of the values that it compares."""


def _matches_rule(rule: JsonObject, state_input: StateInput) -> bool:
    """Tell whether the value at a choice rule's Variable equals the value in the rule.

    A value of another type never does.

    Raises:
        RuntimeFailed: there's no value at the Variable.
    """
    variable = rule["Variable"]
    try:
        value = read_path(variable, state_input)
    except LookupError:
        problem = "The choice state's condition path references an invalid value."
        raise RuntimeFailed(f"Invalid path '{variable}': {problem}") from None

    # `language.find_problems` guarantees that there's exactly one operator.
    operator = next(name for name in COMPARED_TYPES if name in rule)

    # JSON doesn't distinguish integers from other numbers. Don't use `isinstance` here, because a
    # boolean is also an int.
    if type(value) is int:
        value = float(value)
    return type(value) is COMPARED_TYPES[operator] and bool(value == rule[operator])


def _format_time(time: datetime) -> str:
    """Format a time as in AWS's context object, for example 2026-11-29T03:00:00.000Z."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

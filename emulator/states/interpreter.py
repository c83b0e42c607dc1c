"""Runs the states of executions, with the errors of AWS.

The interpreter relies on `language.find_problems`, which has accepted the definition.
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
    branch = execution.root
    document = json.loads(execution.input)
    context = _build_context(execution, document)

    try:
        output = _run_machine(branch, execution.definition, document, context)
        execution.end("SUCCEEDED", branch.last_id, output=execution.text(output))
    except StateFailed as failure:
        execution.end("FAILED", branch.last_id, error=failure.error, cause=failure.cause)
    except BranchClosed:
        pass  # Somebody else has ended the execution.


def _build_context(execution: Execution, document: Json) -> Object:
    """Build the part of the context object that is the same in all states."""
    return {
        "Execution": {
            "Id": execution.arn,
            "Input": document,
            "Name": execution.name,
            "RoleArn": execution.role,
            "StartTime": _format_time(execution.start_date),
        },
        "StateMachine": {"Id": execution.machine.arn, "Name": execution.machine.name},
    }


def _run_machine(branch: Branch, machine: Object, document: Json, context: Object) -> Json:
    """Run a machine from its first state to its end, and return its output.

    Raise StateFailed if a state fails and nothing catches the error.
    """
    name = machine["StartAt"]
    while name is not None:
        document, name = _run_state(branch, name, machine["States"][name], document, context)
    return document


def _run_state(branch: Branch, name: str, state: Object, document: Json, context: Object) -> Next:
    """Run a state between the events with which the history shows its input and its output."""
    execution = branch.execution
    state_type = state["Type"]
    branch.add(f"{state_type}StateEntered", name=name, input=execution.text(document))
    entered_id = branch.last_id

    state_input = _build_state_input(execution, name, document, context)
    try:
        result = _follow_rules(branch, state, state_input)
    except RuntimeFailed as failure:
        raise _locate(failure, name, entered_id) from failure

    execution.check_size(result.output, name)
    branch.add(f"{state_type}StateExited", name=name, output=execution.text(result.output))
    return result


def _build_state_input(
    execution: Execution, name: str, document: Json, context: Object
) -> StateInput:
    """Add to the context object which state was entered, and when."""
    state_context = {"EnteredTime": _format_time(execution.now()), "Name": name}
    return StateInput(document, {**context, "State": state_context})


def _locate(failure: RuntimeFailed, name: str, entered_id: int) -> StateFailed:
    """Say in which state the definition did not fit its document, as AWS does."""
    cause = (
        f"An error occurred while executing the state '{name}' (entered at the event id"
        f" #{entered_id}). {failure.cause}"
    )
    return StateFailed(failure.error, cause)


def _follow_rules(branch: Branch, state: Object, state_input: StateInput) -> Next:
    """Run a state until it succeeds, or until its Retry has no attempt left and Catch decides."""
    retry_counts: Counter[int] = Counter()  # Each rule of Retry counts its own retries.
    while True:
        try:
            return STATES[state["Type"]](branch, state, state_input)
        except StateFailed as failure:
            retry = _find_rule(state.get("Retry", ()), failure)
            if retry is None or retry_counts[id(retry)] >= retry.get("MaxAttempts", 3):
                return _catch(branch, state, state_input, failure)

            branch.sleep(_calculate_pause(branch, retry, retry_counts[id(retry)]))
            retry_counts[id(retry)] += 1


def _catch(branch: Branch, state: Object, state_input: StateInput, failure: StateFailed) -> Next:
    """Go on where the state's Catch says, with the error in the document.

    Raises:
        StateFailed: nothing catches the error.
    """
    if state["Type"] == "Map":
        branch.add("MapStateFailed")

    rule = _find_rule(state.get("Catch", ()), failure)
    if rule is None:
        raise failure

    error = {"Error": failure.error, "Cause": failure.cause or ""}
    output = write(state_input.document, rule.get("ResultPath", "$"), error)
    return Next(output, rule["Next"])


def _calculate_pause(branch: Branch, rule: Object, retry_count: int) -> float:
    """Calculate the seconds before the next attempt: each pause is longer than the last one."""
    seconds: float = rule.get("IntervalSeconds", 1) * rule.get("BackoffRate", 2) ** retry_count
    seconds = min(seconds, rule.get("MaxDelaySeconds", seconds))
    if rule.get("JitterStrategy") == "FULL":
        return branch.execution.host.uniform(0, seconds)
    return seconds


# The types of states. Each function returns the output and the next state, or raises StateFailed.


def _run_pass(_branch: Branch, state: Object, state_input: StateInput) -> Next:
    """Pass a fixed result or the parameters on. Also a Succeed does nothing else."""
    if "Result" in state:
        return _build_result(state, state_input, state["Result"])
    return _build_result(state, state_input, _build_parameters(state, state_input))


def _run_fail(_branch: Branch, state: Object, state_input: StateInput) -> Next:
    """Fail with the error that the state names."""
    raise StateFailed(
        _read_text(state, state_input, "Error"), _read_text(state, state_input, "Cause")
    )


def _run_choice(_branch: Branch, state: Object, state_input: StateInput) -> Next:
    """Go on where the first true condition says."""
    for rule in state["Choices"]:
        if _is_true(rule, state_input):
            return Next(state_input.document, rule["Next"])

    if "Default" not in state:
        cause = "no condition of the Choice is true, and it has no Default"
        raise StateFailed("States.NoChoiceMatched", cause)
    return Next(state_input.document, state["Default"])


def _run_wait(branch: Branch, state: Object, state_input: StateInput) -> Next:
    if "SecondsPath" in state:
        branch.sleep(_read_seconds(state, state_input))
    else:
        branch.sleep(state["Seconds"])
    return Next(state_input.document, state.get("Next"))


def _run_task(branch: Branch, state: Object, state_input: StateInput) -> Next:
    """Call the function of a Task, and wait until it ends or the Task times out."""
    execution = branch.execution
    parameters = _build_parameters(state, state_input)
    execution.check_size(parameters, state_input.context["State"]["Name"])

    # The call gets a branch of its own, because a timeout ends the call and not the state.
    work = functools.partial(_call_function, state, execution.text(parameters))
    try:
        (result,) = branch.run_together(
            {Branch(execution, branch): work}, seconds=state.get("TimeoutSeconds")
        )
    except TimeoutError:
        branch.add("LambdaFunctionTimedOut", error="States.Timeout")
        raise StateFailed("States.Timeout", None) from None
    return _build_result(state, state_input, result)


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


def _run_map(branch: Branch, state: Object, state_input: StateInput) -> Next:
    """Run the machine inside a Map for each item."""
    items = read_field(state.get("ItemsPath", "$"), state_input, "ItemsPath")
    if not isinstance(items, list):
        raise RuntimeFailed(f"The ItemsPath does not reference an array: {to_json(items)}")

    # The events of the Map are in a branch of their own, because a timeout of the execution follows
    # MapStateEntered in the history, however far the iterations have come.
    work = functools.partial(_run_iterations, items, state, state_input)
    (result,) = branch.run_together({Branch(branch.execution, branch): work})
    return _build_result(state, state_input, result)


def _run_iterations(
    items: list[Json], state: Object, state_input: StateInput, attempt: Branch
) -> Json:
    """Run the iterations of a Map at the same time, and return their outputs."""
    name = state_input.context["State"]["Name"]
    attempt.add("MapStateStarted", length=len(items))

    jobs: dict[Branch, Callable[[Branch], Json]] = {}
    for index, item in enumerate(items):
        iteration = Branch(attempt.execution, attempt)
        iteration.add("MapIterationStarted", name=name, index=index)
        jobs[iteration] = functools.partial(_run_iteration, index, item, state, state_input)

    outputs = attempt.run_together(jobs)
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
    "Pass": _run_pass,
    "Task": _run_task,
    "Choice": _run_choice,
    "Wait": _run_wait,
    "Map": _run_map,
    "Succeed": _run_pass,
    "Fail": _run_fail,
}


def _build_parameters(state: Object, state_input: StateInput) -> Json:
    if "Parameters" not in state:
        return state_input.document
    return fill(state["Parameters"], state_input)


def _build_result(state: Object, state_input: StateInput, result: Json) -> Next:
    """Put the result of a state into its document, as ResultSelector and ResultPath say."""
    if "ResultSelector" in state:
        result = fill(state["ResultSelector"], StateInput(result, state_input.context))
    output = write(state_input.document, state.get("ResultPath", "$"), result)
    return Next(output, state.get("Next"))


def _read_text(state: Object, state_input: StateInput, field: str) -> str | None:
    """Read the Error or the Cause of a Fail, which may be a literal or at a path."""
    path = state.get(f"{field}Path")
    if path is None:
        literal: str | None = state.get(field)
        return literal

    text = read_field(path, state_input, f"{field}Path")
    if text is not None and not isinstance(text, str):
        raise RuntimeFailed(f"The {field}Path does not reference a text: {path} == {to_json(text)}")
    return text


def _read_seconds(state: Object, state_input: StateInput) -> int:
    """Read the seconds at the SecondsPath of a Wait."""
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


def _find_rule(rules: Sequence[Object], failure: StateFailed) -> Object | None:
    """Find the first rule of Retry or Catch that names the error.

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


def _is_true(condition: Object, state_input: StateInput) -> bool:
    """Evaluate a condition of a Choice."""
    if "And" in condition:
        return all(_is_true(inner, state_input) for inner in condition["And"])
    if "Or" in condition:
        return any(_is_true(inner, state_input) for inner in condition["Or"])
    if "Not" in condition:
        return not _is_true(condition["Not"], state_input)
    return _compare(condition, state_input)


def _compare(condition: Object, state_input: StateInput) -> bool:
    """Compare the value at the Variable of a condition.

    Without a value, every comparison but IsPresent is an error.
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
    return _compare_typed(condition, value)


def _compare_typed(condition: Object, value: Json) -> bool:
    """Compare texts, truth values or numbers. A value of another type makes a condition false."""
    # A condition has exactly one comparison, as language.find_problems has checked.
    name = next(name for name in COMPARISONS if name in condition)
    expected_type, compare = COMPARISONS[name]

    # JSON doesn't tell whole numbers from others. A truth value must not become a number here.
    if type(value) is int:
        value = float(value)
    return type(value) is expected_type and compare(value, condition[name])


def _format_time(time: datetime) -> str:
    """Format a time as the context object shows it: 2026-11-29T03:00:00.000Z."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

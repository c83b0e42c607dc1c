"""The small part of the Amazon States Language that the workflow is written in, and its checks.

Keys keep ASL's spelling (https://states-language.net/spec.html). A Task names its function's ARN
itself, as `Resource`: its result is then the function's own answer, while the `lambda:invoke`
integration wraps it in an envelope that every path in the document would have to name.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import pulumi

State: TypeAlias = dict[str, object]
States: TypeAlias = dict[str, State]
Definition: TypeAlias = dict[str, object]

TASK_TIMEOUT_SECONDS = 480
"""A minute longer than the longest function (`steps.HOLDING`), which ends by its own time-out."""

LONGEST_STATE_NAME = 80
"""Characters; https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""

SLOW_DOWN = ["Throttled", "Lambda.TooManyRequestsException"]
"""Nothing was done: functions/errors.py, and Lambda's own."""

UNANSWERED = [
    "ServiceUnavailable",  # functions/errors.py
    # https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    # A function that was stopped in the middle.
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
]
"""What was done is not known, and a job that was created may take a moment to be listed.

Every function may run twice and looks for what it did before; so that it finds it, the pause before
a retry is never cut short by jitter.
"""
LONGER_THAN_A_WRITER = 65
"""Seconds: who creates something has 60, and may still be at work when no answer came."""

NOT_SHOWN_YET = ["ResourceNotFoundException"]
"""Of a job that was created just now, an answer may be older than the job."""


def call(function: pulumi.Input[str], *, result_path: str, then: str, on_error: str) -> State:
    """Give a Task that calls a function with the whole document and puts the answer in its place.

    Errors that pass are tried again for some ten minutes, something that does not exist for one;
    any other error goes to `on_error`, with Error and Cause under `$.error`.
    """
    return {
        "Type": "Task",
        "Resource": function,
        "TimeoutSeconds": TASK_TIMEOUT_SECONDS,
        "ResultPath": result_path,
        "Retry": [
            retry(SLOW_DOWN, seconds=5, attempts=9, jitter="FULL"),
            retry(UNANSWERED, seconds=LONGER_THAN_A_WRITER, attempts=5, jitter="NONE"),
            retry(NOT_SHOWN_YET, seconds=10, attempts=4, jitter="FULL"),
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": on_error}],
        "Next": then,
    }


def retry(
    errors: Sequence[str], *, seconds: int, attempts: int, jitter: Literal["FULL", "NONE"]
) -> dict[str, object]:
    """Give a rule of a Task's Retry; pauses double from `seconds` up to three minutes."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": seconds,
        "BackoffRate": 2,
        "MaxDelaySeconds": 180,
        "MaxAttempts": attempts,
        "JitterStrategy": jitter,
    }


def choose(variable: str, cases: Mapping[str, str], *, otherwise: str) -> State:
    """Give a Choice by the word at `variable`: word -> name of the next state."""
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": variable, "StringEquals": word, "Next": target}
            for word, target in cases.items()
        ],
        "Default": otherwise,
    }


def wait(seconds_path: str, *, then: str) -> State:
    """Give a Wait for as long as the document says."""
    return {"Type": "Wait", "SecondsPath": seconds_path, "Next": then}


def watch(
    noun: str,
    *,
    function: pulumi.Input[str],
    job: str,
    then: str,
    ended: str,
    also: Mapping[str, str] | None = None,
) -> States:
    """Give the states that follow a job to its end; they begin with `Has the {noun} ended?`.

    `job` is where the document holds the job (functions/contract.py). `then` follows when it is
    ACTIVE, `ended` when it has ended otherwise or an error cannot be retried; `also` names what
    follows on further phases.
    """
    return {
        f"Has the {noun} ended?": choose(
            f"{job}.phase",
            {"ACTIVE": then, "ENDED": ended, "NEAR": f"Watch {noun}", **(also or {})},
            otherwise=f"Wait for {noun}",
        ),
        f"Wait for {noun}": wait(f"{job}.seconds", then=f"Watch {noun}"),
        f"Watch {noun}": call(
            function, result_path=job, then=f"Has the {noun} ended?", on_error=ended
        ),
    }


def for_each(
    items_path: str,
    *,
    selector: Mapping[str, object],
    states: States,
    result_path: str,
    then: str,
    on_error: str,
    result_selector: Mapping[str, object] | None = None,
) -> State:
    """Give an inline Map; its first state is the first of `states`, `selector` makes its input."""
    return {
        "Type": "Map",
        "ItemsPath": items_path,
        "ItemSelector": dict(selector),
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": next(iter(states)),
            "States": states,
        },
        **({"ResultSelector": dict(result_selector)} if result_selector else {}),
        "ResultPath": result_path,
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": on_error}],
        "Next": then,
    }


def end_with(parameters: Mapping[str, object]) -> State:
    """Give a Pass that ends an iteration with just these fields."""
    return {"Type": "Pass", "Parameters": dict(parameters), "ResultPath": "$", "End": True}


def machines(definition: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Give the definition and each Map's processor in it: everything with StartAt and States."""
    yield definition
    for state in _states(definition).values():
        processor = state.get("ItemProcessor")
        if isinstance(processor, Mapping):
            yield from machines(processor)


def problems(definition: Mapping[str, object]) -> list[str]:
    """Give what is wrong with a definition, in words; an empty list if nothing is.

    Every target exists in its own machine, every state can be reached, every Choice has a Default,
    state names are unique over all machines and at most 80 characters long.
    """
    found: list[str] = []
    seen: set[str] = set()
    for machine in machines(definition):
        states = _states(machine)
        start = str(machine.get("StartAt"))
        targets = {name: list(_targets(state)) for name, state in states.items()}
        if start not in states:
            found.append(f"StartAt names {start!r}, which is no state")
        for name, state in states.items():
            if name in seen:
                found.append(f"{name!r} is the name of two states")
            seen.add(name)
            if len(name) > LONGEST_STATE_NAME:
                found.append(
                    f"{name!r} has {len(name)} characters; at most {LONGEST_STATE_NAME} are allowed"
                )
            if state.get("Type") == "Choice" and "Default" not in state:
                found.append(f"{name!r} is a Choice without a Default")
            found.extend(
                f"{name!r} goes on to {target!r}, which is no state beside it"
                for target in targets[name]
                if target not in states
            )
        reachable = _reachable(start, targets)
        found.extend(f"{name!r} cannot be reached" for name in states if name not in reachable)
    return found


def _states(machine: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    states = machine.get("States")
    return states if isinstance(states, Mapping) else {}


def _targets(state: Mapping[str, object]) -> Iterator[str]:
    for key in ("Next", "Default"):
        if key in state:
            yield str(state[key])
    for key in ("Catch", "Choices"):
        rules = state.get(key, ())
        if isinstance(rules, Sequence):
            yield from (str(rule["Next"]) for rule in rules)


def _reachable(start: str, targets: Mapping[str, Sequence[str]]) -> set[str]:
    reached: set[str] = set()
    ahead = [start]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead.extend(targets.get(name, ()))
    return reached

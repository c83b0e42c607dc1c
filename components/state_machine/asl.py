"""The part of the Amazon States Language that the workflow uses, and the checks of a definition.

Keys keep the spelling of ASL (https://states-language.net/spec.html). The `Resource` of a Task is
the ARN of a function, so the result is what the function returns. The `lambda:invoke` integration
would wrap the result in an envelope, and every path in the document would have to name it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import pulumi

State: TypeAlias = dict[str, object]
States: TypeAlias = dict[str, State]
Definition: TypeAlias = dict[str, object]

TASK_TIMEOUT_SECONDS = 480
"""One minute more than the longest timeout of a function (`steps.POLLING_SECONDS`)."""

LONGEST_STATE_NAME = 80
"""Characters, from https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""

THROTTLING_ERRORS = ["Throttled", "Lambda.TooManyRequestsException"]
"""Errors after which nothing was done. The first is from functions/errors.py."""

UNANSWERED_ERRORS = [
    "ServiceUnavailable",  # functions/errors.py
    # https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    # The function was stopped in the middle.
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
]
"""Errors after which the function may have created a job that is not listed yet.

Every function may run twice, and looks for the job that it created before. The pause before a retry
is never shortened by jitter, so that the job is listed by then.
"""
LONGER_THAN_A_WRITER = 65
"""Seconds. A function that creates a job may run for 60 seconds, also when no response comes."""

NOT_FOUND_YET = ["ResourceNotFoundException"]
"""A response may be older than a job that was created just now."""


def call(function: pulumi.Input[str], *, result_path: str, next_state: str, on_error: str) -> State:
    """Return a Task that calls a function with the whole document.

    The result is written to `result_path`. Transient errors are retried for some ten minutes, and
    a resource that is not found is looked for during one minute. Any other error leads to
    `on_error`, with Error and Cause at `$.error`.
    """
    return {
        "Type": "Task",
        "Resource": function,
        "TimeoutSeconds": TASK_TIMEOUT_SECONDS,
        "ResultPath": result_path,
        "Retry": [
            retry(THROTTLING_ERRORS, seconds=5, attempts=9, jitter="FULL"),
            retry(UNANSWERED_ERRORS, seconds=LONGER_THAN_A_WRITER, attempts=5, jitter="NONE"),
            retry(NOT_FOUND_YET, seconds=10, attempts=4, jitter="FULL"),
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": on_error}],
        "Next": next_state,
    }


def retry(
    errors: Sequence[str], *, seconds: int, attempts: int, jitter: Literal["FULL", "NONE"]
) -> dict[str, object]:
    """Return a Retry rule of a Task. The pause doubles from `seconds` up to three minutes."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": seconds,
        "BackoffRate": 2,
        "MaxDelaySeconds": 180,
        "MaxAttempts": attempts,
        "JitterStrategy": jitter,
    }


def choose(variable: str, cases: Mapping[str, str], *, default: str) -> State:
    """Return a Choice by the text at `variable`. `cases` maps each text to the next state."""
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": variable, "StringEquals": text, "Next": target}
            for text, target in cases.items()
        ],
        "Default": default,
    }


def wait(seconds_path: str, *, next_state: str) -> State:
    """Return a Wait for the number of seconds that the document contains at `seconds_path`."""
    return {"Type": "Wait", "SecondsPath": seconds_path, "Next": next_state}


def watch(
    noun: str,
    *,
    function: pulumi.Input[str],
    job: str,
    on_active: str,
    on_failed: str,
    on_phase: Mapping[str, str] | None = None,
) -> States:
    """Return the states that poll a job until it ends. They begin with `Has the {noun} ended?`.

    `job` is the path of the job in the document (functions/contract.py). `on_active` is the next
    state if the job succeeds. `on_failed` is the next state if it fails, or after an error that
    cannot be retried. `on_phase` maps each further phase to the next state.
    """
    return {
        f"Has the {noun} ended?": choose(
            f"{job}.phase",
            {"ACTIVE": on_active, "ENDED": on_failed, "NEAR": f"Watch {noun}", **(on_phase or {})},
            default=f"Wait for {noun}",
        ),
        f"Wait for {noun}": wait(f"{job}.seconds", next_state=f"Watch {noun}"),
        f"Watch {noun}": call(
            function, result_path=job, next_state=f"Has the {noun} ended?", on_error=on_failed
        ),
    }


def for_each(
    items_path: str,
    *,
    selector: Mapping[str, object],
    states: States,
    result_path: str,
    next_state: str,
    on_error: str,
    result_selector: Mapping[str, object] | None = None,
) -> State:
    """Return an inline Map that runs `states` for each item, beginning with the first of them.

    `selector` builds the document of each iteration.
    """
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
        "Next": next_state,
    }


def end_with(parameters: Mapping[str, object]) -> State:
    """Return a Pass that ends an iteration. Its output contains only these parameters."""
    return {"Type": "Pass", "Parameters": dict(parameters), "ResultPath": "$", "End": True}


def machines(definition: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield the definition and the processor of each Map in it. Each has StartAt and States."""
    yield definition
    for state in _states(definition).values():
        processor = state.get("ItemProcessor")
        if isinstance(processor, Mapping):
            yield from machines(processor)


def problems(definition: Mapping[str, object]) -> list[str]:
    """Return a message for each mistake in a definition.

    The next state must exist in the same machine, every state must be reachable, and every Choice
    must have a Default. State names must be unique over all machines and at most 80 characters
    long.
    """
    messages: list[str] = []
    names: set[str] = set()
    for machine in machines(definition):
        for name, state in _states(machine).items():
            if name in names:
                messages.append(f"{name!r} is the name of two states")
            names.add(name)
            messages.extend(_state_problems(name, state))
        messages.extend(_transition_problems(machine))
    return messages


def _state_problems(name: str, state: Mapping[str, object]) -> Iterator[str]:
    if len(name) > LONGEST_STATE_NAME:
        yield f"{name!r} has {len(name)} characters; at most {LONGEST_STATE_NAME} are allowed"
    if state.get("Type") == "Choice" and "Default" not in state:
        yield f"{name!r} is a Choice without a Default"


def _transition_problems(machine: Mapping[str, object]) -> Iterator[str]:
    """Yield a message for each next state that does not exist and each unreachable state."""
    targets = {name: list(_targets(state)) for name, state in _states(machine).items()}
    start = str(machine.get("StartAt"))
    if start not in targets:
        yield f"StartAt names {start!r}, which is not a state"
    for name, next_states in targets.items():
        for target in next_states:
            if target not in targets:
                yield f"{name!r} leads to {target!r}, which is not a state of this machine"
    reachable = _reachable(start, targets)
    for name in targets:
        if name not in reachable:
            yield f"{name!r} cannot be reached"


def _states(machine: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    states = machine.get("States")
    return states if isinstance(states, Mapping) else {}


def _targets(state: Mapping[str, object]) -> Iterator[str]:
    """Yield the name of each state that may follow."""
    for key in ("Next", "Default"):
        if key in state:
            yield str(state[key])
    for key in ("Catch", "Choices"):
        rules = state.get(key, ())
        if isinstance(rules, Sequence):
            yield from (str(rule["Next"]) for rule in rules)


def _reachable(start: str, targets: Mapping[str, Sequence[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(targets.get(name, ()))
    return reached

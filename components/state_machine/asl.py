"""The part of the Amazon States Language that the workflow uses, and the checks of a definition.

Keys keep the spelling of ASL (https://states-language.net/spec.html). The `Resource` of a Task is
the ARN of a function, so the result is what the function returns. The `lambda:invoke` integration
would wrap the result in an envelope, and every path in the document would have to name it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, cast

import pulumi

State: TypeAlias = dict[str, object]
States: TypeAlias = dict[str, State]
Definition: TypeAlias = dict[str, object]

TASK_TIMEOUT_SECONDS = 480
"""One minute more than the longest timeout of a function (`steps.POLLING_SECONDS`)."""

MAX_STATE_NAME_CHARACTERS = 80
"""https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""

THROTTLING_ERRORS = ["Throttled", "Lambda.TooManyRequestsException"]
"""Errors after which the function has done nothing. The first is from functions/errors.py."""

LAMBDA_FAULTS = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
]
"""Errors of Lambda itself, mostly before the function has started:
https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html."""

UNANSWERED_ERRORS = [
    "ServiceUnavailable",  # functions/errors.py
    *LAMBDA_FAULTS,
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    # The function was stopped in the middle.
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
]
"""Errors after which the function may have created a job that is not listed yet.

The retry looks for this job before it creates another one. Its pause has no jitter, which could
shorten it, because the job has to be listed by then.
"""
NO_RESPONSE_PAUSE_SECONDS = 65
"""The pause before the retry of a function from which no response came.

The function may still be running, and functions that create jobs have a timeout of 60 seconds.
"""

NOT_FOUND_YET = ["ResourceNotFoundException"]
"""Errors that Personalize may return for a job that was created just now."""


def call(
    function: pulumi.Input[str],
    *,
    result_path: str,
    next_state: str,
    on_error: str,
    unanswered_pause: int = NO_RESPONSE_PAUSE_SECONDS,
    more_attempts: int = 0,
) -> State:
    """Return a Task that calls a function with the whole document.

    The result is written to `result_path`. Transient errors are retried for about ten minutes, and
    NOT_FOUND_YET for at least one minute. Any other error leads to `on_error`, with Error and Cause
    at `$.error`. `unanswered_pause` is the first pause in seconds after UNANSWERED_ERRORS.
    `more_attempts` are further retries while Lambda does not start the function, with three minutes
    between them.
    """
    lambda_faults = (
        [retry_rule(LAMBDA_FAULTS, seconds=5, attempts=9 + more_attempts, jitter="NONE")]
        if more_attempts
        else []
    )
    return {
        "Type": "Task",
        "Resource": function,
        "TimeoutSeconds": TASK_TIMEOUT_SECONDS,
        "ResultPath": result_path,
        "Retry": [
            retry_rule(THROTTLING_ERRORS, seconds=5, attempts=9 + more_attempts, jitter="FULL"),
            *lambda_faults,
            retry_rule(
                UNANSWERED_ERRORS,
                seconds=unanswered_pause,
                attempts=5,
                jitter="NONE",
            ),
            retry_rule(NOT_FOUND_YET, seconds=10, attempts=4, jitter="FULL"),
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": on_error}],
        "Next": next_state,
    }


def retry_rule(
    errors: Sequence[str], *, seconds: int, attempts: int, jitter: Literal["FULL", "NONE"]
) -> dict[str, object]:
    """Return a rule of a Task for retries after these errors.

    The pause before a retry is `seconds` at first, and doubles up to three minutes.
    """
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

    A machine is the definition or the processor of a Map. Every next state must be in the same
    machine, every state must be reachable, and every Choice must have a Default. State names must
    be unique over all machines and have at most 80 characters.
    """
    messages: list[str] = []
    names: set[str] = set()
    for machine in machines(definition):
        for name, state in _states(machine).items():
            if name in names:
                messages.append(f"{name!r} is the name of two states; rename one of them")
            names.add(name)
            messages.extend(_state_problems(name, state))
        messages.extend(_transition_problems(machine))
    return messages


def _state_problems(name: str, state: Mapping[str, object]) -> Iterator[str]:
    """Yield a message if the name is too long, and one for a Choice without a Default."""
    if len(name) > MAX_STATE_NAME_CHARACTERS:
        limit = MAX_STATE_NAME_CHARACTERS
        yield f"{name!r} has {len(name)} characters; shorten it to {limit} or less"
    if state.get("Type") == "Choice" and "Default" not in state:
        yield f"{name!r} is a Choice without a Default; add the Default"


def _transition_problems(machine: Mapping[str, object]) -> Iterator[str]:
    """Yield a message for each next state that does not exist and each unreachable state."""
    transitions = {name: list(_next_states(state)) for name, state in _states(machine).items()}
    start = str(machine.get("StartAt"))
    if start not in transitions:
        yield f"StartAt is {start!r}, which is not a state; correct the name, or add the state"
    for name, next_states in transitions.items():
        for next_state in next_states:
            if next_state not in transitions:
                yield (
                    f"{name!r} has the next state {next_state!r}, which its machine does not have; "
                    "correct the name, or add the state"
                )
    reachable = _reachable_states(start, transitions)
    for name in transitions:
        if name not in reachable:
            yield f"{name!r} is not the next state of any state that runs; connect it, or remove it"


def _states(machine: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    """Return the states of a machine by their names. A machine without States has none."""
    states = machine.get("States")
    return states if isinstance(states, Mapping) else {}


def _next_states(state: Mapping[str, object]) -> Iterator[str]:
    """Yield the name of each state that may follow this state. A name may come twice."""
    for key in ("Next", "Default"):
        if key in state:
            yield str(state[key])
    for key in ("Catch", "Choices"):
        for rule in cast("Sequence[Mapping[str, object]]", state.get(key, ())):
            yield str(rule["Next"])


def _reachable_states(start: str, transitions: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the names that can be reached from `start`. It may contain names without a state.

    `transitions` maps each state to its next states.
    """
    reached: set[str] = set()
    names_to_visit = [start]
    while names_to_visit:
        name = names_to_visit.pop()
        if name not in reached:
            reached.add(name)
            names_to_visit.extend(transitions.get(name, ()))
    return reached

"""Builds states in the Amazon States Language, as far as the workflow needs it.

Keys are spelled as in ASL (https://states-language.net/spec.html). The `Resource` of a Task is a
function's ARN, so the Task's result is the function's return value. The `lambda:invoke` integration
would wrap it in an envelope, which every path would then have to include.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from pulumi import Input

State: TypeAlias = dict[str, object]
States: TypeAlias = dict[str, State]
Definition: TypeAlias = dict[str, object]

TASK_TIMEOUT_SECONDS = 960
"""One minute longer than a function's timeout, whose error is clearer than a Task's timeout."""
RETRY_PAUSE_SECONDS = 240
"""The pause before the first retry, except after `Throttled`.

A function may outlive its Task. It may then send a change for another 150 seconds
(`functions/reconcile.py`), and a new job is listed only 90 seconds later. Jitter could shorten the
pause, so it is off.
"""
KILLED_ERRORS = ("Runtime.ExitError", "Runtime.OutOfMemory")
"""Lambda's errors for a function whose process exited or was killed before it returned."""
PLATFORM_ERRORS = [
    "Lambda.TooManyRequestsException",
    # Faults in Lambda, mostly before the function starts:
    # https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    # The function may have been stopped halfway.
    "Sandbox.Timedout",
    *KILLED_ERRORS,
    "States.Timeout",
]
"""The errors of a function that couldn't be started, or was stopped before it returned."""
TRANSIENT_ERRORS = [
    "ServiceUnavailable",  # functions/common/errors.py
    # Personalize may return this for a job that was just created.
    "ResourceNotFoundException",
]
"""What a function raises if it may have created a job that isn't listed yet.

The retry looks for this job before it creates another one.
"""


class Retries(NamedTuple):
    """How often a Task is retried. Each pause is twice as long as the one before."""

    times: int
    longest_pause: int
    """The longest pause in seconds."""


DEFAULT_RETRIES = Retries(times=5, longest_pause=RETRY_PAUSE_SECONDS)


def call(
    function: Input[str],
    *,
    result_path: str,
    next_state: str,
    on_error: str,
    killed_retries: Retries = DEFAULT_RETRIES,
) -> State:
    """Return a Task that calls a function with the whole document.

    The result is written to `result_path`. PLATFORM_ERRORS are retried according to
    `killed_retries`, and transient errors for 10 to 20 minutes. After that, or after any other
    error, the next state is `on_error`, with Error and Cause at `$.error`.
    """
    return {
        "Type": "Task",
        "Resource": function,
        "TimeoutSeconds": TASK_TIMEOUT_SECONDS,
        "ResultPath": result_path,
        "Retry": [
            # The function hasn't done anything, so an early retry is safe.
            _retry(
                ["Throttled"], DEFAULT_RETRIES._replace(times=9), initial_interval=5, jitter="FULL"
            ),
            _retry(TRANSIENT_ERRORS, DEFAULT_RETRIES),
            _retry(PLATFORM_ERRORS, killed_retries),
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": on_error}],
        "Next": next_state,
    }


def _retry(
    errors: list[str],
    retries: Retries,
    *,
    initial_interval: int = RETRY_PAUSE_SECONDS,
    jitter: str = "NONE",
) -> dict[str, object]:
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": initial_interval,
        "MaxAttempts": retries.times,
        "BackoffRate": 2,
        "MaxDelaySeconds": retries.longest_pause,
        "JitterStrategy": jitter,
    }


def choose(variable: str, cases: Mapping[str, str], *, default: str) -> State:
    """Return a Choice by the string at `variable`. `cases` maps each string to the next state."""
    return {"Type": "Choice", "Choices": _cases(variable, cases), "Default": default}


def _cases(variable: str, cases: Mapping[str, str]) -> list[object]:
    """Return the rules of a Choice that compare strings. Values of other types never match."""
    return [
        {"Variable": variable, "StringEquals": value, "Next": next_state}
        for value, next_state in cases.items()
    ]


def wait(seconds_path: str, *, next_state: str) -> State:
    """Return a Wait for the number of seconds at `seconds_path` in the document."""
    return {"Type": "Wait", "SecondsPath": seconds_path, "Next": next_state}


def loop(
    name: str,
    question: str,
    *,
    function: Input[str],
    waits: Mapping[str, str],
    outcomes: Mapping[str, str],
    on_error: str,
    killed_retries: Retries = DEFAULT_RETRIES,
) -> States:
    """Return the states that call a function until the status it returns has an outcome.

    The status (`functions/contract.py`) is at `$.status` in the document. The first state is
    `name`.

    Args:
        name: the name of the Task, for example `Import dataset`.
        question: the name of the Choice that follows, for example `How is the import?`.
        function: the function's ARN.
        waits: the status's phase -> the Wait state before the next call. Any other phase uses the
            first of these states.
        outcomes: the status's outcome -> the next state, outside the loop.
        on_error: the next state after an error that can't be retried.
        killed_retries: how often to call the function again if it's killed or can't be started.
    """
    wait_names = list(dict.fromkeys(waits.values()))

    return {
        name: call(
            function,
            result_path="$.status",
            next_state=question,
            on_error=on_error,
            killed_retries=killed_retries,
        ),
        question: {
            "Type": "Choice",
            "Choices": [
                *_cases("$.status.outcome", outcomes),
                {"Variable": "$.status.seconds", "NumericEquals": 0, "Next": name},
                *_cases("$.status.phase", waits),
            ],
            "Default": wait_names[0],
        },
        **{wait_name: wait("$.status.seconds", next_state=name) for wait_name in wait_names},
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
    """Return a Map that runs `states` for each item, on the document that `selector` builds."""
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
    """Return a Pass that ends an iteration with these parameters as its only output."""
    return {"Type": "Pass", "Parameters": dict(parameters), "ResultPath": "$", "End": True}

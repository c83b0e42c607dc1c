"""The part of the Amazon States Language that the workflow uses.

Keys keep the spelling of ASL (https://states-language.net/spec.html). The `Resource` of a Task is
the ARN of a function, so its result is what the function returns. The `lambda:invoke` integration
would wrap the result in an envelope that every path in the document would have to name.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from pulumi import Input

State: TypeAlias = dict[str, object]
States: TypeAlias = dict[str, State]
Definition: TypeAlias = dict[str, object]

TASK_TIMEOUT_SECONDS = 960
"""One minute more than the timeout of a function, whose error is clearer than a Task's timeout."""
RETRY_PAUSE_SECONDS = 240
"""The pause before the first retry, except after `Throttled`.

If a function still runs although its Task has ended, it may send a change for 150 more seconds
(`functions/reconcile.py`), and a job that it creates is listed 90 seconds later. Jitter could
shorten the pause, so it is off.
"""
KILLED_ERRORS = ("Runtime.ExitError", "Runtime.OutOfMemory")
"""Lambda's names for a function whose process has ended or was killed before its answer."""
PLATFORM_ERRORS = [
    "Lambda.TooManyRequestsException",
    # Faults of Lambda, mostly before the function has started:
    # https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    # The function may have been stopped in the middle.
    "Sandbox.Timedout",
    *KILLED_ERRORS,
    "States.Timeout",
]
"""The errors of a function that could not be started, or that was stopped before its answer."""
UNANSWERED_ERRORS = [
    "ServiceUnavailable",  # functions/errors.py
    # Personalize may answer this about a job that was just created.
    "ResourceNotFoundException",
]
"""What a function raises if it may have created a job that is not listed yet.

The retry looks for this job before it creates another one.
"""


class Retries(NamedTuple):
    """How often a Task is repeated. Each pause is twice as long as the one before."""

    times: int
    longest_pause: int
    """The longest pause in seconds."""


USUAL_RETRIES = Retries(times=5, longest_pause=RETRY_PAUSE_SECONDS)


def call(
    function: Input[str],
    *,
    result_path: str,
    next_state: str,
    on_error: str,
    if_killed: Retries = USUAL_RETRIES,
) -> State:
    """Return a Task that calls a function with the whole document.

    The result is written to `result_path`. Transient errors are retried for 10 to 20 minutes, but
    PLATFORM_ERRORS as `if_killed` says. Any other error leads to `on_error`, with Error and Cause
    at `$.error`.
    """
    return {
        "Type": "Task",
        "Resource": function,
        "TimeoutSeconds": TASK_TIMEOUT_SECONDS,
        "ResultPath": result_path,
        "Retry": [
            # The function has done nothing.
            _retry(["Throttled"], USUAL_RETRIES._replace(times=9), first_pause=5, jitter="FULL"),
            _retry(UNANSWERED_ERRORS, USUAL_RETRIES),
            _retry(PLATFORM_ERRORS, if_killed),
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": on_error}],
        "Next": next_state,
    }


def _retry(
    errors: list[str],
    retries: Retries,
    *,
    first_pause: int = RETRY_PAUSE_SECONDS,
    jitter: str = "NONE",
) -> dict[str, object]:
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": first_pause,
        "MaxAttempts": retries.times,
        "BackoffRate": 2,
        "MaxDelaySeconds": retries.longest_pause,
        "JitterStrategy": jitter,
    }


def choose(variable: str, cases: Mapping[str, str], *, default: str) -> State:
    """Return a Choice by the text at `variable`. `cases` maps a text to the next state."""
    return {"Type": "Choice", "Choices": _cases(variable, cases), "Default": default}


def _cases(variable: str, cases: Mapping[str, str]) -> list[object]:
    """Return the rules of a Choice that compare a text. No other type of value matches."""
    return [
        {"Variable": variable, "StringEquals": text, "Next": target}
        for text, target in cases.items()
    ]


def wait(seconds_path: str, *, next_state: str) -> State:
    """Return a Wait for the number of seconds that the document contains at `seconds_path`."""
    return {"Type": "Wait", "SecondsPath": seconds_path, "Next": next_state}


def loop(
    name: str,
    question: str,
    *,
    function: Input[str],
    waits: Mapping[str, str],
    outcomes: Mapping[str, str],
    on_error: str,
    if_killed: Retries = USUAL_RETRIES,
) -> States:
    """Return the states that call a function until its item has an outcome. `name` is the first.

    The function returns the item (`functions/contract.py`), which is at `$.item` of the document.

    Args:
        name: the Task, for example `Import dataset`.
        question: the Choice after it, for example `How is the import?`.
        function: the ARN of the function.
        waits: phase of the item -> the name of the Wait state before the next call. Every other
            phase uses the first of them.
        outcomes: outcome of the item -> the state that ends the iteration.
        on_error: the next state after an error that cannot be retried.
        if_killed: how often the function is called again if it is killed or cannot be started.
    """
    names = list(dict.fromkeys(waits.values()))

    return {
        name: call(
            function,
            result_path="$.item",
            next_state=question,
            on_error=on_error,
            if_killed=if_killed,
        ),
        question: {
            "Type": "Choice",
            "Choices": [
                *_cases("$.item.outcome", outcomes),
                {"Variable": "$.item.seconds", "NumericEquals": 0, "Next": name},
                *_cases("$.item.phase", waits),
            ],
            "Default": names[0],
        },
        **{wait_name: wait("$.item.seconds", next_state=name) for wait_name in names},
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
    """Return a Map that runs `states` for each item, whose document `selector` builds."""
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

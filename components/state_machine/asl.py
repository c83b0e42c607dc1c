"""The part of the Amazon States Language that the workflow uses.

Keys keep the spelling of ASL (https://states-language.net/spec.html). The `Resource` of a Task is
the ARN of a function, so the result is what the function returns. The `lambda:invoke` integration
would wrap the result in an envelope, and every path in the document would have to name it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import pulumi

State: TypeAlias = dict[str, object]
States: TypeAlias = dict[str, State]
Definition: TypeAlias = dict[str, object]

TASK_TIMEOUT_SECONDS = 960
"""One minute more than the longest timeout of a function, 15 minutes."""
LONGEST_PAUSE_SECONDS = 180
"""The longest pause before a retry. A function that was killed may have created a job, which is in
the lists after 90 seconds."""

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
        "MaxDelaySeconds": LONGEST_PAUSE_SECONDS,
        "MaxAttempts": attempts,
        "JitterStrategy": jitter,
    }


def choose(variable: str, cases: Mapping[str, str], *, default: str) -> State:
    """Return a Choice by the text at `variable`. `cases` maps each text to the next state."""
    return {
        "Type": "Choice",
        "Choices": _cases(variable, cases),
        "Default": default,
    }


def _cases(variable: str, cases: Mapping[str, str]) -> list[object]:
    """Return the rules of a Choice that compare a text. A value that is no text equals none."""
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
    function: pulumi.Input[str],
    waits: Mapping[str, str],
    outcomes: Mapping[str, str],
    on_error: str,
) -> States:
    """Return the states that call a function until its item has an outcome. `name` is the first.

    The function returns the item (`functions/contract.py`), which is at `$.item` of the document.

    Args:
        name: the Task, for example `Import dataset`.
        question: the Choice after it, for example `How is the import?`.
        function: the ARN of the function.
        waits: phase of the item -> the name of the Wait state until the next call. The first of
            them is also the Wait of every other phase.
        outcomes: outcome of the item -> the state that ends the iteration.
        on_error: the next state after an error that cannot be retried.
    """
    names = list(dict.fromkeys(waits.values()))
    return {
        name: call(
            function,
            result_path="$.item",
            next_state=question,
            on_error=on_error,
            unanswered_pause=LONGEST_PAUSE_SECONDS,
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

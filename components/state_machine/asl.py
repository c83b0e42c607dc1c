"""The part of the Amazon States Language that the workflow uses.

Keys keep the spelling of ASL (https://states-language.net/spec.html). The `Resource` of a Task is
the ARN of a function, so its result is what the function returns. The `lambda:invoke` integration
would wrap the result in an envelope that every path in the document would have to name.
"""

from collections.abc import Mapping
from typing import TypeAlias

import pulumi

State: TypeAlias = dict[str, object]
States: TypeAlias = dict[str, State]
Definition: TypeAlias = dict[str, object]

TASK_TIMEOUT_SECONDS = 960
"""One minute more than the timeout of a function, whose error is clearer than a Task's timeout."""
RETRY_PAUSE_SECONDS = 240
"""The pause before a retry, except after THROTTLING_ERRORS.

If a function still runs although its Task has ended, it may send a change for 150 more seconds
(`functions/reconcile.py`), and a job that it creates is listed 90 seconds later.
"""
THROTTLING_ERRORS = ["Throttled", "Lambda.TooManyRequestsException"]
"""Errors after which the function has done nothing. The first is from functions/errors.py."""
KILLED_ERRORS = ("Runtime.ExitError", "Runtime.OutOfMemory")
"""Lambda's names for a function whose process has ended or was killed before its answer."""
UNANSWERED_ERRORS = [
    "ServiceUnavailable",  # functions/errors.py
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
    # Personalize may answer this about a job that was just created.
    "ResourceNotFoundException",
]
"""Errors after which the function may have created a job that is not listed yet.

The retry looks for this job before it creates another one. Jitter could shorten the pause, so it is
off, because the job must be listed by then.
"""


def call(function: pulumi.Input[str], *, result_path: str, next_state: str, on_error: str) -> State:
    """Return a Task that calls a function with the whole document.

    The result is written to `result_path`. Transient errors are retried for 10 to 15 minutes. Any
    other error leads to `on_error`, with Error and Cause at `$.error`.
    """
    growth = {"BackoffRate": 2, "MaxDelaySeconds": RETRY_PAUSE_SECONDS}
    return {
        "Type": "Task",
        "Resource": function,
        "TimeoutSeconds": TASK_TIMEOUT_SECONDS,
        "ResultPath": result_path,
        "Retry": [
            {
                "ErrorEquals": THROTTLING_ERRORS,
                "IntervalSeconds": 5,
                "MaxAttempts": 9,
                "JitterStrategy": "FULL",
                **growth,
            },
            {
                "ErrorEquals": UNANSWERED_ERRORS,
                "IntervalSeconds": RETRY_PAUSE_SECONDS,
                "MaxAttempts": 5,
                "JitterStrategy": "NONE",
                **growth,
            },
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": on_error}],
        "Next": next_state,
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
        waits: phase of the item -> the name of the Wait state before the next call. Every other
            phase uses the first of them.
        outcomes: outcome of the item -> the state that ends the iteration.
        on_error: the next state after an error that cannot be retried.
    """
    names = list(dict.fromkeys(waits.values()))
    return {
        name: call(function, result_path="$.item", next_state=question, on_error=on_error),
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

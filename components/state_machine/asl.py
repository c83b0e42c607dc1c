"""Builds the states of the Amazon States Language (ASL) that the workflow needs.

Each function returns a state, or several, as a dict with ASL's own keys:
https://states-language.net/spec.html

The `Resource` of a Task is a function's ARN, so the Task's result is what the function returns. The
`lambda:invoke` integration would wrap it in an envelope, which every path would have to include.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from pulumi import Input

State: TypeAlias = dict[str, object]
States: TypeAlias = dict[str, State]
Definition: TypeAlias = dict[str, object]

TASK_TIMEOUT_SECONDS = 960
"""One minute more than a function's timeout, because the function's own error is clearer."""
RETRY_PAUSE_SECONDS = 240
"""The pause before the first retry, except after `Throttled`.

A function may keep running after its Task has failed. It may create a job for another 150 seconds
(`functions/reconcile.py`), and Personalize lists a new job only 90 seconds later. Jitter could
shorten the pause, so it is off.
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
"""Errors of a function that couldn't be started, or was stopped before it returned."""
TRANSIENT_ERRORS = [
    "ServiceUnavailable",  # functions/common/errors.py
    # Personalize may return this for a job that was just created.
    "ResourceNotFoundException",
]
"""Errors of a function that may have created a job that isn't listed yet.

The retry looks for that job before it creates another one.
"""


class RetryPolicy(NamedTuple):
    """How often a Task is retried. Each pause is twice as long as the one before, up to a limit."""

    max_attempts: int
    max_pause_seconds: int


DEFAULT_RETRY_POLICY = RetryPolicy(max_attempts=5, max_pause_seconds=RETRY_PAUSE_SECONDS)


def build_task(
    function_arn: Input[str],
    *,
    result_path: str,
    next_state: str,
    on_error: str,
    platform_error_policy: RetryPolicy = DEFAULT_RETRY_POLICY,
) -> State:
    """Return a Task that passes the execution's whole document to a Lambda function.

    Its result is written to `result_path`. Transient errors are retried for 10 to 20 minutes. After
    that, or after any error that isn't retried, the next state is `on_error`, and `$.error` has the
    error's Error and Cause.
    """
    return {
        "Type": "Task",
        "Resource": function_arn,
        "TimeoutSeconds": TASK_TIMEOUT_SECONDS,
        "ResultPath": result_path,
        "Retry": [
            # The function hasn't done anything, so an early retry is safe.
            _build_retrier(
                ["Throttled"],
                DEFAULT_RETRY_POLICY._replace(max_attempts=9),
                initial_pause_seconds=5,
                jitter="FULL",
            ),
            _build_retrier(TRANSIENT_ERRORS, DEFAULT_RETRY_POLICY),
            _build_retrier(PLATFORM_ERRORS, platform_error_policy),
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": on_error}],
        "Next": next_state,
    }


def _build_retrier(
    errors: list[str],
    policy: RetryPolicy,
    *,
    initial_pause_seconds: int = RETRY_PAUSE_SECONDS,
    jitter: str = "NONE",
) -> dict[str, object]:
    """Return a retrier, which says when and how often a Task is retried after these errors."""
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": initial_pause_seconds,
        "MaxAttempts": policy.max_attempts,
        "BackoffRate": 2,
        "MaxDelaySeconds": policy.max_pause_seconds,
        "JitterStrategy": jitter,
    }


def build_choice(path: str, next_by_value: Mapping[str, str], *, default: str) -> State:
    """Return a Choice that compares the value at `path` with each string in `next_by_value`."""
    return {
        "Type": "Choice",
        "Choices": _build_choice_rules(path, next_by_value),
        "Default": default,
    }


def _build_choice_rules(path: str, next_by_value: Mapping[str, str]) -> list[object]:
    """Return Choice rules that compare strings. Values of other types never match."""
    return [
        {"Variable": path, "StringEquals": value, "Next": next_state}
        for value, next_state in next_by_value.items()
    ]


def build_wait(seconds_path: str, *, next_state: str) -> State:
    """Return a Wait for the number of seconds at `seconds_path` in the document."""
    return {"Type": "Wait", "SecondsPath": seconds_path, "Next": next_state}


def build_polling_loop(
    task_name: str,
    choice_name: str,
    *,
    function_arn: Input[str],
    wait_by_phase: Mapping[str, str],
    next_by_outcome: Mapping[str, str],
    on_error: str,
    platform_error_policy: RetryPolicy = DEFAULT_RETRY_POLICY,
) -> States:
    """Return states that call a function again and again, until its job has an outcome.

    The function returns the job's status (`functions/contract.py`), which is kept at `$.status`.
    The first state is the Task.

    Args:
        task_name: for example `Import dataset`.
        choice_name: the name of the Choice after the Task, for example `How is the import?`.
        function_arn: the function that the Task calls.
        wait_by_phase: phase in the status -> name of the Wait before the next call. For any other
            phase, it's the first of these Waits.
        next_by_outcome: outcome in the status -> name of the state after the loop.
        on_error: the next state after an error that isn't retried, or not any more.
        platform_error_policy: how often to retry after PLATFORM_ERRORS.
    """
    wait_names = list(dict.fromkeys(wait_by_phase.values()))

    return {
        task_name: build_task(
            function_arn,
            result_path="$.status",
            next_state=choice_name,
            on_error=on_error,
            platform_error_policy=platform_error_policy,
        ),
        choice_name: {
            "Type": "Choice",
            "Choices": [
                *_build_choice_rules("$.status.outcome", next_by_outcome),
                {"Variable": "$.status.seconds", "NumericEquals": 0, "Next": task_name},
                *_build_choice_rules("$.status.phase", wait_by_phase),
            ],
            "Default": wait_names[0],
        },
        **{
            wait_name: build_wait("$.status.seconds", next_state=task_name)
            for wait_name in wait_names
        },
    }


def build_map(
    items_path: str,
    *,
    item_selector: Mapping[str, object],
    states: States,
    result_path: str,
    next_state: str,
    on_error: str,
    result_selector: Mapping[str, object] | None = None,
) -> State:
    """Return a Map that runs `states` once for each item of the array at `items_path`.

    Each iteration starts with a new document, which `item_selector` builds.
    """
    return {
        "Type": "Map",
        "ItemsPath": items_path,
        "ItemSelector": dict(item_selector),
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


def build_final_pass(output: Mapping[str, object]) -> State:
    """Return a Pass that ends an iteration of a Map with this output."""
    return {"Type": "Pass", "Parameters": dict(output), "ResultPath": "$", "End": True}

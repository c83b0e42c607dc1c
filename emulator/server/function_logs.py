"""The permission of a function's role to write the function's output to CloudWatch Logs.

The role needs `logs:CreateLogStream` and `logs:PutLogEvents` in the function's log group
(https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html). MiniStack writes
without checking this. Without the permission the invocation continues, and its lines are lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ministack.core.responses import get_account_id, get_region

from emulator.server import authorization, ministack_internals

if TYPE_CHECKING:
    from collections.abc import Callable

ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")


def mount(record_denial: Callable[[str, str], None]) -> None:
    """From now on, check that a function's role may write the log lines of the function.

    When lines are lost, `record_denial` is called with the ARN of the role's session and the
    denied action.
    """
    ministack_internals.guard_function_logs(
        denied_action,
        lambda access_key, action: record_denial(
            ministack_internals.caller_arn(access_key), action
        ),
    )


def denied_action(access_key: str, log_group: str) -> str | None:
    """Return the first of ACTIONS that the owner of the key may not perform, or None."""
    region, account = get_region(), get_account_id()
    stream_arn = f"arn:aws:logs:{region}:{account}:log-group:{log_group}:log-stream:1"
    for action in ACTIONS:
        try:
            authorization.authorize(access_key, region, action, stream_arn)
        except authorization.AccessDeniedError:
            return action
    return None

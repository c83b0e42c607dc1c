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
    """Check the permission from now on.

    `record_denial(role session's ARN, action)` is called for each loss of lines.
    """

    def may_log(access_key: str, log_group: str) -> bool:
        stream = (
            f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{log_group}:log-stream:1"
        )
        for action in ACTIONS:
            try:
                authorization.authorize(access_key, get_region(), action, stream)
            except authorization.AccessDeniedError:
                record_denial(ministack_internals.caller_arn(access_key), action)
                return False
        return True

    ministack_internals.guard_function_logs(may_log)

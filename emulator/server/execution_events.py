"""The permission of an EventBridge rule to invoke a function.

A rule invokes a Lambda function only if the function's resource policy allows
`events.amazonaws.com` to invoke it for that rule.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from emulator.server import authorization, ministack_internals

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = "events.amazonaws.com"
INVOKE = "lambda:InvokeFunction"
log = logging.getLogger(__name__)


def mount(record_denial: Callable[[str, str], None]) -> None:
    """From now on, check that rules may invoke functions.

    When a rule may not invoke a function, `record_denial` is called with the ARN of the rule and
    the denied action.
    """

    def report_denial(function_arn: str, rule_arn: str) -> None:
        log.warning(
            "%s may not invoke %s: the policy of the function does not allow it",
            rule_arn,
            function_arn,
        )
        record_denial(rule_arn, INVOKE)

    ministack_internals.guard_event_targets(may_invoke, report_denial)


def may_invoke(function_arn: str, rule_arn: str) -> bool:
    """Return True if the resource policy of the function lets EventBridge invoke it for a rule."""
    policy = ministack_internals.function_policy(function_arn)
    return authorization.service_may(policy, SERVICE, INVOKE, function_arn, rule_arn)

"""EventBridge: a rule invokes a Lambda function only if it may, and services put events.

The resource policy of the function must allow `events.amazonaws.com` to invoke it for the rule.
"""

import logging
from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge

from emulator.server import call_log, functions, iam, ministack

SERVICE = "events.amazonaws.com"
INVOKE = "lambda:InvokeFunction"
log = logging.getLogger(__name__)


@ministack.replace(eventbridge, "_invoke_target")
def invoke_target(
    deliver: Callable[..., None],
    target: dict[str, Any],
    event: dict[str, Any],
    rule: dict[str, Any],
    view: object = None,
) -> None:
    """Deliver an event to a function only if the function's policy and its role allow it.

    MiniStack checks neither.
    """
    arn, rule_arn = target.get("Arn", ""), rule["Arn"]
    if ":lambda:" not in arn:
        deliver(target, event, rule, view)
    elif not functions.can_run(arn):
        call_log.add(functions.SERVICE, "sts:AssumeRole", call_log.FORBIDDEN)
    elif not iam.service_may(functions.policy(arn), SERVICE, INVOKE, arn, rule_arn):
        log.warning(
            "%s may not invoke %s: the policy of the function does not allow it", rule_arn, arn
        )
        call_log.add(rule_arn, INVOKE, call_log.FORBIDDEN)
    else:
        deliver(target, event, rule, view)


def put_service_event(entry: dict[str, Any]) -> None:
    """Put an event whose source is an AWS service. The API's PutEvents refuses such events."""
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)  # noqa: SLF001

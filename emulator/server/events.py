"""Corrects MiniStack's EventBridge: targets only get events if their resource policies allow it.

The policy of a function, queue or topic must let `events.amazonaws.com` deliver events on behalf of
the rule. PutTargets rejects all other kinds of targets.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import eventbridge, lambda_svc, sns, sqs

from emulator.protocol.errors import ApiError
from emulator.server import call_log, functions, iam, ministack

SERVICE_PRINCIPAL = "events.amazonaws.com"

# The target's service -> the IAM action for delivering an event, and a function that returns the
# target's resource policy and account.
DELIVERY_TARGETS: Mapping[str, tuple[str, Callable[[str], tuple[Any, str] | None]]] = {
    "lambda": ("lambda:InvokeFunction", lambda_svc.function_policy_for_arn),
    "sns": ("sns:Publish", sns.topic_policy_for_arn),
    "sqs": ("sqs:SendMessage", sqs.queue_policy_for_arn),
}
TARGET_ARN = re.compile(f"arn:[^:]+:({'|'.join(DELIVERY_TARGETS)}):")


@ministack.guard("events")
def reject_unsupported_targets(call: ministack.Call) -> None:
    """Reject PutTargets if any target isn't a function, queue or topic."""
    if call.operation != "PutTargets":
        return

    for target in call.document["Targets"]:
        if not TARGET_ARN.match(target["Arn"]):
            raise ApiError(
                "ValidationException",
                f"Targets: {target['Arn']!r} is not supported, only a Lambda function, an SQS queue"
                " or an SNS topic; a function can call other services",
            )


@ministack.replace(eventbridge, "_invoke_target")
def deliver_if_allowed(
    deliver: Callable[..., None],
    target: dict[str, Any],
    event: dict[str, Any],
    rule: dict[str, Any],
    view: object = None,
) -> None:
    """Deliver an event to a target if the target's resource policy allows that.

    If the target is a function, Lambda must also be able to assume the function's role. MiniStack
    would check neither.
    """
    if _authorize_delivery(target["Arn"], rule["Arn"]):
        deliver(target, event, rule, view)


def _authorize_delivery(target_arn: str, rule_arn: str) -> bool:
    """Check whether EventBridge may deliver a rule's events to a target.

    If it may not, the denied action is added to the call log. `log_call` doesn't do that, because
    MiniStack delivers events without an API request.
    """
    action, find_policy = DELIVERY_TARGETS[target_arn.split(":")[2]]
    policy, _account = find_policy(target_arn) or (None, "")

    if action == "lambda:InvokeFunction" and not functions.may_assume_role(target_arn):
        call_log.add_call(functions.SERVICE_PRINCIPAL, "sts:AssumeRole", call_log.FORBIDDEN)
        return False
    if not iam.is_service_allowed(policy, SERVICE_PRINCIPAL, action, target_arn, rule_arn):
        call_log.add_call(rule_arn, action, call_log.FORBIDDEN)
        return False
    return True

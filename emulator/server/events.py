"""Corrects MiniStack's EventBridge: a target only gets events if its resource policy allows that.

The policy of a function, queue or topic must let `events.amazonaws.com` act on behalf of the rule.
PutTargets rejects all other kinds of targets.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import eventbridge, lambda_svc, sns, sqs

from emulator.protocol.errors import ApiError
from emulator.server import call_log, functions, iam, ministack

SERVICE = "events.amazonaws.com"

# The target's service -> the IAM action that delivers an event to it, and a function that looks up
# the target's resource policy and account.
TARGETS: Mapping[str, tuple[str, Callable[[str], tuple[Any, str] | None]]] = {
    "lambda": ("lambda:InvokeFunction", lambda_svc.function_policy_for_arn),
    "sns": ("sns:Publish", sns.topic_policy_for_arn),
    "sqs": ("sqs:SendMessage", sqs.queue_policy_for_arn),
}
TARGET_ARN = re.compile(f"arn:[^:]+:({'|'.join(TARGETS)}):")


@ministack.guard("events")
def reject_unsupported_targets(call: ministack.Call) -> None:
    """Reject PutTargets if a target isn't a function, queue or topic."""
    if call.operation != "PutTargets":
        return

    for target in call.document["Targets"]:
        if not TARGET_ARN.match(target["Arn"]):
            message = (
                f"Targets: {target['Arn']!r} is not supported, only a Lambda function, an SQS queue"
                " or an SNS topic; a function can call other services"
            )
            raise ApiError("ValidationException", message)


@ministack.replace(eventbridge, "_invoke_target")
def deliver_if_allowed(
    deliver: Callable[..., None],
    target: dict[str, Any],
    event: dict[str, Any],
    rule: dict[str, Any],
    view: object = None,
) -> None:
    """Deliver an event to a target only if the target's resource policy allows it.

    A function must also have a role that Lambda may assume. MiniStack checks neither.
    """
    if _may_deliver(target["Arn"], rule["Arn"]):
        deliver(target, event, rule, view)


def _may_deliver(target_arn: str, rule_arn: str) -> bool:
    """Return whether EventBridge may deliver a rule's events to a target.

    A denial is added to the call log here, because there's no request that could be logged.
    """
    action, find_policy = TARGETS[target_arn.split(":")[2]]
    policy, _account = find_policy(target_arn) or (None, "")

    if action == "lambda:InvokeFunction" and not functions.may_assume_role(target_arn):
        call_log.add_call(functions.SERVICE, "sts:AssumeRole", call_log.FORBIDDEN)
        return False
    if not iam.is_service_allowed(policy, SERVICE, action, target_arn, rule_arn):
        call_log.add_call(rule_arn, action, call_log.FORBIDDEN)
        return False
    return True

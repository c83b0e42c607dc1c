"""EventBridge: a rule reaches a target only if the target's policy allows it.

The resource policy of a function, a queue or a topic must let `events.amazonaws.com` act for the
rule. PutTargets refuses all other targets.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import eventbridge, lambda_svc, sns, sqs

from emulator.protocol.errors import ApiError
from emulator.server import call_log, functions, iam, ministack

SERVICE = "events.amazonaws.com"

# By service: the action that delivers an event, and the function that returns a policy and its
# account.
TARGETS: Mapping[str, tuple[str, Callable[[str], tuple[Any, str] | None]]] = {
    "lambda": ("lambda:InvokeFunction", lambda_svc.function_policy_for_arn),
    "sns": ("sns:Publish", sns.topic_policy_for_arn),
    "sqs": ("sqs:SendMessage", sqs.queue_policy_for_arn),
}
TARGET_ARN = re.compile(f"arn:[^:]+:({'|'.join(TARGETS)}):")


@ministack.guard("events")
def refuse_other_targets(call: ministack.Call) -> None:
    """Refuse PutTargets with a target that is no function, queue or topic."""
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
def invoke_target(
    deliver: Callable[..., None],
    target: dict[str, Any],
    event: dict[str, Any],
    rule: dict[str, Any],
    view: object = None,
) -> None:
    """Deliver an event only if the policy of the target, and the role of a function, allow it.

    MiniStack checks neither.
    """
    if _may_deliver(target["Arn"], rule["Arn"]):
        deliver(target, event, rule, view)


def _may_deliver(target_arn: str, rule_arn: str) -> bool:
    """Check whether a rule may send its events to a target, and log a denial."""
    action, find_policy = TARGETS[target_arn.split(":")[2]]
    policy, _account = find_policy(target_arn) or (None, "")

    if action == "lambda:InvokeFunction" and not functions.may_assume_role(target_arn):
        call_log.add(functions.SERVICE, "sts:AssumeRole", call_log.FORBIDDEN)
        return False
    if not iam.is_service_allowed(policy, SERVICE, action, target_arn, rule_arn):
        call_log.add(rule_arn, action, call_log.FORBIDDEN)
        return False
    return True

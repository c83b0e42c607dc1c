"""EventBridge events about executions, and the permission of a rule to invoke a function.

AWS publishes a `Step Functions Execution Status Change` when a Standard execution starts or ends
(https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html). A rule invokes
a Lambda function only if the function's resource policy allows `events.amazonaws.com` to invoke it
for that rule.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from ministack.core.responses import request_scope

from emulator import moto_patches
from emulator.server import authorization, ministack_internals

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = "events.amazonaws.com"
INVOKE = "lambda:InvokeFunction"
log = logging.getLogger(__name__)


def mount(record_denial: Callable[[str, str], None]) -> None:
    """From now on, publish the status of executions and check that rules may invoke functions.

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
    moto_patches.install(
        moto_patches.report_starts(lambda execution: publish(execution, "RUNNING"))
    )
    moto_patches.install(
        moto_patches.report_ends(lambda execution: publish(execution, execution.status))
    )


def may_invoke(function_arn: str, rule_arn: str) -> bool:
    """Return True if the resource policy of the function lets EventBridge invoke it for a rule."""
    policy = ministack_internals.function_policy(function_arn)
    return authorization.service_may(policy, SERVICE, INVOKE, function_arn, rule_arn)


def publish(execution: moto_patches.StateMachineRun, status: str) -> None:
    """Publish the event that an execution has a new status."""
    with request_scope(execution.account_id, execution.region_name):
        ministack_internals.put_service_event(
            {
                "Source": "aws.states",
                "DetailType": "Step Functions Execution Status Change",
                "Resources": [execution.exec_arn],
                "Detail": json.dumps(event_detail(execution, status)),
            }
        )


def event_detail(execution: moto_patches.StateMachineRun, status: str) -> dict[str, object]:
    """Return the detail of the event about an execution. Times are milliseconds since 1970."""
    stop_date = None if status == "RUNNING" else execution.stop_date
    has_output = status == "SUCCEEDED"
    return {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "name": execution.name,
        "status": status,
        "startDate": int(execution.start_date.timestamp() * 1000),
        "stopDate": int(stop_date.timestamp() * 1000) if stop_date else None,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": json.dumps(execution.output) if has_output else None,
        "outputDetails": {"included": True} if has_output else None,
        "error": execution.error,
        "cause": execution.cause,
    }

"""The rule that reports runs that ended without a report."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .lambda_functions import StepFunction
from .naming import step_name

UNREPORTED_STATUSES = ["FAILED", "TIMED_OUT", "ABORTED"]
"""The statuses of executions that may have ended without a report.

Most FAILED executions have sent a report, and `close_run` does nothing for them.
"""


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """The arguments of Monitoring."""

    tags: pulumi.Input[Mapping[str, str]]
    """The tags of every resource."""
    state_machine_arn: pulumi.Output[str]
    close_run: StepFunction
    close_run_policy: aws.iam.RolePolicy
    """The policy with which `close_run` reads executions. It must exist before the first event."""


class Monitoring(pulumi.ComponentResource):
    """A rule that calls `close_run` for each execution that failed, timed out or was aborted.

    EventBridge does not guarantee that it delivers these events:
    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """

    def __init__(
        self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:Monitoring", name, {}, opts)
        rule_name = step_name(name, "close_run")
        rule = aws.cloudwatch.EventRule(
            rule_name,
            description="Executions that may have ended without a report",
            event_pattern=pulumi.Output.json_dumps(
                {
                    "source": ["aws.states"],
                    "detail-type": ["Step Functions Execution Status Change"],
                    "detail": {
                        "stateMachineArn": [args.state_machine_arn],
                        "status": UNREPORTED_STATUSES,
                    },
                }
            ),
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        permission = aws.lambda_.Permission(
            rule_name,
            action="lambda:InvokeFunction",
            function=args.close_run.function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            rule_name,
            rule=rule.name,
            arn=args.close_run.function.arn,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[permission, args.close_run_policy]
            ),
        )
        self.register_outputs({})

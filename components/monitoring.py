"""What notices runs that end without a report: a rule on the state machine's status changes."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from . import policies
from .args import RetrainingPipelineArgs
from .lambda_functions import AFTER_THE_STATE_MACHINE, StepFunction
from .naming import step_name
from .steps import STEPS

UNREPORTED = ["FAILED", "TIMED_OUT", "ABORTED"]
"""Statuses of executions that may have ended without their report; FAILED ones mostly have one."""


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is watched, and who is called."""

    pipeline: RetrainingPipelineArgs
    state_machine_arn: pulumi.Output[str]
    close_run: StepFunction


class Monitoring(pulumi.ComponentResource):
    """Calls `close_run` for each execution that failed, timed out or was aborted.

    EventBridge delivers these events with best effort:
    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """

    close_run_policy: aws.iam.RolePolicy
    """What `close_run` may do with executions."""

    def __init__(
        self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:Monitoring", name, {}, opts)
        close_run = step_name(name, "close_run")
        actions = [
            action for kind in AFTER_THE_STATE_MACHINE for action in STEPS["close_run"].may[kind]
        ]
        self.close_run_policy = aws.iam.RolePolicy(
            f"{close_run}-executions",
            role=args.close_run.role.name,
            policy=pulumi.Output.json_dumps(
                args.state_machine_arn.apply(
                    lambda arn: policies.statement_policy(actions, [policies.executions(arn)])
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        rule = aws.cloudwatch.EventRule(
            close_run,
            description="Executions that may have ended without a report",
            event_pattern=pulumi.Output.json_dumps(
                {
                    "source": ["aws.states"],
                    "detail-type": ["Step Functions Execution Status Change"],
                    "detail": {
                        "stateMachineArn": [args.state_machine_arn],
                        "status": UNREPORTED,
                    },
                }
            ),
            tags=args.pipeline.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        permission = aws.lambda_.Permission(
            close_run,
            action="lambda:InvokeFunction",
            function=args.close_run.function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            close_run,
            rule=rule.name,
            arn=args.close_run.function.arn,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[permission, self.close_run_policy]
            ),
        )
        self.register_outputs({})

"""The pipeline's Lambda functions: one log group, and a function with its own role per step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import pulumi
import pulumi_aws as aws

from . import iam
from .args import RetrainingPipelineArgs
from .bundles import bundle
from .naming import step_name
from .state_machine.steps import STEPS, Resource, Step

Grants: TypeAlias = Mapping[Resource, tuple[str, ...]]

AFTER_THE_STATE_MACHINE: frozenset[Resource] = frozenset({"state machine", "executions"})
"""Kinds that exist only once the state machine does, which needs these functions and their
policies first: `grant_state_machine` grants them, in policies of their own."""

CALLED_BY_EVENTS = frozenset({"close_run"})
"""Steps outside of the state machine, for runs that it can no longer report itself."""


@dataclass(frozen=True, kw_only=True)
class LambdaFunctionsArgs:
    """What the functions are told."""

    pipeline: RetrainingPipelineArgs
    tags: pulumi.Input[Mapping[str, str]]
    """The tags of every resource."""
    resources: Mapping[Resource, pulumi.Input[Sequence[str]]]
    """ARNs of each kind that STEPS names, but for AFTER_THE_STATE_MACHINE."""


class StepFunction(NamedTuple):
    """One step's function, the role that it runs as, and what that role may do."""

    function: aws.lambda_.Function
    role: aws.iam.Role
    policy: aws.iam.RolePolicy


class LambdaFunctions(pulumi.ComponentResource):
    """The log group, and per row of STEPS a function, its role and its policy."""

    log_group_name: pulumi.Output[str]
    """The log group of all functions; records are JSON."""

    steps: Mapping[str, StepFunction]
    """Step (a key of STEPS) to its function."""

    called: Mapping[str, StepFunction]
    """Those that the state machine calls: all but CALLED_BY_EVENTS."""

    def __init__(
        self, name: str, args: LambdaFunctionsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:LambdaFunctions", name, {}, opts)
        pipeline = args.pipeline
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-functions",
            retention_in_days=pipeline.log_retention_days,
            kms_key_id=pipeline.kms_key_arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        steps: dict[str, StepFunction] = {}
        for step, row in STEPS.items():
            own_name = step_name(name, step)
            role = aws.iam.Role(
                own_name,
                assume_role_policy=pulumi.Output.json_dumps(iam.lambda_trust()),
                permissions_boundary=pipeline.permissions_boundary_arn,
                tags=args.tags,
                opts=pulumi.ResourceOptions(parent=self),
            )
            may, _ = _by_time(row)
            policy = aws.iam.RolePolicy(
                own_name,
                role=role.name,
                policy=pulumi.Output.json_dumps(
                    pulumi.Output.all(
                        may=may,
                        resources={kind: args.resources[kind] for kind in may},
                        log_group_arn=log_group.arn,
                    ).apply(lambda known: iam.function_policy(**known))
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            function = aws.lambda_.Function(
                own_name,
                role=role.arn,
                runtime=aws.lambda_.Runtime.PYTHON3D13,
                architectures=["arm64"],
                code=bundle(step),
                handler=f"functions.{step}.handler",
                timeout=row.timeout_seconds,
                memory_size=row.memory_megabytes,
                # A version for each change: a running execution keeps the one that it began with.
                publish=True,
                logging_config={
                    "log_format": "JSON",
                    "log_group": log_group.name,
                    "application_log_level": "INFO",
                    "system_log_level": "INFO",
                },
                tracing_config={"mode": "Active"},
                tags=args.tags,
                # Lambda writes logs and traces as the role: its policy comes first.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
            )
            steps[step] = StepFunction(function, role, policy)
        self.log_group_name = log_group.name
        self.steps = steps
        self.called = {
            step: deployed for step, deployed in steps.items() if step not in CALLED_BY_EVENTS
        }
        self._name = name
        self.register_outputs({"log_group_name": self.log_group_name})

    def grant_state_machine(
        self, state_machine_arn: pulumi.Output[str]
    ) -> Mapping[str, aws.iam.RolePolicy]:
        """Let the steps that work with the state machine do so; give their policies by step.

        Whatever starts or ends executions comes after these policies.
        """
        granted: dict[str, aws.iam.RolePolicy] = {}
        for step, row in STEPS.items():
            _, may = _by_time(row)
            if may:
                granted[step] = aws.iam.RolePolicy(
                    f"{step_name(self._name, step)}-executions",
                    role=self.steps[step].role.name,
                    policy=pulumi.Output.json_dumps(
                        pulumi.Output.all(may=may, state_machine_arn=state_machine_arn).apply(
                            lambda known: iam.state_machine_access_policy(**known)
                        )
                    ),
                    opts=pulumi.ResourceOptions(parent=self),
                )
        return granted


def _by_time(row: Step) -> tuple[Grants, Grants]:
    """Part what a step may do: with what exists before the state machine, and with what after."""
    before = {kind: row.may[kind] for kind in row.may if kind not in AFTER_THE_STATE_MACHINE}
    after = {kind: row.may[kind] for kind in row.may if kind in AFTER_THE_STATE_MACHINE}
    return before, after

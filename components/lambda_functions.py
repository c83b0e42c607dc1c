"""The Lambda functions of a pipeline: one per step, each with its own role, and one log group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pulumi
import pulumi_aws as aws

from . import iam
from .args import RetrainingPipelineArgs
from .bundles import bundle
from .naming import step_name
from .state_machine.steps import STEPS, Resource, Step

CREATED_AFTER_FUNCTIONS: frozenset[Resource] = frozenset({"state machine", "executions"})
"""The kinds of resources that are created after the functions, because they need the functions.

The first policy of a function cannot name them, so `grant_executions` creates a second policy.
"""

CALLED_BY_EVENTS = frozenset({"close_run", "start_on_export", "measure_model_age"})
"""The steps that EventBridge calls: after executions that ended without a report, for objects that
may be ready markers, and hourly."""


@dataclass(frozen=True, kw_only=True)
class LambdaFunctionsArgs:
    """The arguments of LambdaFunctions."""

    pipeline: RetrainingPipelineArgs
    tags: pulumi.Input[Mapping[str, str]]
    """The tags of every resource."""
    resource_arns: pulumi.Output[Mapping[Resource, Sequence[str]]]
    """The ARNs of each kind of resource, except the kinds in CREATED_AFTER_FUNCTIONS."""


class StepFunction(NamedTuple):
    """The function of a step, with its role and the policy of the role."""

    function: aws.lambda_.Function
    role: aws.iam.Role
    policy: aws.iam.RolePolicy


class LambdaFunctions(pulumi.ComponentResource):
    """The log group, and for each step that is needed a function, its role and its policy."""

    log_group_name: pulumi.Output[str]
    """The log group of all functions. Its records are JSON."""

    steps: Mapping[str, StepFunction]
    """All functions that the pipeline needs by step. A step is a key of STEPS."""

    called_by_state_machine: Mapping[str, StepFunction]
    """The functions that the state machine calls, by step: all except CALLED_BY_EVENTS."""

    def __init__(
        self, name: str, args: LambdaFunctionsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:LambdaFunctions", name, {}, opts)
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-functions",
            retention_in_days=args.pipeline.log_retention_days,
            kms_key_id=args.pipeline.kms_key_arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.log_group_name = log_group.name
        self.steps = {
            step: self._create_function(step_name(name, step), step, args, log_group)
            for step in needed_steps(args.pipeline)
        }
        self.called_by_state_machine = {
            step: step_function
            for step, step_function in self.steps.items()
            if step not in CALLED_BY_EVENTS
        }
        self.register_outputs({"log_group_name": self.log_group_name})

    def grant_executions(
        self, state_machine_arn: pulumi.Output[str]
    ) -> Mapping[str, aws.iam.RolePolicy]:
        """Create a second policy for each step that reads the state machine or its executions.

        Return the policies by step. Every resource that starts or ends executions must depend on
        them.
        """
        policies: dict[str, aws.iam.RolePolicy] = {}
        for step in self.steps:
            grants = later_grants(STEPS[step])
            if grants:
                policy = pulumi.Output.all(
                    grants=grants, state_machine_arn=state_machine_arn
                ).apply(lambda values: iam.executions_policy(**values))
                name = f"{step_name(self.pulumi_resource_name, step)}-executions"
                policies[step] = iam.role_policy(name, self.steps[step].role, policy, parent=self)
        return policies

    def _create_function(
        self, name: str, step: str, args: LambdaFunctionsArgs, log_group: aws.cloudwatch.LogGroup
    ) -> StepFunction:
        """Create the function of a step, its role and its policy. All of them are called `name`."""
        row = STEPS[step]
        policy = pulumi.Output.all(
            grants=first_grants(row),
            resource_arns=args.resource_arns,
            log_group_arn=log_group.arn,
        ).apply(lambda values: iam.function_policy(**values))
        access = iam.role_with_policy(
            name,
            trust=iam.lambda_trust(),
            policy=policy,
            args=args.pipeline,
            tags=args.tags,
            parent=self,
        )
        function = aws.lambda_.Function(
            name,
            role=access.role.arn,
            runtime=aws.lambda_.Runtime.PYTHON3D13,
            architectures=["arm64"],
            code=bundle(step),
            handler=f"functions.{step}.handler",
            timeout=row.timeout_seconds,
            memory_size=row.memory_megabytes,
            # Each change of the code becomes a new version. A running execution keeps its version.
            publish=True,
            logging_config={
                "log_format": "JSON",
                "log_group": log_group.name,
                "application_log_level": "INFO",
                "system_log_level": "INFO",
            },
            tracing_config={"mode": "Active"},
            tags=args.tags,
            # Lambda writes logs and traces with this role, so its policy comes first.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[access.policy]),
        )
        return StepFunction(function, access.role, access.policy)


def needed_steps(args: RetrainingPipelineArgs) -> list[str]:
    """Return the steps whose functions a pipeline with these arguments needs."""
    return [step for step in STEPS if step != "start_on_export" or args.trigger.on_export]


def first_grants(row: Step) -> iam.Grants:
    """Return the grants of a row of STEPS on the resources that exist before the functions."""
    return {
        kind: actions for kind, actions in row.grants.items() if kind not in CREATED_AFTER_FUNCTIONS
    }


def later_grants(row: Step) -> iam.Grants:
    """Return the grants of a row of STEPS on the resources in CREATED_AFTER_FUNCTIONS."""
    return {
        kind: actions for kind, actions in row.grants.items() if kind in CREATED_AFTER_FUNCTIONS
    }

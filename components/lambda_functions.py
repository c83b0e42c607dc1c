"""The Lambda functions of a pipeline: one per step, each with its own role, and one log group."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pulumi
import pulumi_aws as aws

from . import iam
from .bundles import bundle
from .naming import step_name
from .shared import Shared
from .state_machine.steps import STEPS, Resource, Step

CALLED_BY_EVENTS = frozenset({"close_run", "start_on_export", "watch_pipeline"})
"""The steps that EventBridge calls: after executions that ended without a report, for objects that
may be ready markers, and every 15 minutes."""

Functions: TypeAlias = Mapping[str, aws.lambda_.Function]
"""Step -> its function. A step is a key of STEPS."""


def create_log_group(
    shared: Shared, name: str, physical_name: pulumi.Input[str] | None = None
) -> aws.cloudwatch.LogGroup:
    """Create a log group with the retention and the key of the pipeline."""
    return aws.cloudwatch.LogGroup(
        name,
        name=physical_name,
        retention_in_days=shared.args.log_retention_days,
        kms_key_id=shared.args.kms_key_arn,
        tags=shared.tags,
        opts=pulumi.ResourceOptions(parent=shared.component),
    )


def create_functions(
    shared: Shared,
    log_group: aws.cloudwatch.LogGroup,
    resource_arns: pulumi.Input[Mapping[Resource, Sequence[str]]],
) -> Functions:
    """Create the functions that the pipeline needs. Their records in the log group are JSON."""
    return {
        step: _create_function(shared, step, log_group, resource_arns)
        for step in STEPS
        if step != "start_on_export" or shared.args.trigger.on_export
    }


def _function_policy(
    row: Step, resource_arns: Mapping[Resource, Sequence[str]], log_group_arn: str
) -> iam.PolicyDocument:
    """Return the policy of a function: it may use its grants, write logs and send traces."""
    return iam.policy_document(
        *((actions, resource_arns[kind]) for kind, actions in row.grants.items()),
        (["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:log-stream:*"]),
        (iam.TRACING_ACTIONS, ["*"]),
    )


def _create_function(
    shared: Shared,
    step: str,
    log_group: aws.cloudwatch.LogGroup,
    resource_arns: pulumi.Input[Mapping[Resource, Sequence[str]]],
) -> aws.lambda_.Function:
    """Create the function of a step, its role and its policy, which all have the same name."""
    row = STEPS[step]
    name = step_name(shared.name, step)
    role_arn = iam.create_role(
        shared,
        name,
        "lambda",
        source_arn=None,
        policy=pulumi.Output.all(resource_arns, log_group.arn).apply(
            lambda arns: _function_policy(row, *arns)
        ),
    )
    return aws.lambda_.Function(
        name,
        role=role_arn,
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
        tags=shared.tags,
        opts=pulumi.ResourceOptions(parent=shared.component),
    )


def call_on_event(
    shared: Shared,
    step: str,
    function: aws.lambda_.Function,
    *,
    description: str,
    pattern: pulumi.Input[Mapping[str, object]],
    event_fields: Mapping[str, str],
    document: Mapping[str, object],
    is_enabled: bool = True,
) -> None:
    """Create a rule that calls the function of a step for each event that matches a pattern.

    The function gets the document. A value `<key>` in it stands for the field of the event whose
    path `event_fields` has under this key. EventBridge does not guarantee that it delivers events:
    https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    name = step_name(shared.name, step)
    rule = aws.cloudwatch.EventRule(
        name,
        description=description,
        event_pattern=pulumi.Output.json_dumps(pattern),
        state="ENABLED" if is_enabled else "DISABLED",
        tags=shared.tags,
        opts=pulumi.ResourceOptions(parent=shared.component),
    )
    permission = aws.lambda_.Permission(
        name,
        action="lambda:InvokeFunction",
        function=function.name,
        principal="events.amazonaws.com",
        source_arn=rule.arn,
        opts=pulumi.ResourceOptions(parent=shared.component),
    )
    # EventBridge writes the quotes around a text that it fills in:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    template = pulumi.Output.json_dumps(document).apply(
        lambda text: re.sub(r'"(<\w+>)"', r"\1", text)
    )
    aws.cloudwatch.EventTarget(
        name,
        rule=rule.name,
        arn=function.arn,
        input_transformer={"input_paths": event_fields, "input_template": template},
        opts=pulumi.ResourceOptions(parent=shared.component, depends_on=[permission]),
    )

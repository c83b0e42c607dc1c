"""The Lambda functions of a pipeline: one per step, each with its own role, and one log group."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pulumi
import pulumi_aws as aws

from . import iam
from .shared import Shared, step_name
from .state_machine.steps import STEPS, TIMEOUT_SECONDS, Resource

_HERE = Path(__file__).parent
FUNCTIONS_FOLDER = next(
    folder for folder in (_HERE / "functions", _HERE.parent / "functions") if folder.is_dir()
)
"""The folder of the modules that run in Lambda.

It is inside components/ if the package is installed, and next to components/ in a checkout.
"""
CALLED_BY_EVENTS = frozenset({"close_run", "start_on_export", "watch_pipeline"})
"""The steps that EventBridge calls: after executions that ended without a report, for objects that
may be ready markers, and every 15 minutes."""

Functions: TypeAlias = Mapping[str, aws.lambda_.Function]
"""Step -> its function. A step is a key of STEPS."""


def function_code() -> pulumi.AssetArchive:
    """Return the code of every function: all modules of `functions/`."""
    root = FUNCTIONS_FOLDER.parent
    modules = sorted(FUNCTIONS_FOLDER.rglob("*.py"))
    return pulumi.AssetArchive(
        {module.relative_to(root).as_posix(): pulumi.FileAsset(str(module)) for module in modules}
    )


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
    resource_arns: pulumi.Output[Mapping[Resource, Sequence[str]]],
) -> Functions:
    """Create the functions that the pipeline needs. They write JSON records to the log group.

    A function, its role and its policy have the same name.
    """
    streams = pulumi.Output.concat(log_group.arn, ":log-stream:*")
    functions = {}
    for step, (grants, memory_megabytes) in STEPS.items():
        if step == "start_on_export" and not shared.args.trigger.on_export:
            continue
        name = step_name(shared.name, step)
        role_arn = iam.create_role(
            shared,
            name,
            "lambda",
            source=None,
            grants=[
                *((actions, resource_arns[kind]) for kind, actions in grants.items()),
                (["logs:CreateLogStream", "logs:PutLogEvents"], [streams]),
            ],
        )
        functions[step] = aws.lambda_.Function(
            name,
            role=role_arn,
            runtime=aws.lambda_.Runtime.PYTHON3D13,
            architectures=["arm64"],
            code=function_code(),
            handler=f"functions.{step}.handler",
            timeout=TIMEOUT_SECONDS,
            memory_size=memory_megabytes,
            # Each change becomes a new version, so that running executions keep the old one.
            publish=True,
            logging_config={
                "log_format": "JSON",
                "log_group": log_group.name,
                "application_log_level": "INFO",
                "system_log_level": "INFO",
            },
            tags=shared.tags,
            opts=pulumi.ResourceOptions(parent=shared.component),
        )
    return functions

"""Creates the Lambda functions, each with its own role."""

import atexit
import base64
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from . import iam
from .context import PipelineContext
from .function_configs import FUNCTION_CONFIGS, FUNCTION_TIMEOUT_SECONDS, ResourceKind
from .naming import build_function_name

FUNCTIONS_FOLDER = Path(__file__).parents[1] / "functions"
"""The code of the Lambda functions."""
FUNCTIONS_CALLED_BY_EVENTS = frozenset({"close_run", "start_on_export", "watch_pipeline"})
"""The functions outside the state machine. EventBridge calls them: `close_run` for executions that
ended without a report, `start_on_export` for potential ready markers, and `watch_pipeline` every 15
minutes."""

FunctionByModule: TypeAlias = Mapping[str, aws.lambda_.Function]
"""Module in `functions/` -> its Lambda function."""


@cache
def zip_functions() -> pulumi.FileArchive:
    """Zip `functions/` into the deployment package that all functions share.

    The zip file must be the same on every machine. Otherwise, a `pulumi up` from another machine
    would redeploy all functions. So modules are sorted, get a fixed timestamp (ZipInfo's default),
    and aren't compressed, because the output of zlib depends on its version.
    """
    # Pulumi uploads the file later, so it must exist until the program ends.
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    zip_path = Path(folder, "functions.zip")
    with zipfile.ZipFile(zip_path, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(FUNCTIONS_FOLDER.rglob("*.py")):
            # Paths begin with `functions/`, because handlers are named functions.<module>.handler.
            entry = zipfile.ZipInfo(path.relative_to(FUNCTIONS_FOLDER.parent).as_posix())
            # Files must be world-readable, because Lambda's user doesn't own them.
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return pulumi.FileArchive(str(zip_path))


def create_log_group(
    context: PipelineContext, name: str, physical_name: Input[str] | None = None
) -> aws.cloudwatch.LogGroup:
    """Create a log group with the pipeline's retention period and KMS key."""
    return aws.cloudwatch.LogGroup(
        name,
        name=physical_name,
        retention_in_days=context.args.log_retention_days,
        kms_key_id=context.args.kms_key_arn,
        tags=context.tags,
        opts=context.child_options,
    )


def create_functions(
    context: PipelineContext,
    log_group: aws.cloudwatch.LogGroup,
    resource_arns: Output[Mapping[ResourceKind, Sequence[str]]],
) -> FunctionByModule:
    """Create the functions, each with a role that allows exactly what it needs.

    `start_on_export` is only created if exports may start runs.
    """
    modules = list(FUNCTION_CONFIGS)
    if not context.args.trigger.on_export:
        modules.remove("start_on_export")

    return {
        module: _create_function(context, module, log_group, resource_arns) for module in modules
    }


def _create_function(
    context: PipelineContext,
    module: str,
    log_group: aws.cloudwatch.LogGroup,
    resource_arns: Output[Mapping[ResourceKind, Sequence[str]]],
) -> aws.lambda_.Function:
    """Create a function, its role and its policy, which all have the same name."""
    name = build_function_name(context.name, module)
    config = FUNCTION_CONFIGS[module]
    log_streams = Output.concat(log_group.arn, ":log-stream:*")

    role_arn = iam.create_role(
        context,
        name,
        "lambda",
        source_resource=None,
        grants=[
            *(
                (actions, resource_arns[resource_kind])
                for resource_kind, actions in config.permissions.items()
            ),
            (("logs:CreateLogStream", "logs:PutLogEvents"), [log_streams]),
        ],
    )
    return aws.lambda_.Function(
        name,
        role=role_arn,
        runtime=aws.lambda_.Runtime.PYTHON3D13,
        architectures=["arm64"],
        code=zip_functions(),
        # Without the hash, a refresh wouldn't notice code that was published by hand, and would
        # switch the state machine to it.
        code_sha256=_hash_functions_zip(),
        handler=f"functions.{module}.handler",
        timeout=FUNCTION_TIMEOUT_SECONDS,
        memory_size=config.memory_megabytes,
        # Each change becomes a new version, while running executions keep the old one.
        publish=True,
        logging_config={
            "log_format": "JSON",
            "log_group": log_group.name,
            "application_log_level": "INFO",
            "system_log_level": "INFO",
        },
        tags=context.tags,
        opts=context.child_options,
    )


def _hash_functions_zip() -> str:
    """Hash the deployment package the way Lambda does."""
    package = Path(zip_functions().path).read_bytes()
    digest = hashlib.sha256(package).digest()
    return base64.b64encode(digest).decode()

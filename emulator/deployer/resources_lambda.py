"""Lambda: functions, who may invoke them, and what becomes of failed asynchronous invocations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from emulator.deployer import bundle, naming
from emulator.deployer.errors import InputRefusedError
from emulator.deployer.rows import Created, Row, Rows
from emulator.deployer.translation import Request, block

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws

OLDEST_PYTHON = 12
UNRESERVED = -1
"""Pulumi's word for a function without reserved concurrency, its default."""


def _runtime(value: object, path: str) -> str:
    """Accept Python 3.12 or newer: the emulator runs every function in its own interpreter."""
    version = re.fullmatch(r"python3\.(\d+)", str(value))
    if version is None or int(version[1]) < OLDEST_PYTHON:
        raise InputRefusedError(path, f"{value!r} is not supported, only python3.12 or newer")
    return str(value)


def _code(value: object, path: str) -> bundle.Files:
    content = bundle.files(value, path)
    if bundle.BOOTSTRAP in content:
        raise InputRefusedError(
            path, f"holds a file {bundle.BOOTSTRAP!r}, a name the emulator uses"
        )
    return content


def _function(request: Request, aws: Aws) -> Created:
    """Create it as a custom runtime: the emulator's own runner of Python loses error classes."""
    concurrency = request.pop("ReservedConcurrentExecutions", UNRESERVED)
    content = cast("bundle.Files", request.pop("Code"))
    start = bundle.bootstrap(_environment_of_the_service(request))
    code = bundle.zipped({**content, bundle.BOOTSTRAP: start})
    created = aws.call(
        "lambda",
        "CreateFunction",
        {**request, "Runtime": "provided.al2023", "Code": {"ZipFile": code}},
    )
    name, arn, version = created["FunctionName"], created["FunctionArn"], created["Version"]
    if concurrency != UNRESERVED:
        aws.call(
            "lambda",
            "PutFunctionConcurrency",
            {"FunctionName": name, "ReservedConcurrentExecutions": concurrency},
        )
    qualified_arn = f"{arn}:{version}"
    gateway = f"arn:{aws.partition}:apigateway:{aws.region}:lambda:path"
    return Created(
        name,
        {
            "arn": arn,
            "qualifiedArn": qualified_arn,
            "version": version,
            "invokeArn": f"{gateway}/2015-03-31/functions/{arn}/invocations",
            "qualifiedInvokeArn": f"{gateway}/2015-03-31/functions/{qualified_arn}/invocations",
            "responseStreamingInvokeArn": (
                f"{gateway}/2021-11-15/functions/{arn}/response-streaming-invocations"
            ),
            "lastModified": created["LastModified"],
            "codeSha256": created["CodeSha256"],
            "sourceCodeSize": created["CodeSize"],
            "signingJobArn": "",
            "signingProfileVersionArn": "",
            "timeout": created["Timeout"],
            "memorySize": created["MemorySize"],
            "architectures": created["Architectures"],
        },
    )


def _environment_of_the_service(request: Request) -> Mapping[str, str]:
    """Return what Lambda tells a Python runtime and the emulator does not."""
    logging = cast("dict[str, str]", request.get("LoggingConfig", {}))
    variables = {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{request['Runtime']}",
        "AWS_LAMBDA_LOG_GROUP_NAME": logging.get(
            "LogGroup", f"/aws/lambda/{request['FunctionName']}"
        ),
        "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text"),
    }
    if "ApplicationLogLevel" in logging:
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging["ApplicationLogLevel"]
    return variables


def _permission(request: Request, aws: Aws) -> Created:
    aws.call("lambda", "AddPermission", request)
    return Created(str(request["StatementId"]))


def _event_invoke_config(request: Request, aws: Aws) -> Created:
    aws.call("lambda", "PutFunctionEventInvokeConfig", request)
    function, qualifier = request["FunctionName"], request.get("Qualifier")
    return Created(f"{function}:{qualifier}" if qualifier else str(function))


DESTINATION = block({"destination": "Destination"})

ROWS: Rows = {
    "aws:lambda/function:Function": Row(
        name=naming.FUNCTION,
        shape={
            "name": "FunctionName",
            "description": "Description",
            "code": ("Code", _code),
            "handler": "Handler",
            "runtime": ("Runtime", _runtime),
            "architectures": "Architectures",
            "role": "Role",
            "timeout": "Timeout",
            "memorySize": "MemorySize",
            "environment": ("Environment", block({"variables": "Variables"})),
            "loggingConfig": (
                "LoggingConfig",
                block(
                    {
                        "logGroup": "LogGroup",
                        "logFormat": "LogFormat",
                        "applicationLogLevel": "ApplicationLogLevel",
                        "systemLogLevel": "SystemLogLevel",
                    }
                ),
            ),
            "tracingConfig": ("TracingConfig", block({"mode": "Mode"})),
            "publish": "Publish",
            "kmsKeyArn": "KMSKeyArn",
            "reservedConcurrentExecutions": "ReservedConcurrentExecutions",
            "tags": "Tags",
        },
        create=_function,
    ),
    "aws:lambda/permission:Permission": Row(
        name=naming.STATEMENT,
        name_input="statementId",
        shape={
            "statementId": "StatementId",
            "function": "FunctionName",
            "qualifier": "Qualifier",
            "action": "Action",
            "principal": "Principal",
            "sourceArn": "SourceArn",
            "sourceAccount": "SourceAccount",
        },
        create=_permission,
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": Row(
        shape={
            "functionName": "FunctionName",
            "qualifier": "Qualifier",
            "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds",
            "maximumRetryAttempts": "MaximumRetryAttempts",
            "destinationConfig": (
                "DestinationConfig",
                block(
                    {
                        "onFailure": ("OnFailure", DESTINATION),
                        "onSuccess": ("OnSuccess", DESTINATION),
                    }
                ),
            ),
        },
        create=_event_invoke_config,
    ),
}

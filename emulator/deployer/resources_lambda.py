"""Lambda: functions, and who may invoke them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from emulator.deployer import bundle, naming, wire
from emulator.deployer.errors import GoneError, InputRefusedError
from emulator.deployer.rows import (
    Change,
    Found,
    Outputs,
    Patience,
    Place,
    Row,
    Rows,
    Tagging,
    unchangeable,
)
from emulator.deployer.translation import SAME, Convert, Request, block, take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Answer, Aws

OLDEST_PYTHON = 12
UNRESERVED = -1
"""Pulumi's value for a function without reserved concurrency, which is the default."""

CONFIGURATION = frozenset(
    {"Description", "Handler", "Role", "Timeout", "MemorySize", "Environment", "LoggingConfig"}
    | {"TracingConfig", "KMSKeyArn"}
)
"""The inputs that UpdateFunctionConfiguration changes."""
CLEARED = {"Description": "", "KMSKeyArn": "", "Environment": {"Variables": {}}}
"""The values that remove an input. An update cannot remove the other inputs."""
IN_THE_BOOTSTRAP = {"Code", "Runtime", "LoggingConfig"}
"""The inputs that are written into the archive of the code in the emulator."""


def _runtime(value: object, path: str) -> str:
    """Accept Python 3.12 or newer: the emulator runs every function in its own interpreter."""
    version = re.fullmatch(r"python3\.(\d+)", str(value))
    if version is None or int(version[1]) < OLDEST_PYTHON:
        raise InputRefusedError(path, f"{value!r} is not supported, only python3.12 or newer")
    return str(value)


def _code(value: object, path: str) -> object:
    """Read the files of an archive. Return the archive itself if the engine left them out."""
    if isinstance(value, wire.Archive) and value.elided:
        return value
    content = wire.files(value, path)
    if bundle.BOOTSTRAP in content:
        raise InputRefusedError(
            path, f"holds a file {bundle.BOOTSTRAP!r}, a name the emulator uses"
        )
    return content


def _create_function(request: Request, aws: Aws) -> str:
    """Create it as a custom runtime: the emulator's own runner of Python loses error classes."""
    code = {"Runtime": "provided.al2023", "Code": {"ZipFile": _zip(request)}}
    created = aws.call("lambda", "CreateFunction", {**request, **code})
    return str(created["FunctionName"])


def _zip(request: Request) -> bytes:
    """Return the archive of the code, with the script that starts it."""
    start = bundle.bootstrap(_environment_of_the_service(request))
    content = cast("wire.Files", request["Code"])
    return bundle.zipped({**content, bundle.BOOTSTRAP: start})


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


def _read_function(place: Place, aws: Aws) -> Found:
    name = {"FunctionName": place.id}
    function = aws.call("lambda", "GetFunction", name)
    configuration: Answer = function["Configuration"]
    arn = configuration["FunctionArn"]
    *_, latest = aws.pages("lambda", "ListVersionsByFunction", name)
    qualified_arn = f"{arn}:{latest['Version']}"
    gateway = f"arn:{aws.partition}:apigateway:{aws.region}:lambda:path"
    concurrency = function.get("Concurrency", {})
    return Found(
        {
            "Environment": {},
            **configuration,
            "ReservedConcurrentExecutions": concurrency.get(
                "ReservedConcurrentExecutions", UNRESERVED
            ),
            "Tags": function.get("Tags", {}),
        },
        {
            "arn": arn,
            "qualifiedArn": qualified_arn,
            "version": latest["Version"],
            "invokeArn": f"{gateway}/2015-03-31/functions/{arn}/invocations",
            "qualifiedInvokeArn": f"{gateway}/2015-03-31/functions/{qualified_arn}/invocations",
            "responseStreamingInvokeArn": (
                f"{gateway}/2021-11-15/functions/{arn}/response-streaming-invocations"
            ),
            "lastModified": configuration["LastModified"],
            "codeSha256": configuration["CodeSha256"],
            "sourceCodeSize": configuration["CodeSize"],
            "signingJobArn": "",
            "signingProfileVersionArn": "",
            "architectures": configuration["Architectures"],
        },
    )


def _update_function(change: Change, aws: Aws) -> None:
    name, new = {"FunctionName": change.place.id}, change.new
    configuration = {
        part: new.get(part, CLEARED.get(part))
        for part in change.names & CONFIGURATION
        if part in new or part in CLEARED
    }
    if configuration:
        aws.call("lambda", "UpdateFunctionConfiguration", name | configuration)
    code = change.names & (IN_THE_BOOTSTRAP | {"Architectures"})
    if code:
        archive = {"ZipFile": _zip(new), **change.of("Architectures")}
        aws.call("lambda", "UpdateFunctionCode", name | archive)
    if "ReservedConcurrentExecutions" in change.names:
        reserved = take(new, "ReservedConcurrentExecutions")
        if UNRESERVED in reserved.values():
            aws.call("lambda", "DeleteFunctionConcurrency", name)
        else:
            aws.call("lambda", "PutFunctionConcurrency", name | reserved)
    if new["Publish"] and (configuration or code or "Publish" in change.names):
        aws.call("lambda", "PublishVersion", name)


def _renewed_by(changed: frozenset[str], inputs: Outputs) -> frozenset[str]:
    """Return the outputs of a function that the provider does not know before an update.

    terraform-provider-aws, internal/service/lambda/function.go: updateComputedAttributesOnPublish.
    """
    code = changed & {"code", "architectures"}
    renewed = {"lastModified"} if code else set()
    if inputs.get("publish") and changed - {"tags", "tagsAll", "reservedConcurrentExecutions"}:
        renewed |= {"version", "qualifiedArn", "qualifiedInvokeArn"}
    return frozenset(renewed)


def _add_permission(request: Request, aws: Aws) -> str:
    aws.call("lambda", "AddPermission", request)
    return str(request["StatementId"])


def _read_permission(place: Place, aws: Aws) -> Found:
    function = take(dict(place.request), "FunctionName", "Qualifier")
    policy = json.loads(aws.call("lambda", "GetPolicy", function)["Policy"])
    for statement in policy["Statement"]:
        if statement["Sid"] == place.id:
            break
    else:
        raise GoneError(place.id)
    conditions = statement.get("Condition", {})
    principal = statement["Principal"]
    if isinstance(principal, dict):
        [principal] = principal.values()
    answer = {
        **function,
        "StatementId": statement["Sid"],
        "Action": statement["Action"],
        "Principal": principal,
        "SourceArn": conditions.get("ArnLike", {}).get("AWS:SourceArn"),
        "SourceAccount": conditions.get("StringEquals", {}).get("AWS:SourceAccount"),
    }
    return Found({name: value for name, value in answer.items() if value is not None})


def _remove_permission(place: Place, aws: Aws, _patience: Patience) -> None:
    function = take(dict(place.request), "FunctionName", "Qualifier")
    aws.call("lambda", "RemovePermission", {**function, "StatementId": place.id})


PERMISSION = {
    "statementId": "StatementId",
    "function": "FunctionName",
    "qualifier": "Qualifier",
    "action": "Action",
    "principal": "Principal",
    "sourceArn": "SourceArn",
    "sourceAccount": "SourceAccount",
}

ROWS: Rows = {
    # terraform-provider-aws, internal/service/lambda/function.go: ForceNew on function_name.
    "aws:lambda/function:Function": Row(
        name=naming.FUNCTION,
        shape={
            "name": "FunctionName",
            "description": "Description",
            "code": ("Code", Convert(_code, SAME.from_api)),
            "handler": "Handler",
            "runtime": ("Runtime", Convert(_runtime, SAME.from_api)),
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
        defaults={
            "timeout": 3,
            "memorySize": 128,
            "publish": False,
            "reservedConcurrentExecutions": UNRESERVED,
        },
        replaces=frozenset({"name"}),
        create=_create_function,
        later=frozenset({"reservedConcurrentExecutions"}),
        read=_read_function,
        update=_update_function,
        delete=lambda place, aws, _: aws.call(
            "lambda", "DeleteFunction", {"FunctionName": place.id}
        ),
        tagging=Tagging(
            "lambda", "Resource", lambda name, aws: aws.arn("lambda", f"function:{name}")
        ),
        unreadable=frozenset({"code", "runtime", "publish"}),
        decided=frozenset(
            {"arn", "qualifiedArn", "version", "invokeArn", "qualifiedInvokeArn", "architectures"}
            | {"responseStreamingInvokeArn", "lastModified", "codeSha256", "sourceCodeSize"}
            | {"signingJobArn", "signingProfileVersionArn"}
        ),
        renewed=_renewed_by,
    ),
    # internal/service/lambda/permission.go: ForceNew on all; Lambda has no UpdatePermission.
    "aws:lambda/permission:Permission": Row(
        name=naming.STATEMENT,
        name_input="statementId",
        shape=PERMISSION,
        replaces=frozenset(PERMISSION),
        create=_add_permission,
        read=_read_permission,
        update=unchangeable,
        delete=_remove_permission,
    ),
}

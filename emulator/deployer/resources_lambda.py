"""The functions of Lambda, the permissions to invoke them, and invocations by the program."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, cast

from emulator.deployer import bundle, naming, wire
from emulator.deployer.errors import DeploymentError, GoneError, InputRefusedError
from emulator.deployer.rows import (
    Change,
    DeletionLimit,
    Identity,
    Outputs,
    Row,
    Rows,
    Snapshot,
    Tagging,
    delete_by_id,
    never_updated,
)
from emulator.deployer.translation import UNCHANGED, Converter, Request, block, pick_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws, Response

OLDEST_MINOR_VERSION = 12
"""The oldest supported Python is 3.12."""
UNRESERVED = -1
"""Pulumi's value for a function without reserved concurrency, which is the default."""

CONFIGURATION_PARAMETERS = frozenset(
    {"Description", "Handler", "Role", "Timeout", "MemorySize", "Environment", "LoggingConfig"}
    | {"TracingConfig", "KMSKeyArn"}
)
"""The supported parameters of UpdateFunctionConfiguration."""
VALUES_FOR_NOT_SET = {"Description": "", "KMSKeyArn": "", "Environment": {"Variables": {}}}
"""The values that remove an input. UpdateFunctionConfiguration cannot remove other inputs."""
ZIP_FILE_INPUTS = {"Code", "Runtime", "LoggingConfig"}
"""The inputs that the zip file depends on in the emulator."""


def _supported_runtime(value: object, path: str) -> str:
    """Return the runtime. Raises InputRefusedError unless it is Python 3.12 or newer.

    The emulator runs every function in the interpreter of the emulator itself.
    """
    version = re.fullmatch(r"python3\.(\d+)", str(value))
    if version is None or int(version[1]) < OLDEST_MINOR_VERSION:
        raise InputRefusedError(path, f"{value!r} is not supported, only python3.12 or newer")
    return str(value)


def _files_of_code(value: object, path: str) -> object:
    """Return the files of an archive, or the archive itself if the engine left the files out."""
    if isinstance(value, wire.Archive) and not value.has_content:
        return value
    files = wire.read_files(value, path)
    if bundle.BOOTSTRAP in files:
        raise InputRefusedError(
            path, f"holds a file {bundle.BOOTSTRAP!r}, a name the emulator uses"
        )
    return files


def _create_function(request: Request, aws: Aws) -> str:
    """Create a function with a custom runtime, whose bootstrap starts Python.

    The runner that the emulator has for Python functions does not return the class of an error.
    """
    code = {"Runtime": "provided.al2023", "Code": {"ZipFile": _zip_file(request)}}
    return str(aws.call("lambda", "CreateFunction", {**request, **code})["FunctionName"])


def _zip_file(request: Request) -> bytes:
    """Return the zip file of a function: its code, and the script that starts it."""
    files = cast("wire.Files", request["Code"])
    script = bundle.bootstrap_script(_runtime_variables(request))
    return bundle.zip_files({**files, bundle.BOOTSTRAP: script})


def _runtime_variables(request: Request) -> Mapping[str, str]:
    """Return the environment variables that Lambda sets for Python, but the emulator does not."""
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


def _read_function(identity: Identity, aws: Aws) -> Snapshot:
    name = {"FunctionName": identity.id}
    function = aws.call("lambda", "GetFunction", name)
    configuration: Response = function["Configuration"]
    # The newest version is the last one. Before the first one is published, it is $LATEST.
    *_, latest = aws.list_items("lambda", "ListVersionsByFunction", name)
    concurrency = function.get("Concurrency", {})
    return Snapshot(
        {
            "Environment": {},
            **configuration,
            "ReservedConcurrentExecutions": concurrency.get(
                "ReservedConcurrentExecutions", UNRESERVED
            ),
            "Tags": function.get("Tags", {}),
        },
        _function_outputs(configuration, str(latest["Version"]), aws),
    )


def _function_outputs(configuration: Response, version: str, aws: Aws) -> Outputs:
    """Return the outputs that AWS decides. `version` is the latest published version."""
    arn = configuration["FunctionArn"]
    qualified_arn = f"{arn}:{version}"
    gateway = f"arn:{aws.partition}:apigateway:{aws.region}:lambda:path"
    return {
        "arn": arn,
        "qualifiedArn": qualified_arn,
        "version": version,
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
    }


def _update_function(change: Change, aws: Aws) -> None:
    """Set the inputs that have changed. Then publish a version, if the program wants versions.

    Only a change of the configuration or of the code leads to a new version.
    """
    name = {"FunctionName": change.id}
    configuration = _changed_configuration(change)
    if configuration:
        aws.call("lambda", "UpdateFunctionConfiguration", {**name, **configuration})
    code_changed = bool(change.changed & (ZIP_FILE_INPUTS | {"Architectures"}))
    if code_changed:
        code = {"ZipFile": _zip_file(change.request), **change.changed_values("Architectures")}
        aws.call("lambda", "UpdateFunctionCode", {**name, **code})
    if "ReservedConcurrentExecutions" in change.changed:
        _set_concurrency(change, aws)
    needs_version = configuration or code_changed or "Publish" in change.changed
    if change.request["Publish"] and needs_version:
        aws.call("lambda", "PublishVersion", name)


def _changed_configuration(change: Change) -> Request:
    """Return the parameters of UpdateFunctionConfiguration that have changed.

    A parameter that the program has removed gets the value that means "not set", if there is one.
    """
    changed = change.changed & CONFIGURATION_PARAMETERS
    values = {**VALUES_FOR_NOT_SET, **change.request}
    return {parameter: values[parameter] for parameter in changed if parameter in values}


def _set_concurrency(change: Change, aws: Aws) -> None:
    """Set the reserved concurrency of a function, or remove it."""
    name = {"FunctionName": change.id}
    reserved = change.changed_values("ReservedConcurrentExecutions")
    if UNRESERVED in reserved.values():
        aws.call("lambda", "DeleteFunctionConcurrency", name)
    else:
        aws.call("lambda", "PutFunctionConcurrency", {**name, **reserved})


def _recomputed_outputs(changed: frozenset[str], inputs: Outputs) -> frozenset[str]:
    """Return the outputs of a function that are not known before an update.

    terraform-provider-aws, internal/service/lambda/function.go: updateComputedAttributesOnPublish.
    """
    outputs: frozenset[str] = frozenset()
    if changed & {"code", "architectures"}:
        outputs |= {"lastModified"}
    if inputs.get("publish") and changed - {"tags", "tagsAll", "reservedConcurrentExecutions"}:
        outputs |= {"version", "qualifiedArn", "qualifiedInvokeArn"}
    return outputs


def _add_permission(request: Request, aws: Aws) -> str:
    aws.call("lambda", "AddPermission", request)
    return str(request["StatementId"])


def _function_of_permission(identity: Identity) -> Request:
    """Return the parameters that identify the function, and the version, of a permission."""
    return pick_values(identity.request, "FunctionName", "Qualifier")


def _read_permission(identity: Identity, aws: Aws) -> Snapshot:
    function = _function_of_permission(identity)
    policy = json.loads(aws.call("lambda", "GetPolicy", function)["Policy"])
    for statement in policy["Statement"]:
        if statement["Sid"] == identity.id:
            return Snapshot({**function, **_permission_values(statement)})
    raise GoneError(identity.id)


def _permission_values(statement: Mapping[str, Response]) -> Request:
    """Return the parameters of AddPermission that created a statement of a resource policy."""
    [principal] = statement["Principal"].values()
    conditions = statement.get("Condition", {})
    values = {
        "StatementId": statement["Sid"],
        "Action": statement["Action"],
        "Principal": principal,
        "SourceArn": conditions.get("ArnLike", {}).get("AWS:SourceArn"),
        "SourceAccount": conditions.get("StringEquals", {}).get("AWS:SourceAccount"),
    }
    return {name: value for name, value in values.items() if value is not None}


def _remove_permission(identity: Identity, aws: Aws, _limit: DeletionLimit) -> None:
    request = {**_function_of_permission(identity), "StatementId": identity.id}
    aws.call("lambda", "RemovePermission", request)


def _invoke(request: Request, aws: Aws) -> str:
    """Invoke a function, and return the id of the invocation, which is made of its parameters.

    Raises:
        DeploymentError: the function has failed.
    """
    parameters = pick_values(request, "FunctionName", "Qualifier", "Payload")
    response = aws.call("lambda", "Invoke", {**parameters, "InvocationType": "RequestResponse"})
    result = response["Payload"].read().decode()
    if "FunctionError" in response:
        raise DeploymentError(f"invoking Lambda Function ({request['FunctionName']}): {result}")
    digest = hashlib.md5(str(request["Payload"]).encode(), usedforsecurity=False).hexdigest()
    return f"{request['FunctionName']}_{request['Qualifier']}_{digest}"


PERMISSION_INPUTS = {
    "statementId": "StatementId",
    "function": "FunctionName",
    "qualifier": "Qualifier",
    "action": "Action",
    "principal": "Principal",
    "sourceArn": "SourceArn",
    "sourceAccount": "SourceAccount",
}

INVOCATION_INPUTS = {
    "functionName": "FunctionName",
    "qualifier": "Qualifier",
    "input": "Payload",
}

ROWS: Rows = {
    # terraform-provider-aws, internal/service/lambda/function.go: ForceNew on function_name.
    "aws:lambda/function:Function": Row(
        inputs={
            "name": "FunctionName",
            "description": "Description",
            "code": ("Code", Converter(_files_of_code, UNCHANGED.from_api)),
            "handler": "Handler",
            "runtime": ("Runtime", Converter(_supported_runtime, UNCHANGED.from_api)),
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
        name_rule=naming.FUNCTION,
        defaults={
            "timeout": 3,
            "memorySize": 128,
            "publish": False,
            "reservedConcurrentExecutions": UNRESERVED,
        },
        create=_create_function,
        set_after_creation=frozenset({"reservedConcurrentExecutions"}),
        read=_read_function,
        unreadable_inputs=frozenset({"code", "runtime", "publish"}),
        computed_outputs=frozenset(
            {"arn", "qualifiedArn", "version", "invokeArn", "qualifiedInvokeArn", "architectures"}
            | {"responseStreamingInvokeArn", "lastModified", "codeSha256", "sourceCodeSize"}
            | {"signingJobArn", "signingProfileVersionArn"}
        ),
        update=_update_function,
        replacing_inputs=frozenset({"name"}),
        recomputed_outputs=_recomputed_outputs,
        tagging=Tagging(
            "lambda", "Resource", lambda name, aws: aws.arn("lambda", f"function:{name}")
        ),
        delete=delete_by_id("lambda", "DeleteFunction", "FunctionName"),
    ),
    # internal/service/lambda/permission.go: ForceNew on all inputs. Lambda cannot update them.
    "aws:lambda/permission:Permission": Row(
        inputs=PERMISSION_INPUTS,
        name_rule=naming.STATEMENT,
        name_input="statementId",
        create=_add_permission,
        read=_read_permission,
        update=never_updated,
        replacing_inputs=frozenset(PERMISSION_INPUTS),
        delete=_remove_permission,
    ),
    # internal/service/lambda/invocation.go: ForceNew on all inputs, as with the default lifecycle
    # scope CREATE_ONLY. Nothing is read or deleted.
    "aws:lambda/invocation:Invocation": Row(
        inputs=INVOCATION_INPUTS,
        defaults={"qualifier": "$LATEST"},
        create=_invoke,
        read=lambda identity, _aws: Snapshot(identity.request),
        update=never_updated,
        replacing_inputs=frozenset(INVOCATION_INPUTS),
        delete=lambda _identity, _aws, _limit: None,
    ),
}

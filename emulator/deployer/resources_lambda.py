"""The functions of Lambda, the permissions to invoke them, and invocations by the program."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, cast

from emulator.deployer import wire
from emulator.deployer.errors import DeploymentError, GoneError, InputRefusedError
from emulator.deployer.rows import Outputs, OwnCall, Resource, Row, Rows, TagCalls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.translation import Request

OLDEST_MINOR_VERSION = 12
"""The oldest supported Python is 3.12."""
CONFIGURATION = frozenset(
    {"description", "handler", "runtime", "role", "timeout", "memorySize", "environment"}
    | {"loggingConfig", "tracingConfig", "kmsKeyArn"}
)
"""The inputs that UpdateFunctionConfiguration sets."""
CODE = frozenset({"code", "architectures"})
"""The inputs that UpdateFunctionCode sets."""


def _check_runtime(runtime: object) -> None:
    """Raise InputRefusedError unless the runtime is Python 3.12 or newer.

    The emulator runs every function in the interpreter of the emulator itself.
    """
    version = re.fullmatch(r"python3\.(\d+)", str(runtime))
    if version is None or int(version[1]) < OLDEST_MINOR_VERSION:
        reason = f"{runtime!r} is not supported, only python3.12 or newer"
        raise InputRefusedError("runtime", reason)


def _check_code(code: object) -> None:
    """Raise InputRefusedError if the archive is not supported."""
    if not wire.is_archive(code):
        raise InputRefusedError("code", "is no archive")
    wire.read_files(code, "code")


def _create_function(values: Request, aws: Aws) -> Response:
    """Create a function from the archive of the program."""
    return aws.call("lambda", "CreateFunction", {**values, "Code": {"ZipFile": _zip_file(values)}})


def _zip_file(values: Request) -> bytes:
    """Return the zip file of a function.

    Its entries have no time, so that equal files give equal bytes, which are unpacked once.
    """
    files = wire.read_files(cast("wire.Properties", values["Code"]), "code")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _read_function(function: Resource, aws: Aws) -> Response:
    """Return the configuration of a function with its concurrency, tags and ARNs.

    The newest version is the last one. Before the first one is published, it is $LATEST.
    """
    response = aws.call("lambda", "GetFunction", function.values)
    *_, latest = aws.list_items("lambda", "ListVersionsByFunction", "Versions", function.values)
    arn = response["Configuration"]["FunctionArn"]
    qualified_arn = f"{arn}:{latest['Version']}"
    gateway = f"arn:{aws.partition}:apigateway:{aws.region}:lambda:path"
    return {
        **response["Configuration"],
        **response.get("Concurrency", {}),
        "Tags": response.get("Tags", {}),
        "Version": latest["Version"],
        "QualifiedArn": qualified_arn,
        "InvokeArn": f"{gateway}/2015-03-31/functions/{arn}/invocations",
        "QualifiedInvokeArn": f"{gateway}/2015-03-31/functions/{qualified_arn}/invocations",
        "StreamingArn": f"{gateway}/2021-11-15/functions/{arn}/response-streaming-invocations",
    }


def _update_function(function: Resource, aws: Aws) -> None:
    """Set the inputs that have changed. Then publish a version, if the program wants versions."""
    publishes = function.values["Publish"]
    values = {name: value for name, value in function.values.items() if name != "Publish"}
    if function.changed & CONFIGURATION:
        aws.call("lambda", "UpdateFunctionConfiguration", values)
    if function.changed & CODE:
        zip_file = _zip_file(function.values)
        aws.call("lambda", "UpdateFunctionCode", {**values, "ZipFile": zip_file})
    if publishes:
        aws.call("lambda", "PublishVersion", {"FunctionName": function.id})


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


def _read_permission(permission: Resource, aws: Aws) -> Response:
    """Return nothing if the permission exists. Nobody changes a statement, which AWS cannot do."""
    policy = json.loads(aws.call("lambda", "GetPolicy", permission.values)["Policy"])
    if permission.id not in [statement["Sid"] for statement in policy["Statement"]]:
        raise GoneError(permission.id)
    return {}


def _invoke(values: Request, aws: Aws) -> Response:
    """Invoke a function. Raises DeploymentError if the function fails."""
    response = aws.call("lambda", "Invoke", values)
    result = response["Payload"].read().decode()
    if "FunctionError" in response:
        raise DeploymentError(f"invoking Lambda Function ({values['FunctionName']}): {result}")
    return response


def _invocation_id(values: Mapping[str, object]) -> str:
    digest = hashlib.md5(str(values["Payload"]).encode(), usedforsecurity=False).hexdigest()
    return f"{values['FunctionName']}_{values['Qualifier']}_{digest}"


PERMISSION_INPUTS = "statementId function qualifier action principal sourceArn sourceAccount"
INVOCATION_INPUTS = "functionName qualifier input"

ROWS: Rows = {
    # terraform-provider-aws, internal/service/lambda/function.go
    "aws:lambda/function:Function": Row(
        service="lambda",
        operation="CreateFunction",
        inputs="name description code handler runtime architectures role timeout memorySize "
        "environment loggingConfig tracingConfig publish kmsKeyArn reservedConcurrentExecutions "
        "tags",
        api_names={"name": "FunctionName"},
        checks={"code": _check_code, "runtime": _check_runtime},
        name_pattern=r"[A-Za-z0-9_-]+",
        # The model's limit is for an ARN:
        # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
        longest_name=64,
        defaults={
            "timeout": 3,
            "memorySize": 128,
            "publish": False,
            "reservedConcurrentExecutions": -1,  # -1 stands for no reservation.
        },
        create=_create_function,
        read=_read_function,
        unreadable="code publish",
        outputs={
            "architectures": "Architectures",
            "arn": "FunctionArn",
            "codeSha256": "CodeSha256",
            "invokeArn": "InvokeArn",
            "lastModified": "LastModified",
            "qualifiedArn": "QualifiedArn",
            "qualifiedInvokeArn": "QualifiedInvokeArn",
            "responseStreamingInvokeArn": "StreamingArn",
            "signingJobArn": "SigningJobArn",
            "signingProfileVersionArn": "SigningProfileVersionArn",
            "sourceCodeSize": "CodeSize",
            "version": "Version",
        },
        update=_update_function,
        own_calls={
            "reservedConcurrentExecutions": OwnCall(
                "PutFunctionConcurrency", "DeleteFunctionConcurrency"
            )
        },
        unset={"description": "", "environment": {"Variables": {}}, "kmsKeyArn": ""},
        replacing="name",
        recomputed_outputs=_recomputed_outputs,
        tag_calls=TagCalls(list=""),
        delete="DeleteFunction",
    ),
    # internal/service/lambda/permission.go
    "aws:lambda/permission:Permission": Row(
        service="lambda",
        operation="AddPermission",
        inputs=PERMISSION_INPUTS,
        api_names={"function": "FunctionName"},
        name_input="statementId",
        name_pattern=r"[A-Za-z0-9_-]+",
        read=_read_permission,
        unreadable=PERMISSION_INPUTS,
        replacing=PERMISSION_INPUTS,
        delete="RemovePermission",
    ),
    # internal/service/lambda/invocation.go, with the default lifecycle scope CREATE_ONLY.
    "aws:lambda/invocation:Invocation": Row(
        service="lambda",
        operation="Invoke",
        inputs=INVOCATION_INPUTS,
        api_names={"input": "Payload"},
        defaults={"qualifier": "$LATEST"},
        constants={"InvocationType": "RequestResponse"},
        id=_invocation_id,
        create=_invoke,
        read=None,
        unreadable=INVOCATION_INPUTS,
        replacing=INVOCATION_INPUTS,
        delete=None,
    ),
}

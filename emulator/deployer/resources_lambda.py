"""The functions of Lambda, the permissions to invoke them, and invocations by the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from emulator.deployer.rows import Resource, Row, Rows, TagCalls

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.translation import Request


def _read_function(function: Resource, aws: Aws) -> Response:
    """Return the configuration of a function with its tags, and with its latest version.

    The latest version is the last one. Before the first one is published, it is $LATEST.
    """
    response = aws.call("lambda", "GetFunction", function.values)
    versions = aws.call("lambda", "ListVersionsByFunction", {**function.values, "MaxItems": 10000})
    *_, latest = versions["Versions"]
    arn = response["Configuration"]["FunctionArn"]
    return {
        **response["Configuration"],
        "Tags": response.get("Tags", {}),
        "Version": latest["Version"],
        "QualifiedArn": f"{arn}:{latest['Version']}",
    }


def _update_function(function: Resource, aws: Aws) -> None:
    """Set the inputs that have changed. Then publish a version, if the program wants versions."""
    publishes = function.values["Publish"]
    values = {name: value for name, value in function.values.items() if name != "Publish"}
    if function.changed - {"code", "architectures", "publish"}:
        aws.call("lambda", "UpdateFunctionConfiguration", values)
    if function.changed & {"code", "architectures"}:
        code = cast("Request", values["Code"])
        aws.call("lambda", "UpdateFunctionCode", {**values, **code})
    if publishes:
        aws.call("lambda", "PublishVersion", {"FunctionName": function.id})


PERMISSION_INPUTS = "statementId function action principal sourceArn"
INVOCATION_INPUTS = "functionName input"

ROWS: Rows = {
    # terraform-provider-aws, internal/service/lambda/function.go
    "aws:lambda/function:Function": Row(
        service="lambda",
        operation="CreateFunction",
        inputs="name code handler runtime architectures role timeout memorySize environment "
        "loggingConfig tracingConfig publish tags",
        api_names={"name": "FunctionName"},
        # The model's limit is for an ARN:
        # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
        name_pattern=r"[A-Za-z0-9_-]{1,64}",
        defaults={"timeout": 3, "memorySize": 128, "publish": False},
        read=_read_function,
        unreadable="code publish",
        outputs={
            "arn": "FunctionArn",
            "codeSha256": "CodeSha256",
            "qualifiedArn": "QualifiedArn",
            "version": "Version",
        },
        update=_update_function,
        unset={"environment": {}},
        replacing="name",
        recomputed_outputs="version qualifiedArn",
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
        read=None,
        replacing=PERMISSION_INPUTS,
        delete="RemovePermission",
    ),
    # internal/service/lambda/invocation.go, with the default lifecycle scope CREATE_ONLY.
    "aws:lambda/invocation:Invocation": Row(
        service="lambda",
        operation="Invoke",
        inputs=INVOCATION_INPUTS,
        api_names={"input": "Payload"},
        constants={"InvocationType": "RequestResponse"},
        id="{FunctionName}",
        read=None,
        replacing=INVOCATION_INPUTS,
        delete=None,
    ),
}

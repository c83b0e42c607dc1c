"""Corrects MiniStack's Lambda: execution roles are enforced, and Python functions run as in AWS.

MiniStack runs functions with any role, even if the role doesn't exist. In AWS, CreateFunction fails
if Lambda can't assume the role. Invocations also fail, but only once Lambda has to assume the role
again, whereas the emulator checks the role at every invocation
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html).

Python functions run under awslambdaric, which is AWS's own runtime client.
"""

import functools
import io
import re
import shlex
import socketserver
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch_logs, lambda_svc

from emulator.protocol.errors import ApiError
from emulator.server import call_log, iam, local_requests, ministack

SERVICE_PRINCIPAL = "lambda.amazonaws.com"
CREATE_PATH = "/2015-03-31/functions"
INVOKE_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
ROLE_ERROR = "The role defined for the function cannot be assumed by Lambda."

# MiniStack sends the headers and the body of an event in separate packets, so Nagle's algorithm
# would delay every event by 40 ms.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True
# MiniStack stops reading a function's log if there's no line for 5 ms, so on a busy machine, lines
# would be lost. These are the seconds to wait for the first line, between two lines and in total.
lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.05, 0.05, 0.25)  # noqa: SLF001


@ministack.guard("lambda")
def reject_creation(call: ministack.Call) -> None:
    """Reject CreateFunction if Lambda can't assume the execution role."""
    if call.method != "POST" or call.path.rstrip("/") != CREATE_PATH:
        return

    name = call.document["FunctionName"]
    function_arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"
    if not iam.trusts(call.document["Role"], service=SERVICE_PRINCIPAL, source_arn=function_arn):
        raise ApiError("InvalidParameterValueException", ROLE_ERROR)


@ministack.guard("lambda")
def reject_invocation(call: ministack.Call) -> None:
    """Reject Invoke if Lambda can no longer assume the function's execution role."""
    match = INVOKE_PATH.fullmatch(call.path)
    if match and not may_assume_role(unquote(match[1])):
        raise ApiError("AccessDeniedException", ROLE_ERROR, 403)


def may_assume_role(name_or_arn: str) -> bool:
    """Return whether Lambda may assume a function's execution role.

    For a function that doesn't exist, return True because MiniStack has its own error for that.
    """
    name = lambda_svc._resolve_request_scoped_name(name_or_arn)  # noqa: SLF001  # it knows all forms
    record = lambda_svc._functions.get(name)  # noqa: SLF001  # GetFunction would need a caller
    if record is None:
        return True

    config = record["config"]
    return iam.trusts(config["Role"], service=SERVICE_PRINCIPAL, source_arn=config["FunctionArn"])


@ministack.replace(lambda_svc, "_reserved_concurrency")
def read_reserved_concurrency(
    _read: object, _version: object, config: dict[str, Any]
) -> int | None:
    """Return a function's current reserved concurrency, or None if nothing is reserved.

    MiniStack would return the value from the time at which the invoked version was published. In
    AWS, the current limit applies to all versions, so 0 also stops invocations of older versions
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
    """
    record = lambda_svc._functions.get(config["FunctionName"], {})  # noqa: SLF001  # see may_assume_role
    reserved: int | None = record.get("concurrency")
    return reserved


@ministack.replace(lambda_svc, "_execute_function_warm")
def run_python(
    run: Callable[..., dict[str, Any]], function: dict[str, Any], *invocation: object
) -> dict[str, Any]:
    """Run a Python function under awslambdaric, which MiniStack treats as a custom runtime.

    MiniStack's own Python runner reports errors without their class and stack trace, so the Retry
    and Catch of a state machine wouldn't match them.
    """
    config = function["config"]
    if not config["Runtime"].startswith("python"):
        return run(function, *invocation)

    custom_function = {
        **function,
        "config": {**config, "Runtime": "provided.al2023"},
        "code_zip": _add_bootstrap(function["code_zip"], _build_bootstrap(config)),
    }
    run_custom = lambda_svc._execute_function_provided_warm  # noqa: SLF001  # it serves the Runtime API
    response: dict[str, Any] = run_custom(custom_function, *invocation)
    return response


@ministack.replace(lambda_runtime.ProvidedWorker, "_await_init")
def raise_init_error(
    wait: Callable[..., None], worker: lambda_runtime.ProvidedWorker, *args: object
) -> None:
    """Wait until awslambdaric has imported the function, or raise the import error that it reports.

    MiniStack would report every import error as Runtime.Unknown.
    """
    try:
        wait(worker, *args)
    except RuntimeError as error:
        details = worker._init_error  # noqa: SLF001  # the exception has only a message
        if details is None:
            raise
        raise lambda_runtime.ProvidedRuntimeError(
            details["errorMessage"], details["errorType"]
        ) from error


def _build_bootstrap(config: dict[str, Any]) -> str:
    """Build the script that sets Lambda's environment variables and starts awslambdaric."""
    logging = config["LoggingConfig"]
    variables = {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_LOG_GROUP_NAME": _find_log_group(config),
        "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text"),
        "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel", ""),
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items() if value]
    return "\n".join(["#!/bin/sh", *exports, 'exec python -m awslambdaric "$_HANDLER"', ""])


@functools.lru_cache(maxsize=100)
def _add_bootstrap(code_zip: bytes, script: str) -> bytes:
    """Return a copy of a function's zip file with the script that starts the function."""
    buffer = io.BytesIO(code_zip)
    with zipfile.ZipFile(buffer, "a") as archive:
        # ZipInfo has a fixed timestamp, so the same code always results in the same zip file, which
        # MiniStack then unpacks only once.
        archive.writestr(zipfile.ZipInfo("bootstrap"), script)
    return buffer.getvalue()


def _find_log_group(config: dict[str, Any]) -> str:
    """Return a function's log group, either the configured one or Lambda's default."""
    default = f"/aws/lambda/{config['FunctionName']}"
    return str(config["LoggingConfig"].get("LogGroup", default))


@ministack.replace(lambda_svc, "_emit_lambda_logs")
def write_logs_if_allowed(
    write: Callable[..., None], function: dict[str, Any], *args: object, **kwargs: object
) -> None:
    """Store a function's log lines only if its execution role may write them.

    Without the permission, the invocation goes on, but its log lines are lost
    (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html).
    """
    if _authorize_log_writes(function.get("config", function)):
        write(function, *args, **kwargs)


def _authorize_log_writes(config: dict[str, Any]) -> bool:
    """Check whether a function's execution role allows writing the function's logs.

    If it doesn't, the denied action is added to the call log. `log_call` doesn't do that, because
    MiniStack stores log lines without an API request.
    """
    access_key = lambda_runtime.execution_credentials(config)["AWS_ACCESS_KEY_ID"]
    log_group = _find_log_group(config)
    log_group_arn = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{log_group}"
    stream_arn = f"{log_group_arn}:log-stream:1"

    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    if log_group not in cloudwatch_logs._log_groups:  # noqa: SLF001  # the API would need a caller
        actions.append("logs:CreateLogGroup")

    for action in actions:
        if not iam.is_allowed(access_key, get_region(), action, stream_arn):
            call_log.add_call(iam.find_caller_arn(access_key), action, call_log.FORBIDDEN)
            return False
    return True


@ministack.replace(BaseHTTPRequestHandler, "parse_request")
def reject_web_page_requests(
    parse_request: Callable[[BaseHTTPRequestHandler], bool], handler: BaseHTTPRequestHandler
) -> bool:
    """Parse a request to the Lambda Runtime API and reject it if a web page could have sent it.

    `Application` can't check these requests because MiniStack opens a separate port for each
    function process. Return False if the request was invalid or rejected.
    """
    if not parse_request(handler):
        return False

    port = handler.connection.getsockname()[1]
    refusal = local_requests.explain_refusal(handler.command, handler.headers.items(), port)
    if refusal is not None:
        handler.send_error(call_log.FORBIDDEN, explain=refusal)
    return refusal is None

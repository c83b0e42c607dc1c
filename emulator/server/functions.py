"""Lambda: functions run with their roles, and write their logs with them.

MiniStack opens a session of any role for its functions, even of a role that does not exist. AWS
refuses the creation. It also refuses an invocation when it has to assume the role again, and the
emulator checks each invocation
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html).
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

SERVICE = "lambda.amazonaws.com"
CREATE_PATH = "/2015-03-31/functions"
INVOKE_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
WRONG_ROLE = "The role defined for the function cannot be assumed by Lambda."

# MiniStack writes the headers and the body of an event separately, so Nagle's algorithm would delay
# each event by 40 ms.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True
# MiniStack stops reading the log after 5 ms without a line, so on a busy machine it loses lines.
# Seconds for the first line, between two lines, and in all:
lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.05, 0.05, 0.25)  # noqa: SLF001


@ministack.guard("lambda")
def refuse_creation(call: ministack.Call) -> None:
    """Refuse CreateFunction if Lambda may not assume the role."""
    if call.method != "POST" or call.path.rstrip("/") != CREATE_PATH:
        return

    name = call.document["FunctionName"]
    function_arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"
    if not iam.trusts(call.document["Role"], service=SERVICE, source_arn=function_arn):
        raise ApiError("InvalidParameterValueException", WRONG_ROLE)


@ministack.guard("lambda")
def refuse_invocation(call: ministack.Call) -> None:
    """Refuse Invoke if Lambda may not assume the role any more."""
    match = INVOKE_PATH.fullmatch(call.path)
    if match and not may_assume_role(unquote(match[1])):
        raise ApiError("AccessDeniedException", WRONG_ROLE, 403)


def may_assume_role(function: str) -> bool:
    """Return True if Lambda may assume the role of a function, or if there is no such function."""
    name = lambda_svc._resolve_request_scoped_name(function)  # noqa: SLF001  # knows all spellings
    record = lambda_svc._functions.get(name)  # noqa: SLF001  # GetFunction needs a caller
    if record is None:
        return True
    config = record["config"]
    return iam.trusts(config["Role"], service=SERVICE, source_arn=config["FunctionArn"])


@ministack.replace(lambda_svc, "_reserved_concurrency")
def read_reserved_concurrency(
    _read: object, _version: object, config: dict[str, Any]
) -> int | None:
    """Read how many executions are reserved for a function now, or None.

    MiniStack asks the published version, which has what was reserved when it was published. In AWS
    the limit counts for all versions, so 0 also stops those that are called by their number
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
    """
    record = lambda_svc._functions.get(config["FunctionName"], {})  # noqa: SLF001  # as above
    reserved: int | None = record.get("concurrency")
    return reserved


@ministack.replace(lambda_svc, "_execute_function_warm")
def run_python(
    run: Callable[..., dict[str, Any]], function: dict[str, Any], *invocation: object
) -> dict[str, Any]:
    """Run a Python function under AWS's runtime client, which is a custom runtime for MiniStack.

    MiniStack has a runner of its own for Python. An error there has no class and no stack trace, so
    no Retry or Catch of a state machine would match it.
    """
    config = function["config"]
    if not config["Runtime"].startswith("python"):
        return run(function, *invocation)

    custom_function = {
        **function,
        "config": {**config, "Runtime": "provided.al2023"},
        "code_zip": _add_bootstrap(function["code_zip"], _build_bootstrap(config)),
    }
    run_custom = lambda_svc._execute_function_provided_warm  # noqa: SLF001  # knows the Runtime API
    response: dict[str, Any] = run_custom(custom_function, *invocation)
    return response


@ministack.replace(lambda_runtime.ProvidedWorker, "_await_init")
def raise_import_error(
    wait: Callable[..., None], worker: lambda_runtime.ProvidedWorker, *args: object
) -> None:
    """Raise the error of AWS's runtime client if it cannot import the function.

    In MiniStack the type of each of these errors is Runtime.Unknown.
    """
    try:
        wait(worker, *args)
    except RuntimeError as error:
        details = worker._init_error  # noqa: SLF001  # the exception has it only as a text
        if details is None:
            raise
        raise lambda_runtime.ProvidedRuntimeError(
            details["errorMessage"], details["errorType"]
        ) from error


def _build_bootstrap(config: dict[str, Any]) -> str:
    """Build the script that starts a Python function, with the variables that Lambda sets."""
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
def _add_bootstrap(code: bytes, script: str) -> bytes:
    """Add the script that starts a function to its zip file."""
    buffer = io.BytesIO(code)
    with zipfile.ZipFile(buffer, "a") as archive:
        # ZipInfo has a fixed time, because MiniStack unpacks equal zip files only once.
        archive.writestr(zipfile.ZipInfo("bootstrap"), script)
    return buffer.getvalue()


def _find_log_group(config: dict[str, Any]) -> str:
    default = f"/aws/lambda/{config['FunctionName']}"
    return str(config["LoggingConfig"].get("LogGroup", default))


@ministack.replace(lambda_svc, "_emit_lambda_logs")
def write_allowed_logs(
    write: Callable[..., None], function: dict[str, Any], *args: object, **kwargs: object
) -> None:
    """Store the log lines of a function only if its role may write them.

    Without the permission the invocation continues, and its lines are lost
    (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html). A log group that
    does not exist takes another permission.
    """
    if _may_write_logs(function.get("config", function)):
        write(function, *args, **kwargs)


def _may_write_logs(config: dict[str, Any]) -> bool:
    """Check each permission that a function's role needs for its logs, and log a denial."""
    access_key = lambda_runtime.execution_credentials(config)["AWS_ACCESS_KEY_ID"]
    log_group = _find_log_group(config)
    logs_arn = f"arn:aws:logs:{get_region()}:{get_account_id()}"
    stream_arn = f"{logs_arn}:log-group:{log_group}:log-stream:1"

    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    if log_group not in cloudwatch_logs._log_groups:  # noqa: SLF001  # as above
        actions.append("logs:CreateLogGroup")

    for action in actions:
        if not iam.is_allowed(access_key, get_region(), action, stream_arn):
            call_log.add_call(iam.find_caller_arn(access_key), action, call_log.FORBIDDEN)
            return False
    return True


@ministack.replace(BaseHTTPRequestHandler, "parse_request")
def refuse_web_pages(
    parse_request: Callable[[BaseHTTPRequestHandler], bool], handler: BaseHTTPRequestHandler
) -> bool:
    """Refuse a request to MiniStack's Lambda Runtime API that a web page could have sent.

    Each process of a function has a server on a port of its own.
    """
    if not parse_request(handler):
        return False

    port = handler.connection.getsockname()[1]
    refusal = local_requests.explain_refusal(handler.command, handler.headers.items(), port)
    if refusal is not None:
        handler.send_error(call_log.FORBIDDEN, explain=refusal)
    return refusal is None

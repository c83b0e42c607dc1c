"""The places where the emulator reads or replaces internals of MiniStack, each with its reason.

Written for ministack 1.5.33. None of this is a public interface, so any release may move it. A
test checks that every place is still there.
"""

from __future__ import annotations

import json
import socketserver
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict, cast

from ministack import app as ministack
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.services import cloudwatch_logs, eventbridge, iam, lambda_svc, s3, scheduler, sts

from emulator.server import http
from emulator.server.slots import Timing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from emulator.server.http import Response

    Handler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[Response]]

Document = dict[str, object]


class RetryPolicy(TypedDict, total=False):
    """The limits for the retries of a schedule's delivery."""

    MaximumRetryAttempts: int
    MaximumEventAgeInSeconds: int


class DeadLetterConfig(TypedDict, total=False):
    """The queue for the events of a schedule that cannot be delivered."""

    Arn: str


class ScheduleTarget(TypedDict):
    """The target of a schedule, with its role and its input."""

    Arn: str
    RoleArn: str
    Input: NotRequired[str]
    RetryPolicy: NotRequired[RetryPolicy]
    DeadLetterConfig: NotRequired[DeadLetterConfig]


class Schedule(Timing):
    """MiniStack's record of a schedule."""

    Arn: str
    Name: str
    GroupName: str
    State: str
    Target: ScheduleTarget


class StoredSchedule(NamedTuple):
    """A schedule, with the account and region that it is in."""

    account: str
    region: str
    schedule: Schedule


class FunctionConfig(NamedTuple):
    """The ARN of a function, and the ARN of its role."""

    arn: str
    role_arn: str


# Reads


def trust_policy(role_arn: str) -> Document | None:
    """Return the trust policy of a role, or None if there is no such role."""
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name)  # noqa: SLF001  # GetRole needs a caller
    if role is None or role["Arn"] != role_arn:
        return None
    return cast("Document", json.loads(role["AssumeRolePolicyDocument"]))


def caller_arn(access_key: str) -> str:
    """Return the ARN of the principal that an access key belongs to, in the current account.

    Return the access key itself if it belongs to nobody.
    """
    identity = iam_evaluator.resolve_caller_identity(access_key)
    return str(identity["userArn"]) if identity else access_key


def bucket_policy(bucket: str, account: str) -> Document | None:
    """Return the policy of a bucket, or None if it has no policy."""
    text = s3._bucket_policies.get_scoped(account, None, bucket)  # noqa: SLF001  # GetBucketPolicy needs a caller
    return cast("Document", json.loads(text)) if text else None


def register_session(access_key: str, session: Document) -> None:
    """Make MiniStack accept the access key of a role session."""
    sts.register_session(access_key, session)


def schedules() -> list[StoredSchedule]:
    """Return the schedules of every account and region."""
    items = scheduler._schedules.all_items()  # noqa: SLF001  # ListSchedules has one account only
    return [StoredSchedule(account, region, record) for (account, region, _), record in items]


def function_config(function: str) -> FunctionConfig | None:
    """Return the ARNs of a function, or None if there is no such function.

    `function` is a name or an ARN in the current account and region.
    """
    name = lambda_svc._resolve_request_scoped_name(function)  # noqa: SLF001  # knows all spellings
    record = lambda_svc._functions.get(name)  # noqa: SLF001  # GetFunction needs a caller
    if record is None:
        return None
    config = record["config"]
    return FunctionConfig(str(config["FunctionArn"]), str(config["Role"]))


def function_policy(function_arn: str) -> Document | None:
    """Return the resource policy of a function in the current account and region.

    Return None if the function has no policy.
    """
    policy_and_revision = lambda_svc.function_policy_for_arn(function_arn)
    return cast("Document", policy_and_revision[0]) if policy_and_revision else None


# Writes


def put_service_event(entry: Document) -> None:
    """Put an event whose source is an AWS service. The API's PutEvents refuses such events."""
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)  # noqa: SLF001


def forget_everything() -> None:
    """End the process of every function and empty MiniStack's stores."""
    ministack._reset_all_state()  # noqa: SLF001  # the function behind MiniStack's reset path


# Replacements


def stop_ministack_scheduler() -> None:
    """Stop MiniStack from firing schedules, because `server/scheduler.py` fires them.

    MiniStack would check no role and fill in no context attributes.
    """
    scheduler.start_scheduler = lambda: None


def name_the_resource_of_each_call() -> None:
    """Check a caller's permission on a schedule or on a simulated principal with its whole ARN.

    MiniStack checks it on `schedule/default/NAME`, even if the call names another group. It checks
    SimulatePrincipalPolicy on `*`, which a policy for roles and users does not allow.
    """
    ministack_resource_arn = iam_actions.extract_resource_arn

    def extract_resource_arn(  # noqa: PLR0917  # MiniStack's own signature
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, list[str]],
        region: str,
        account: str,
    ) -> str:
        if service == "iam" and "PolicySourceArn" in query:
            return query["PolicySourceArn"][0]
        arn: str = ministack_resource_arn(
            service, method, path, headers, body, query, region, account
        )
        group = (query.get("groupName") or ["default"])[0]
        return arn.replace(":schedule/default/", f":schedule/{group}/", 1)

    iam_actions.extract_resource_arn = extract_resource_arn


def serve_states(handler: Handler) -> None:
    """Let `handler` respond to the calls to Step Functions that MiniStack has authorised."""
    ministack.SERVICE_HANDLERS["states"] = handler


class Call(NamedTuple):
    """A call as MiniStack passes it to the handler of a service."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, list[str]]


def _replace_handler(service: str, respond: Callable[[Call, Handler], Awaitable[Response]]) -> None:
    """Let `respond` serve the calls to a service instead of MiniStack's handler.

    The arguments of `respond` are the call and MiniStack's handler.
    """
    ministack_handler: Handler = ministack.SERVICE_HANDLERS[service]

    async def handler(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, list[str]],
    ) -> Response:
        return await respond(Call(method, path, headers, body, query), ministack_handler)

    ministack.SERVICE_HANDLERS[service] = handler


def guard_service(service: str, refusal: Callable[[str, str, bytes], Response | None]) -> None:
    """Let `refusal` refuse calls to a service that MiniStack has authorised.

    Its arguments are the method, the path and the body of the call. It returns an error response,
    or None to let MiniStack serve the call.
    """

    async def guarded(call: Call, handler: Handler) -> Response:
        return refusal(call.method, call.path, call.body) or await handler(*call)

    _replace_handler(service, guarded)


def store_keys_of_log_groups() -> None:
    """Serve AssociateKmsKey and DisassociateKmsKey for log groups. MiniStack lacks both."""

    async def respond(call: Call, handler: Handler) -> Response:
        operation = call.headers.get("x-amz-target", "").rpartition(".")[2]
        if operation not in {"AssociateKmsKey", "DisassociateKmsKey"}:
            return await handler(*call)
        request = json.loads(call.body)
        name = request["logGroupName"]
        group = cloudwatch_logs._log_groups.get(name)  # noqa: SLF001  # no other way to set a key
        if group is None:
            message = f"The specified log group does not exist: {name}"
            return http.error("ResourceNotFoundException", message)
        group["kmsKeyId"] = request.get("kmsKeyId")
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, b"{}"

    _replace_handler("logs", respond)


def remove_every_named_tag() -> None:
    """Remove every tag that a call to Scheduler names. MiniStack removes the first one only."""

    async def untag_each(call: Call, handler: Handler) -> Response:
        if call.method != "DELETE" or not call.path.startswith("/tags/"):
            return await handler(*call)
        *first_keys, last_key = call.query["TagKeys"]
        for key in first_keys:
            await handler(*call._replace(query=call.query | {"TagKeys": [key]}))
        return await handler(*call._replace(query=call.query | {"TagKeys": [last_key]}))

    _replace_handler("scheduler", untag_each)


def guard_event_targets(
    is_allowed: Callable[[str, str], bool], report_denial: Callable[[str, str], None]
) -> None:
    """Deliver an event to a Lambda function only if `is_allowed` returns True.

    Otherwise call `report_denial`. The arguments of both are the ARN of the function and the ARN
    of the rule. MiniStack itself checks neither the role nor the resource policy of the function.
    """
    ministack_invoke_target = eventbridge._invoke_target  # noqa: SLF001  # has both rule and target

    def invoke_target(
        target: Document, event: Document, rule: Document, view: object = None
    ) -> None:
        target_arn = str(target.get("Arn", ""))
        if ":lambda:" in target_arn and not is_allowed(target_arn, str(rule["Arn"])):
            report_denial(target_arn, str(rule["Arn"]))
        else:
            ministack_invoke_target(target, event, rule, view)

    eventbridge._invoke_target = invoke_target  # noqa: SLF001


def guard_function_logs(
    denied_action: Callable[[str, str], str | None], report_denial: Callable[[str, str], None]
) -> None:
    """Store the log lines of a function only if its role may write them.

    `denied_action` receives the access key of the function's role and the name of the log group.
    It returns the first action that the role is denied, or None if the role may write. After a
    denial `report_denial` is called with the access key and the action.
    """
    ministack_emit_logs = lambda_svc._emit_lambda_logs  # noqa: SLF001  # gets every log line

    def emit_lambda_logs(func: dict[str, Any], *args: object, **kwargs: object) -> None:
        config = func.get("config") or func
        log_group = config.get("LoggingConfig", {}).get("LogGroup")
        access_key = lambda_runtime.execution_credentials(config)["AWS_ACCESS_KEY_ID"]
        denied = denied_action(access_key, log_group or f"/aws/lambda/{config['FunctionName']}")
        if denied is None:
            ministack_emit_logs(func, *args, **kwargs)
        else:
            report_denial(access_key, denied)

    lambda_svc._emit_lambda_logs = emit_lambda_logs  # noqa: SLF001


def wait_for_function_logs() -> None:
    """Wait longer for the last log lines of a function.

    MiniStack stops reading after 5 ms without a line, so on a busy machine it loses later lines.
    """
    first_line_wait, pause_between_lines, total = 0.05, 0.05, 0.25  # seconds
    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (  # noqa: SLF001
        first_line_wait,
        pause_between_lines,
        total,
    )


def guard_function_servers(
    refusal: Callable[[str, Iterable[tuple[str, str]], int], str | None],
) -> None:
    """Refuse a request to MiniStack's Lambda Runtime API if `refusal` returns a message.

    Each environment of a function has a server on a port of its own. The arguments of `refusal` are
    the method and the headers of the request, and the port.
    """
    parse_request = BaseHTTPRequestHandler.parse_request

    def parse_and_check(handler: BaseHTTPRequestHandler) -> bool:
        if not parse_request(handler):
            return False
        port = handler.connection.getsockname()[1]
        message = refusal(handler.command, handler.headers.items(), port)
        if message is not None:
            handler.send_error(http.FORBIDDEN, explain=message)
        return message is None

    BaseHTTPRequestHandler.parse_request = parse_and_check  # type: ignore[assignment,method-assign]  # a method of another class


def respond_to_functions_immediately() -> None:
    """Send the responses of MiniStack's Lambda Runtime API without delay.

    MiniStack writes the headers and the body of a response separately, so Nagle's algorithm would
    delay each event by 40 ms.
    """
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True

"""Every touch on the insides of MiniStack, in one place, with its reason.

Tried against ministack 1.5.33. None of this is a public interface, so any release may move it; a
test tells.
"""

from __future__ import annotations

import json
import socketserver
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict, cast

from ministack import app as ministack
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.services import cloudwatch_logs, eventbridge, iam, lambda_svc, s3, scheduler, sts

from emulator.server import http
from emulator.server.slots import Timing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from emulator.server.http import Answer

    Handler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[Answer]]

Document = dict[str, object]


class RetryPolicy(TypedDict, total=False):
    """How often and how long a schedule's delivery is tried again."""

    MaximumRetryAttempts: int
    MaximumEventAgeInSeconds: int


class DeadLetterConfig(TypedDict, total=False):
    """Where undeliverable events of a schedule go."""

    Arn: str


class ScheduleTarget(TypedDict):
    """What a schedule starts, as whom and with what."""

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


# Reads


def trust_policy(role_arn: str) -> Document | None:
    """The trust policy of a role in MiniStack's store, or None where there is no such role."""
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name)  # noqa: SLF001  # unasked by anybody
    if role is None or role["Arn"] != role_arn:
        return None
    return cast("Document", json.loads(role["AssumeRolePolicyDocument"]))


def caller_arn(access_key: str) -> str:
    """The ARN of the key's owner (in the account in force); the key itself where it has none."""
    identity = iam_evaluator.resolve_caller_identity(access_key)
    return str(identity["userArn"]) if identity else access_key


def bucket_policy(bucket: str, account: str) -> Document | None:
    """The policy of a bucket, or None."""
    text = s3._bucket_policies.get_scoped(account, None, bucket)  # noqa: SLF001  # read without a signed request
    return cast("Document", json.loads(text)) if text else None


def register_session(access_key: str, session: Document) -> None:
    """Make MiniStack accept a role session that was opened here."""
    sts.register_session(access_key, session)


def schedules() -> list[tuple[str, str, Schedule]]:
    """Every schedule as (account, region, record), whoever asks."""
    items = scheduler._schedules.all_items()  # noqa: SLF001  # of all accounts
    return [(account, region, record) for (account, region, _), record in items]


# Replacements


def stop_ministack_scheduler() -> None:
    """Keep MiniStack from firing schedules: it checks no role and fills in no context attribute."""
    scheduler.start_scheduler = lambda: None


def name_schedules_by_their_group() -> None:
    """Let a role's policy be asked about a schedule in its own group.

    MiniStack asks about `schedule/default/NAME`, whatever group the call names.
    """
    name_resource = iam_actions.extract_resource_arn

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
        arn: str = name_resource(service, method, path, headers, body, query, region, account)
        group = (query.get("groupName") or ["default"])[0]
        return arn.replace(":schedule/default/", f":schedule/{group}/", 1)

    iam_actions.extract_resource_arn = extract_resource_arn


def serve_states(handler: Handler) -> None:
    """Let `handler` answer Step Functions' calls that MiniStack has authorised."""
    ministack.SERVICE_HANDLERS["states"] = handler


class Call(NamedTuple):
    """A call as MiniStack passes it to the handler of a service."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, list[str]]


def _replace_handler(service: str, answer: Callable[[Call, Handler], Awaitable[Answer]]) -> None:
    """Let `answer` serve the calls to a service. It also gets the handler that it replaces."""
    respond: Handler = ministack.SERVICE_HANDLERS[service]

    async def handler(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, list[str]],
    ) -> Answer:
        return await answer(Call(method, path, headers, body, query), respond)

    ministack.SERVICE_HANDLERS[service] = handler


def guard_service(service: str, refusal: Callable[[str, str, bytes], Answer | None]) -> None:
    """Let `refusal(method, path, body)` answer for a service where it minds a call.

    It is asked after MiniStack has authenticated and authorised the call.
    """

    async def guarded(call: Call, respond: Handler) -> Answer:
        return refusal(call.method, call.path, call.body) or await respond(*call)

    _replace_handler(service, guarded)


def keep_keys_of_log_groups() -> None:
    """Answer the calls that change the KMS key of a log group, which MiniStack does not have."""

    async def answer_keys(call: Call, respond: Handler) -> Answer:
        operation = call.headers.get("x-amz-target", "").rpartition(".")[2]
        if operation not in {"AssociateKmsKey", "DisassociateKmsKey"}:
            return await respond(*call)
        request = json.loads(call.body)
        name = request["logGroupName"]
        group = cloudwatch_logs._log_groups.get(name)  # noqa: SLF001  # only the store has the key
        if group is None:
            message = f"The specified log group does not exist: {name}"
            return http.error("ResourceNotFoundException", message)
        group["kmsKeyId"] = request.get("kmsKeyId")
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, b"{}"

    _replace_handler("logs", answer_keys)


def remove_all_tags_that_are_named() -> None:
    """Remove every tag that a call to Scheduler names. MiniStack only removes the first one."""

    async def untag_each(call: Call, respond: Handler) -> Answer:
        if call.method != "DELETE" or not call.path.startswith("/tags/"):
            return await respond(*call)
        *others, last = call.query["TagKeys"]
        for key in others:
            await respond(*call._replace(query=call.query | {"TagKeys": [key]}))
        return await respond(*call._replace(query=call.query | {"TagKeys": [last]}))

    _replace_handler("scheduler", untag_each)


def guard_event_targets(allowed: Callable[[str, str], bool]) -> None:
    """Deliver an event to a Lambda function only where `allowed(function ARN, rule ARN)`.

    MiniStack does not look at the function's resource policy.
    """
    deliver = eventbridge._invoke_target  # noqa: SLF001  # the one place that knows both rule and target

    def invoke_target(
        target: Document, event: Document, rule: Document, view: object = None
    ) -> None:
        arn = str(target.get("Arn", ""))
        if ":lambda:" not in arn or allowed(arn, str(rule["Arn"])):
            deliver(target, event, rule, view)

    eventbridge._invoke_target = invoke_target  # noqa: SLF001


def guard_function_logs(allowed: Callable[[str, str], bool]) -> None:
    """Keep a function's log lines only where `allowed(its role's access key, log group)`."""
    write = lambda_svc._emit_lambda_logs  # noqa: SLF001  # all of Lambda's log lines come this way

    def emit_lambda_logs(func: dict[str, Any], *arguments: object, **more: object) -> None:
        config = func.get("config") or func
        group = config.get("LoggingConfig", {}).get("LogGroup")
        access_key = lambda_runtime.execution_credentials(config)["AWS_ACCESS_KEY_ID"]
        if allowed(access_key, group or f"/aws/lambda/{config['FunctionName']}"):
            write(func, *arguments, **more)

    lambda_svc._emit_lambda_logs = emit_lambda_logs  # noqa: SLF001


def wait_for_function_logs() -> None:
    """Give a function's last lines time to come through its pipe.

    MiniStack takes 5 ms without a line for their end, and loses what a busy machine brings later.
    """
    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.05, 0.05, 0.25)  # noqa: SLF001  # seconds: until the first line, between lines, in all


def answer_functions_at_once() -> None:
    """Send what MiniStack's Lambda Runtime API writes without delay.

    It writes headers and body apart, so Nagle's algorithm holds each event back for 40 ms.
    """
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def forget_everything() -> None:
    """End every function's process and empty MiniStack's stores."""
    ministack._reset_all_state()  # noqa: SLF001  # what its own reset path calls


def function_arn_and_role(function: str) -> tuple[str, str] | None:
    """The ARN and the role of a function (a name or ARN in the account and region in force)."""
    name = lambda_svc._resolve_request_scoped_name(function)  # noqa: SLF001  # knows all spellings
    found = lambda_svc._functions.get(name)  # noqa: SLF001  # unasked by anybody
    if found is None:
        return None
    return str(found["config"]["FunctionArn"]), str(found["config"]["Role"])


def function_policy(function_arn: str) -> Document | None:
    """The resource policy of a function (in the account and region in force), or None."""
    found = lambda_svc.function_policy_for_arn(function_arn)
    return cast("Document", found[0]) if found else None


def put_service_event(entry: Document) -> None:
    """Put an event whose source is a service (`aws.*`), which PutEvents refuses to callers."""
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)  # noqa: SLF001

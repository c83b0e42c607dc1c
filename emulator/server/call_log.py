"""The log of the last calls: who called what, and the status of the response."""

import datetime as dt
from collections import deque
from collections.abc import Callable
from typing import Any, TypedDict

from ministack import app
from ministack.core.iam_actions import extract_iam_action
from ministack.core.router import detect_service, extract_access_key_id

from emulator.server import http, iam, ministack
from emulator.server.personalize import find_operation

FORBIDDEN = 403


class Call(TypedDict):
    """One call to AWS.

    `time` is the time of the response (UTC, ISO 8601), `caller` an ARN, `action` the IAM action
    ("s3:GetObject"), and `status` the HTTP status. The status is 0 if there was no response.
    """

    time: str
    caller: str
    action: str
    status: int


CALLS: deque[Call] = deque(maxlen=20_000)
"""The last calls, oldest first."""


def add(caller: str, action: str, status: int) -> None:
    """Log a call that ends now. The arguments are the fields of `Call`."""
    now = dt.datetime.now(dt.UTC).isoformat()
    CALLS.append({"time": now, "caller": caller, "action": action, "status": status})


def list_calls(action: str) -> list[Call]:
    """List the calls whose action begins with `action`, oldest first."""
    return [call for call in list(CALLS) if call["action"].startswith(action)]


@ministack.replace(app, "_dispatch_service_request")
async def log_call(respond: Callable[..., Any], *request: Any) -> http.Response:  # noqa: ANN401  # as in MiniStack
    """Log a request after the service has responded.

    A request without credentials, or without an IAM action, is no call.
    """
    response: http.Response = await respond(*request)
    status, *_ = response
    _, _, headers, _, query, _ = request

    access_key = extract_access_key_id(headers, query)
    action = _find_action(*request)
    if action is not None and access_key:
        add(iam.find_caller_arn(access_key), action, status)
    return response


def _find_action(
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: dict[str, list[str]],
    *_: object,
) -> str | None:
    """Find the IAM action of a request. MiniStack knows those of all services but Personalize."""
    operation = find_operation(headers, path)
    if operation is not None:
        return f"personalize:{operation.name}"

    parameters = app._routing_params(method, path, headers, body, query)  # noqa: SLF001  # also the body's
    service = detect_service(method, path, headers, parameters)
    action: str | None = extract_iam_action(service, method, path, headers, body, parameters)
    return action

"""Logs the most recent AWS calls: who called what, and the status of the response."""

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


class LoggedCall(TypedDict):
    """A call to an AWS service."""

    time: str
    """The time of the response (ISO 8601, UTC)."""
    caller: str
    """The caller's ARN, or the service principal or access key if the caller has no ARN."""
    action: str
    """The IAM action, for example s3:GetObject."""
    status: int
    """The HTTP status, or 0 if the response was lost."""


CALLS: deque[LoggedCall] = deque(maxlen=20_000)
"""The most recent calls, oldest first."""


def add_call(caller: str, action: str, status: int) -> None:
    """Log a call that has just ended."""
    now = dt.datetime.now(dt.UTC).isoformat()
    CALLS.append({"time": now, "caller": caller, "action": action, "status": status})


def list_calls(action_prefix: str) -> list[LoggedCall]:
    """List the logged calls whose action begins with a prefix, oldest first."""
    # Iterate over a copy because another thread may add a call in the meantime.
    return [call for call in list(CALLS) if call["action"].startswith(action_prefix)]


@ministack.replace(app, "_dispatch_service_request")
async def log_call(dispatch: Callable[..., Any], *request: Any) -> http.Response:  # noqa: ANN401  # as in MiniStack
    """Pass a request to its service and log it together with the status of the response.

    Requests without credentials or without an IAM action aren't AWS calls, so they aren't logged.
    """
    response: http.Response = await dispatch(*request)
    status, *_ = response
    _, _, headers, _, query, _ = request

    access_key = extract_access_key_id(headers, query)
    action = _find_action(*request)
    if action is not None and access_key:
        add_call(iam.find_caller_arn(access_key), action, status)
    return response


def _find_action(
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: dict[str, list[str]],
    *_: object,
) -> str | None:
    """Return the IAM action that a request needs, or None if it isn't a request to AWS.

    MiniStack can find the actions of all services except Personalize.
    """
    operation = find_operation(headers, path)
    if operation is not None:
        return f"personalize:{operation}"

    parameters = app._routing_params(method, path, headers, body, query)  # noqa: SLF001  # they may be in the body
    service = detect_service(method, path, headers, parameters)
    action: str | None = extract_iam_action(service, method, path, headers, body, parameters)
    return action

"""The log of the last calls: who called what, and the status of the response."""

import datetime as dt
from collections import deque
from collections.abc import Callable
from typing import Any, TypedDict

from ministack import app
from ministack.core.iam_actions import extract_iam_action
from ministack.core.router import detect_service, extract_access_key_id

from emulator.server import http, iam, ministack
from emulator.server.personalize import operation_of

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
    """Add a call with the present time. The arguments are the fields of `Call`."""
    now = dt.datetime.now(dt.UTC).isoformat()
    CALLS.append({"time": now, "caller": caller, "action": action, "status": status})


def calls(action: str) -> list[Call]:
    """Return the calls whose action begins with `action`, oldest first."""
    return [call for call in list(CALLS) if call["action"].startswith(action)]


@ministack.replace(app, "_dispatch_service_request")
async def log_call(respond: Callable[..., Any], *request: Any) -> http.Response:  # noqa: ANN401  # as in MiniStack
    """Return the response of a service to a request, and add the call to the log.

    A request without credentials, or without an IAM action, is no call.
    """
    response: http.Response = await respond(*request)
    method, path, headers, body, query, _ = request
    access_key = extract_access_key_id(headers, query)

    operation = operation_of(headers, path)
    if operation is not None:
        action = f"personalize:{operation[1]}"
    else:
        query = app._routing_params(method, path, headers, body, query)  # noqa: SLF001  # also the body's
        service = detect_service(method, path, headers, query)
        action = extract_iam_action(service, method, path, headers, body, query)

    if action is not None and access_key:
        add(iam.caller_arn(access_key), action, response[0])
    return response

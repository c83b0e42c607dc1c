"""The log of all calls: who called what, and the status of the response. A small CloudTrail."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import deque
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import parse_qs

from ministack.core.iam_actions import extract_iam_action
from ministack.core.responses import set_request_account_id
from ministack.core.router import detect_service, extract_access_key_id

from emulator.server import http, ministack_internals

if TYPE_CHECKING:
    from hypercorn.typing import (
        ASGIReceiveCallable,
        ASGIReceiveEvent,
        ASGISendCallable,
        ASGISendEvent,
        HTTPScope,
    )

KEPT_CALLS = 20_000
# IAM, STS, SNS and other services have form-encoded requests, which name their action in the body.
# The bodies of those requests are shorter than this.
HEAD_BYTES = 65_536


class Call(TypedDict):
    """One call to AWS.

    `time` is the time of the response (UTC, ISO 8601), `caller` an ARN, `action` the IAM action
    ("s3:GetObject"), and `status` the HTTP status. The status is 0 if there was no response.
    """

    time: str
    caller: str
    action: str
    status: int


class CallLog:
    """A log of the last 20,000 calls to AWS, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=KEPT_CALLS)

    def add(self, caller: str, action: str, status: int) -> None:
        """Add a call with the present time. The arguments are the fields of `Call`."""
        now = dt.datetime.now(dt.UTC).isoformat()
        self._calls.append({"time": now, "caller": caller, "action": action, "status": status})

    def calls(self, action: str) -> list[Call]:
        """Return the calls whose action begins with `action`.

        This can be an action ("states:StartExecution"), a service ("states:") or "" for all.
        """
        return [call for call in list(self._calls) if call["action"].startswith(action)]

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()


class Exchange:
    """One request and its response, on their way between the server and a service.

    The exchange adds the call to the log. It also adds a request id to a response that has none,
    because every response of AWS has one.
    """

    def __init__(
        self,
        call_log: CallLog,
        scope: HTTPScope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        action: str | None = None,
    ) -> None:
        """Wrap the functions with which ASGI receives a request and sends its response.

        `action` is the IAM action of the request. Without it, MiniStack finds the action.
        """
        self._call_log, self._scope, self._receive, self._send = call_log, scope, receive, send
        self._action = action
        self._head = b""

    async def receive(self) -> ASGIReceiveEvent:
        """Return the next part of the request. Keep the beginning of the body for the log."""
        message = await self._receive()
        if message["type"] == "http.request" and len(self._head) < HEAD_BYTES:
            self._head += message["body"][:HEAD_BYTES]
        return message

    async def send(self, message: ASGISendEvent) -> None:
        """Send the next part of the response. Log the call when the response begins."""
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            if not any(name.lower() == b"x-amzn-requestid" for name, _ in headers):
                headers.append((b"x-amzn-requestid", str(uuid.uuid4()).encode()))
            self.log(message["status"])
            message = {**message, "headers": headers}
        await self._send(message)

    def log(self, status: int) -> None:
        """Add the call to the log. `status` is 0 if the caller gets no response.

        A request without credentials, or without an IAM action, is no call and is not logged.
        """
        headers = http.headers(self._scope)
        query = parse_qs(self._scope["query_string"].decode())
        access_key = extract_access_key_id(headers, query)
        action = self._action or self._ministack_action(headers, query)
        if action is not None and access_key:
            set_request_account_id(access_key)
            self._call_log.add(ministack_internals.caller_arn(access_key), action, status)

    def _ministack_action(self, headers: dict[str, str], query: dict[str, list[str]]) -> str | None:
        """Return the IAM action that MiniStack would authorise for the request, or None."""
        method, path = self._scope["method"], self._scope["path"]
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            query = {**parse_qs(self._head.decode(errors="replace")), **query}
        service = detect_service(method, path, headers, query)
        action: str | None = extract_iam_action(service, method, path, headers, b"", query)
        return action

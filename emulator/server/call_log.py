"""The log of the last calls: who called what, and the status of the response."""

import datetime as dt
import uuid
from collections import deque
from typing import TypedDict
from urllib.parse import parse_qs

from hypercorn.typing import (
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    HTTPScope,
)
from ministack.core.iam_actions import extract_iam_action
from ministack.core.responses import set_request_account_id
from ministack.core.router import detect_service, extract_access_key_id

from emulator.server import http, iam
from emulator.server.personalize import operation_of

FORBIDDEN = 403
# IAM, STS, SNS and other services have form-encoded requests, which name their action in the body.
# The bodies of those requests are shorter than this.
HEAD_BYTES = 65_536
REQUEST_ID = b"x-amzn-requestid"


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


class Exchange:
    """One request and its response, on their way between the server and a service.

    The exchange adds the call to the log. It also adds a request id to a response that has none,
    because every response of AWS has one. It removes the headers that let web pages read it. If a
    fault loses the response, it closes the connection.
    """

    def __init__(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        self._scope, self._receive, self._send = scope, receive, send
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
            self._log(message["status"])
            if message["status"] == http.NO_RESPONSE[0]:
                await http.drop_connection(self._send)
                return
            headers = [
                (name.lower(), value)
                for name, value in message["headers"]
                if not name.lower().startswith(b"access-control-")
            ]
            if REQUEST_ID not in dict(headers):
                headers.append((REQUEST_ID, str(uuid.uuid4()).encode()))
            message = {**message, "headers": headers}
        await self._send(message)

    def _log(self, status: int) -> None:
        """Add the call to the log. `status` is 0 if the caller gets no response.

        A request without credentials, or without an IAM action, is no call and is not logged.
        """
        method, path = self._scope["method"], self._scope["path"]
        headers = dict(http.fields(self._scope))
        query = parse_qs(self._scope["query_string"].decode())
        access_key, operation = extract_access_key_id(headers, query), operation_of(headers, path)
        action = f"personalize:{operation.name}" if operation else None
        if action is None:
            if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
                query = {**parse_qs(self._head.decode(errors="replace")), **query}
            service = detect_service(method, path, headers, query)
            action = extract_iam_action(service, method, path, headers, b"", query)
        if action is not None and access_key:
            set_request_account_id(access_key)
            add(iam.caller_arn(access_key), action, status)

"""Who called what, and how it was answered: the emulator's own small CloudTrail."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import deque
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import parse_qs

from ministack.core.iam_actions import extract_iam_action
from ministack.core.responses import set_request_account_id
from ministack.core.router import detect_service, extract_access_key_id

from emulator.server import http, ministack_seams

if TYPE_CHECKING:
    from hypercorn.typing import (
        ASGIReceiveCallable,
        ASGIReceiveEvent,
        ASGISendCallable,
        ASGISendEvent,
        HTTPScope,
    )

KEPT = 20_000
# The action of a form-encoded call (IAM, STS, SNS, ...) is in its body, which is then short.
HEAD_BYTES = 65_536


class Call(TypedDict):
    """One call: when it was answered (UTC), by whom it was made (ARN), IAM action, status."""

    time: str
    caller: str
    action: str
    status: int


class Calls:
    """The last calls to AWS, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=KEPT)

    def add(self, caller: str, action: str, status: int) -> None:
        """Note a call that was answered just now."""
        now = dt.datetime.now(dt.UTC).isoformat()
        self._calls.append({"time": now, "caller": caller, "action": action, "status": status})

    def of(self, action: str) -> list[Call]:
        """The calls of an action ('states:StartExecution') or a service ('states:'); '' for all."""
        return [call for call in list(self._calls) if call["action"].startswith(action)]

    def clear(self) -> None:
        """Forget them."""
        self._calls.clear()


class Exchange:
    """One request and its answer, listened in on; stands between the server and who answers.

    Also gives each answer a request id: AWS's always have one, and moto's interpreter asks for it.
    """

    def __init__(
        self,
        calls: Calls,
        scope: HTTPScope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        action: str | None = None,
    ) -> None:
        """`action` is the IAM action where it is known; else MiniStack is asked."""
        self._calls, self._scope, self._receive, self._send = calls, scope, receive, send
        self._action = action
        self._head = b""

    async def receive(self) -> ASGIReceiveEvent:
        """Pass a piece of the request on, and remember how the body begins."""
        message = await self._receive()
        if message["type"] == "http.request" and len(self._head) < HEAD_BYTES:
            self._head += message["body"][:HEAD_BYTES]
        return message

    async def send(self, message: ASGISendEvent) -> None:
        """Pass a piece of the answer on; at its beginning, note the call."""
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            if not any(name.lower() == b"x-amzn-requestid" for name, _ in headers):
                headers.append((b"x-amzn-requestid", str(uuid.uuid4()).encode()))
            self.note(message["status"])
            message = {**message, "headers": headers}
        await self._send(message)

    def note(self, status: int) -> None:
        """Note the call with the status that it was answered with; 0 for none."""
        headers = http.headers(self._scope)
        query = parse_qs(self._scope["query_string"].decode())
        access_key = extract_access_key_id(headers, query)
        action = self._action or self._ask_ministack(headers, query)
        if action is not None and access_key:
            set_request_account_id(access_key)
            self._calls.add(ministack_seams.caller_arn(access_key), action, status)

    def _ask_ministack(self, headers: dict[str, str], query: dict[str, list[str]]) -> str | None:
        method, path = self._scope["method"], self._scope["path"]
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            query = {**parse_qs(self._head.decode(errors="replace")), **query}
        service = detect_service(method, path, headers, query)
        action: str | None = extract_iam_action(service, method, path, headers, b"", query)
        return action

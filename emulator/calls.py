"""Who called what, and how it was answered: the emulator's own small CloudTrail."""

from __future__ import annotations

import datetime
import uuid
from collections import deque
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import parse_qs

from ministack.core.iam_actions import extract_iam_action
from ministack.core.iam_evaluator import resolve_caller_identity
from ministack.core.responses import set_request_account_id
from ministack.core.router import detect_service, extract_access_key_id

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
    """One call: when it was answered (UTC), who made it (ARN), its IAM action, and the HTTP status."""

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
        now = datetime.datetime.now(datetime.UTC).isoformat()
        self._calls.append({"time": now, "caller": caller, "action": action, "status": status})

    def of(self, action: str) -> list[Call]:
        """The calls of an IAM action ('states:StartExecution') or of a service ('states:'); '' for all."""
        return [call for call in list(self._calls) if call["action"].startswith(action)]

    def clear(self) -> None:
        """Forget them."""
        self._calls.clear()


class Exchange:
    """One request and its answer, listened in on; stands between the server and who answers.

    Also gives each answer a request id: AWS's always have one, and moto's interpreter asks for it.
    """

    def __init__(
        self, calls: Calls, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        self._calls, self._scope, self._receive, self._send = calls, scope, receive, send
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
            self._note(message["status"])
            message = {**message, "headers": headers}
        await self._send(message)

    def _note(self, status: int) -> None:
        headers = {name.decode().lower(): value.decode() for name, value in self._scope["headers"]}
        query = parse_qs(self._scope["query_string"].decode())
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            query = {**parse_qs(self._head.decode(errors="replace")), **query}
        method, path = self._scope["method"], self._scope["path"]
        target = headers.get("x-amz-target", "")
        if target.startswith("AmazonPersonalize"):
            action = f"personalize:{target.partition('.')[2]}"
        else:
            service = detect_service(method, path, headers, query)
            action = extract_iam_action(service, method, path, headers, b"", query)
        access_key = extract_access_key_id(headers, query)
        if action is None or not access_key:
            return
        set_request_account_id(access_key)
        identity = resolve_caller_identity(access_key)
        self._calls.add(identity["userArn"] if identity else access_key, action, status)

"""The emulator's own controls, as JSON below /_emulator; nobody signs these calls.

    GET    /_emulator/health                    {"status": "ok", "account": ..., "region": ...}
    GET    /_emulator/calls?action=states:      the AWS calls so far, oldest first (`emulator.calls`)
    DELETE /_emulator/calls                     forget them

An error is `{"error": "..."}` with status 400 or 404.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope

    Document = dict[str, object]
    Control = Callable[[Document], object]

PREFIX = "/_emulator/"


class ControlError(Exception):
    """A control was asked for something that cannot be done; the message is the answer."""


class Admin:
    """Answers the controls; each is a function of one document to another, by method and path.

    What a control gets is the body's JSON object, or the query's parameters where there is no body.
    """

    def __init__(self, controls: Mapping[tuple[str, str], Control]) -> None:
        self._controls = controls

    async def __call__(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer one call."""
        body = await read_body(receive)
        status, answer = await asyncio.to_thread(self._answer, scope, body)
        await send_answer(
            send,
            status,
            {"content-type": "application/json"},
            json.dumps(answer, default=str).encode(),
        )

    def _answer(self, scope: HTTPScope, body: bytes) -> tuple[int, object]:
        control = self._controls.get((scope["method"], scope["path"].removeprefix(PREFIX)))
        if control is None:
            known = ", ".join(f"{method} {PREFIX}{path}" for method, path in self._controls)
            return 404, {"error": f"no {scope['method']} {scope['path']}; there are {known}"}
        try:
            document: object = json.loads(body) if body else dict(query(scope))
            if not isinstance(document, dict):
                return 400, {"error": "the body must be a JSON object"}
            return 200, control(cast("Document", document))
        except (ControlError, ValueError, KeyError, TypeError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}


def query(scope: HTTPScope) -> list[tuple[str, str]]:
    """Read the parameters of a request's query, in order."""
    return parse_qsl(scope["query_string"].decode(), keep_blank_values=True)


async def read_body(receive: ASGIReceiveCallable) -> bytes:
    """Read a request's body to its end."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message["body"]
        if not message["more_body"]:
            return body


async def send_answer(
    send: ASGISendCallable, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Send a whole answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                *((name.lower().encode(), value.encode()) for name, value in headers.items()),
                (b"content-length", str(len(body)).encode()),
            ],
            "trailers": False,
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})

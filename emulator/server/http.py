"""HTTP as this server speaks it: reading requests, sending answers and AWS's refusals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from hypercorn.protocol.events import StreamClosed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import MethodType

    from hypercorn.protocol.http_stream import HTTPStream
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope

    Answer = tuple[int, dict[str, str], bytes]


def headers(scope: HTTPScope) -> dict[str, str]:
    """The headers of a request, by their names in lower case."""
    return {name.decode().lower(): value.decode() for name, value in scope["headers"]}


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


def error(code: str, message: str) -> Answer:
    """A refusal as services that speak JSON give it: status, headers and body."""
    kind = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": code}
    return 400, kind, json.dumps({"__type": code, "message": message}).encode()


async def drop_connection(send: ASGISendCallable) -> None:
    """Close the connection without an answer, for which ASGI has no message.

    `send` must be hypercorn's own: it belongs to the stream that is closed. Tried with 0.18.0.
    """
    stream = cast("HTTPStream", cast("MethodType", send).__self__)
    await stream.send(StreamClosed(stream_id=stream.stream_id))

"""HTTP for this server: headers, the errors of AWS, and what is kept of a response."""

import json
import uuid
from collections.abc import Iterable
from typing import Any

from hypercorn.protocol.events import StreamClosed
from hypercorn.typing import ASGISendCallable, ASGISendEvent, HTTPScope

Response = tuple[int, dict[str, str], bytes]
"""The status, the headers and the body of a response, as MiniStack has it."""
REQUEST_ID = b"x-amzn-requestid"
NO_RESPONSE: Response = 0, {}, b""
"""The mark of a response that is lost. Nothing of it is sent."""


def read_headers(scope: HTTPScope) -> list[tuple[str, str]]:
    """Read the headers of a request. ASGI has them as bytes."""
    return [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]


def build_error(code: str, message: str, status: int = 400) -> Response:
    """Build an error response, as AWS's services with JSON bodies send it."""
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": code}
    return status, headers, json.dumps({"__type": code, "message": message}).encode()


def filter_responses(send: ASGISendCallable) -> ASGISendCallable:
    """Wrap `send` so that it leaves out the headers which let web pages read a response.

    Every response gets one request ID, as on AWS. If a fault loses it, the connection is closed.
    """

    async def send_filtered(message: ASGISendEvent) -> None:
        if message["type"] != "http.response.start":
            await send(message)
        elif message["status"] == NO_RESPONSE[0]:
            await _close_connection(send)
        else:
            await send({**message, "headers": _filter_headers(message["headers"])})

    return send_filtered


async def _close_connection(send: ASGISendCallable) -> None:
    """Close a connection without a response.

    ASGI has no message for this, so use hypercorn's own object of the connection, to which `send`
    belongs. Tried with hypercorn 0.18.0.
    """
    stream: Any = getattr(send, "__self__")  # noqa: B009  # mypy sees no method
    await stream.send(StreamClosed(stream_id=stream.stream_id))


def _filter_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Add a request ID if there is none, and drop the headers of CORS."""
    by_name = {REQUEST_ID: str(uuid.uuid4()).encode()}
    for name, value in headers:
        by_name[name.lower()] = value
    return [
        (name, value) for name, value in by_name.items() if not name.startswith(b"access-control-")
    ]

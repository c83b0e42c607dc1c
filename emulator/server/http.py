"""Filters the responses of all services."""

import uuid
from collections.abc import Iterable

from hypercorn.protocol.events import StreamClosed
from hypercorn.typing import ASGISendCallable, ASGISendEvent

Response = tuple[int, dict[str, str], bytes]
"""The status, headers and body of a response, as MiniStack's handlers return them."""
NO_RESPONSE: Response = 0, {}, b""
"""Stands for a lost response: the connection is closed without sending anything."""


def filter_responses(send: ASGISendCallable) -> ASGISendCallable:
    """Wrap ASGI's `send` so that every response gets a request ID and loses its CORS headers.

    MiniStack adds CORS headers, which would allow any web page to read the response. For
    NO_RESPONSE, the wrapper closes the connection without sending anything.
    """

    async def send_filtered(message: ASGISendEvent) -> None:
        if message["type"] != "http.response.start":
            await send(message)
        elif message["status"] == NO_RESPONSE[0]:
            # ASGI has no message for that, so we have to ask hypercorn's own stream object, which
            # `send` is a method of. This works with hypercorn 0.18.0.
            stream = getattr(send, "__self__")  # noqa: B009  # mypy doesn't know that it's a method
            await stream.send(StreamClosed(stream_id=stream.stream_id))
        else:
            await send({**message, "headers": _filter_headers(message["headers"])})

    return send_filtered


def _filter_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Remove CORS headers and add a request ID if the response doesn't have one.

    Of several headers with the same name, only the last one is kept.
    """
    values_by_name = {b"x-amzn-requestid": str(uuid.uuid4()).encode()}
    for name, value in headers:
        values_by_name[name.lower()] = value
    return [
        (name, value)
        for name, value in values_by_name.items()
        if not name.startswith(b"access-control-")
    ]

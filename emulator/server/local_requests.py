"""Refuses the requests that a web page in the user's browser could send to the emulator.

The access key of the emulator is public, and the emulator runs the code of Lambda functions. So
any page that can send a request could run code on this machine. Two ways lead here: a page sends
requests to 127.0.0.1, or its own host name resolves to 127.0.0.1 (DNS rebinding). A browser says
in the headers which page sends a request, and for which host. No AWS client sends these headers
with such values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emulator.server import http

if TYPE_CHECKING:
    from hypercorn.typing import ASGISendCallable, ASGISendEvent, HTTPScope, WebsocketScope

LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:(?P<port>\d+))?", re.ASCII)
DEFAULT_PORT = 80
CORS_HEADERS = b"access-control-"


def refusal(scope: HTTPScope | WebsocketScope, port: int) -> str | None:
    """Return an error message if a request may be from a web page, else None.

    `port` is the port of the emulator.
    """
    headers = http.headers(scope)
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"]
    if len(hosts) != 1 or not _is_own_host(hosts[0], port):
        return (
            f"the Host header is {', '.join(hosts)!r}; the emulator answers only to"
            f" 127.0.0.1:{port}, localhost:{port} and [::1]:{port}, so that no web page can"
            " reach it by a host name of its own"
        )
    if "origin" in headers:
        return (
            f"the request has the Origin {headers['origin']!r}; the emulator answers no web page,"
            " use an AWS SDK, the AWS CLI or curl"
        )
    if headers.get("sec-fetch-site", "none") != "none":
        return (
            f"the request has the header Sec-Fetch-Site: {headers['sec-fetch-site']}; the emulator"
            " answers no web page, use an AWS SDK, the AWS CLI or curl"
        )
    if scope["type"] == "http" and scope["method"] == "OPTIONS":
        return "the method is OPTIONS, which only browsers use; the emulator answers no web page"
    return None


def without_cors_headers(send: ASGISendCallable) -> ASGISendCallable:
    """Return a function that sends messages without the headers that let web pages read them."""

    async def send_without(message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            kept = [item for item in headers if not item[0].lower().startswith(CORS_HEADERS)]
            message = {**message, "headers": kept}
        await send(message)

    return send_without


def _is_own_host(host: str, port: int) -> bool:
    """Return True if a Host header names the loopback address and this port."""
    match = LOOPBACK_HOST.fullmatch(host.lower())
    return match is not None and int(match["port"] or DEFAULT_PORT) == port

"""Refuses the requests that a web page in the user's browser could send to the emulator.

The access key of the emulator is public, and the emulator runs the code of Lambda functions. So
any page that can send a request could run code on this machine. Two ways lead here: a page sends
requests to 127.0.0.1, or its own host name resolves to 127.0.0.1 (DNS rebinding). A browser says
in the headers which page sends a request, and for which host. No AWS client sends these headers
with such values.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:(?P<port>\d+))?", re.ASCII)
DEFAULT_PORT = 80
NO_WEB_PAGE = "the emulator answers no web page, use an AWS SDK, the AWS CLI or curl"


def explain_refusal(method: str, headers: Iterable[tuple[str, str]], port: int) -> str | None:
    """Explain why a request to a port is refused, or return None if no web page could send it."""
    values: dict[str, list[str]] = defaultdict(list)
    for name, value in headers:
        values[name.lower()].append(value)

    hosts = values["host"]
    if not _is_own_host(hosts, port):
        return (
            f"the Host header is {', '.join(hosts)!r}; the emulator answers only to"
            f" 127.0.0.1:{port}, localhost:{port} and [::1]:{port}, so that no web page can"
            " reach it by a host name of its own"
        )

    origins = values["origin"]
    if origins:
        return f"the request has the Origin {origins[0]!r}; {NO_WEB_PAGE}"

    # A browser says "none" for an address that the user has typed.
    sites = values["sec-fetch-site"]
    if sites and sites != ["none"]:
        return f"the request has the header Sec-Fetch-Site: {sites[0]}; {NO_WEB_PAGE}"

    if method == "OPTIONS":
        return f"the method is OPTIONS, which only browsers use; {NO_WEB_PAGE}"
    return None


def _is_own_host(hosts: list[str], port: int) -> bool:
    """Return True if a request names exactly one host, which is this machine with this port."""
    if len(hosts) != 1:
        return False

    match = LOOPBACK_HOST.fullmatch(hosts[0].lower())
    return match is not None and int(match["port"] or DEFAULT_PORT) == port

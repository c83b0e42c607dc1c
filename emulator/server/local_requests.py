"""Recognizes requests that a web page in the user's browser could have sent to the emulator.

The emulator's access key is public, and it runs the code of Lambda functions. So any web page that
can send requests to it could run code on this machine. A page could either send them to 127.0.0.1,
or to its own host name after making that resolve to 127.0.0.1 (DNS rebinding). But browsers send
headers that say which host they think they're talking to, and which page made them do so. No AWS
client sends these headers with such values.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:(?P<port>\d+))?", re.ASCII)
DEFAULT_PORT = 80
WEB_PAGE_HINT = "the emulator answers no web page, use an AWS SDK, the AWS CLI or curl"


def explain_refusal(method: str, headers: Iterable[tuple[str, str]], port: int) -> str | None:
    """Explain why a request is refused. Return None if no web page could have sent it.

    `port` is where the request arrived.
    """
    values_by_name: dict[str, list[str]] = defaultdict(list)
    for name, value in headers:
        values_by_name[name.lower()].append(value)

    hosts = values_by_name["host"]
    if not _is_own_address(hosts, port):
        return (
            f"the Host header is {', '.join(hosts)!r}; the emulator answers only to"
            f" 127.0.0.1:{port}, localhost:{port} and [::1]:{port}, so that no web page can"
            " reach it by a host name of its own"
        )

    origins = values_by_name["origin"]
    if origins:
        return f"the request has the Origin {origins[0]!r}; {WEB_PAGE_HINT}"

    # Browsers send "none" if the user has typed the address.
    sites = values_by_name["sec-fetch-site"]
    if sites and sites != ["none"]:
        return f"the request has the header Sec-Fetch-Site: {sites[0]}; {WEB_PAGE_HINT}"

    if method == "OPTIONS":
        return f"the method is OPTIONS, which only browsers use; {WEB_PAGE_HINT}"
    return None


def _is_own_address(hosts: list[str], port: int) -> bool:
    """Return True if there's exactly one Host header, and it names this machine and port."""
    if len(hosts) != 1:
        return False

    match = LOOPBACK_HOST.fullmatch(hosts[0].lower())
    return match is not None and int(match["port"] or DEFAULT_PORT) == port

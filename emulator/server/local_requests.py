"""Recognizes requests that a web page in the user's browser could have sent to the emulator.

The emulator's access key is public, and the emulator runs the code of Lambda functions. So a web
page that can send requests to the emulator could run any code on this machine. The page could send
requests to 127.0.0.1, or to its own host name after making that name resolve to 127.0.0.1 (DNS
rebinding). To prevent this, we check the headers in which browsers send the host name and the
origin of the page. AWS clients don't send these headers with the values that we refuse.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:(?P<port>\d+))?", re.ASCII)
DEFAULT_PORT = 80
WEB_PAGE_HINT = "the emulator answers no web page, use an AWS SDK, the AWS CLI or curl"


def explain_refusal(method: str, headers: Iterable[tuple[str, str]], port: int) -> str | None:
    """Explain why a request is refused, or return None if no web page could have sent it.

    `port` is the port at which the request arrived.
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

    # Browsers send "none" if the user typed the address.
    sites = values_by_name["sec-fetch-site"]
    if sites and sites != ["none"]:
        return f"the request has the header Sec-Fetch-Site: {sites[0]}; {WEB_PAGE_HINT}"

    if method == "OPTIONS":
        return f"the method is OPTIONS, which only browsers use; {WEB_PAGE_HINT}"
    return None


def _is_own_address(hosts: list[str], port: int) -> bool:
    """Return True if there's exactly one Host header and it names this machine and port."""
    if len(hosts) != 1:
        return False

    match = LOOPBACK_HOST.fullmatch(hosts[0].lower())
    return match is not None and int(match["port"] or DEFAULT_PORT) == port

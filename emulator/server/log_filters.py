"""Logs refuse the filter patterns that MiniStack would answer with every line there is.

MiniStack filters by words. For a pattern of JSON, of fields or of a regular expression
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html) it gives
wrong lines, which is worse than none.
"""

from __future__ import annotations

import json

from emulator.server import http, ministack_seams


def mount() -> None:
    """Begin to refuse."""
    ministack_seams.guard_service("logs", _refusal)


def _refusal(_method: str, _path: str, body: bytes) -> http.Answer | None:
    request = json.loads(body or b"{}")
    pattern = str(request.get("filterPattern", "")).strip()
    # A filter that is kept has a name; here nothing is ever filtered by it.
    if not pattern.startswith(("{", "[", "%")) or "filterName" in request:
        return None
    return http.error(
        "InvalidParameterException",
        f"filterPattern: {pattern!r} is no words; this emulator knows only words that are all in"
        " the line, and -words that are not",
    )

"""The refusal of filter patterns that MiniStack's Logs does not understand.

MiniStack filters by words only. For a pattern of JSON, of fields or of a regular expression
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html) it would
return wrong lines, and an error is better than that.
"""

from __future__ import annotations

import json

from emulator.server import http, ministack_internals


def mount() -> None:
    """From now on, refuse the filter patterns that MiniStack does not understand."""
    ministack_internals.guard_service("logs", _refusal)


def _refusal(_method: str, _path: str, body: bytes) -> http.Response | None:
    """Return an error for a request to search lines with a pattern that is not plain words."""
    request = json.loads(body or b"{}")
    pattern = str(request.get("filterPattern", "")).strip()
    has_only_words = not pattern.startswith(("{", "[", "%"))
    is_stored_filter = "filterName" in request  # MiniStack stores it and never filters by it
    if has_only_words or is_stored_filter:
        return None
    return http.error(
        "InvalidParameterException",
        f"filterPattern: {pattern!r} is no words; this emulator knows only words that are all in"
        " the line, and -words that are not",
    )

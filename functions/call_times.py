"""Measures how long calls to AWS take, so that a poll that was too slow can name the reason."""

from collections import defaultdict
from typing import Any

from botocore.client import BaseClient

from . import clock
from .words import format_duration

MAX_NAMED = 3
"""The most operations that are named."""

_seconds: defaultdict[str, list[float]] = defaultdict(list)
"""Operation -> how many seconds each call of it took in this invocation."""
_SENT_AT = "retraining_sent_at"
"""The key in botocore's context under which the time of a call is kept until its end."""


def forget_calls() -> None:
    """Start to measure anew, because Lambda keeps this module in memory between invocations."""
    _seconds.clear()


def list_slowest_calls() -> str:
    """Name what took the most time, for example `ListTagsForResource 33 times in 2 min`."""
    totals = {operation: sum(seconds) for operation, seconds in _seconds.items()}
    slowest_first = sorted(totals, key=totals.__getitem__, reverse=True)

    return ", ".join(
        f"{operation} {len(_seconds[operation])} times in {format_duration(totals[operation])}"
        for operation in slowest_first[:MAX_NAMED]
    )


def measure_calls(client: BaseClient) -> None:
    """Measure each call of a client, including its retries."""
    client.meta.events.register("provide-client-params", _begin)
    client.meta.events.register("after-call", _end)
    client.meta.events.register("after-call-error", _end)


def _begin(context: dict[str, Any], **_: object) -> None:
    """Keep the time of a call, before its first request."""
    # botocore passes the same context to all events of one call.
    context[_SENT_AT] = clock.now()


def _end(context: dict[str, Any], event_name: str, **_: object) -> None:
    """Add the duration of a call, whether or not it has succeeded."""
    # The name is, for example, `after-call.personalize.ListTagsForResource`.
    operation = event_name.rpartition(".")[2]
    duration = clock.now() - context[_SENT_AT]
    _seconds[operation].append(duration.total_seconds())

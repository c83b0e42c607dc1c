"""Measures how long calls to AWS take, to explain why a poll was too slow."""

from collections import defaultdict
from typing import Any

from botocore.client import BaseClient

from . import clock
from .formatting import format_duration

MAX_LISTED_OPERATIONS = 3
"""How many of the slowest operations are listed."""

_call_seconds: defaultdict[str, list[float]] = defaultdict(list)
"""Operation -> the duration in seconds of each of its calls in this invocation."""
_START_TIME_KEY = "retraining_sent_at"
"""The key for a call's start time in botocore's context."""


def reset_call_times() -> None:
    """Forget earlier calls, because Lambda keeps the module in memory between invocations."""
    _call_seconds.clear()


def format_slowest_calls() -> str:
    """List the operations that took longest, like `ListTagsForResource 33 times in 2 min`."""
    totals = {operation: sum(seconds) for operation, seconds in _call_seconds.items()}
    slowest_first = sorted(totals, key=lambda operation: totals[operation], reverse=True)

    return ", ".join(
        f"{operation} {len(_call_seconds[operation])} times in {format_duration(totals[operation])}"
        for operation in slowest_first[:MAX_LISTED_OPERATIONS]
    )


def measure_calls(client: BaseClient) -> None:
    """Measure each call of a client, including its retries."""
    client.meta.events.register("provide-client-params", _record_start)
    client.meta.events.register("after-call", _record_duration)
    client.meta.events.register("after-call-error", _record_duration)


def _record_start(context: dict[str, Any], **_: object) -> None:
    """Record when a call starts, before its first request."""
    # botocore passes the same context to all events of one call.
    context[_START_TIME_KEY] = clock.now()


def _record_duration(context: dict[str, Any], event_name: str, **_: object) -> None:
    """Record how long a call took, whether or not it succeeded."""
    # The name is, for example, `after-call.personalize.ListTagsForResource`.
    operation = event_name.rpartition(".")[2]
    duration = clock.now() - context[_START_TIME_KEY]
    _call_seconds[operation].append(duration.total_seconds())

"""Shortens the texts that functions return and raise, so that the document of a run stays small.

The state of an execution has at most 256 KiB
(https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html). Personalize documents no
limit for a failure reason. With the limits in this module, the document of the largest pipeline
that the rules allow is small enough.
"""

import functools
import json
import logging
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar, cast

from . import errors
from .messages import Message

MAX_STRING_BYTES = 300
"""The most bytes of most texts, for example of a job's failure or an error. ARNs are shorter."""
MAX_PLAN_STRING_BYTES = 8_000
"""The most bytes of a text in the plan, because the reason for a skip may name every solution."""
MAX_LIST_BYTES = 8_000
"""The most bytes of a list of messages, for example of all warnings of the plan."""
MAX_TRIALS_BYTES = 10_000
"""The most bytes of the results of earlier runs' trials in the document of a run with other jobs.
Each is usually 700 bytes."""
MAX_REFUSAL_BYTES = 16_000
"""The most bytes of the message of RunRefused, which lists everything that is wrong with a run."""

logger = logging.getLogger("retraining")

Event = TypeVar("Event")
Result = TypeVar("Result")
Value = TypeVar("Value")


def with_truncated_strings(
    handler: Callable[[Event, object], Result],
) -> Callable[[Event, object], Result]:
    """Decorate a handler to shorten the texts in its result and in its errors.

    An error is raised without its stack trace, which would become part of the document as well. The
    log has the whole error.
    """

    @functools.wraps(handler)
    def short_handler(event: Event, context: object) -> Result:
        try:
            result = handler(event, context)
        except Exception as error:  # noqa: BLE001 - it is raised again
            raise _truncate_error(error).with_traceback(None) from None

        return cast("Result", truncate_strings(result))

    return short_handler


def truncate(text: str, max_bytes: int = MAX_STRING_BYTES) -> str:
    """Cut a text that has more than `max_bytes` in JSON, and append how long it was."""
    if count_json_bytes(text) <= max_bytes:
        return text

    end = f"… (cut, {len(text):,} characters)"
    max_kept_bytes = max_bytes - count_json_bytes(end)
    # Each character has at least one byte, so no more than `max_bytes` of them can be kept.
    sizes = accumulate(map(count_json_bytes, text[:max_bytes]))
    kept_count = sum(size <= max_kept_bytes for size in sizes)

    return text[:kept_count].rstrip() + end


def truncate_list(messages: Sequence[Message], max_bytes: int = MAX_LIST_BYTES) -> list[Message]:
    """Keep as many messages as `max_bytes` allow, but at least one, and append how many are cut."""
    kept_messages = take_fitting(messages, max_bytes)
    if missing := len(messages) - len(kept_messages):
        kept_messages.append(Message(text=f"… and {missing} more"))
    return kept_messages


def take_fitting(values: Sequence[Value], max_bytes: int) -> list[Value]:
    """Keep the first of some JSON values, as many as `max_bytes` allow, but at least one."""
    sizes = accumulate(len(json.dumps(value)) + len(", ") for value in values)
    count = sum(size <= max_bytes for size in sizes)
    return list(values[: max(count, 1)])


def truncate_strings(value: object, max_bytes: int = MAX_STRING_BYTES) -> object:
    """Shorten all texts and all lists of messages in a JSON value."""
    if isinstance(value, str):
        return truncate(value, max_bytes)

    if isinstance(value, dict):
        limits = {"plan": MAX_PLAN_STRING_BYTES}
        return {
            # Functions need the settings exactly as they were deployed.
            key: inner if key == "settings" else truncate_strings(inner, limits.get(key, max_bytes))
            for key, inner in value.items()
        }

    if isinstance(value, list):
        return _limited([truncate_strings(inner, max_bytes) for inner in value])

    return value


def _limited(values: list[object]) -> object:
    """Shorten a list if it consists of messages, or of texts like the warnings of an item."""
    if all(isinstance(value, str) for value in values):
        messages = truncate_list([Message(text=str(value)) for value in values])
        return [message["text"] for message in messages]

    if all(isinstance(value, dict) and "text" in value for value in values):
        return truncate_list(cast("list[Message]", values))
    return values


def count_json_bytes(text: str) -> int:
    """Count the bytes of a text in ASCII JSON, without the quotes."""
    return len(json.dumps(text)) - len('""')


def _truncate_error(error: Exception) -> Exception:
    """Shorten the message of an error. If its class isn't in errors.py, log the whole error."""
    if isinstance(error, errors.RunRefused):
        problems = [truncate_strings(problem, MAX_PLAN_STRING_BYTES) for problem in error.problems]
        return errors.RunRefused(truncate_list(cast("list[Message]", problems), MAX_REFUSAL_BYTES))

    message = str(error)
    if type(error).__module__ != errors.__name__:
        logger.error("%s: %s", type(error).__name__, message, exc_info=error)

    short_message = truncate(message)
    # str(KeyError("x")) has quotes, so a message that is short enough stays as it is.
    if short_message != message:
        error.args = (short_message,)
    return error

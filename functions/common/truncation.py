"""Truncates the strings that functions return and raise, to keep the data of an execution small.

Step Functions allows 256 KiB
(https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html), but Personalize
documents no limit for a failure reason. With the limits in this module, there's enough room even
for the largest pipeline that can be configured.
"""

import functools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from . import errors
from .messages import Message

MAX_STRING_BYTES = 300
"""The size limit of most strings, such as an error or a job's failure reason. ARNs are shorter."""
MAX_PLAN_STRING_BYTES = 8_000
"""The size limit of a string in the plan, where the reason for a skip may name every solution."""
MAX_LIST_BYTES = 8_000
"""The size limit of a list of messages, such as the warnings of the plan."""
MAX_TRIALS_BYTES = 9_500
"""The size limit of the results of earlier runs' trials, if the run has other jobs too. A result is
usually 700 bytes."""
MAX_REFUSAL_BYTES = 16_000
"""The size limit of a RunRefused error, which lists every problem of a run."""

logger = logging.getLogger("retraining")

Event = TypeVar("Event")
Result = TypeVar("Result")
Value = TypeVar("Value")


def truncate_output(
    handler: Callable[[Event, object], Result],
) -> Callable[[Event, object], Result]:
    """Decorate a handler so that it truncates the strings in its result and in its errors.

    Errors are raised without a stack trace, which would also become part of the execution's data.
    The log has the whole error.
    """

    @functools.wraps(handler)
    def truncating_handler(event: Event, context: object) -> Result:
        try:
            result = handler(event, context)
        except Exception as error:  # noqa: BLE001 - it is raised again
            _log_unexpected_error(error)
            raise _truncate_error(error).with_traceback(None) from None

        return cast("Result", truncate_strings(result))

    return truncating_handler


def truncate(text: str, max_bytes: int = MAX_STRING_BYTES) -> str:
    """Cut off the end of a text that has more than `max_bytes` in JSON, and append its length."""
    if count_json_bytes(text) <= max_bytes:
        return text

    end = f"… (cut, {len(text):,} characters)"
    return _keep_beginning(text, max_bytes - count_json_bytes(end)).rstrip() + end


def truncate_middle(text: str, max_bytes: int = MAX_STRING_BYTES) -> str:
    """Cut out the middle of a text that has more than `max_bytes` in JSON.

    An error from AWS names the request at its beginning. Its end says what's missing, for example
    that no permissions boundary allows the action. The middle is mostly ARNs.
    """
    if count_json_bytes(text) <= max_bytes:
        return text

    gap = f"… (cut, {len(text):,} characters) …"
    kept_bytes = max_bytes - count_json_bytes(gap)
    beginning = _keep_beginning(text, kept_bytes // 2)

    # The end of the text is the beginning of the reversed text.
    remaining_bytes = kept_bytes - count_json_bytes(beginning)
    reversed_end = _keep_beginning(text[::-1], remaining_bytes)
    return beginning.rstrip() + gap + reversed_end[::-1].lstrip()


def _keep_beginning(text: str, max_bytes: int) -> str:
    """Return as many of the first characters as fit into `max_bytes` of JSON."""
    total_bytes = 0
    for index, character in enumerate(text):
        total_bytes += count_json_bytes(character)
        if total_bytes > max_bytes:
            return text[:index]
    return text


def truncate_list(messages: Sequence[Message], max_bytes: int = MAX_LIST_BYTES) -> list[Message]:
    """Keep as many messages as fit, at least one, and append how many are missing."""
    kept_messages = keep_fitting(messages, max_bytes)
    if missing_count := len(messages) - len(kept_messages):
        kept_messages.append(Message(text=f"… and {missing_count} more"))
    return kept_messages


def keep_fitting(values: Sequence[Value], max_bytes: int) -> list[Value]:
    """Keep as many of the first values as fit into `max_bytes` of JSON, but at least one."""
    kept_values: list[Value] = []
    total_bytes = 0
    for value in values:
        total_bytes += len(json.dumps(value)) + len(", ")
        if kept_values and total_bytes > max_bytes:
            break
        kept_values.append(value)
    return kept_values


def truncate_strings(value: object, max_bytes: int = MAX_STRING_BYTES) -> object:
    """Truncate all strings and all lists of messages in a JSON value."""
    if isinstance(value, str):
        return truncate_middle(value, max_bytes)

    if isinstance(value, dict):
        return _truncate_values(value, max_bytes)

    if isinstance(value, list):
        return _truncate_if_messages([truncate_strings(item, max_bytes) for item in value])

    return value


def _truncate_values(document: Mapping[str, object], max_bytes: int) -> dict[str, object]:
    """Truncate the values of a JSON object. Strings in a plan may be longer than others."""
    truncated = {}
    for key, value in document.items():
        if key == "settings":
            truncated[key] = value  # The settings must stay as they were deployed.
        elif key == "plan":
            truncated[key] = truncate_strings(value, MAX_PLAN_STRING_BYTES)
        else:
            truncated[key] = truncate_strings(value, max_bytes)

    return truncated


def _truncate_if_messages(values: list[object]) -> object:
    """Truncate a list if it contains only strings or only messages. Otherwise, return it as is."""
    if all(isinstance(value, str) for value in values):
        messages = truncate_list([Message(text=str(value)) for value in values])
        return [message["text"] for message in messages]

    if all(isinstance(value, dict) and "text" in value for value in values):
        return truncate_list(cast("list[Message]", values))
    return values


def count_json_bytes(text: str) -> int:
    """Count the bytes of a text as ASCII JSON, without the quotes."""
    return len(json.dumps(text)) - len('""')


def _log_unexpected_error(error: Exception) -> None:
    """Log an error with its stack trace, unless it's one of the exceptions in `errors.py`."""
    if type(error).__module__ != errors.__name__:
        logger.error("%s: %s", type(error).__name__, str(error), exc_info=error)


def _truncate_error(error: Exception) -> Exception:
    """Truncate an error's message. The result has the same class as the error."""
    if isinstance(error, errors.RunRefused):
        problems = [truncate_strings(problem, MAX_PLAN_STRING_BYTES) for problem in error.problems]
        shown_problems = truncate_list(cast("list[Message]", problems), MAX_REFUSAL_BYTES)
        return errors.RunRefused(shown_problems)

    message = str(error)
    short_message = truncate_middle(message)
    # str(KeyError("x")) adds quotes, so replace only messages that were truncated.
    if short_message != message:
        error.args = (short_message,)
    return error

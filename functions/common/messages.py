"""Messages for people, kept as data until they are printed.

A *message* says what is wrong, and usually what to do. If a command helps, it's kept separate,
because each printer identifies the pipeline differently: by the ARN of the state machine in an
email, with `--stack` on the command line. A rule or guard writes a message without a command as a
plain string, which `as_message()` converts before it leaves the function.
"""

import shlex
from collections.abc import Sequence
from typing import NotRequired, TypedDict


class Message(TypedDict):
    """A text, and the command that does what the text advises."""

    text: str
    """What is wrong, and what to do about it."""
    command: NotRequired[str]
    """The command that does it. A `retrain` command lacks the options that identify the pipeline.
    Left out if no command helps."""
    needsPerson: NotRequired[bool]
    """True for a warning that is sent to people even with `notifications.on: problems`. Left out
    otherwise."""


Reason = str | Message
"""What a rule or a guard reports: a plain string, or a message with a command."""


def as_message(reason: Reason) -> Message:
    """Convert a reason into a Message, which is what states pass on."""
    if isinstance(reason, str):
        return Message(text=reason)
    return reason


def get_text(reason: Reason) -> str:
    """Return the text of a reason without its command."""
    return as_message(reason)["text"]


def add_subject(subject: str, reason: Reason) -> Message:
    """Prefix a message with its subject, like `datasets.items: ...`."""
    message = as_message(reason)
    return {**message, "text": f"{subject}: {message['text']}"}


def join_reasons(reasons: Sequence[Reason]) -> Message:
    """Join reasons into one message, with the command of the last one."""
    return {**as_message(reasons[-1]), "text": "; ".join(map(get_text, reasons))}


def format_message(message: Message, pipeline_options: Sequence[str]) -> str:
    """Format a message as one line, with names instead of ARNs and a command to paste."""
    text = shorten_arns(message["text"])
    command = message.get("command")
    if command is None:
        return text
    return f"{text}: `{add_pipeline_options(command, pipeline_options)}`"


def add_pipeline_options(command: str, pipeline_options: Sequence[str]) -> str:
    """Add the options that identify the pipeline to a `retrain` command.

    Without them, the command would work on the stack `dev`.
    """
    if not command.startswith("retrain "):
        return command
    return " ".join([command, *map(shlex.quote, pipeline_options)])


def shorten_arns(text: str) -> str:
    """Put a text on one line, and replace each Personalize ARN with the name at its end.

    Messages from AWS contain ARNs, too, so it isn't enough to use names in our own.
    """
    return " ".join(map(_shorten_arn, text.split()))


def _shorten_arn(word: str) -> str:
    # An ARN may be in quotes or brackets.
    before_arn, arn, _ = word.partition("arn:")
    resource_type, _, name = word.partition("/")
    if not arn or ":personalize:" not in resource_type:
        return word
    return f"{before_arn}{name}"

"""Messages for people, which stay data until somebody prints them.

A *message* says what is wrong, and usually what to do. If a command does that, it's a value of its
own, because each printer names the pipeline differently: with the ARN of the state machine in a
mail, with `--stack` on the command line. Rules and guards write a message without a command as a
plain text. It becomes a Message where it enters a document.
"""

import shlex
from collections.abc import Sequence
from typing import NotRequired, TypedDict


class Message(TypedDict):
    """A sentence, and the command that does what its end advises."""

    text: str
    """What is wrong, and what to do about it."""
    command: NotRequired[str]
    """The command for that. A command of `retrain` lacks the options that name the pipeline. The
    key is left out if no command helps."""


Reason = str | Message
"""What a rule or a guard says: a plain text, or a text with a command."""


def as_message(reason: Reason) -> Message:
    """Return a reason in the form that documents have."""
    if isinstance(reason, str):
        return Message(text=reason)
    return reason


def text_of(reason: Reason) -> str:
    """Return what a reason says, without its command."""
    return as_message(reason)["text"]


def about(subject: str, reason: Reason) -> Message:
    """Return a message that begins with what it is about."""
    message = as_message(reason)
    return {**message, "text": f"{subject}: {message['text']}"}


def join_reasons(reasons: Sequence[Reason]) -> Message:
    """Join reasons to one message. Its command is that of the last reason."""
    return {**as_message(reasons[-1]), "text": "; ".join(map(text_of, reasons))}


def format_message(message: Message, pipeline_options: Sequence[str]) -> str:
    """Print a message in one line, with names instead of ARNs, and a command to be pasted."""
    text = shorten_arns(message["text"])
    command = message.get("command")
    if command is None:
        return text
    return f"{text}: `{complete(command, pipeline_options)}`"


def complete(command: str, pipeline_options: Sequence[str]) -> str:
    """Let a command of ours name the pipeline. Otherwise, it would take that of the stack `dev`."""
    if not command.startswith("retrain "):
        return command
    return " ".join([command, *map(shlex.quote, pipeline_options)])


def shorten_arns(text: str) -> str:
    """Put a text into one line, with names instead of the ARNs of Personalize.

    They're also in the texts of AWS, so the names can't be written from the start.
    """
    return " ".join(map(_shorten_arn, text.split()))


def _shorten_arn(word: str) -> str:
    # An ARN may be in quotes or brackets.
    before_arn, arn, _ = word.partition("arn:")
    resource_type, _, name = word.partition("/")
    if not arn or ":personalize:" not in resource_type:
        return word
    return f"{before_arn}{name}"
